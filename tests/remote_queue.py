"""A queue that clones share over a bare Git remote and a data remote, and its workers without a broker, for tests."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from git_repos import run as git
from offbranch.api.exp import RunRequest
from offbranch.api.queue import submit
from offbranch.api.queue_remote import SharedQueue, need_shared_queue, sync
from offbranch.api.queue_work import run_one
from offbranch.api.session import opened
from offbranch.experiments.experiment import Experiment
from offbranch.git.ids import CommitId
from offbranch.queue.remote.bench import Bench, Run, Verdict
from offbranch.queue.remote.lease import Owner, clone_id
from offbranch.queue.remote.report import SyncReport
from offbranch.queue.remote.work import work_on
from offbranch.queue.task import StoredTask
from projects import Recorder, TestProject
from sharing import Place, make_place

# Nobody listens there: what is announced is lost.
NOWHERE = "redis://127.0.0.1:1/0"


@dataclass
class Farm:
    """A project whose queue is shared, and clones of it that work."""

    place: Place

    @property
    def home(self) -> TestProject:
        """Where tasks are queued."""
        return self.place.project

    def clone(self, name: str) -> TestProject:
        made = self.place.clone(name)
        made.git("config", "offbranch.broker", self.home.git("config", "offbranch.broker"))
        made.git("config", "offbranch.queueTtl", self.home.git("config", "offbranch.queueTtl"))
        return made

    def queue(self, *overrides: str, name: str | None = None, **more: object) -> tuple[StoredTask, ...]:
        """Queues at home and sends; returns the tasks."""
        session = self.home.session()
        done = submit(RunRequest(overrides=overrides, name=name, **more), session)  # type: ignore[arg-type]
        assert done.shared is not None and not done.shared.unsent, done.shared
        return done.stored

    def there(self, kind: str) -> list[str]:
        """Ids below `refs/ob/<kind>/` of the Git remote."""
        return sorted(ref.split("/")[-1] for ref in self.place.there() if ref.startswith(f"refs/ob/{kind}/"))

    def made(self) -> dict[str, str]:
        """Name -> task, for every experiment of the Git remote that came from the queue."""
        found = {}
        for ref, commit in self.place.there().items():
            if ref.startswith("refs/exps/"):
                head = git(self.place.remote, "cat-file", "commit", commit).split("\n\n")[0]
                tasks = [line.split()[1] for line in head.splitlines() if line.startswith("ob-task ")]
                found[ref.split("/")[-1]] = tasks[0] if tasks else ""
        return found

    def attempt(self, attempt_id: str) -> dict[str, object]:
        """The record of an attempt that the Git remote has."""
        text = git(self.place.remote, "log", "-1", "--format=%B", f"refs/ob/attempts/{attempt_id}")
        record: dict[str, object] = json.loads(text.partition("\n\n")[2])
        return record

    def sync(self, project: TestProject | None = None) -> SyncReport:
        return sync((project or self.home).session(), announces=False)


def make_farm(base: Path, *, broker: str = NOWHERE, ttl_s: float = 120, config: str | None = None) -> Farm:
    place = make_place(base, experiments=()) if config is None else make_place(base, experiments=(), config=config)
    place.project.write("train.sh", "echo training\n" + place.project.read("train.sh"))
    place.project.commit("what it prints")
    place.project.git("push", "-q", "origin", "main")
    place.project.git("config", "offbranch.broker", broker)
    place.project.git("config", "offbranch.queueTtl", str(ttl_s))
    return Farm(place)


@dataclass
class Hand:
    """A worker in a clone, in this process.

    Attributes:
        before_run, after_run: Called around each run of a task.
        naps: What it slept, in seconds; nothing really sleeps.
        on_nap: Called instead of sleeping.
        is_stopped: Whether each run ends with a signal that comes when everything is done.
    """

    project: TestProject
    before_run: Callable[[], object] = lambda: None
    after_run: Callable[[], object] = lambda: None
    on_nap: Callable[[float], object] = lambda wait_s: None
    is_stopped: bool = False

    def work(self, task_id: str, over: str | None = None) -> Verdict:
        recorder = Recorder()
        self.said = recorder
        with opened(self.project.session(recorder)) as project:
            shared = need_shared_queue(project, self.project.session(recorder))
            return work_on(self._bench(shared), task_id, None if over is None else CommitId(over))

    def _bench(self, shared: SharedQueue) -> Bench:
        root = shared.project.root
        return Bench(
            project=shared.project,
            place=shared.place,
            owner=Owner(clone=clone_id(root), ttl_s=shared.config.ttl_s),
            run=self._run,
            clock=time.time,
            sleep=self.on_nap,
        )

    def _run(self, task_id: str) -> Run:
        self.before_run()
        made = run_here(self.project, task_id)
        self.after_run()
        return Run(is_stopped=True) if self.is_stopped else Run(experiment=made)


def run_here(clone: TestProject, task_id: str) -> Experiment | None:
    """Carries out a task of a clone in a child of this process."""
    end = run_one(clone.session(), task_id)
    return None if end is None else end.experiment
