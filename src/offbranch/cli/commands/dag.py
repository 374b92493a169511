"""Draws which stage needs which: as a tree, or for Graphviz or Mermaid.

What is needed stands above what needs it. With a target, only what the target needs is drawn.
"""

import json
from argparse import Namespace

from offbranch.api.stages import Dag, dag
from offbranch.base.errors import ExitCode
from offbranch.cli.console import Console
from offbranch.cli.options import add_json, refuse_together
from offbranch.cli.parser import Parser
from offbranch.cli.sessions import session_of
from offbranch.pipeline.graph import component
from offbranch.views.dag import Drawing, draw_outputs, draw_stages, to_data, to_dot, to_mermaid, to_text

EXAMPLES = (
    ("ob dag", "all stages"),
    ("ob dag train", "what 'train' needs"),
    ("ob dag --md >> README.md", "for a page that shows Mermaid"),
    ("ob dag --dot | dot -Tpng -o dag.png", "as a picture"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("targets", nargs="*", metavar="target", help="stage, .dvc file or output; all if not given")
    parser.add_flag("--dot", help="for Graphviz")
    parser.add_flag("--mermaid", help="for Mermaid")
    parser.add_flag("--md", help="for Mermaid, in a Markdown block")
    parser.add_flag("--collapse-foreach-matrix", help="members of a foreach or matrix stage are one")
    parser.add_flag("--full", help="everything connected with the targets, also what comes after them")
    parser.add_flag("-o", "--outs", help="draw outputs, not stages")
    add_json(parser, "nodes and edges")


def run(args: Namespace, console: Console) -> int:
    refuse_together(args, "dot", "mermaid", "md", "json")
    found = dag(args.targets, session_of(console))
    drawing = _draw(found, args)
    if args.json:
        console.data(json.dumps(to_data(drawing)))
    elif args.dot:
        console.data(to_dot(drawing))
    elif args.mermaid or args.md:
        console.data(to_mermaid(drawing, in_markdown=args.md))
    elif drawing.nodes:
        console.data(to_text(drawing))
    else:
        console.hint("there are no stages; 'ob stage add' makes one")
    return ExitCode.DONE


def _draw(found: Dag, args: Namespace) -> Drawing:
    addresses = component(found.graph, found.addresses) if args.full else found.addresses
    if args.outs:
        return draw_outputs(found.graph, addresses)
    return draw_stages(found.graph, addresses, collapse=args.collapse_foreach_matrix)
