"""Making data and cached outputs in the workspace equal to what is recorded: first all plans, then the writing."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from offbranch.base.errors import (
    ConflictError,
    CorruptObjectError,
    MissingDataError,
    NotFoundError,
    OffbranchError,
    did_you_mean,
)
from offbranch.base.events import Reporter
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.base.records import record

# Others import it from here.
from offbranch.experiments.moved import CheckedOut as CheckedOut
from offbranch.pipeline.recorded import RecordedOutput, recorded_outputs
from offbranch.pipeline.stage import Pipelines, Stage
from offbranch.project import Project
from offbranch.storage.checkout import CheckoutPlan, apply_checkout, plan_checkout
from offbranch.storage.hashing import hash_text_normalised
from offbranch.storage.listing import Listing, listing_bytes, listing_id
from offbranch.storage.local import LocalCache
from offbranch.storage.objects import ObjectId, is_directory
from offbranch.storage.verify import corrupt_error


@record
class _Job:
    """One plan of one output."""

    output: RecordedOutput
    plan: CheckoutPlan
    cache: LocalCache
    was_there: bool

    def names(self, entries: Iterable[tuple[str, ObjectId]], ids: Iterable[ObjectId]) -> Iterator[str]:
        """Yields the files, as paths of the project, that need one of some objects."""
        wanted = frozenset(ids)
        rel = self.plan.rel
        if self.plan.wanted in wanted:
            yield self.output.shown
        yield from (f"{rel}/{name}" if name else rel for name, id in entries if id in wanted and id != self.plan.wanted)


def check_out_data(
    project: Project,
    pipelines: Pipelines,
    stages: Iterable[Stage],
    reporter: Reporter,
    *,
    force: bool,
    relink: bool = False,
    named: Mapping[str, tuple[RepoPath, ...]] | None = None,
    dry: bool = False,
) -> CheckedOut:
    """Checks out cached outputs of some stages; goes on where content is missing or corrupt.

    Args:
        named: Address -> outputs, or paths inside them, if not all outputs of a stage are meant.
        dry: Only tells what would be done.

    Raises:
        ConflictError: Content that is in no cache would be lost and `force` is not given; nothing has been changed.
        NotFoundError: A path is not recorded in its directory; nothing has been changed.
    """
    corrupt: list[CorruptObjectError] = []
    jobs: list[_Job] = []
    for output in recorded_outputs(stages, pipelines.locks, named=named):
        try:
            jobs += _jobs(project, output, relink=relink)
        except CorruptObjectError:  # the directory object
            corrupt.append(corrupt_error((output.id,), (output.shown,)))
    if not force:
        _refuse_loss(jobs)
    for job in () if dry else jobs:
        try:
            apply_checkout(
                job.plan,
                cache=job.cache,
                state=project.state,
                ignore=project.ignore,
                force=True,
                allow_missing=True,
                reporter=reporter,
            )
        except CorruptObjectError as error:
            corrupt.append(error)
    return _report(jobs, corrupt)


def _jobs(project: Project, output: RecordedOutput, *, relink: bool) -> Iterator[_Job]:
    disk = join(project.root, output.path)
    cache = project.cache
    if output.is_legacy and not project.cache.has_all(output.id):
        if os.path.isfile(disk) and hash_text_normalised(disk) == output.id:
            return
        cache = project.cache.legacy_view()
    was_there = os.path.lexists(disk)
    for path, wanted, listing in _wanted(output, cache):
        plan = plan_checkout(
            AbsPath(disk + path[len(output.path) :].replace("/", os.sep)),
            wanted,
            cache=cache,
            state=project.state,
            ignore=project.ignore,
            rel=path,
            executable=output.item.is_executable,
            relink=relink,
            listing=listing,
        )
        if not plan.is_noop:
            yield _Job(output=output, plan=plan, cache=cache, was_there=was_there)


def _wanted(output: RecordedOutput, cache: LocalCache) -> Iterator[tuple[RepoPath, ObjectId, Listing | None]]:
    """Yields what shall be where: the whole output, or the parts of it that were named."""
    if not output.parts or not is_directory(output.id) or not cache.has(output.id):
        yield output.path, output.id, None
        return
    entries = cache.listing(output.id).entries
    for part in output.parts:
        inner = part[len(output.path) + 1 :]
        below = {name[len(inner) + 1 :]: id for name, id in entries.items() if name.startswith(f"{inner}/")}
        if inner in entries:
            yield part, entries[inner], None
        elif below:
            listing = Listing(entries=below)
            yield part, listing_id(listing_bytes(listing)), listing
        else:
            raise not_recorded(output, part, entries)


def not_recorded(output: RecordedOutput, part: RepoPath, entries: Iterable[str]) -> NotFoundError:
    """Returns the error for a path that a tracked directory does not have."""
    names = [f"{output.path}/{name}" for name in entries]
    return NotFoundError(
        f"'{part}' is not recorded in '{output.path}'",
        hint=did_you_mean(part, names) or f"'ob ls . {output.path}' lists what is; 'ob add {part}' would record it",
    )


def _refuse_loss(jobs: Iterable[_Job]) -> None:
    unsaved = [f"{job.plan.rel}/{name}" if name else job.plan.rel for job in jobs for name in job.plan.unsaved]
    if unsaved:
        names = ", ".join(f"'{name}'" for name in unsaved[:5])
        raise ConflictError(
            f"these files have changes that are in no cache and would be lost: {names}"
            + (f" and {len(unsaved) - 5} more" if len(unsaved) > 5 else ""),
            hint="ob commit keeps them; ob checkout -f throws them away",
        )


def _report(jobs: Iterable[_Job], errors: Sequence[CorruptObjectError]) -> CheckedOut:
    added: dict[str, None] = {}
    modified: dict[str, None] = {}
    missing: dict[str, None] = {}
    bad = {user: None for error in errors for user in error.users}
    ids = [id for error in errors for id in error.objects]
    n_added = n_modified = n_deleted = n_relinked = 0
    for job in jobs:
        plan = job.plan
        entries = (*plan.add, *plan.modify, *plan.relink)
        lost = job.cache.corrupt.intersection(plan.missing)
        ids += lost
        bad.update(dict.fromkeys(job.names(entries, lost)))
        missing.update(dict.fromkeys(job.names(entries, set(plan.missing) - lost)))
        if plan.wanted in plan.missing:
            continue
        skipped = {*missing, *bad}
        rel = plan.rel
        made = [
            sum((f"{rel}/{name}" if name else rel) not in skipped for name, _ in part) if skipped else len(part)
            for part in (plan.add, plan.modify)
        ]
        became_file = plan.was_directory is True and not is_directory(plan.wanted or ObjectId(""))
        became_directory = plan.was_directory is False and is_directory(plan.wanted or ObjectId(""))
        n_added += 0 if became_file else made[0]
        n_modified += made[1] + (made[0] if became_file else 0)
        n_deleted += 0 if became_directory else len(plan.delete) + (0 if became_file else _n_emptied(plan))
        n_relinked += len(plan.relink)
        if any(made) or plan.delete or plan.leftovers or became_file or became_directory or _made_empty(plan):
            (modified if job.was_there else added)[job.output.shown] = None
    return CheckedOut(
        added=tuple(added),
        modified=tuple(modified),
        missing=tuple(missing),
        corrupt=tuple(bad),
        n_added=n_added,
        n_modified=n_modified,
        n_deleted=n_deleted,
        n_relinked=n_relinked,
        error=_error(tuple(missing), ids, tuple(bad), errors),
    )


def _n_emptied(plan: CheckoutPlan) -> int:
    """Returns how many directories go with the files that are deleted; DVC counts them as files."""
    gone = {above for name in plan.delete for above in _directories_of(name)}
    if not gone:
        return 0
    stay = (*plan.keep, *(name for name, _ in (*plan.add, *plan.modify, *plan.relink)))
    return len(gone.difference(above for name in stay for above in _directories_of(name)))


def _directories_of(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _made_empty(plan: CheckoutPlan) -> bool:
    """Tells whether a plan only makes a directory, of no files."""
    return plan.was_directory is None and not (plan.add or plan.missing)


def _error(
    missing: tuple[str, ...], ids: Iterable[str], corrupt: tuple[str, ...], errors: Sequence[CorruptObjectError]
) -> OffbranchError | None:
    absent = f"not in the cache: {_some(missing)}" if missing else ""
    if corrupt:
        error = errors[0] if len(errors) == 1 and not absent else corrupt_error(ids, corrupt)
        return CorruptObjectError(
            "; ".join(filter(None, (error.message, absent))), objects=error.objects, users=error.users, hint=error.hint
        )
    if missing:
        return MissingDataError(
            absent, hint="get it from a data remote with 'ob fetch', or make it again with 'ob repro'"
        )
    return None


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{name}'" for name in names[:5]) + more
