"""Metrics of queued experiments: of those that run, from the directory they run in; of failed ones, what they had written."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.events import NullReporter
from offbranch.experiments.attempts import read_one
from offbranch.experiments.experiment import Attempt
from offbranch.experiments.revision_files import DirectoryFiles, Entry
from offbranch.experiments.revision_metrics import locks_of, metric_sources, read_metrics
from offbranch.experiments.running import has_own_directory, where_it_runs
from offbranch.experiments.wanted import Wanted, wanted_of
from offbranch.git.objects import ObjectReader
from offbranch.git.repository import GitRepo
from offbranch.pipeline.load import load_pipelines
from offbranch.project import Project
from offbranch.queue.pulse import record_of
from offbranch.queue.status import QueueStatus, TaskStatus
from offbranch.views.rows import Rows

Metrics = Mapping[str, Entry]
_NONE: Metrics = {}


class LiveMetrics:
    """What running tasks have measured so far; remembers where their metrics are, so that looking again is cheap."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._wanted: dict[str, Wanted] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._last: dict[tuple[str, str], Entry] = {}

    def read(self, status: QueueStatus) -> dict[str, Metrics]:
        """Returns the metrics of every running task, by its id."""
        running = [(task.id, task.last) for task in status.tasks if task.standing is not None]
        return {task_id: self._read(attempt) for task_id, attempt in running if attempt is not None}

    def files(self) -> Iterator[str]:
        """Yields the files whose change may change what `read` says."""
        for paths in self._paths.values():
            yield from paths

    def _read(self, attempt: Attempt) -> Metrics:
        record = record_of(self._project.root, attempt)
        self._paths[attempt.id] = (record,)
        attempt = read_one(self._project.root, attempt.id) or attempt
        if not has_own_directory(self._project, attempt):
            return _NONE
        try:
            reader, ignores = where_it_runs(self._project, attempt)
            if attempt.id not in self._wanted:
                self._wanted[attempt.id] = wanted_of(load_pipelines(reader, ignores=ignores, root=reader.root))
            wanted, files = self._wanted[attempt.id], DirectoryFiles(reader, self._project.cache)
            sources = metric_sources(wanted, files, locks_of(wanted, files), self._project.cache)
            found = read_metrics(sources, files)
        except (OffbranchError, OSError):
            return _NONE
        names = dict.fromkeys((*wanted.metrics, *(source.path for source in sources)))
        self._paths[attempt.id] = (record, *(os.path.join(reader.root, name) for name in names))
        return {path: entry for path, each in found.items() if (entry := self._sound(attempt, path, each)) is not None}

    def _sound(self, attempt: Attempt, path: str, entry: Entry) -> Entry | None:
        """Returns an entry that can be read, the one before where it is being written at this moment."""
        key = (attempt.id, path)
        if "data" in entry:
            self._last[key] = entry
        return self._last.get(key)


def metrics_of_failed(project: Project, repo: GitRepo, tasks: Sequence[TaskStatus]) -> dict[str, Metrics]:
    """Returns what failed and cancelled tasks had measured, by their ids; read once, then remembered."""
    lasts = [(task.id, task.last) for task in tasks if task.has_ended and task.experiment is None]
    with ObjectReader(repo) as objects:
        rows = Rows(project, objects, NullReporter(), force=False, param_deps=False)
        found = {task_id: _recorded(rows, attempt) for task_id, attempt in lasts if attempt is not None}
        rows.save()
    return found


def _recorded(rows: Rows, attempt: Attempt) -> Metrics:
    state: Mapping[str, Any] = rows.attempt_state(attempt)
    return _NONE if state["data"] is None else state["data"]["metrics"]
