"""`ob exp run --resume`: from what the user names to an experiment that goes on, in the workspace, in a copy, or queued."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from offbranch.api.asked_before import as_before
from offbranch.api.run_request import RunRequest
from offbranch.api.session import Session, need_git
from offbranch.base.errors import BaselineMismatchError, ConflictError, MissingDataError
from offbranch.base.events import Notice, Warned
from offbranch.base.files import FileReader
from offbranch.base.made_up_names import Chooser
from offbranch.base.paths import RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.experiments.checkpoint_policy import checkpoint_policy
from offbranch.experiments.experiment import ExperimentSpec
from offbranch.experiments.go_on import Beginning, read_beginning, wanted_of
from offbranch.experiments.naming import choose_name
from offbranch.experiments.override_files import placed_overrides
from offbranch.experiments.preview import OverlaidReader
from offbranch.experiments.pulling import fetch_of
from offbranch.experiments.refs import TASKS
from offbranch.experiments.resume import Source, find_source, refuse_finished
from offbranch.experiments.resume_files import (
    Resumed,
    ResumeFiles,
    contents_of,
    plan_resume_files,
    refuse_lost_parameters,
)
from offbranch.experiments.run import plan_parameter_files
from offbranch.experiments.thinned import refuse_thinned
from offbranch.git.ids import TreeId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import may_have_refs
from offbranch.git.repository import GitRepo, head_commit
from offbranch.git.tree_reader import TreeReader
from offbranch.params.overrides import Override, parse_override
from offbranch.project import Project


@record
class Resumption:
    """A run that is to go on from a checkpoint.

    Attributes:
        source: What from.
        begun: The same as it is in Git.
        resumed: For where it runs.
        overrides: Those of the request, sweeps included.
        is_same: Whether it is the same experiment that goes on; else a new one begins there.
        request: What is asked for, by the user or else by the run before.
        why: Why it is a new one.
    """

    source: Source
    begun: Beginning
    resumed: Resumed
    overrides: tuple[Override, ...]
    is_same: bool
    request: RunRequest
    why: str = ""


@contextmanager
def open_resumption(
    request: RunRequest, project: Project, session: Session, cwd: RepoPath, *, here: bool
) -> Iterator[Resumption]:
    """Decides what a run goes on from; its files can be read until the context is left.

    Args:
        request: With `resume`.
        here: Whether it runs in the workspace.

    Raises:
        NotFoundError: There is no such experiment or checkpoint.
        ConflictError: It runs, or waits in the queue; or the workspace has changes that would be lost.
        MissingDataError: Its data is not here.
        UsageError: It has come to its end, and nothing is changed.
    """
    repo = need_git(project)
    assert request.resume is not None
    source = find_source(project, repo, request.resume)
    _refuse_queued(project, repo, source)
    head = head_commit(repo)
    if here and source.baseline != head:
        raise BaselineMismatchError(
            f"'{source.name}' started from {source.baseline[:7]}, and HEAD is {head[:7]}: the workspace has other files",
            experiment_baseline=source.baseline,
            head=head,
            hint=f"--temp goes on in a copy; or: git switch --detach {source.baseline[:7]}",
        )
    with ObjectReader(repo) as objects:
        begun = read_beginning(project, objects, source.commit, source.baseline)
        _need_data(request, project, repo, objects, source, begun, session)
        trees = objects.commit(source.baseline).tree
        files = ResumeFiles(changes=(), own=(), refused=())
        if source.baseline == head:
            originals = [each.originals for each in source.attempts]
            files = plan_resume_files(project, repo, objects, trees, begun, originals, _files_of(objects, source))
        reader: FileReader = TreeReader(objects, begun.tree, project.prefix)
        if here:
            refuse_lost_parameters(source.name, files)
            contents = contents_of(objects, project, files.changes)
            given = {path: content for path, content in contents.items() if content is not None}
            reader = OverlaidReader(project.reader, given)
            resumed = Resumed(tree=begun.tree, files=reader, changes=files.changes, contents=contents)
        else:
            _tell_of_left_out(files, session)
            if source.baseline != head:
                text = f"HEAD has moved to {head[:7]}; it goes on with the files of the checkpoint, from {source.baseline[:7]}"
                session.reporter.emit(Notice(text=text))
            resumed = Resumed(tree=begun.tree, files=reader)
        before = () if source.unstarted is None else tuple(map(parse_override, source.unstarted.overrides))
        overrides = (
            *before,
            *placed_overrides(request.overrides, cwd, reader=reader, root=project.root, is_composed=False),
        )
        why = _why_new(request, source, begun, files if here else None, overrides, reader, n_before=len(before))
        if begun.is_finished and source.is_tip and not request.force and why == _FINISHED:
            raise refuse_finished(source.name)
        is_same = not why
        if is_same:
            resumed = _superseding(resumed, source)
        yield Resumption(
            source=source,
            begun=begun,
            resumed=resumed,
            overrides=overrides,
            is_same=is_same,
            request=as_before(request, begun, cwd, project.root),
            why=why,
        )


def resumed_spec(resumption: Resumption, project: Project, repo: GitRepo, rng: Chooser) -> ExperimentSpec:
    """Returns the spec of one run that goes on.

    Raises:
        ConflictError: The name that was given is taken.
    """
    source, request = resumption.source, resumption.request
    name = source.name
    if not resumption.is_same:
        reserved: frozenset[str] = frozenset()
        if may_have_refs(repo, TASKS):
            reserved = load("offbranch.queue.store:queued_names")(repo, project.root, source.baseline)
        name = choose_name(request.name, repo, source.baseline, rng, force=request.force, reserved=reserved)
    return ExperimentSpec(
        name=name,
        baseline=source.baseline,
        overrides=tuple(override.text for override in resumption.overrides),
        targets=request.targets,
        message=request.message,
        force=source.takes_name if resumption.is_same else request.force,
        checkpoints=checkpoint_policy(project.config, request.checkpoint, request.keep_checkpoints),
        resumed=source.commit,
    )


@contextmanager
def open_one(
    request: RunRequest, project: Project, session: Session, cwd: RepoPath, rng: Chooser, *, here: bool
) -> Iterator[tuple[ExperimentSpec, Resumed, RunRequest]]:
    """Decides about one run that goes on, and says so.

    Raises:
        OffbranchError: As `open_resumption`; or -S means several.
    """
    with open_resumption(request, project, session, cwd, here=here) as resumption:
        if any(each.sweep is not None or each.glob is not None for each in resumption.overrides):
            raise load("offbranch.api.sweep_refusal:refusal")(request, resumption.overrides)
        spec = resumed_spec(resumption, project, need_git(project), rng)
        tell(resumption, [spec.name], session)
        yield spec, resumption.resumed, resumption.request


def sentence_of(resumption: Resumption, names: Sequence[str]) -> str:
    """Returns what is said of runs that go on."""
    source, begun = resumption.source, resumption.begun
    step = begun.mark.step if begun.mark is not None else None
    # A commit of DVC 2 does not say whether it is the end of a run.
    is_end = begun.is_finished and (begun.mark is not None or source.is_tip)
    where = "the end" if is_end else f"checkpoint {begun.number}"
    at_step = f" (step {step})" if step is not None and not is_end else ""
    if begun.entries and begun.ended >= begun.entries.keys():
        stages = ", ".join(f"'{address}'" for address in begun.entries)
        at_step = f" (the end of {stages})"
    if resumption.is_same:
        return f"goes on with '{source.name}' from {where}{at_step}"
    what = f"the new experiment '{names[0]}'" if len(names) == 1 else f"{len(names)} new experiments"
    verb = "goes" if len(names) == 1 else "go"
    return f"{what} {verb} on from {where}{at_step} of '{source.name}': {resumption.why}"


def tell(resumption: Resumption, names: Sequence[str], session: Session) -> None:
    """Says what goes on, and from where."""
    session.reporter.emit(Notice(text=sentence_of(resumption, names)))


_FINISHED = "it had come to its end"


def _why_new(
    request: RunRequest,
    source: Source,
    begun: Beginning,
    files: ResumeFiles | None,
    overrides: Sequence[Override],
    reader: FileReader,
    *,
    n_before: int,
) -> str:
    """Returns why a new experiment begins; empty where the same one goes on.

    Args:
        n_before: How many of the overrides are those of the run before.
    """
    if any(each.sweep is not None or each.glob is not None for each in overrides):
        return "-S changes its parameters"
    if plan_parameter_files(reader, overrides) != plan_parameter_files(reader, overrides[:n_before]):
        return "-S changes its parameters"
    if files is not None and files.own:
        shown = ", ".join(files.own[:3]) + (f" and {len(files.own) - 3} more" if len(files.own) > 3 else "")
        return f"{shown} {'is' if len(files.own) == 1 else 'are'} as in the workspace"
    if not source.is_tip:
        return "it is not the newest"
    if begun.is_finished:
        return _FINISHED
    return "" if request.name in (None, source.name) else f"-n {request.name}"


def _files_of(objects: ObjectReader, source: Source) -> TreeId | None:
    """Returns the files of a run that has begun where another one is to go on, and has come no further."""
    began = source.unstarted
    return None if began is None or began.commit is None else objects.commit(began.commit).tree


def _superseding(resumed: Resumed, source: Source) -> Resumed:
    gone = tuple(each.id for each in source.attempts if each.task_id is None)
    return replace(resumed, supersedes=gone)


def _refuse_queued(project: Project, repo: GitRepo, source: Source) -> None:
    if not may_have_refs(repo, TASKS):
        return
    if source.name in load("offbranch.queue.store:queued_names")(repo, project.root, source.baseline):
        raise ConflictError(
            f"'{source.name}' waits in the queue, or runs there, and goes on from its newest checkpoint by itself",
            hint="ob queue start",
        )


def _need_data(
    request: RunRequest,
    project: Project,
    repo: GitRepo,
    objects: ObjectReader,
    source: Source,
    begun: Beginning,
    session: Session,
) -> None:
    """Makes sure that the outputs to go on with are in the cache, or fetches them."""
    wanted = wanted_of(begun)
    missing = [written for written, id in wanted.items() if not project.cache.has_all(id)]
    if missing and request.execute.pull and (fetch := fetch_of(project, session.reporter)) is not None:
        fetch([wanted[written] for written in missing])
        missing = [written for written in missing if not project.cache.has_all(wanted[written])]
    if not missing:
        return
    commit = objects.commit(source.commit)
    refuse_thinned(project, repo, objects, f"{source.name}@{begun.number}", commit, missing)
    raise MissingDataError(
        f"cannot go on with '{source.name}' from checkpoint {begun.number}: not in the cache: {', '.join(missing)}",
        hint="--pull fetches it from the data remote",
    )


def _tell_of_left_out(files: ResumeFiles, session: Session) -> None:
    left = (*files.own, *files.refused)
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        text = f"it goes on with the files of the checkpoint; changes of the workspace are no part of it: {shown}"
        session.reporter.emit(Warned(text=text, hint="without --temp and --queue they are"))
