"""Names of metrics: those of a library as names with levels."""

from typing import Final

# Library -> prefix of its names -> what it becomes.
_PREFIXES: Final = {
    "keras": {"val_": "eval/", "": "train/"},
    "huggingface": {"train_": "train/", "eval_": "eval/"},
    "fastai": {"train_": "train/", "valid_": "eval/"},
}
_OF_LIGHTNING: Final = ("lightning", "fabric")


def metric_name(name: str, library: str) -> str:
    """Returns the name that a metric of a library has in `Live`.

    Args:
        name: As the library has it: `val_loss`.
        library: `keras`, `huggingface`, `fastai`, `lightning` or `fabric`; a dotted name that ends so does too. Names of any
            other library stay as they are.
    """
    library = library.rpartition(".")[2]
    if library in _OF_LIGHTNING:
        return _of_lightning(name)
    for prefix, level in _PREFIXES.get(library, {}).items():
        if name.startswith(prefix):
            return level + name.removeprefix(prefix)
    return name


def _of_lightning(name: str) -> str:
    """`train_loss_step` becomes `train/step/loss`; without a part of the data, names stay."""
    part, joint, rest = name.partition("_")
    if not joint or part not in ("train", "val", "test"):
        return name
    inner, _, period = rest.rpartition("_")
    if period in ("step", "epoch"):
        return "/".join(piece for piece in (part, period, inner) if piece)
    return f"{part}/{rest}"
