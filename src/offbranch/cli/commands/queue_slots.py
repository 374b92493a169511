"""Shows the GPUs, processors and memory of this machine, and which tasks have them.

Tasks of all your projects are shown, with their project; of the present project also the slots of its workers.
"""

import json
from argparse import Namespace

from offbranch.api.queue_slots import look_at_slots
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.views.slots_text import machine_lines, machine_to_json

EXAMPLES = (("ob queue slots", "what there is, and who has it"),)


def add_arguments(parser: Parser) -> None:
    add_json(parser, "all of it")


def run(args: Namespace, console: Console) -> int:
    machine = look_at_slots(session_of(console))
    if args.json:
        console.data(json.dumps(machine_to_json(machine)))
        return ExitCode.DONE
    console.data("\n".join(machine_lines(machine)))
    return ExitCode.DONE
