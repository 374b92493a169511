"""Shows, or changes, where the queue of this clone is: on this machine alone, or shared with others through a broker.

A shared queue is kept at the Git remote; the broker, Redis or RabbitMQ, only tells workers that something waits. Both are
settings of this clone, in its .git/config, and so private to it: nothing goes into the project. Needs offbranch[celery].
"""

import json
from argparse import Namespace
from typing import Any

from offbranch.api.queue_remote import QueueThere, configure, look_at_config
from offbranch.base.errors import ExitCode, UsageError
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.queue.remote.config import QueueChange

EXAMPLES = (
    ("ob queue config", "where it is, and who works"),
    ("ob queue config --broker redis://10.0.0.5:6379/0", "share it, over the Git remote 'origin'"),
    (
        "ob queue config --broker amqps://ann:secret@mq.example.com// --remote hub",
        "with RabbitMQ, over another Git remote",
    ),
    ("ob queue config --unset", "on this machine alone again"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--broker", metavar="URL", help="the broker: redis://, rediss://, sentinel://, amqp:// or amqps://"
    )
    parser.add_argument("--remote", metavar="NAME", help="the Git remote that the queue is kept at (default origin)")
    parser.add_argument(
        "--name", metavar="NAME", help="name of the queue at the broker, instead of one from the first commit"
    )
    parser.add_argument(
        "--ttl", metavar="SECONDS", help="a worker that is silent for so long counts as lost (default 120)"
    )
    parser.add_flag("--unset", help="share the queue no more")
    parser.add_flag("--offline", help="do not ask the broker who works")
    add_json(parser, "the settings and the workers; a password is shown as ***")


def run(args: Namespace, console: Console) -> int:
    values = (args.broker, args.remote, args.name, args.ttl)
    session = session_of(console)
    if args.unset:
        if any(value is not None for value in values):
            raise UsageError("--unset goes with no other setting", hint="ob queue config --unset")
        there = configure(QueueChange(broker="", remote="", name="", ttl=""), session)
    elif any(value is not None for value in values):
        change = QueueChange(broker=args.broker, remote=args.remote, name=args.name, ttl=args.ttl)
        there = configure(change, session)
    else:
        there = look_at_config(session, asks=not args.offline)
    if args.json:
        console.data(json.dumps(_data(there)))
    else:
        _show(there, console)
    if there.error is not None:
        console.warn(there.error.message, there.error.hint)
        return there.error.exit_code
    return ExitCode.DONE


def _show(there: QueueThere, console: Console) -> None:
    config = there.config
    if config.broker is None:
        console.message("This queue is on this machine alone.")
        console.hint("ob queue config --broker URL shares it with others")
        return
    by_variable = " (from the environment)"
    console.message(
        f"broker:     {config.shown_broker}{by_variable if config.origins.get('broker') == 'environment' else ''}"
    )
    console.message(f"queue:      {there.name or 'unknown'}")
    console.message(
        f"Git remote: {config.remote}{by_variable if config.origins.get('queueRemote') == 'environment' else ''}"
    )
    console.message(f"lost after: {config.ttl_s:g} s of silence")
    if there.n_messages is not None:
        console.message(f"messages:   {there.n_messages} waiting")
        for worker in there.workers:
            slots = "" if worker.slots is None else f" of {worker.slots}"
            console.message(f"worker:     {worker.name}, {len(worker.tasks)}{slots} busy")
        if not there.workers:
            console.message("worker:     none answers")


def _data(there: QueueThere) -> dict[str, Any]:
    config = there.config
    return {
        "broker": config.shown_broker,
        "remote": config.remote,
        "name": there.name,
        "ttl_s": config.ttl_s,
        "from_environment": sorted(key for key, origin in config.origins.items() if origin == "environment"),
        "n_messages": there.n_messages,
        "workers": [{"name": each.name, "slots": each.slots, "tasks": list(each.tasks)} for each in there.workers],
        "error": None if there.error is None else there.error.message,
    }
