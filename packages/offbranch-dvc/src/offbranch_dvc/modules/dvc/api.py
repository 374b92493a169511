"""`dvc.api`: the functions of `offbranch.api` that have its names, and the file system of fsspec.

That one is loaded when it is first asked for: whoever reads a parameter shall not wait for fsspec.
"""

from typing import Any

import offbranch.api
from offbranch.api import (
    all_branches,
    all_commits,
    all_tags,
    artifacts_show,
    exp_save,
    exp_show,
    get_dataset,
    get_url,
    make_checkpoint,
    metrics_show,
    open,  # noqa: A004
    params_show,
    read,
)

__all__ = [
    "DVCFileSystem",  # noqa: F822 - by __getattr__
    "all_branches",
    "all_commits",
    "all_tags",
    "artifacts_show",
    "exp_save",
    "exp_show",
    "get_dataset",
    "get_url",
    "make_checkpoint",
    "metrics_show",
    "open",
    "params_show",
    "read",
]


def __getattr__(name: str) -> Any:
    if name == "DVCFileSystem":
        return offbranch.api.DVCFileSystem
    raise AttributeError(f"module 'dvc.api' has no attribute '{name}'")
