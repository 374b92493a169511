"""Talking to other repositories: list their refs, push, fetch. Git itself connects, so its credential helpers, ssh and proxy
settings count, and it may ask on the terminal where somebody is there to answer; where nobody is, it fails instead of waiting.

Only what is named is moved: each ref by its full name, no tags, no remote-tracking branches, no submodules. Credentials in a
url are never shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from offbranch.base.errors import RemoteError
from offbranch.base.events import Notice, Progressed, Reporter
from offbranch.base.records import record
from offbranch.git.clones import without_credentials
from offbranch.git.command import finish_git
from offbranch.git.git_remotes import GitRemote
from offbranch.git.ids import CommitId, is_hex
from offbranch.git.repository import GitRepo
from offbranch.git.spawn import CAN_SPAWN, Finished, Manner

# Far below what systems allow for a command line (Linux 2 MB, macOS 1 MB, Windows 32 kB), with room for the environment.
_MAX_ARGS_BYTES = 400_000 if CAN_SPAWN else 24_000
_PROGRESS = re.compile(r"^(?:remote: )?([A-Z][A-Za-z ]+):\s+(?:\d+% \()?(\d+)(?:/(\d+)\))?")
_SAID_BY_US = (
    "To ",
    "From ",
    "Everything up-to-date",
    "error: failed to push some refs",
    "Done",
    "warning: no common commits",
)
_OUTDATED = ("fetch first", "non-fast-forward", "stale info", "needs force", "already exists")
_SILENCE_S = 30.0  # a server that is there lists its refs long before; who types a password may take his time


@record
class Talk:
    """How Git may talk to the user meanwhile.

    Attributes:
        reporter: Takes its progress and what it says.
        may_ask: Somebody is at the terminal.
    """

    reporter: Reporter
    may_ask: bool = False


@record
class RemoteUpdate:
    """One change of a ref of another repository.

    Attributes:
        ref: Full name, there.
        new: The commit it shall point to, which is here; None to delete it.
        old: What it was seen to point to; None if it did not exist.
        force: Replaces `old` whatever it is related to; without it only by a descendant. A deletion always expects `old`.
    """

    ref: str
    new: CommitId | None
    old: CommitId | None
    force: bool = False


class PushState(Enum):
    """What became of a change."""

    DONE = "done"
    OUTDATED = "outdated"  # the ref is not what was expected, or what it points to is no ancestor
    REFUSED = "refused"


@record
class PushAnswer:
    """What the other side said of a change; the reason, in Git's words, where it was not done."""

    state: PushState
    reason: str = ""


def list_remote(
    repo: GitRepo, remote: GitRemote, patterns: Sequence[str], talk: Talk, *, for_push: bool = False
) -> dict[str, CommitId]:
    """Returns the refs of another repository that match some patterns, by name.

    Args:
        repo: Whose configuration counts.
        remote: Where.
        patterns: Beginnings of refs with `*` at the end.
        talk: Who is told.
        for_push: List where a push goes, if that is another place.

    Raises:
        RemoteError: It cannot be reached.
    """
    place = remote.pushed_to if for_push else remote.name
    done = _git(repo, ("ls-remote", "--quiet", "--refs", "--", place, *patterns), talk, wait_s=_SILENCE_S)
    if done.code != 0:
        raise _remote_error("read", remote, done, talk)
    found = {}
    for line in done.out.decode("utf-8", "surrogateescape").split("\n"):
        name, _, ref = line.partition("\t")
        if ref and is_hex(name):
            found[ref] = CommitId(name)
    return found


