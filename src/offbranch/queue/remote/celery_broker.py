"""Celery with Redis or RabbitMQ as a broker: the only module that imports it, for who sends and for who works. Loaded by name.

JSON only, in and out; no results are kept. A message is acknowledged when its task has been dealt with, and given back when the
process that had it dies, so the next worker is told at once; that is a convenience, for the truth is in Git.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery
from kombu import Queue
from kombu.exceptions import KombuError

from offbranch.base.config_schema import without_password
from offbranch.base.errors import RemoteError
from offbranch.queue.remote.broker import Message, WorkerThere, message_to_json

TASK: Final = "offbranch.run-task"
POKE: Final = "offbranch-look"
# RabbitMQ: ten levels, higher first. Redis: the same numbers, lower first.
_LEVELS = 10
_MIDDLE = 4
# After so long Redis gives a message that was not acknowledged to another worker, which finds the lease and leaves the
# task alone; so it need not be longer than tasks are. Shorter only means more of that.
VISIBILITY_TIMEOUT_S = 3600
_CONNECT_TIMEOUT_S = 5.0
_ANSWER_S = 1.0
# How long Redis is asked to wait for a message before it says that there is none. A message comes at once in any case; with
# the usual second, most of what an idle worker does is to ask again (kombu 5.7).
_POLL_S = 3.0


def make_app(url: str, queue: str) -> Celery:
    """Returns the Celery application of a queue; nothing is connected yet."""
    app = Celery("offbranch", broker=url, set_as_current=False)
    app.conf.update(
        task_default_queue=queue,
        task_queues=[Queue(queue, routing_key=queue, max_priority=_LEVELS - 1 if _is_amqp(url) else None)],
        task_create_missing_queues=False,
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=True,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_timeout=_CONNECT_TIMEOUT_S,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(url),
    )
    return app


def open_celery(url: str, queue: str) -> "CeleryBroker":
    """Returns the broker at a url."""
    return CeleryBroker(url, queue)


class CeleryBroker:
    """A `Broker` whose workers are Celery's."""

    def __init__(self, url: str, queue: str) -> None:
        self._url = url
        self._queue = queue
        self._app = make_app(url, queue)

    def send(self, messages: Sequence[Message]) -> int:
        """See `Broker.send`."""
        if not messages:
            return 0
        with self._reached() as connection, self._app.amqp.Producer(connection) as producer:
            for message in messages:
                self._app.send_task(
                    TASK,
                    kwargs=message_to_json(message),
                    queue=self._queue,
                    priority=level_of(message.priority, self._url),
                    producer=producer,
                    argsrepr="()",
                    kwargsrepr="{}",
                    retry=False,
                )
        return len(messages)

    def n_waiting(self) -> int:
        """See `Broker.n_waiting`."""
        with self._reached() as connection, connection.channel() as channel:
            declared = self._app.amqp.queues[self._queue](channel)
            return int(declared.queue_declare().message_count)

    def poke(self, task_ids: Sequence[str]) -> None:
        """See `Broker.poke`."""
        with self._reached() as connection:
            self._app.control.broadcast(POKE, arguments={"tasks": list(task_ids)}, connection=connection, reply=False)

    def workers(self) -> tuple[WorkerThere, ...]:
        """See `Broker.workers`."""
        with self._reached() as connection:
            inspect = self._app.control.inspect(timeout=_ANSWER_S, connection=connection)
            stats: dict[str, Any] = inspect.stats() or {}
            active: dict[str, Any] = inspect.active() or {} if stats else {}
        return tuple(
            WorkerThere(name=name, slots=_slots(stats[name]), tasks=tuple(_tasks(active.get(name, ()))))
            for name in sorted(stats)
        )

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=_CONNECT_TIMEOUT_S)
                yield connection
        except (KombuError, OSError, *self._errors()) as error:
            raise RemoteError(
                f"the broker {without_password(self._url)} cannot be reached: {_reason(error, self._url)}",
                hint="ob queue config shows and sets it",
                is_transient=True,
            ) from error

    def _errors(self) -> tuple[type[BaseException], ...]:
        connection = self._app.connection_for_write()
        return (*connection.connection_errors, *connection.channel_errors)


def level_of(priority: int, url: str) -> int:
    """Returns the priority of a message for a task's, as the broker counts."""
    level = min(_LEVELS - 1, max(0, _MIDDLE + priority))
    return level if _is_amqp(url) else _LEVELS - 1 - level


def _transport_options(url: str) -> dict[str, Any]:
    if _is_amqp(url):
        return {"confirm_publish": True}
    return {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "polling_interval": _POLL_S,
        "priority_steps": list(range(_LEVELS)),
        "queue_order_strategy": "priority",
        "socket_keepalive": True,
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
    }


def _is_amqp(url: str) -> bool:
    return url.partition("://")[0] in ("amqp", "amqps", "pyamqp")


def _slots(stats: Any) -> int | None:
    try:
        return int(stats["pool"]["max-concurrency"])
    except (KeyError, TypeError, ValueError):
        return None


def _tasks(active: Any) -> Iterator[str]:
    for each in active:
        if isinstance(each, dict) and isinstance(each.get("kwargs"), dict) and each["kwargs"].get("task_id"):
            yield str(each["kwargs"]["task_id"])


def _reason(error: BaseException, url: str) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(url, without_password(url))
