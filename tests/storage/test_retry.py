"""Waiting and trying again."""

import pytest

from offbranch.base.errors import RemoteError
from offbranch.storage.retry import with_retries


def test_the_waits_grow_up_to_a_limit() -> None:
    waits: list[float] = []

    def fail() -> None:
        raise RemoteError("busy", is_transient=True)

    with pytest.raises(RemoteError, match="busy"):
        with_retries(fail, attempts=9, sleep=waits.append, chance=lambda: 0.0)
    assert waits == [0.5, 1, 2, 4, 8, 16, 20, 20]
    waits.clear()
    with pytest.raises(RemoteError):
        with_retries(fail, attempts=3, sleep=waits.append, chance=lambda: 1.0)
    assert waits == [0.25, 0.5]


def test_it_ends_with_the_first_success() -> None:
    answers = iter([RemoteError("a", is_transient=True), RemoteError("b", is_transient=True), 7])

    def action() -> int:
        answer = next(answers)
        if isinstance(answer, RemoteError):
            raise answer
        return answer

    assert with_retries(action, sleep=lambda _: None) == 7


def test_a_permanent_failure_ends_it_at_once() -> None:
    waits: list[float] = []

    def fail() -> None:
        raise RemoteError("no such bucket")

    with pytest.raises(RemoteError):
        with_retries(fail, sleep=waits.append)
    assert waits == []
