"""Brokers: the seam, Celery with a real Redis behind it, and what is sent."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from contracts.broker import BrokerContract, message
from contracts.memory_broker import MemoryBroker
from offbranch.base.errors import RemoteError, UsageError
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.git.ids import CommitId
from offbranch.queue.remote.broker import (
    BROKERS,
    Broker,
    Message,
    check_url,
    message_from_json,
    message_to_json,
    open_broker,
)
from offbranch.queue.remote.celery_broker import CeleryBroker, level_of, make_app
from servers import RedisServer, free_port, redis_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


class TestMemoryBroker(BrokerContract):
    def make(self, tmp_path: Path) -> Broker:
        return MemoryBroker()


class TestLocalBroker(BrokerContract):
    def make(self, tmp_path: Path) -> Broker:
        return open_broker(None, "queue", AbsPath(str(tmp_path)))


class TestCeleryOnRedis(BrokerContract):
    @pytest.fixture(autouse=True)
    def _redis(self, redis: RedisServer) -> None:
        self.url = redis.address

    def make(self, tmp_path: Path) -> Broker:
        return open_broker(self.url, tmp_path.name, AbsPath(str(tmp_path)))


def received(app: Celery, queue: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Takes all messages of a queue; returns (headers, body) of each."""
    found = []
    with app.connection_for_read() as connection, connection.channel() as channel:
        bound = app.amqp.queues[queue](channel)
        while (taken := bound.get()) is not None:
            assert taken.content_type == "application/json"
            found.append((taken.headers, json.loads(taken.body)))
            taken.ack()
    return found


def test_messages_are_json_and_the_important_come_first(redis: RedisServer) -> None:
    broker = CeleryBroker(redis.address, "order")
    assert broker.send([message(1), message(2, priority=-2), message(3, priority=7), message(4)]) == 4
    taken = received(make_app(redis.address, "order"), "order")
    assert [body[1]["task_id"][:15] for _, body in taken] == [message(number).task_id[:15] for number in (3, 1, 4, 2)]
    for headers, body in taken:
        assert headers["task"] == "offbranch.run-task" and headers["argsrepr"] == "()"
        assert message_from_json(body[1]).task_commit == "a" * 40
    assert broker.n_waiting() == 0


@pytest.mark.parametrize("url", ["redis://:hunter22@127.0.0.1:{}/0", "amqp://ann:hunter22@127.0.0.1:{}//"])
def test_one_that_cannot_be_reached_says_so_without_its_password(url: str) -> None:
    broker = open_broker(url.format(free_port()), "queue", AbsPath("/"))
    for call in (lambda: broker.send([message(1)]), broker.n_waiting, broker.workers):
        with pytest.raises(RemoteError, match="cannot be reached") as caught:
            call()
        assert "hunter22" not in str(caught.value) and "***" in str(caught.value)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = open_broker(f"amqp://ann:x@127.0.0.1:{silent.getsockname()[1]}//", "queue", AbsPath("/"))
        with pytest.raises(RemoteError, match="cannot be reached"):
            broker.send([message(1)])


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("redi://host", "did you mean 'redis://'"),
        ("host:6379", "redis://HOST"),
        ("redis://", "redis://HOST"),
        ("http://ann:hunter22@host", "redis://HOST"),
    ],
)
def test_what_is_no_broker(url: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(url)
    assert hint in (caught.value.hint or "") and "hunter22" not in str(caught.value)


def test_the_table_is_whole() -> None:
    for target in BROKERS.values():
        assert callable(load(target))


@pytest.mark.parametrize("url", ["redis://h", "amqp://h"])
def test_levels_keep_the_order_of_priorities(url: str) -> None:
    levels = [level_of(priority, url) for priority in range(-20, 20)]
    assert levels == sorted(levels, reverse=url.startswith("redis")) and {0, 9} <= set(levels) <= set(range(10))


commits = st.text("0123456789abcdef", min_size=40, max_size=40).map(CommitId)
messages = st.builds(
    Message,
    task_id=st.from_regex(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}", fullmatch=True),
    task_commit=commits,
    priority=st.integers(),
    over=st.none() | commits,
)


@given(messages)
def test_a_message_comes_back(sent: Message) -> None:
    assert message_from_json(json.loads(json.dumps(message_to_json(sent)))) == sent


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"task_id": "../../x"},
        {"task_id": None},
        {"task_commit": "HEAD"},
        {"task_commit": None},
        {"over": "--upload-pack=x"},
        {"priority": "much"},
    ],
)
def test_what_is_no_message_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        message_from_json({**message_to_json(message(1)), **change})
