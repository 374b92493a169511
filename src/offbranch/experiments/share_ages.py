"""How old the experiments of a Git remote are: the commit times of their tips, also of those that are not here.

Commits that are not here are fetched without the history and, where the server can leave them out, without the files; into a
temporary repository that is removed again, so that nothing of it stays in the user's.
"""

import os
import re
import time
from calendar import timegm
from collections.abc import Mapping, Sequence

from offbranch.base.errors import UsageError
from offbranch.base.files import TEMPORARY_PREFIX, remove_tree
from offbranch.base.paths import AbsPath
from offbranch.experiments.chains import present_commits
from offbranch.experiments.experiment import Experiment
from offbranch.git.command import run_git
from offbranch.git.git_remotes import GitRemote
from offbranch.git.network import Talk, fetch_tips
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo, open_bare

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_AGE = re.compile(r"^(\d+)\s*([smhdwy])$")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def parse_limit(text: str, *, now_utc: float) -> float:
    """Returns the time that `30d`, `2w` or `2026-10-01` (its beginning, UTC) stands for, in seconds since the epoch.

    Raises:
        UsageError: It stands for none.
    """
    age = _AGE.match(text.strip().lower())
    if age is not None:
        return now_utc - int(age[1]) * _SECONDS[age[2]]
    if _DATE.match(text):
        try:
            return timegm(time.strptime(text, "%Y-%m-%d"))
        except ValueError:
            pass
    raise UsageError(
        f"'{text}' is no age: a number with a unit or a date was expected", hint="as in 30d, 2w, 12h or 2026-10-01"
    )


def commit_times(repo: GitRepo, remote: GitRemote, experiments: Sequence[Experiment], talk: Talk) -> Mapping[str, int]:
    """Returns when the tip of each experiment of a remote was committed, in seconds since the epoch, by its ref.

    Raises:
        RemoteError: The remote cannot be reached.
    """
    with ObjectReader(repo) as objects:
        here = present_commits(objects, (one.commit for one in experiments))
        times = {one.ref: objects.commit(one.commit).commit_time for one in experiments if one.commit in here}
    absent = [one for one in experiments if one.ref not in times]
    if absent:
        times.update(_times_there(repo, remote, absent, talk))
    return times


def _times_there(repo: GitRepo, remote: GitRemote, experiments: Sequence[Experiment], talk: Talk) -> Mapping[str, int]:
    place = AbsPath(os.path.join(repo.common_dir, f"{TEMPORARY_PREFIX}ages-{os.getpid()}"))
    try:
        run_git(repo.root, "init", "--quiet", "--bare", f"--object-format={repo.hash_name}", place, env=repo.env)
        copy = open_bare(place, repo.env)
        if copy is None:
            return {}
        fetch_tips(copy, remote, [one.ref for one in experiments], talk, settings_of=repo)
        with ObjectReader(copy) as objects:
            here = present_commits(objects, (one.commit for one in experiments))
            return {one.ref: objects.commit(one.commit).commit_time for one in experiments if one.commit in here}
    finally:
        remove_tree(place)
