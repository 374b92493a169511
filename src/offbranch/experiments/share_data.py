"""The outputs of shared experiments: what each records, to and from the data remotes that the workspace is configured for.

A commit's own configuration is not asked: it may be older than the remote, and somebody else's is not trusted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from offbranch.base.errors import OffbranchError
from offbranch.base.paths import RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.experiments.checkpoint_kept import dropped
from offbranch.experiments.data_remotes import DataScope, Group, grouped, is_at_source
from offbranch.experiments.move_data import BRING_IMPORTS, exchange_run_cache, fetch_groups, push_groups
from offbranch.experiments.moved import Brought, Moved, TransferOptions, of_imports, sum_moved
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.experiments.sharing import SharedData, Sharing
from offbranch.experiments.used import RevisionOutputs, UsedOutput
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.project import Project
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.remote_setting import default_remote, resolve_remote

_Chains = Mapping[str, tuple[CommitId, ...]]


def check_data_remote(transfer: Sharing) -> None:
    """Makes sure that a data remote that is named exists.

    Raises:
        NotFoundError: It does not.
    """
    if transfer.request.data_remote is not None:
        resolve_remote(transfer.project.config, transfer.request.data_remote, root=transfer.project.root)


def options_of(transfer: Sharing) -> TransferOptions:
    """Returns how data is moved."""
    return TransferOptions(jobs=transfer.request.jobs)


def scope_of(transfer: Sharing) -> DataScope:
    """Returns the settings of the transfer as other transfers know them."""
    return DataScope(remote=transfer.request.data_remote)


def push_outputs(transfer: Sharing, objects: ObjectReader, chains: _Chains) -> SharedData:
    """Sends the outputs of every commit of some experiments (commits by ref) that the data remotes lack."""
    outputs, errors = _outputs(transfer.project, objects, chains)
    commits = tuple(dict.fromkeys(commit for chain in chains.values() for commit in chain))
    scope = DataScope(remote=transfer.request.data_remote, revs=commits)
    return _moved(transfer, outputs, errors, lambda groups: push_groups(
        transfer.project, groups, scope, options_of(transfer), transfer.talk.reporter
    ), for_push=True)  # fmt: skip


def fetch_outputs(transfer: Sharing, objects: ObjectReader, chains: _Chains) -> SharedData:
    """Gets the outputs of every commit of some experiments that the cache lacks."""
    project = transfer.project
    outputs, errors = _outputs(project, objects, chains)
    absent = {ref: tuple(used for used in uses if not _cache_has(project, used)) for ref, uses in outputs.items()}
    done = _moved(transfer, absent, errors, lambda groups: fetch_groups(
        project, groups, options_of(transfer), transfer.talk.reporter
    ), for_push=False)  # fmt: skip
    return _with_imports(transfer, chains, absent, done)


def with_run_cache(transfer: Sharing, moved: Moved, *, is_push: bool) -> Moved:
    """Sends or gets the run-cache as well; returns the outcome with it. Its failure is the `error`."""
    try:
        n_runs = exchange_run_cache(
            transfer.project,
            transfer.request.data_remote,
            options_of(transfer),
            transfer.talk.reporter,
            is_push=is_push,
        )
    except OffbranchError as error:
        return replace(moved, error=moved.error or error)
    return replace(moved, n_runs=n_runs)


def _outputs(
    project: Project, objects: ObjectReader, chains: _Chains
) -> tuple[dict[str, tuple[UsedOutput, ...]], dict[str, OffbranchError]]:
    """Returns what experiments record, and why that of some cannot be known; without checkpoints whose data is not kept."""
    reader = RevisionOutputs(objects, project.prefix, project.cache)
    metrics = RevisionReader(objects, project.prefix, project.cache)
    outputs: dict[str, tuple[UsedOutput, ...]] = {}
    errors: dict[str, OffbranchError] = {}
    for ref, chain in chains.items():
        try:
            gone = dropped(objects, metrics, chain)
            outputs[ref] = tuple(used for commit in chain if commit not in gone for used in reader.of_commit(commit))
        except OffbranchError as error:
            errors[ref] = error
    return outputs, errors


def _moved(
    transfer: Sharing,
    outputs: Mapping[str, Sequence[UsedOutput]],
    errors: dict[str, OffbranchError],
    move: Callable[[Sequence[Group]], Sequence[Moved]],
    *,
    for_push: bool,
) -> SharedData:
    project, config = transfer.project, transfer.project.config
    default = transfer.request.data_remote or default_remote(config)
    once = {(used.id, used.path, used.out.remote, used.is_legacy): used for uses in outputs.values() for used in uses}
    lost = _unknown_remotes(project, {used.out.remote for used in once.values() if used.out.remote})
    homeless = [used for used in once.values() if not (used.out.remote or default)]
    at_home = [used for used in once.values() if (used.out.remote or default) and used.out.remote not in lost]
    groups = grouped(project, scope_of(transfer), ((config, used) for used in at_home), for_push=for_push)
    moved = tuple(move(groups)) if groups else ()
    bad = bad_outputs(project, groups, moved)
    for ref, uses in outputs.items():
        reasons = (bad.get((used.id, used.is_legacy)) or lost.get(used.out.remote or "") for used in uses)
        if (reason := next(filter(None, reasons), None)) is not None:
            errors.setdefault(ref, reason)
    return SharedData(moved=sum_moved(moved), errors=errors, n_homeless=sum(map(_travels, homeless)))


def _unknown_remotes(project: Project, names: Iterable[str]) -> Mapping[str, OffbranchError]:
    """Returns those data remotes that outputs name and the workspace does not know, and what is wrong with each."""
    errors = {}
    for name in names:
        try:
            resolve_remote(project.config, name, root=project.root)
        except OffbranchError as error:
            errors[name] = error
    return errors


def _travels(used: UsedOutput) -> bool:
    return used.out.push and not used.is_import and not used.is_url_import


def bad_outputs(
    project: Project, groups: Iterable[Group], moved: Iterable[Moved]
) -> Mapping[tuple[ObjectId, bool], OffbranchError]:
    """Returns for every output (its object, and whether it is one of DVC 2) that is not whole at the other end why."""
    bad: dict[tuple[ObjectId, bool], OffbranchError] = {}
    for group, part in zip(groups, moved, strict=True):
        reasons = {problem.id: problem.error for problem in part.problems}
        if not reasons and part.error is None:
            continue
        for used in group.outputs:
            reason = part.error or reasons.get(used.id) or _reason_inside(project, used, reasons)
            if reason is not None:
                bad.setdefault((used.id, used.is_legacy), reason)
    return bad


def _reason_inside(
    project: Project, used: UsedOutput, reasons: Mapping[ObjectId, OffbranchError]
) -> OffbranchError | None:
    if not is_directory(used.id):
        return None
    cache = project.cache.legacy_view() if used.is_legacy else project.cache
    if not cache.has(used.id):
        return None
    entries = cache.listing(used.id).entries.values()
    return next((reasons[id] for id in entries if id in reasons), None)


def _cache_has(project: Project, used: UsedOutput) -> bool:
    cache = project.cache.legacy_view() if used.is_legacy else project.cache
    try:
        return cache.has_all(used.id)
    except OffbranchError:  # a corrupt list of a directory: it comes again
        return False


def _with_imports(
    transfer: Sharing, chains: _Chains, absent: Mapping[str, Sequence[UsedOutput]], done: SharedData
) -> SharedData:
    """Gets from their sources what experiments import and the cache lacks."""
    config, scope = transfer.project.config, scope_of(transfer)
    refs = [ref for ref, uses in absent.items() if any(is_at_source(config, used, scope) for used in uses)]
    if not refs:
        return done
    commits = tuple(dict.fromkeys(commit for ref in refs for commit in chains[ref]))
    brought: Brought = load(BRING_IMPORTS)(
        transfer.project,
        DataScope(remote=transfer.request.data_remote, revs=commits),
        transfer.talk.reporter,
        cwd=RepoPath(""),
    )
    errors = dict(done.errors)
    failed = {failure.id: failure.error for failure in brought.failures}
    for ref in refs:
        reason = next((failed[used.id] for used in absent[ref] if used.id in failed), None)
        if reason is not None:
            errors.setdefault(ref, reason)
    return SharedData(moved=sum_moved((done.moved, of_imports(brought))), errors=errors, n_homeless=done.n_homeless)
