"""Workers of a real Redis in clones of their own: one machine is lost, the next is stopped, and the third goes on each time."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from asking import ASK, PIPELINE, chain, mark, output_at
from projects import TestProject
from remote_queue import Farm, make_farm
from remote_workers import TTL_S, done, end, is_ours, left_clean, processes, start, until
from servers import redis_server

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

SCRIPT = """
began = len(open("model.bin").read().splitlines()) if os.environ.get("DVCLIVE_RESUME") else 0
print(f"from {began}", file=open(os.environ["RUNS"], "a"), flush=True)
for step in range(began, 3):
    open("model.bin", "a").write(f"step {step}\\n")
    metrics(acc=step)
    assert ask(step)["is_taken"]
    while os.path.exists(os.environ["RUNS"] + f".stop{step}"):
        time.sleep(0.05)
"""


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        made = make_farm(tmp_path / "farm", broker=server.address, ttl_s=TTL_S)
        for path, text in {"train.py": ASK + SCRIPT, "dvc.yaml": PIPELINE, "params.yaml": "lr: 1\n"}.items():
            made.home.write(path, text)
        made.home.commit("train")
        made.home.git("push", "-q", "origin", "main")
        with left_clean(made):
            yield made


def began(n: int) -> bool:
    path = Path(os.environ["RUNS"])
    return path.exists() and len(path.read_text().splitlines()) == n


def at_remote(farm: Farm, number: int) -> bool:
    refs = {ref: at for ref, at in farm.place.there().items() if ref.startswith("refs/ob/checkpoints/")}
    marks = [mark(TestProject(farm.place.remote), commit) or {} for commit in refs.values()]
    return [each.get("number") for each in marks] == [number]


def test_it_goes_on_from_machine_to_machine(farm: Farm) -> None:
    queued = farm.home.ob("exp", "run", "--queue", "-n", "x", "--keep-checkpoints", "last=1")
    assert queued.code == 0, queued.err
    stops = [Path(os.environ["RUNS"] + f".stop{step}") for step in range(2)]
    for stop in stops:
        stop.touch()
    one, two, three = (farm.clone(name) for name in ("one", "two", "three"))
    start(one)
    until(farm, lambda: at_remote(farm, 1))
    for pid in processes(one.root):
        end(pid, signal.SIGKILL)
    stops[0].unlink()
    start(two)
    until(farm, lambda: began(2) and at_remote(farm, 2))
    for pid in filter(is_ours, processes(two.root)):
        end(pid, signal.SIGTERM)
    until(farm, lambda: not processes(two.root))
    stops[1].unlink()
    start(three)
    until(farm, done(farm, ["x"]))
    assert Path(os.environ["RUNS"]).read_text().split("\n")[:-1] == ["from 0", "from 1", "from 2"]
    assert farm.there("checkpoints") == farm.there("tasks") == farm.there("leases") == []
    pulled = farm.home.ob("exp", "pull", "origin", "x")
    assert pulled.code == 0, pulled.err
    commits = chain(farm.home, "x")
    assert [(mark(farm.home, each) or {}).get("number") for each in commits] == [1, 2, 3, None]
    assert output_at(farm.home, commits[-1]) == b"step 0\nstep 1\nstep 2\n"
