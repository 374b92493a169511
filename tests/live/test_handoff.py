"""Asking for checkpoints: the contract with a small answerer, and when `Live` asks."""

import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import offbranch
from contracts.checkpoint_asking import CheckpointAskingContract, ScriptedDesk
from offbranch import Live
from offbranch.live.handoff import Asking, request, tell_paths


@pytest.fixture
def run_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("OFFBRANCH_HANDOFF", str(tmp_path / ".dvc/tmp/ob/handoff/20260101-000000-abcdef"))
    monkeypatch.setenv("OFFBRANCH_CHECKPOINT", "auto")
    return tmp_path


@pytest.fixture
def desk(run_root: Path) -> Iterator[ScriptedDesk]:
    desk = ScriptedDesk(Path(os.environ["OFFBRANCH_HANDOFF"]))
    yield desk
    desk.close()


class TestScriptedDesk(CheckpointAskingContract):
    pass


def test_the_first_step_asks_and_the_others_when_it_is_time(desk: ScriptedDesk) -> None:
    desk.after = lambda: (setattr(desk, "next_at", math.inf), setattr(desk, "after", lambda: None))  # type: ignore[assignment, func-returns-value]
    live = Live()
    for i in range(5):
        live.log_metric("m", i)
        live.next_step()
    asked = desk.asked[0]
    assert (asked["version"], asked["kind"], asked["step"], asked["stage"]) == (1, "auto", 0, "train")
    assert (asked["pid"], len(asked["id"])) == (os.getpid(), 16)
    assert len(desk.asked) == 1
    live.end()


def test_what_was_logged_is_on_disk_when_it_asks(desk: ScriptedDesk, run_root: Path) -> None:
    seen: list[tuple[object, int]] = []

    def look(asked: object) -> tuple[bool, str]:
        table = (run_root / "dvclive/plots/metrics/m.tsv").read_text()
        seen.append((json.loads((run_root / "dvclive/metrics.json").read_text()), table.count("\n") - 1))
        return True, ""

    desk.decide = look
    with Live(checkpoint=True) as live:
        n = 0
        for _ in range(3):
            for _ in range(3000):
                live.log_metric("m", n)
                n += 1
            live.next_step()
    assert seen == [({"m": 3000 * (i + 1) - 1, "step": i}, 3000 * (i + 1)) for i in range(3)]
    assert [asked["kind"] for asked in desk.asked] == ["every"] * 3


def test_a_program_may_want_none(desk: ScriptedDesk) -> None:
    live = Live(checkpoint=False)
    live.next_step()
    assert desk.asked == []


