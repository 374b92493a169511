"""Git's pattern syntax, through pathspec; loaded only when an ignore file holds a pattern.

The library also matches everything below a matching directory. The caller asks about each directory on the way down,
so only a match of the whole path counts here: that is Git's own rule, and `!*/` means what it means there.
"""

from collections.abc import Iterable
from re import Pattern

from pathspec import GitIgnoreSpec

_MARK = "ps_d"  # the group that holds the slash after a directory's name
_ANY_DIRECTORY = f"(?P<{_MARK}>/)"


class PatternFile:
    """The patterns of one file, in order."""

    def __init__(self, lines: Iterable[str]) -> None:
        # pathspec 1.1 reads a final `**/` as `**`; written like this it means directories only, as for Git.
        patterns = GitIgnoreSpec.from_lines(f"{x}*/" if x.endswith("**/") else x for x in lines).patterns
        # The last pattern that matches decides, so they are tried from the end.
        self._patterns = [(p.regex, bool(p.include)) for p in reversed(list(patterns)) if p.regex is not None]

    def verdict(self, path: str, is_dir: bool, /) -> bool | None:
        """Returns True to ignore, False to keep, None when no pattern matches.

        Args:
            path: Relative to the directory of the file, with `/`.
            is_dir: The path is a directory.
        """
        text = path + "/" if is_dir else path
        for regex, include in self._patterns:
            if _matches_whole(regex, text):
                return include
        return None


def _matches_whole(regex: Pattern[str], text: str) -> bool:
    if regex.pattern == _ANY_DIRECTORY:
        return text.endswith("/")
    match = regex.search(text)
    if match is None:
        return False
    if _MARK in regex.groupindex:
        return match.end(_MARK) in (-1, len(text))
    # `a/**` is everything inside `a`, not `a` itself.
    return not (regex.pattern.endswith("/") and match.end() == len(text))