def push_updates(
    repo: GitRepo, remote: GitRemote, updates: Sequence[RemoteUpdate], talk: Talk, *, atomic: bool = False
) -> Mapping[str, PushAnswer]:
    """Changes refs of another repository, with what they need; one that is refused does not stop the others.

    One `git push`, or several where a command line cannot hold all refs.

    Args:
        repo: Where the commits are.
        remote: Where to.
        updates: The changes; a ref occurs once.
        talk: Who is told.
        atomic: All or none; only for few changes.

    Returns:
        The answer for every ref. After a broken connection those that nothing was heard of are refused, with its reason.
    """
    answers: dict[str, PushAnswer] = {}
    for part in _parts(updates):
        done = _git(repo, _push_args(remote, part, atomic, talk), talk)
        heard = dict(_push_answers(done.out.decode("utf-8", "surrogateescape")))
        unheard = PushAnswer(state=PushState.REFUSED, reason=_reason(done))
        answers.update((update.ref, heard.get(update.ref, unheard)) for update in part)
        if not talk.may_ask and any(answers[update.ref].state is PushState.REFUSED for update in part):
            _tell_what_was_said_there(done, talk.reporter)
    return answers


def fetch_refs(repo: GitRepo, remote: GitRemote, refs: Sequence[str], talk: Talk) -> None:
    """Brings what some refs of another repository point to, with all that it needs. No ref changes here.

    Raises:
        RemoteError: It cannot be reached, or one of the refs is not there any more.
    """
    _fetch(repo, (), remote, remote.name, refs, talk)


def fetch_tips(repo: GitRepo, remote: GitRemote, refs: Sequence[str], talk: Talk, *, settings_of: GitRepo) -> None:
    """Brings only the commits that some refs point to: no history, and no files where the server can leave them out.

    Args:
        repo: A bare repository to be thrown away, where they come to.
        remote: Where from.
        refs: Full names.
        talk: Who is told.
        settings_of: The repository whose configuration counts.

    Raises:
        RemoteError: It cannot be reached.
    """
    # Run where the user is, so that a relative path means the same.
    before = (f"--git-dir={repo.git_dir}", "-c", f"include.path={settings_of.common_dir}/config")
    _fetch(settings_of, before, remote, remote.pushed_to, refs, talk, ("--depth=1", "--filter=tree:0"))


def _fetch(
    repo: GitRepo,
    before: Sequence[str],
    remote: GitRemote,
    place: str,
    refs: Sequence[str],
    talk: Talk,
    more: Sequence[str] = (),
) -> None:
    options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--no-prune"]
    options += ["--no-show-forced-updates", "--refmap=", "--quiet", *(["--progress"] if talk.may_ask else []), *more]
    size = sum(map(len, refs)) + len(refs)
    if size > _MAX_ARGS_BYTES:
        text = "".join(f"{ref}\n" for ref in refs).encode("utf-8", "surrogateescape")
        done = _git(repo, (*before, "fetch", *options, "--stdin", "--", place), talk, input=text)
    else:
        done = _git(repo, (*before, "fetch", *options, "--", place, *refs), talk)
    if done.code != 0:
        raise _remote_error("fetch from", remote, done, talk)


def _git(repo: GitRepo, args: Sequence[str], talk: Talk, input: bytes | None = None, wait_s: float = 0) -> Finished:
    hear = _Hearing(talk.reporter).take if talk.may_ask else None
    env = repo.env if talk.may_ask else {**repo.env, "GIT_TERMINAL_PROMPT": "0"}
    manner = Manner(may_ask=talk.may_ask, hear=hear, silence_s=None if talk.may_ask else wait_s or None)
    return finish_git(repo.root, *args, env=env, input=input, manner=manner)


def _push_args(remote: GitRemote, updates: Sequence[RemoteUpdate], atomic: bool, talk: Talk) -> Sequence[str]:
    args = ["-c", "advice.pushUpdateRejected=false"]
    if remote.is_mirror:  # otherwise Git refuses to push single refs there
        args += ("-c", f"remote.{remote.name}.mirror=false")
    args += ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")
    args += ["--no-force-if-includes", *(["--progress"] if talk.may_ask else []), *(["--atomic"] if atomic else [])]
    for update in updates:
        if update.force or update.new is None:
            args.append(f"--force-with-lease={update.ref}:{update.old or ''}")
    return (*args, "--", remote.name, *(f"{update.new or ''}:{update.ref}" for update in updates))


def _parts(updates: Sequence[RemoteUpdate]) -> Iterator[Sequence[RemoteUpdate]]:
    part: list[RemoteUpdate] = []
    size = 0
    for update in updates:
        length = 2 * len(update.ref.encode("utf-8", "surrogateescape")) + 180
        if part and size + length > _MAX_ARGS_BYTES:
            yield part
            part, size = [], 0
        part.append(update)
        size += length
    if part:
        yield part


