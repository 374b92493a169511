"""Copying user files from one place to another, outside of the cache. Loaded only when a command needs it."""

import os
import shutil

from offbranch.base.paths import AbsPath


def copy_tree(source: AbsPath, target: AbsPath) -> None:
    """Copies a file or directory with its times; links inside a directory stay links, what is there is overwritten."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