def test_a_run_without_checkpoints_is_not_asked(desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFBRANCH_CHECKPOINT", "off")
    live = Live(checkpoint=True)
    live.next_step()
    assert offbranch.checkpoint() is False
    assert desk.asked == []


def test_mode_every_asks_at_each_step(desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFBRANCH_CHECKPOINT", "every")
    live = Live()
    for _ in range(3):
        live.next_step()
    assert [asked["step"] for asked in desk.asked] == [0, 1, 2]


def test_a_checkpoint_by_hand(desk: ScriptedDesk, run_root: Path) -> None:
    live = Live()
    live.log_metric("m", 1)
    assert offbranch.checkpoint(step=7) is True
    assert (desk.asked[0]["kind"], desk.asked[0]["step"]) == ("explicit", 7)
    assert (run_root / "dvclive/metrics.json").exists()
    desk.decide = lambda asked: (False, "no")
    assert offbranch.checkpoint() is False


def test_outside_of_a_run_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offbranch.checkpoint() is False


def test_time_is_looked_at_before_anything_else(desk: ScriptedDesk) -> None:
    asking = Asking(desk.directory, kind="auto", stage="train")
    desk.next_at = 1000.0
    desk.say_state()
    assert not asking.is_due(999.0)
    desk.next_at = 0.0
    desk.say_state()
    assert not asking.is_due(999.5), "the file is not read before the time that it named"
    assert asking.is_due(1000.0)


def test_who_is_declined_does_not_ask_at_once_again(desk: ScriptedDesk) -> None:
    desk.decide = lambda asked: (False, "busy")
    asking = Asking(desk.directory, kind="auto", stage="train")
    now = time.monotonic()
    assert asking.is_due(now) and asking.ask(1) is False
    assert not asking.is_due(now + 0.05)
    assert asking.is_due(time.monotonic() + 60)


def test_without_ob_the_loop_goes_on(run_root: Path) -> None:
    live = Live(checkpoint=True)  # nobody has made the directory
    for _ in range(3):
        live.next_step()
    assert live.step == 3
    handoff = Path(os.environ["OFFBRANCH_HANDOFF"])
    handoff.mkdir(parents=True, exist_ok=True)
    os.mkfifo(handoff / "wake")
    assert request(str(handoff), kind="every", stage="", step=1) is None
    assert not list(handoff.glob("request-*"))


def test_what_live_writes_is_told(desk: ScriptedDesk, run_root: Path) -> None:
    Live("logs/live", dvcyaml="sub/dvc.yaml")
    Live("other", dvcyaml=None)
    told = json.loads(Path(desk.directory, "live.json").read_text())
    assert told == {"version": 1, "paths": ["logs/live", "sub/dvc.yaml", "other"]}
    tell_paths(desk.directory, (str(run_root.parent / "outside"), str(run_root)))
    assert json.loads(Path(desk.directory, "live.json").read_text()) == told


def test_no_experiment_is_saved_inside_of_a_run(desk: ScriptedDesk, run_root: Path) -> None:
    with Live(exp_name="ignored") as live:
        live.log_metric("m", 1)
        live.next_step()
        step = run_root / ".dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED"
        assert json.loads(step.read_text()) == {"pid": os.getpid(), "step": 0}
        assert not (step.parent / "DVCLIVE_ONLY").exists()
    assert not step.exists()


def test_it_asks_again_once_a_long_commit_is_over(desk: ScriptedDesk) -> None:
    asking = Asking(os.environ["OFFBRANCH_HANDOFF"], kind="auto", stage="train")
    now = time.monotonic()
    desk.next_at = 1e18  # what `ob` says meanwhile
    desk.say_state()
    assert not asking.is_due(now)
    desk.next_at = now + 30
    desk.say_state()
    assert [asking.is_due(now + seconds) for seconds in (0.5, 2, 29, 30.5)] == [False, False, False, True]


def test_a_full_disk_is_no_reason_never_to_ask_again(desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    asking = Asking(os.environ["OFFBRANCH_HANDOFF"], kind="auto", stage="train")
    with monkeypatch.context() as patched:
        patched.setattr("offbranch.live.handoff.replace_file", fail)
        assert asking.ask(1) is False
        reply = request(os.environ["OFFBRANCH_HANDOFF"], kind="explicit", stage="train", step=1)
    assert reply == {"is_taken": False, "reason": "No space left on device"}
    assert asking.next_at < time.monotonic() + 1
    assert asking.ask(2) is True


def test_a_request_that_is_gone_without_a_reply_was_declined(run_root: Path) -> None:
    directory = Path(os.environ["OFFBRANCH_HANDOFF"])
    directory.mkdir(parents=True)
    os.mkfifo(directory / "wake")
    reader = os.open(directory / "wake", os.O_RDONLY | os.O_NONBLOCK)

    def drop() -> None:
        while not (asked := list(directory.glob("request-*.json"))):
            time.sleep(0.001)
        asked[0].unlink()

    with ThreadPoolExecutor() as pool:
        pool.submit(drop)
        reply = request(str(directory), kind="explicit", stage="train", step=1)
    os.close(reader)
    assert reply == {"is_taken": False, "reason": "there was no room for the reply"}
