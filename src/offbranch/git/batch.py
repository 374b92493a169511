"""One long-lived `git cat-file --batch-command --buffer`: reads any number of objects with one process.

With `--buffer` Git answers nothing before `flush`, so all requests can be written first and neither side ever waits
for the other, however many they are.
"""

from collections.abc import Iterator, Sequence

from offbranch.base.errors import GitError
from offbranch.git.command import git_argv
from offbranch.git.repository import GitRepo
from offbranch.git.spawn import Conversation, close_conversation, open_conversation


class Batch:
    """The process, started when first asked."""

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._talk: Conversation | None = None

    def ask(self, names: Sequence[str]) -> Iterator[tuple[str, str, bytes] | None]:
        """Yields (id, kind, content) for each name in order, None for one that does not exist or is ambiguous.

        Must be read to its end before the next call. A name has no line break.

        Raises:
            GitError: The process ended.
        """
        talk = self._open()
        try:
            talk.to.write(b"".join(b"contents %s\n" % name.encode(errors="surrogateescape") for name in names))
            talk.to.write(b"flush\n")
            talk.to.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        return (self._answer(talk) for _ in names)

    def close(self) -> None:
        """Ends the process; asking again starts another."""
        if self._talk is not None:
            close_conversation(self._talk)
            self._talk = None

    def _open(self) -> Conversation:
        if self._talk is None:
            argv = git_argv(self._repo.root, ("cat-file", "--batch-command", "--buffer"))
            self._talk = open_conversation(argv, self._repo.env)
        return self._talk

    def _answer(self, talk: Conversation) -> tuple[str, str, bytes] | None:
        header = talk.back.readline()
        if not header.endswith(b"\n"):
            raise self._ended()
        words = header.rsplit(b" ", 2)
        if len(words) != 3 or not words[2].strip().isdigit():
            return None
        size = int(words[2])
        content = talk.back.read(size + 1)
        if len(content) != size + 1:
            raise self._ended()
        return words[0].decode(), words[1].decode(), content[:-1]

    def _ended(self) -> GitError:
        self.close()
        return GitError(
            f"cannot read objects of '{self._repo.root}': 'git cat-file' ended",
            hint=f"see whether the repository is sound: git -C '{self._repo.root}' fsck",
        )
