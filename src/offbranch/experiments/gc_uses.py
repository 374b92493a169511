"""What the data of a project is used by, revision by revision, for `gc`: nothing in here removes anything."""

import os
from collections.abc import Iterator

from offbranch.base.errors import NoProjectError, OffbranchError
from offbranch.base.events import Reporter, Warned
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath, join
from offbranch.base.records import record
from offbranch.experiments.checkpoint_kept import dropped
from offbranch.experiments.kept import GcScope, asked_trees, failed_error, protected_trees
from offbranch.experiments.loading import keep_listings, load, parsing_options
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.used import RevisionOutputs, UsedOutput, outputs_of_stages
from offbranch.git.objects import ObjectReader
from offbranch.pipeline.load import load_pipelines
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.ignore import load_ignore_rules
from offbranch.storage.objects import ObjectId

# Working copies of DVC: of queued tasks, and of `exp run --temp`.
_COPIES = (".dvc/tmp/exps", ".dvc/tmp/exps/standalone")


@record
class Uses:
    """The objects that a project uses, as it records them: files of directories not spelled out.

    Attributes:
        project: Whose.
        ids: Objects of DVC 3 -> an output whose content each is.
        legacy: The same for objects of DVC 2.
        skipped: Names of revisions left out because they cannot be understood.
    """

    project: Project
    ids: dict[ObjectId, UsedOutput]
    legacy: dict[ObjectId, UsedOutput]
    skipped: tuple[str, ...]


def uses_of(project: Project, scope: GcScope, reporter: Reporter, *, lenient: bool = False) -> Uses:
    """Returns what a project uses within a scope, and what it protects.

    Args:
        lenient: Revisions of the scope that the project does not have are left out.

    Raises:
        NoProjectError: Revisions are meant, and there is no Git.
        OffbranchError: A revision cannot be understood, and the scope does not say to go on without it.
    """
    ids: dict[ObjectId, UsedOutput] = {}
    legacy: dict[ObjectId, UsedOutput] = {}
    skipped: list[str] = []
    for label, found in _by_revision(project, scope, lenient=lenient):
        if isinstance(found, OffbranchError):
            if not scope.skip_failed:
                raise failed_error(label, found) from found
            reporter.emit(Warned(text=f"{label} is left out: {found.message}", hint="its data may go"))
            skipped.append(label)
            continue
        for used in found:
            (legacy if used.is_legacy else ids).setdefault(used.id, used)
    return Uses(project=project, ids=ids, legacy=legacy, skipped=tuple(skipped))


def _by_revision(
    project: Project, scope: GcScope, *, lenient: bool
) -> Iterator[tuple[str, tuple[UsedOutput, ...] | OffbranchError]]:
    try:
        yield "the workspace", _of_pipelines(load(project))
    except OffbranchError as error:
        yield "the workspace", error
    for root in _copies(project):
        try:
            ignores = load_ignore_rules(root).ignores
            pipelines = load_pipelines(DirectoryReader(root), ignores=ignores, options=parsing_options(project))
            keep_listings(pipelines, project.cache)
            yield f"the working copy '{root}'", _of_pipelines(pipelines)
        except OffbranchError as error:
            yield f"the working copy '{root}'", error
    if project.repo is None:
        if scope.has_revisions and not lenient:
            raise NoProjectError("there are no revisions without a Git repository", hint="use -w alone")
        return
    with ObjectReader(project.repo) as objects:
        reader = RevisionOutputs(objects, project.prefix, project.cache)
        metrics = RevisionReader(objects, project.prefix, project.cache)
        asked = asked_trees(
            project.repo, objects, scope, lenient=lenient, without=lambda chain: dropped(objects, metrics, chain)
        )
        trees = asked | protected_trees(project.repo, objects)
        for tree, label in trees.items():
            try:
                yield label, reader.of_tree(tree)
            except OffbranchError as error:
                yield label, error


def pipelines_at(project: Project, root: AbsPath) -> tuple[Pipelines, tuple[Stage, ...]]:
    """Returns the pipelines of a project as they are in a directory, and their stages.

    Raises:
        OffbranchError: They cannot be understood, or not all of them.
    """
    ignores = load_ignore_rules(root).ignores
    pipelines = load_pipelines(DirectoryReader(root), ignores=ignores, options=parsing_options(project))
    for error in pipelines.broken.values():
        raise error
    return pipelines, pipelines.stages


def _of_pipelines(pipelines: Pipelines) -> tuple[UsedOutput, ...]:
    for error in pipelines.broken.values():
        raise error
    return tuple(outputs_of_stages(pipelines, pipelines.stages))


def _copies(project: Project) -> Iterator[AbsPath]:
    for place in _COPIES:
        directory = join(project.root, place)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            root = join(AbsPath(os.path.join(directory, name)), project.prefix)
            if name.startswith("tmp") and os.path.isdir(os.path.join(root, ".dvc")):
                yield root
