"""`dvc.api`: the functions of `offbranch.api` that have its names."""

from offbranch.api import (
    all_branches,
    all_commits,
    all_tags,
    exp_save,
    exp_show,
    get_url,
    make_checkpoint,
    metrics_show,
    open,  # noqa: A004
    params_show,
    read,
)

__all__ = [
    "all_branches",
    "all_commits",
    "all_tags",
    "exp_save",
    "exp_show",
    "get_url",
    "make_checkpoint",
    "metrics_show",
    "open",
    "params_show",
    "read",
]
