"""The tags and the note of one experiment as a record: its JSON (docs/formats/labels.md), changes, and the merge of two.

Nothing here touches the world. Merging is commutative and idempotent, and with one base associative: of tags, what either
side added is there and what either side took away is not; of notes, the one that was written later is kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from offbranch.base.errors import UsageError
from offbranch.base.records import record, replace

FORMAT_VERSION = 1
_MAX_TAG = 100
# Two changes are never of the same moment, also where a clock was put back: the later must win over what it has seen.
_TICK_S = 1e-3


@record
class Labels:
    """What people wrote on an experiment.

    Attributes:
        tags: In alphabetical order, each once.
        note: Free text, without blanks at its ends; empty when there is none.
        updated_utc: When something of it was changed last, in seconds since 1970.
        noted_utc: When the note was written or removed last; 0 for never.
    """

    tags: tuple[str, ...] = ()
    note: str = ""
    updated_utc: float = 0.0
    noted_utc: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Nothing is written."""
        return not self.tags and not self.note


NO_LABELS = Labels()


def check_tag(tag: str) -> str:
    """Returns a tag that may be used.

    Raises:
        UsageError: It is empty, too long, begins with `-`, or has a blank, comma, quote or control character.
    """
    if not tag or len(tag) > _MAX_TAG or tag.startswith("-") or not tag.isprintable():
        bad = True
    else:
        bad = any(c.isspace() or c in ",'\"`" for c in tag)
    if bad:
        raise UsageError(
            f"invalid tag {tag[:_MAX_TAG]!r}",
            hint="letters, digits, '-', '_', '.', ':' and '/' are fine, blanks are not",
        )
    return tag


def clean_note(text: str) -> str:
    """Returns a note without blanks at its ends; what a terminal could take for a command is replaced."""
    lines = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in lines).strip()


def with_tags(labels: Labels, tags: Iterable[str], *, now_utc: float) -> Labels:
    """Returns labels with more tags; the same ones if they have them all."""
    new = tuple(sorted({*labels.tags, *map(check_tag, tags)}))
    return labels if new == labels.tags else replace(labels, tags=new, updated_utc=_after(labels, now_utc))


def without_tags(labels: Labels, tags: Iterable[str], *, now_utc: float) -> Labels:
    """Returns labels without some tags; the same ones if they have none of them."""
    gone = set(tags)
    new = tuple(tag for tag in labels.tags if tag not in gone)
    return labels if new == labels.tags else replace(labels, tags=new, updated_utc=_after(labels, now_utc))


def with_note(labels: Labels, note: str, *, now_utc: float) -> Labels:
    """Returns labels with another note; the same ones if it is the same."""
    text = clean_note(note)
    if text == labels.note:
        return labels
    noted_utc = max(now_utc, labels.noted_utc + _TICK_S)
    return replace(labels, note=text, updated_utc=_after(labels, now_utc), noted_utc=noted_utc)


def merge_records(base: Labels, ours: Labels, theirs: Labels) -> Labels:
    """Returns what two changes of the same labels are together.

    Args:
        base: What both started from.
        ours: One side.
        theirs: The other; the order does not matter.
    """
    added = {*ours.tags, *theirs.tags}
    removed = {tag for tag in base.tags if tag not in ours.tags or tag not in theirs.tags}
    later = max(ours, theirs, key=lambda labels: (labels.noted_utc, labels.note))
    return Labels(
        tags=tuple(sorted(added - removed)),
        note=later.note,
        updated_utc=max(ours.updated_utc, theirs.updated_utc),
        noted_utc=later.noted_utc,
    )


def labels_to_json(labels: Labels) -> dict[str, Any]:
    """Returns the stored form."""
    return {
        "version": FORMAT_VERSION,
        "tags": list(labels.tags),
        "note": labels.note,
        "updated_utc": labels.updated_utc,
        "noted_utc": labels.noted_utc,
    }


def labels_from_json(data: Any) -> Labels:
    """Reads the stored form; tags that may not be used are left out.

    Raises:
        ValueError: It is not one, or of a later version.
    """
    if not isinstance(data, Mapping) or data.get("version") != FORMAT_VERSION:
        raise ValueError("not the labels of an experiment, or of a version that is not known")
    try:
        tags = {str(tag) for tag in data["tags"] if _is_fine(tag)}
        return Labels(
            tags=tuple(sorted(tags)),
            note=clean_note(str(data["note"])),
            updated_utc=float(data["updated_utc"]),
            noted_utc=float(data["noted_utc"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the labels of an experiment: {error}") from error


def _after(labels: Labels, now_utc: float) -> float:
    return max(now_utc, labels.updated_utc + _TICK_S)


def _is_fine(tag: Any) -> bool:
    try:
        return isinstance(tag, str) and bool(check_tag(tag))
    except UsageError:
        return False
