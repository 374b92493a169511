"""What of a project goes to which data remote: outputs of the workspace and of revisions, in groups by remote."""

from collections.abc import Iterable, Iterator

from offbranch.base.config import Config
from offbranch.base.errors import NoProjectError, NotFoundError
from offbranch.base.paths import CONFIG_FILE, GitPath, RepoPath
from offbranch.base.records import field, record
from offbranch.experiments.loading import load
from offbranch.experiments.used import RevisionOutputs, UsedOutput, outputs_of_stages, outputs_of_targets
from offbranch.git.ids import BlobId, CommitId
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import all_branches, all_tags
from offbranch.git.repository import GitRepo, head_commit, repo_git
from offbranch.pipeline.options import SelectOptions
from offbranch.pipeline.select import select_stages
from offbranch.pipeline.stage import OutputKind, Pipelines
from offbranch.pipeline.targets import resolve_targets
from offbranch.project import Project, read_config
from offbranch.storage.remote_setting import RemoteSetting, default_remote, resolve_remote
from offbranch.storage.transfer_plan import Wanted


@record
class DataScope:
    """Which data a command is about; nothing set means all of the workspace.

    Attributes:
        targets: Stages, .dvc files, outputs, or paths inside outputs.
        remote: Name of the data remote for all outputs that name none of their own; None for the default one.
        with_deps: Also what the targets need.
        recursive: A directory as target stands for everything below it.
        glob: Stage names may be shell patterns.
        all_branches: Of the tips of all branches too.
        all_tags: Of all tags too.
        all_commits: Of every commit too.
        revs: Of these commits, in place of the workspace.
        kinds: Only outputs of these kinds; empty for all.
        max_size_bytes: Only outputs recorded as no larger than that.
    """

    targets: tuple[str, ...] = ()
    remote: str | None = None
    with_deps: bool = False
    recursive: bool = False
    glob: bool = False
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    revs: tuple[CommitId, ...] = ()
    kinds: tuple[OutputKind, ...] = ()
    max_size_bytes: int | None = None

    @property
    def has_revisions(self) -> bool:
        """Commits are meant, not only the workspace."""
        return bool(self.all_branches or self.all_tags or self.all_commits or self.revs)


@record
class Group:
    """Outputs that belong to one data remote.

    Attributes:
        setting: The remote.
        is_legacy: Their objects are of DVC 2.
        outputs: Each once for every content it has in some revision.
    """

    setting: RemoteSetting
    is_legacy: bool
    outputs: tuple[UsedOutput, ...] = field(default_factory=tuple)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """What a transfer moves, each object once."""
        return tuple({(used.id, used.inner): used.wanted for used in self.outputs}.values())


def group_outputs(project: Project, scope: DataScope, *, cwd: RepoPath, for_push: bool) -> tuple[Group, ...]:
    """Returns the outputs of a scope by the remote they go to or come from.

    Args:
        project: Whose.
        scope: Which.
        cwd: Directory of the project that targets are relative to.
        for_push: Leaves out what is not to be uploaded (`push: false`, imports of other repositories).

    Raises:
        NotFoundError: A target or remote does not exist.
        OffbranchError: A pipeline file is malformed.
    """
    groups = grouped(project, scope, _with_config(project, scope, cwd), for_push=for_push)
    if not groups:
        _name_the_remote(project, scope)
    return groups


def grouped(
    project: Project, scope: DataScope, outputs: Iterable[tuple[Config, UsedOutput]], *, for_push: bool
) -> tuple[Group, ...]:
    """Returns given outputs by their remotes, each with the configuration that says which; raises as `group_outputs`."""
    groups: dict[tuple[str, str, str, bool], list[UsedOutput]] = {}
    settings: dict[tuple[str, str], RemoteSetting] = {}
    for config, used in outputs:
        at_source = used.is_import if for_push else is_at_source(config, used, scope)
        if at_source or (for_push and not used.out.push) or not _is_meant(used, scope):
            continue
        setting = resolve_remote(config, used.out.remote or scope.remote, root=project.root)
        place = (setting.name, setting.url)
        settings.setdefault(place, setting)
        groups.setdefault((*place, setting.scheme, used.is_legacy), []).append(used)
    return tuple(
        Group(setting=settings[name, url], is_legacy=is_legacy, outputs=tuple(outs))
        for (name, url, _, is_legacy), outs in groups.items()
    )


