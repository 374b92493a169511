"""Sending queued tasks to the Git remote, so that workers elsewhere can take them: first the data that they need, then
their refs.

A task goes only if the data it starts from is complete at the data remotes. What cannot be sent stays queued here, with the
reason; sending it again costs little, for what has arrived is not sent twice.
"""

from collections.abc import Mapping, Sequence

from offbranch.base.errors import ConflictError, MissingDataError, OffbranchError, RefusedError, RemoteError
from offbranch.base.records import field, record
from offbranch.experiments.data_remotes import DataScope, grouped, is_at_source
from offbranch.experiments.move_data import push_groups
from offbranch.experiments.moved import Moved, TransferOptions, sum_moved
from offbranch.experiments.refs import SENDING, checkpoint_ref, lease_ref, sending_ref, sent_ref, task_ref
from offbranch.experiments.share_data import bad_outputs
from offbranch.experiments.used import RevisionOutputs, UsedOutput
from offbranch.git.ids import CommitId
from offbranch.git.network import PushAnswer, PushState, RemoteUpdate, list_remote, push_updates
from offbranch.git.objects import ObjectReader
from offbranch.git.refs import ANY, RefUpdate, list_refs, update_refs
from offbranch.project import Project
from offbranch.queue.remote.place import QueueRemote, refuse_without_atomic
from offbranch.queue.remote.report import Unsent
from offbranch.queue.task import StoredTask
from offbranch.storage.remote_setting import default_remote


@record
class Sent:
    """What sending came to.

    Attributes:
        tasks: What is at the Git remote now.
        unsent: What stays here.
        moved: Data that went to the data remotes.
    """

    tasks: tuple[StoredTask, ...] = ()
    unsent: tuple[Unsent, ...] = ()
    moved: Moved = field(default_factory=Moved)


def send_tasks(
    project: Project, place: QueueRemote, tasks: Sequence[StoredTask], known: Mapping[str, CommitId]
) -> Sent:
    """Sends tasks, those together that go together.

    Args:
        project: Whose.
        place: Where.
        tasks: Which.
        known: What the remote has of them, by id, as it was seen: a task that has been changed here replaces it.
    """
    unsent = {each.task.id: error for each in tasks if (error := _cannot_travel(each)) is not None}
    going = [each for each in tasks if each.task.id not in unsent]
    moved, missing = _send_data(project, place, going)
    unsent |= missing
    going = [each for each in going if each.task.id not in unsent]
    done, refused = _send_refs(place, going, known)
    unsent |= refused
    return Sent(
        tasks=tuple(done),
        unsent=tuple(Unsent(stored=each, error=unsent[each.task.id]) for each in tasks if each.task.id in unsent),
        moved=moved,
    )


def _cannot_travel(stored: StoredTask) -> OffbranchError | None:
    if stored.lease is not None:
        return ConflictError(f"'{stored.name}' is run by a worker of this machine", hint="ob queue status")
    if stored.task.copy_paths:
        names = ", ".join(f"'{path}'" for path in stored.task.copy_paths)
        return ConflictError(
            f"'{stored.name}' needs files that only this workspace has ({names})",
            hint="track them with Git or ob add; or run it here: ob exp run --run-all",
        )
    return None


def _send_data(
    project: Project, place: QueueRemote, tasks: Sequence[StoredTask]
) -> tuple[Moved, dict[str, OffbranchError]]:
    """Returns what was moved, and why tasks cannot go: their data is not complete at the remotes."""
    errors: dict[str, OffbranchError] = {}
    wanted: dict[str, tuple[UsedOutput, ...]] = {}
    has_default = default_remote(project.config) is not None
    with ObjectReader(place.repo) as objects:
        reader = RevisionOutputs(objects, project.prefix, project.cache)
        for each in tasks:
            try:
                begun = () if each.task.spec.resumed is None else reader.of_commit(each.task.spec.resumed)
                used = (*reader.of_tree(each.tree), *begun)
            except OffbranchError as error:
                errors[each.task.id] = error
                continue
            wanted[each.task.id] = tuple(one for one in used if _is_needed(project, one))
            homeless = next((one for one in wanted[each.task.id] if not (one.out.remote or has_default)), None)
            if homeless is not None:
                errors[each.task.id] = MissingDataError(
                    f"'{each.name}' needs '{homeless.path}', and the project has no data remote",
                    hint="ob remote add -d NAME URL makes one",
                )
                del wanted[each.task.id]
    once = {(used.id, used.path, used.is_legacy): used for uses in wanted.values() for used in uses}
    groups = grouped(project, DataScope(), ((project.config, used) for used in once.values()), for_push=True)
    moved = push_groups(project, groups, DataScope(), TransferOptions(), place.talk.reporter) if groups else ()
    bad = bad_outputs(project, groups, moved)
    for task_id, uses in wanted.items():
        reason = next((bad[key] for used in uses if (key := (used.id, used.is_legacy)) in bad), None)
        if reason is not None:
            errors[task_id] = reason
    return sum_moved(moved), errors


