"""What holds between a command that asks for checkpoints and `ob`, for both sides (docs/formats/checkpoints.md).

A subclass gives the fixture `desk`: the handoff directory of a run, with somebody who answers.
"""

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from offbranch.live.handoff import request


class Desk(Protocol):
    """Where checkpoints are asked for."""

    directory: str

    def close(self) -> None:
        """Goes away: the run is over."""
        ...


class CheckpointAskingContract:
    """What both sides rely on."""

    def test_the_directory_has_what_the_command_needs(self, desk: Desk) -> None:
        place = Path(desk.directory)
        assert stat.S_ISFIFO(os.stat(place / "wake").st_mode)
        state = json.loads((place / "state.json").read_text())
        assert state["version"] == 1 and state["mode"] in ("auto", "every")
        assert isinstance(state["next_at"], int | float)

    def test_what_is_asked_for_is_answered_and_nothing_is_left(self, desk: Desk) -> None:
        before = set(os.listdir(desk.directory))
        reply = request(desk.directory, kind="explicit", stage="train", step=2)
        assert reply is not None and reply["version"] == 1
        assert reply["is_taken"] is True and isinstance(reply["number"], int)
        left = {name for name in os.listdir(desk.directory) if name.startswith(("request-", "reply-", ".ob-tmp-"))}
        assert not left - before

    def test_numbers_count_up(self, desk: Desk) -> None:
        numbers = []
        for step in range(3):
            reply = request(desk.directory, kind="explicit", stage="train", step=step)
            assert reply is not None
            numbers.append(reply["number"])
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]

    def test_several_may_ask_at_once(self, desk: Desk) -> None:
        replies: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda: replies.append(request(desk.directory, kind="explicit", stage="train", step=None))
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert len({reply["number"] for reply in replies if reply is not None and reply["is_taken"]}) == 3

    def test_nobody_waits_for_who_has_gone(self, desk: Desk) -> None:
        desk.close()
        began = time.monotonic()
        assert request(desk.directory, kind="explicit", stage="train", step=1) is None
        assert time.monotonic() - began < 30
        if os.path.isdir(desk.directory):
            assert not [name for name in os.listdir(desk.directory) if name.startswith("request-")]


class ScriptedDesk:
    """A small answerer that keeps to the protocol: what is asked for is answered by a function, nothing is made.

    Attributes:
        asked: The requests, in the order they were answered.
    """

    def __init__(self, directory: Path, *, mode: str = "auto", next_at: float = 0.0) -> None:
        directory.mkdir(parents=True)
        self.directory = str(directory)
        self.asked: list[dict[str, Any]] = []
        self.decide: Callable[[dict[str, Any]], tuple[bool, str]] = lambda asked: (True, "")
        self.after: Callable[[], None] = lambda: None
        self.mode = mode
        self.next_at = next_at
        os.mkfifo(directory / "wake")
        self._reader = os.open(directory / "wake", os.O_RDONLY | os.O_NONBLOCK)
        self._ends = threading.Event()
        self.say_state()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say_state(self) -> None:
        made = sum(1 for asked in self.asked if asked.get("is_taken"))
        state = {"version": 1, "mode": self.mode, "made": made, "cost_s": 0.0, "next_at": self.next_at}
        self._put("state.json", state)

    def close(self) -> None:
        self._ends.set()
        self._thread.join(timeout=10)
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def _serve(self) -> None:
        while not self._ends.wait(0.002):
            try:
                os.read(self._reader, 4096)
            except BlockingIOError:
                pass
            for name in sorted(os.listdir(self.directory)):
                if name.startswith("request-") and name.endswith(".json"):
                    self._answer(name)

    def _answer(self, name: str) -> None:
        try:
            asked = json.loads(Path(self.directory, name).read_text())
        except FileNotFoundError:
            return
        is_taken, reason = self.decide(asked)
        number = 1 + sum(1 for earlier in self.asked if earlier["is_taken"])
        self.asked.append({**asked, "is_taken": is_taken})
        os.unlink(os.path.join(self.directory, name))
        self.after()
        reply = {"version": 1, "is_taken": is_taken, "number": number if is_taken else None, "reason": reason}
        self._put(f"reply-{asked['id']}.json", reply)

    def _put(self, name: str, value: object) -> None:
        temporary = os.path.join(self.directory, f".tmp-{name}")
        Path(temporary).write_text(json.dumps(value))
        os.replace(temporary, os.path.join(self.directory, name))
