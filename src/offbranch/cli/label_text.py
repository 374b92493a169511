"""What `exp tag` and `exp note` print of an experiment's labels."""

from collections.abc import Sequence
from typing import Any

from offbranch.api.labels import Labelled


def label_to_json(each: Labelled) -> dict[str, Any]:
    """Returns an experiment with its tags and note, for programs."""
    return {
        "name": each.experiment.name,
        "rev": each.experiment.commit,
        "baseline": each.experiment.baseline,
        "tags": list(each.labels.tags),
        "note": each.labels.note,
    }


def quoted(words: Sequence[str]) -> str:
    """Returns words as a sentence lists them."""
    marked = [f"'{word}'" for word in words]
    return marked[0] if len(marked) == 1 else f"{', '.join(marked[:-1])} and {marked[-1]}"
