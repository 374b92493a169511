"""Putting the workspace back after an attempt that failed, touching only what the attempt itself wrote.

What the user changed in the meantime stays: a parameter file is put back only if it still has the content that the
overrides gave it, and outputs only if the attempt had replaced them.
"""

import os
import stat
from collections.abc import Iterable, Mapping

from offbranch.base.files import atomic_write, remove_tree
from offbranch.base.paths import AbsPath, RepoPath, join
from offbranch.experiments.run import Outcome
from offbranch.pipeline.carry_out import put_back
from offbranch.pipeline.execute import StageResult
from offbranch.pipeline.going_on import stays
from offbranch.pipeline.workbench import Workbench


def restore_files(
    root: AbsPath, before: Mapping[RepoPath, bytes | None], written: Mapping[RepoPath, bytes | None]
) -> tuple[RepoPath, ...]:
    """Puts back files that still have the content we gave them; returns those."""
    done = []
    for path, content in written.items():
        if _read(root, path) != content:
            continue
        original = before.get(path)
        if original is None:
            remove_tree(join(root, path))
        elif original != content:
            atomic_write(join(root, path), original)
        else:
            continue
        done.append(path)
    return tuple(done)


def restore_outputs(
    outcome: Outcome, bench: Workbench, originals: Mapping[RepoPath, bytes | None], *, is_all: bool = False
) -> tuple[RepoPath, ...]:
    """Puts back what was at the outputs of the stages that were carried out; returns the paths.

    Args:
        originals: Content of files before the run, for those that are in no cache because Git keeps them.
        is_all: Outputs that stay between runs too: they had not stayed in this one.
    """
    done: list[RepoPath] = []
    with bench.guard():
        for result in reversed(outcome.result.stages):
            done.extend(_restore_stage(result, bench, originals, is_all=is_all))
    return tuple(done)


def read_files(root: AbsPath, paths: Iterable[RepoPath]) -> dict[RepoPath, bytes | None]:
    """Returns the present content of some files, None for those that are not there."""
    return {path: _read(root, path) for path in paths}


def _restore_stage(
    result: StageResult, bench: Workbench, originals: Mapping[RepoPath, bytes | None], *, is_all: bool
) -> Iterable[RepoPath]:
    outs = {out.path: out for out in result.stage.outs if out.path is not None}
    for path, content in result.replaced.items():
        out = outs[path]
        if stays(out) and not is_all:
            continue
        if content is None:
            remove_tree(join(bench.root, path))
        elif bench.cache.has_all(content.id):
            put_back(
                join(bench.root, path),
                content.id,
                bench,
                rel=path,
                is_executable=content.is_executable,
                as_copy=not out.cache,
            )
        elif (original := originals.get(path)) is not None:
            disk = join(bench.root, path)
            remove_tree(disk)
            atomic_write(disk, original)
            if content.is_executable:
                os.chmod(disk, os.stat(disk).st_mode | stat.S_IXUSR)
        else:
            continue
        yield path


def _read(root: AbsPath, path: RepoPath) -> bytes | None:
    try:
        with open(join(root, path), "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
