"""The graph of a pipeline as text, Graphviz, Mermaid or JSON data: nodes and edges in, text out.

The text is made for reading top down: a tree where each stage hangs below what it needs; one
that is needed in several places is written out once and only named in the others.
"""

from collections.abc import Iterable, Iterator, Mapping

from offbranch.base.records import record
from offbranch.pipeline.graph import Graph
from offbranch.pipeline.stage import Stage


@record
class Drawing:
    """What to draw.

    Attributes:
        nodes: Names, each after those it needs.
        edges: (needed, needing).
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


def draw_stages(graph: Graph, addresses: Iterable[str], *, collapse: bool = False) -> Drawing:
    """Returns stages as nodes; with `collapse` the members of a foreach or matrix stage are one."""
    chosen = dict.fromkeys(addresses)

    def name(address: str) -> str:
        return address.partition("@")[0] if collapse else address

    edges = ((name(needed), name(address)) for address in chosen for needed in graph.needs[address] if needed in chosen)
    return Drawing(
        nodes=tuple(dict.fromkeys(map(name, chosen))),
        edges=tuple(dict.fromkeys(edge for edge in edges if edge[0] != edge[1])),
    )


def draw_outputs(graph: Graph, addresses: Iterable[str]) -> Drawing:
    """Returns outputs as nodes: one needs another if its stage needs the stage of the other."""
    chosen = dict.fromkeys(addresses)
    outputs = {address: _outputs(graph.stages[address]) for address in chosen}
    edges = (
        (before, after)
        for address in chosen
        for needed in graph.needs[address]
        if needed in chosen
        for before in outputs[needed]
        for after in outputs[address]
    )
    return Drawing(
        nodes=tuple(dict.fromkeys(out for outs in outputs.values() for out in outs)), edges=tuple(dict.fromkeys(edges))
    )


def to_text(drawing: Drawing) -> str:
    """Returns a tree for reading, what is needed above what needs it."""
    feeds = _feeds(drawing)
    needing = {after for _, after in drawing.edges}
    lines: list[str] = []
    shown: set[str] = set()
    for node in drawing.nodes:
        if node not in needing:
            lines.append(node)
            shown.add(node)
            lines.extend(_below(node, feeds, shown))
    return "".join(f"{line}\n" for line in lines)


def to_dot(drawing: Drawing) -> str:
    """Returns Graphviz text."""
    nodes = (f"{_quoted(node)};" for node in drawing.nodes)
    edges = (f"{_quoted(before)} -> {_quoted(after)};" for before, after in drawing.edges)
    return "\n".join(("strict digraph {", *nodes, *edges, "}", ""))


def to_mermaid(drawing: Drawing, *, in_markdown: bool = False) -> str:
    """Returns Mermaid text, with `in_markdown` in a code block."""
    ids = {node: f"node{number}" for number, node in enumerate(drawing.nodes, 1)}
    nodes = (f'\t{ids[node]}["{node.replace(chr(34), "#quot;")}"]' for node in drawing.nodes)
    edges = (f"\t{ids[before]}-->{ids[after]}" for before, after in drawing.edges)
    lines = ["flowchart TD", *nodes, *edges]
    return "\n".join(("```mermaid", *lines, "```", "") if in_markdown else (*lines, ""))


def to_data(drawing: Drawing) -> dict[str, object]:
    """Returns plain data for JSON."""
    return {"nodes": list(drawing.nodes), "edges": [list(edge) for edge in drawing.edges]}


def _outputs(stage: Stage) -> tuple[str, ...]:
    return tuple(out.path if out.path is not None else out.written for out in stage.outs)


def _feeds(drawing: Drawing) -> Mapping[str, list[str]]:
    feeds: dict[str, list[str]] = {node: [] for node in drawing.nodes}
    for before, after in drawing.edges:
        feeds[before].append(after)
    return feeds


def _below(top: str, feeds: Mapping[str, list[str]], shown: set[str]) -> Iterator[str]:
    """Yields everything below a node. A loop, not a recursion: a chain may have ten thousand stages."""
    stack = [(iter(_marked(feeds[top])), "")]
    while stack:
        rest, indent = stack[-1]
        entry = next(rest, None)
        if entry is None:
            stack.pop()
            continue
        node, is_last = entry
        again = node in shown and bool(feeds[node])
        yield f"{indent}{'└── ' if is_last else '├── '}{node}{' (see above)' if again else ''}"
        if node not in shown:
            shown.add(node)
            stack.append((iter(_marked(feeds[node])), indent + ("    " if is_last else "│   ")))


def _marked(nodes: list[str]) -> Iterator[tuple[str, bool]]:
    return ((node, number == len(nodes)) for number, node in enumerate(nodes, 1))


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