def _push_answers(out: str) -> Iterator[tuple[str, PushAnswer]]:
    """Yields (ref, answer) of the output of `push --porcelain`; where a push goes to several urls, the worst counts."""
    found: dict[str, PushAnswer] = {}
    for line in out.split("\n"):
        flag, tab, rest = line.partition("\t")
        names, _, summary = rest.partition("\t")
        ref = names.rpartition(":")[2]
        if not tab or len(flag) != 1 or not ref:
            continue
        answer = PushAnswer(state=PushState.DONE)
        if flag == "!":
            reason = summary[summary.find("(") + 1 :].rstrip(")") if "(" in summary else summary
            is_local = summary.startswith("[rejected]") and any(sign in reason for sign in _OUTDATED)
            answer = PushAnswer(state=PushState.OUTDATED if is_local else PushState.REFUSED, reason=reason)
        if ref not in found or found[ref].state is PushState.DONE:
            found[ref] = answer
    yield from found.items()


class _Hearing:
    """Passes on what Git writes while it works: its counters as progress, anything else as it is, questions at once."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._rest = ""

    def take(self, chunk: bytes) -> None:
        """Takes the next bytes; at the end there are none."""
        lines = re.split(r"[\r\n]+", self._rest + chunk.decode("utf-8", "replace"))
        self._rest = lines.pop()
        if not chunk or self._rest.rstrip().endswith((":", "?")):  # a question waits at the end of its line
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            self._tell(line.replace("\x1b[K", "").rstrip())

    def _tell(self, line: str) -> None:
        counted = _PROGRESS.match(line)
        if counted is not None:
            what, done, total = counted.groups()
            count = Progressed(
                what=f"git: {what.lower()}", done=int(done), total=int(total) if total else None, unit="objects"
            )
            self._reporter.emit(count)
        elif line and not line.startswith(_SAID_BY_US):
            self._reporter.emit(Notice(text=without_credentials(line)))


def _tell_what_was_said_there(done: Finished, reporter: Reporter) -> None:
    """Passes on what a remote, or a hook of it, says of why it refuses; where Git may ask it has been heard already."""
    lines = (line.strip() for line in done.err.decode("utf-8", "replace").replace("\x1b[K", "").splitlines())
    for line in dict.fromkeys(lines):
        if not line.startswith("remote: ") or _PROGRESS.match(line) or "hook declined to update" in line:
            continue  # the last is what each answer says too
        reporter.emit(Notice(text=without_credentials(line)))


def _reason(done: Finished) -> str:
    """Returns the line that says most of why Git failed."""
    lines = [line.strip() for line in done.err.decode(errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_SAID_BY_US)]
    signs = ("fatal: ", "error: ", "ERROR: ", "remote: ERROR: ", "remote: error: ", "remote: fatal: ")
    telling = [line for line in lines if line.startswith(signs)]
    special = [line for line in telling if not _is_general(line)]
    before = lines[: lines.index(telling[0])] if telling else lines
    chosen = special[0] if special else before[-1] if before else telling[0] if telling else ""
    for sign in ("remote: ", *signs):
        chosen = chosen.removeprefix(sign)
    ended = f"ended by signal {-done.code}" if done.code < 0 else f"exit code {done.code}"
    return without_credentials(chosen).rstrip(".") or ended


def _is_general(line: str) -> bool:
    return any(words in line for words in ("Could not read from remote", "the remote end hung up", "early EOF"))


def _remote_error(verb: str, remote: GitRemote, done: Finished, talk: Talk) -> RemoteError:
    reason = _reason(done)
    hint = f"see whether Git can: git ls-remote '{remote.label}'"
    if not talk.may_ask and ("terminal prompts disabled" in reason or "could not read" in reason.lower()):
        hint = "run it in a terminal, where Git can ask, or set up a credential helper or an ssh agent"
    return RemoteError(f"cannot {verb} {remote.text}: {reason}", hint=hint)