def _is_needed(project: Project, used: UsedOutput) -> bool:
    """Tells whether a worker may need what is recorded of an output: data, and results that a stage need not make again."""
    if is_at_source(project.config, used, DataScope()) or not used.out.push:
        return False
    if used.stage.command is None:
        return True
    cache = project.cache.legacy_view() if used.is_legacy else project.cache
    try:
        return cache.has_all(used.id)
    except OffbranchError:  # a list of a directory that is corrupt: the stage makes it again
        return False


def _send_refs(
    place: QueueRemote, tasks: Sequence[StoredTask], known: Mapping[str, CommitId]
) -> tuple[list[StoredTask], dict[str, OffbranchError]]:
    refused: dict[str, OffbranchError] = {}
    going = [each for each in tasks if known.get(each.task.id) != each.commit]
    for each in going:
        if (error := _reserve(place, each)) is not None:
            refused[each.task.id] = error
    going = [each for each in going if each.task.id not in refused]
    updates = [
        RemoteUpdate(ref=task_ref(each.task.id), new=each.commit, old=known.get(each.task.id), force=True)
        for each in going
    ]
    updates += _beginnings(place, going)
    answers = _push(place, updates)
    done = [each for each in tasks if each not in going and each.task.id not in refused]
    for each in going:
        answer = answers[task_ref(each.task.id)]
        if isinstance(answer, RefusedError):
            refused[each.task.id] = answer
            update_refs(place.repo, [RefUpdate(ref=sending_ref(each.task.id), new=None, old=ANY)])
            continue
        if answer.state is PushState.DONE:
            done.append(each)
            continue
        text = f"{place.remote.text} did not take '{each.name}': {answer.reason}"
        refused[each.task.id] = RemoteError(text, hint="send it again: ob queue sync", is_transient=True)
        if answer.state is PushState.OUTDATED:
            update_refs(place.repo, [RefUpdate(ref=sending_ref(each.task.id), new=None, old=ANY)])
    _mark(place, done)
    return done, refused


def _beginnings(place: QueueRemote, tasks: Sequence[StoredTask]) -> list[RemoteUpdate]:
    """Returns what brings the checkpoints there that tasks are to go on from."""
    wanted = {checkpoint_ref(each.task.id): each.task.spec.resumed for each in tasks if each.task.spec.resumed}
    there = list_remote(place.repo, place.remote, tuple(wanted), place.talk, for_push=True) if wanted else {}
    return [
        RemoteUpdate(ref=ref, new=commit, old=there.get(ref), force=True)
        for ref, commit in wanted.items()
        if there.get(ref) != commit
    ]


def _push(place: QueueRemote, updates: Sequence[RemoteUpdate]) -> Mapping[str, PushAnswer | RefusedError]:
    """Pushes all that go; together first, so that a remote which could not take their ends is found out now."""
    if not updates:
        return {}
    answers = push_updates(place.repo, place.remote, updates, place.talk, atomic=True)
    try:
        refuse_without_atomic(place, answers)
    except RefusedError as error:
        return dict.fromkeys(answers, error)
    if len(updates) == 1 or all(answer.state is PushState.DONE for answer in answers.values()):
        return answers
    return push_updates(place.repo, place.remote, updates, place.talk)


def _reserve(place: QueueRemote, stored: StoredTask) -> OffbranchError | None:
    """Makes sure that no worker of this machine takes a task while it is sent; returns why it cannot be sent."""
    task_id = stored.task.id
    try:
        update_refs(
            place.repo,
            [
                RefUpdate(ref=sending_ref(task_id), new=stored.commit, old=ANY),
                RefUpdate(ref=stored.ref, new=stored.commit, old=stored.commit),
                RefUpdate(ref=lease_ref(task_id), new=None, old=None),
            ],
        )
    except ConflictError:
        return ConflictError(
            f"'{stored.name}' was taken or changed here while it was to be sent", hint="ob queue status"
        )
    return None


def _mark(place: QueueRemote, tasks: Sequence[StoredTask]) -> None:
    """Notes that tasks are at the Git remote."""
    there = {ref for ref, _ in list_refs(place.repo, SENDING)} if tasks else set()
    updates = [RefUpdate(ref=sent_ref(each.task.id), new=each.commit, old=ANY) for each in tasks]
    sending = (sending_ref(each.task.id) for each in tasks)
    update_refs(place.repo, [*updates, *(RefUpdate(ref=ref, new=None, old=ANY) for ref in sending if ref in there)])