def imports_of_scope(project: Project, scope: DataScope, *, cwd: RepoPath) -> tuple[UsedOutput, ...]:
    """Returns the outputs of a scope whose data only their source has, each once for every content it has."""
    found = {
        (used.id, used.path): used
        for config, used in _with_config(project, scope, cwd)
        if is_at_source(config, used, scope) and _is_meant(used, scope)
    }
    return tuple(found.values())


def commits_of_scope(repo: GitRepo, scope: DataScope) -> tuple[CommitId, ...]:
    """Returns the commits that a scope means, each once."""
    found: list[CommitId] = list(scope.revs)
    if scope.all_commits:
        head = head_commit(repo)
        everything = repo_git(repo, "rev-list", "--branches", "--tags", "--remotes", head, "--")
        found += map(CommitId, everything.decode().split())
    if scope.all_branches:
        found += [commit for _, commit in all_branches(repo)]
    if scope.all_tags:
        found += [commit for _, commit in all_tags(repo)]
    return tuple(dict.fromkeys(found))


def config_of_commit(project: Project, objects: ObjectReader, commit: CommitId) -> Config:
    """Returns the configuration as it is with the project's own file of a commit."""
    path = GitPath(f"{project.prefix}/{CONFIG_FILE}" if project.prefix else CONFIG_FILE)
    entry = objects.find(objects.commit(commit).tree, path)
    text = objects.blob(BlobId(entry.id)).decode("utf-8", "replace") if entry is not None else ""
    return read_config(project.root, project.environment, project_text=text)


def outputs_of_scope(pipelines: Pipelines, scope: DataScope, cwd: RepoPath) -> tuple[UsedOutput, ...]:
    """Returns the cached outputs of given pipelines that the targets of a scope name, or all.

    Raises:
        NotFoundError: A target does not exist.
    """
    if not scope.targets:
        for error in pipelines.broken.values():
            raise error
        return tuple(outputs_of_stages(pipelines, pipelines.stages))
    targets = resolve_targets(pipelines, scope.targets, cwd=cwd, glob=scope.glob, recursive=scope.recursive)
    named = outputs_of_targets(pipelines, targets)
    if not scope.with_deps:
        return named
    options = SelectOptions(cwd=cwd, recursive=scope.recursive, glob=scope.glob)
    selection = select_stages(pipelines, scope.targets, options)
    asked = {target.stage.address for target in targets}
    others = [stage for stage in selection.stages if stage.address not in asked]
    return (*named, *outputs_of_stages(pipelines, others))


def _with_config(project: Project, scope: DataScope, cwd: RepoPath) -> Iterator[tuple[Config, UsedOutput]]:
    if not scope.revs:
        for used in outputs_of_scope(load(project), scope, cwd):
            yield project.config, used
    if not scope.has_revisions:
        return
    if project.repo is None:
        raise NoProjectError("there are no revisions without a Git repository", hint="leave out -a, -T and -A")
    with ObjectReader(project.repo) as objects:
        reader = RevisionOutputs(objects, project.prefix, project.cache)
        for commit in commits_of_scope(project.repo, scope):
            pipelines = reader.pipelines_of(objects.commit(commit).tree)
            config = config_of_commit(project, objects, commit)
            for used in _of_revision(pipelines, scope, cwd):
                yield config, used


def is_at_source(config: Config, used: UsedOutput, scope: DataScope) -> bool:
    """Tells whether no data remote of ours is to have an output, because where it was imported from has it."""
    if used.is_import:
        return True
    has_remote = used.out.remote or scope.remote or default_remote(config)
    return used.is_url_import and not (used.out.push and has_remote)


def _of_revision(pipelines: Pipelines, scope: DataScope, cwd: RepoPath) -> Iterable[UsedOutput]:
    try:
        return outputs_of_scope(pipelines, scope, cwd)
    except NotFoundError:  # another revision has the target
        return ()


def _is_meant(used: UsedOutput, scope: DataScope) -> bool:
    if scope.kinds and used.out.kind not in scope.kinds:
        return False
    return scope.max_size_bytes is None or (used.item.size or 0) <= scope.max_size_bytes


def _name_the_remote(project: Project, scope: DataScope) -> None:
    """Refuses a remote that does not exist although nothing would go there."""
    if scope.remote is not None:
        resolve_remote(project.config, scope.remote, root=project.root)
