"""From trials to tasks: plan (reads only, everything wrong is found here), then write: cache, objects, one transaction of refs.

All tasks of one request come to be, or none. Killed before the transaction nothing is queued: what was written is unreferenced
objects in Git, and data in the cache that was in the workspace anyway.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from offbranch.base.errors import ConflictError, OffbranchError
from offbranch.base.events import Progressed, Reporter
from offbranch.base.files import FileReader
from offbranch.base.made_up_names import Chooser, generate_name
from offbranch.base.paths import PARAMS_FILE, ROOT, GitPath, RepoPath, resolve_in
from offbranch.base.records import record, replace
from offbranch.experiments.commit import files_of_stages, snapshot_of
from offbranch.experiments.composition import open_planner, source_files
from offbranch.experiments.data_changes import with_changed_data
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.preview import Ahead, look_ahead_with
from offbranch.experiments.refs import task_ref
from offbranch.experiments.run import plan_parameter_files
from offbranch.experiments.workbench import in_git
from offbranch.git.ids import BlobId, CommitId, TreeId
from offbranch.git.many_commits import CommitDraft, clean_blobs, write_commits
from offbranch.git.objects import MODE_EXECUTABLE, MODE_FILE, MODE_LINK, ObjectReader
from offbranch.git.refs import RefUpdate, update_refs
from offbranch.git.repository import GitRepo
from offbranch.params.overrides import Override
from offbranch.pipeline.options import RunOptions
from offbranch.pipeline.stage import Pipelines
from offbranch.project import Project
from offbranch.queue.history import read_history
from offbranch.queue.resources import needs_of
from offbranch.queue.store import drop_task, remember, tasks_of
from offbranch.queue.task import StoredTask, Task, message_of
from offbranch.queue.terms import NO_TERMS, Terms, with_terms

_MAX_LINKS = 10
_SHOWN_NAMES = 3


@record
class Wish:
    """What all trials of a request have in common.

    Attributes:
        spec: With the wanted name, or the empty one; its overrides are those of the trials.
        options: How stages are chosen and carried out.
        copy_paths: Untracked paths that each copy shall have too.
        id_stem: What the ids of the tasks begin with.
        created_utc: Seconds since the epoch.
        terms: How they are to be run.
    """

    spec: ExperimentSpec
    options: RunOptions
    copy_paths: tuple[RepoPath, ...]
    id_stem: str
    created_utc: float
    terms: Terms = NO_TERMS


@record
class Submission:
    """Tasks that are to be written.

    Attributes:
        tasks: In the order of the trials.
        contents: For each, the parameter files that differ from the workspace.
        overridden: Every parameter file that an override names.
        pipelines: What they are about, for their files and data; several where parameters decide about stages.
        replaced: Queued tasks whose name they take.
    """

    tasks: tuple[Task, ...]
    contents: tuple[Mapping[RepoPath, bytes], ...]
    overridden: tuple[RepoPath, ...]
    pipelines: tuple[Pipelines, ...]
    replaced: tuple[StoredTask, ...] = ()


@record
class Names:
    """The names of new tasks, and the queued tasks that have to make room for them."""

    names: tuple[str, ...]
    replaced: tuple[StoredTask, ...] = ()


def choose_names(
    project: Project, repo: GitRepo, spec: ExperimentSpec, n: int, rng: Chooser, *, numbered: bool
) -> Names:
    """Returns a name for each of `n` trials: `P-1`, `P-2`, … of a sweep, the name itself, or automatic ones.

    Args:
        spec: The name that is wanted (empty for automatic ones), the baseline, and whether a name may be taken over.

    Raises:
        ConflictError: An experiment or a task of this baseline has one of the names.
    """
    history = read_history(repo, project.root, with_made=False, names_of=spec.baseline)
    tasks, made = history.waiting_at(spec.baseline), history.names
    if not spec.name:
        taken = {*made, *(each.name for each in tasks)}
        names = []
        for _ in range(n):
            names.append(generate_name(taken, rng))
            taken.add(names[-1])
        return Names(names=tuple(names))
    wanted = tuple(f"{spec.name}-{number}" for number in range(1, n + 1)) if numbered else (spec.name,)
    wanted_set = frozenset(wanted)
    namesakes = replace(history, waiting=tuple(each for each in tasks if each.name in wanted_set))
    waiting = tasks_of(project.root, namesakes).all
    running = [each.name for each in waiting if not each.is_waiting]
    if running:
        raise ConflictError(
            f"{_quoted(running)} {'is' if len(running) == 1 else 'are'} running at this moment",
            hint="-n gives another name",
        )
    if not spec.force:
        _refuse_taken([name for name in wanted if name in made], "an experiment", "experiments", "for this baseline")
        _refuse_taken([each.name for each in waiting], "a task", "tasks", "in the queue")
    return Names(names=wanted, replaced=waiting)


def plan_submission(
    project: Project,
    wish: Wish,
    names: Names,
    trials: Iterable[Sequence[Override]],
    reporter: Reporter,
    files: FileReader | None = None,
) -> Submission:
    """Decides what to write for some trials; writes nothing.

    Args:
        files: Of a checkpoint that they go on from, instead of the workspace; parameters are not composed then.

    Raises:
        OffbranchError: A file is malformed, an override impossible or a target unknown.
    """
    tasks: list[Task] = []
    contents: list[Mapping[RepoPath, bytes]] = []
    pipelines: list[Pipelines] = []
    overridden: tuple[RepoPath, ...] = ()
    ahead: Ahead | None = None
    n = len(names.names)
    with open_planner(project, wish.spec.hydra, reporter) as planner:
        plan_files = planner if files is None else partial(plan_parameter_files, files)
        for order, (name, trial) in enumerate(zip(names.names, trials, strict=True), 1):
            task = _task(wish, name, trial, order, len(str(n)) if n > 1 else 0)
            written = plan_files(trial)
            if ahead is None or _decides_about_stages(ahead, overridden):
                ahead = look_ahead_with(project, task.spec, wish.options, written, files)
                overridden = _files_of(wish.spec, trial)
                pipelines.append(ahead.pipelines)
            contents.append(written)
            needs = needs_of(task.resources, ahead.selection.stages, lambda path: _text(files or project.reader, path))
            tasks.append(replace(task, resources=needs))
            reporter.emit(Progressed(what="preparing trials", done=order, total=n, unit="trials"))
    return Submission(
        tasks=tuple(tasks),
        contents=tuple(contents),
        overridden=overridden,
        pipelines=tuple(pipelines),
        replaced=names.replaced,
    )


def _text(files: FileReader, path: RepoPath) -> str:
    try:
        return files.read_bytes(path).decode("utf-8", "replace")
    except OSError:
        return ""


def write_submission(
    project: Project, repo: GitRepo, submission: Submission, base: TreeId | None = None
) -> tuple[StoredTask, ...]:
    """Queues the tasks: data of the workspace into the cache, files and specs into Git, and last all refs at once.

    Args:
        base: The files of a checkpoint that they go on from, instead of the workspace.

    Raises:
        ConflictError: A task that was to be replaced has been taken meanwhile; nothing has been queued.
    """
    base = base or _workspace(project, repo, submission)
    drafts = [
        CommitDraft(tree=base, files=files, parent=task.spec.baseline, message=message_of(task))
        for task, files in zip(submission.tasks, _tree_files(project, repo, base, submission), strict=True)
    ]
    commits = write_commits(repo, drafts)
    stored = _stored(repo, submission.tasks, commits)
    updates = [update for each in submission.replaced for update in drop_task(each)]
    updates += [RefUpdate(ref=each.ref, new=each.commit, old=None) for each in stored]
    update_refs(repo, updates)
    remember(project.root, stored)
    return stored


def _workspace(project: Project, repo: GitRepo, submission: Submission) -> TreeId:
    files = [path for each in submission.pipelines for path in files_of_stages(each, each.stages)]
    sources = source_files(project, submission.tasks[0].spec.hydra)
    base = snapshot_of(project, repo, dict.fromkeys((*files, *submission.overridden, *sources)))
    return with_changed_data(project, repo, submission.pipelines[0], base)


def _task(wish: Wish, name: str, trial: Sequence[Override], order: int, width: int) -> Task:
    task = Task(
        id=f"{wish.id_stem}-{order:0{width}}" if width else wish.id_stem,
        spec=replace(wish.spec, name=name, overrides=tuple(override.text for override in trial)),
        options=wish.options,
        copy_paths=wish.copy_paths,
        created_utc=wish.created_utc,
        order=order,
    )
    return with_terms(task, wish.terms)


def _files_of(spec: ExperimentSpec, trial: Sequence[Override]) -> tuple[RepoPath, ...]:
    composed = (PARAMS_FILE,) if spec.hydra is not None else ()
    paths = (resolve_in(ROOT, file) for file in (*composed, *(override.file for override in trial)))
    return tuple(dict.fromkeys(path for path in paths if path))


def _decides_about_stages(ahead: Ahead, overridden: Sequence[RepoPath]) -> bool:
    """Tells whether another value in these files may mean other stages, so that each trial has to be looked at."""
    pipelines = ahead.pipelines
    if pipelines.broken:
        return True
    by_templates = {*pipelines.template_params, *pipelines.files}
    return any(path in by_templates or path.endswith(("dvc.lock", ".dvc")) for path in overridden)


def _tree_files(
    project: Project, repo: GitRepo, base: TreeId, submission: Submission
) -> list[dict[GitPath, tuple[int, BlobId | bytes]]]:
    """Returns for each task the files in which its tree differs from that of the workspace, as Git keeps them."""
    found: list[dict[GitPath, tuple[int, BlobId | bytes]]] = [{} for _ in submission.tasks]
    with ObjectReader(repo) as objects:
        for path in submission.overridden:
            numbers = [n for n, contents in enumerate(submission.contents) if path in contents]
            if not numbers:
                continue
            where, mode = _place(objects, base, in_git(project, path))
            blobs = clean_blobs(repo, where, [submission.contents[n][path] for n in numbers])
            for n, blob in zip(numbers, blobs, strict=True):
                found[n][where] = (mode, blob)
    return found


def _place(objects: ObjectReader, tree: TreeId, path: GitPath) -> tuple[GitPath, int]:
    """Returns where a file really is, links followed as writing to it would, and its mode."""
    for _ in range(_MAX_LINKS):
        entry = objects.find(tree, path)
        if entry is None or entry.mode != MODE_LINK:
            return path, MODE_EXECUTABLE if entry is not None and entry.mode == MODE_EXECUTABLE else MODE_FILE
        target = objects.blob(BlobId(entry.id)).decode("utf-8", "surrogateescape")
        inside = resolve_in(RepoPath(posixpath.dirname(path)), target)
        if inside is None:
            break
        path = GitPath(inside)
    raise OffbranchError(
        f"cannot queue a change of '{path}': it is a link that leads out of the repository",
        hint="make it a file, or name the file it leads to: -S FILE:KEY=VALUE",
    )


def _stored(repo: GitRepo, tasks: Sequence[Task], commits: Sequence[CommitId]) -> tuple[StoredTask, ...]:
    with ObjectReader(repo) as objects:
        trees = [commit.tree for commit in objects.commits(commits)]
    return tuple(
        StoredTask(task=task, ref=task_ref(task.id), commit=commit, tree=tree)
        for task, commit, tree in zip(tasks, commits, trees, strict=True)
    )


def _refuse_taken(taken: Sequence[str], one: str, several: str, where: str) -> None:
    if taken:
        what, verb, them = (one, "exists", "it") if len(taken) == 1 else (several, "exist", "them")
        raise ConflictError(
            f"{what} {_quoted(taken)} {verb} already {where}",
            hint=f"-f replaces {them}; -n gives another name; without -n a free name is chosen",
        )


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} and {len(names) - _SHOWN_NAMES} more"
