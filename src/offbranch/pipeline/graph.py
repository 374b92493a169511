"""Which stage needs which: the graph of a project, its rules, its order, and walks through it.

A stage needs another when one of its dependencies is an output of the other, lies inside one, or contains one. Building
takes time in proportion to the paths and their depth, never to the number of pairs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from offbranch.base.errors import ConflictError
from offbranch.base.paths import is_external
from offbranch.base.records import record
from offbranch.pipeline.stage import Stage, item_key


@record
class Graph:
    """Stages by address, and their edges.

    Attributes:
        stages: In file order.
        needs: Address -> stages whose outputs it reads, in file order.
        feeds: Address -> stages that read its outputs, in file order.
    """

    stages: Mapping[str, Stage]
    needs: Mapping[str, tuple[str, ...]]
    feeds: Mapping[str, tuple[str, ...]]


def build_graph(stages: Iterable[Stage]) -> Graph:
    """Builds the graph of all stages of a project and checks its rules.

    Raises:
        ConflictError: Two stages have the same output, one output lies inside another, a pipeline file lies inside an
            output, or stages need each other in a circle.
    """
    by_address = {stage.address: stage for stage in stages}
    makers = _makers(by_address)
    _refuse_overlaps(makers, by_address)
    below = _makers_below(makers)
    position = {address: n for n, address in enumerate(by_address)}
    needs: dict[str, tuple[str, ...]] = {}
    feeds: dict[str, list[str]] = {address: [] for address in by_address}
    for address, stage in by_address.items():
        found: set[str] = set()
        for dependency in stage.deps:
            _find_makers(item_key(stage, dependency), makers, below, found)
        for file in stage.params:
            _find_makers(item_key(stage, file), makers, below, found)
        needs[address] = tuple(sorted(found, key=position.__getitem__)) if len(found) > 1 else tuple(found)
        for upstream_address in needs[address]:
            feeds[upstream_address].append(address)
    graph = Graph(stages=by_address, needs=needs, feeds={address: tuple(fed) for address, fed in feeds.items()})
    _refuse_circle(graph)
    return graph


def in_order(graph: Graph, selected: Collection[str] | None = None) -> tuple[str, ...]:
    """Returns addresses so that each comes after all it needs: depth first, in file order where nothing else decides.

    Args:
        graph: The graph.
        selected: Only these, in an order that also respects what they need through others; None for all.
    """
    order: list[str] = []
    done: set[str] = set()
    for start in graph.stages if selected is None else _in_file_order(graph, selected):
        _post_order(graph, start, done, order)
    return tuple(order) if selected is None else tuple(address for address in order if address in selected)


def upstream(graph: Graph, addresses: Iterable[str], *, cut_frozen: bool = True) -> tuple[str, ...]:
    """Returns some stages and all they need, in order; what only a frozen stage needs is left out."""
    found = _walk(addresses, lambda address: () if cut_frozen and _is_frozen(graph, address) else graph.needs[address])
    return in_order(graph, found)


def downstream(graph: Graph, addresses: Iterable[str], *, cut_frozen: bool = True) -> tuple[str, ...]:
    """Returns some stages and all that need them, in order; a frozen stage passes nothing on to itself or further."""
    starts = tuple(addresses)

    def fed(address: str) -> Iterator[str]:
        return (other for other in graph.feeds[address] if not (cut_frozen and _is_frozen(graph, other)))

    return in_order(graph, _walk(starts, fed))


def component(graph: Graph, addresses: Iterable[str]) -> tuple[str, ...]:
    """Returns every stage connected with some stages in either direction, in order."""
    return in_order(graph, _walk(addresses, lambda address: (*graph.needs[address], *graph.feeds[address])))


def _is_frozen(graph: Graph, address: str) -> bool:
    return graph.stages[address].frozen


def _walk(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        address = waiting.pop()
        if address not in found:
            found.add(address)
            waiting.extend(following(address))
    return found


def _in_file_order(graph: Graph, selected: Collection[str]) -> Iterator[str]:
    wanted = set(selected)
    return (address for address in graph.stages if address in wanted)


def _post_order(graph: Graph, start: str, done: set[str], order: list[str]) -> None:
    """Appends `start` after all it needs. A loop, not a recursion: a chain may have ten thousand stages."""
    if start in done:
        return
    done.add(start)
    stack = [(start, iter(graph.needs[start]))]
    while stack:
        address, rest = stack[-1]
        for needed in rest:
            if needed not in done:
                done.add(needed)
                stack.append((needed, iter(graph.needs[needed])))
                break
        else:
            stack.pop()
            order.append(address)


def _ancestors(path: str) -> Iterator[str]:
    """Yields the directories around a path, the nearest first, the project's root (empty) last."""
    start = path
    end = path.rfind("/")
    while end > 0:
        path = path[:end]
        yield path
        end = path.rfind("/")
    if start and not is_external(start) and not start.startswith("../"):
        yield ""


def _makers(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Returns output path -> address of the stage that makes it."""
    makers: dict[str, str] = {}
    for address, stage in stages.items():
        for out in stage.outs:
            path = item_key(stage, out)
            other = makers.setdefault(path, address)
            if other != address:
                raise ConflictError(
                    f"'{path}' is an output of two stages, '{other}' and '{address}'",
                    hint=f"remove it from one of them, or stop tracking it with: ob remove {other}",
                )
    return makers


def _refuse_overlaps(makers: Mapping[str, str], stages: Mapping[str, Stage]) -> None:
    for path, address in makers.items():
        for above in _ancestors(path):
            if (other := makers.get(above)) is not None:
                raise ConflictError(
                    f"the output '{path}' of '{address}' lies inside the output '{above}' of '{other}'",
                    hint="give the two stages directories of their own",
                )
    for file in {stage.file: None for stage in stages.values()}:
        for above in _ancestors(file):
            if (other := makers.get(above)) is not None:
                raise ConflictError(
                    f"'{file}' lies inside the output '{above}' of '{other}'",
                    hint=f"move '{file}' elsewhere: the content of an output is replaced when its stage runs",
                )


def _makers_below(makers: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns directory -> stages that make something inside it."""
    below: dict[str, list[str]] = {}
    for path, address in makers.items():
        for above in _ancestors(path):
            below.setdefault(above, []).append(address)
    return below


def _find_makers(path: str, makers: Mapping[str, str], below: Mapping[str, list[str]], found: set[str]) -> None:
    if (maker := makers.get(path)) is not None:
        found.add(maker)
        return
    if path in below:
        found.update(below[path])
        return
    for above in _ancestors(path):
        if (maker := makers.get(above)) is not None:
            found.add(maker)
            return


def _refuse_circle(graph: Graph) -> None:
    """Finds a circle by walking along `feeds`, so that the arrows of the message point the way data flows."""
    finished: set[str] = set()
    for start in graph.stages:
        if start in finished:
            continue
        path = [start]
        on_path = {start}
        stack = [iter(graph.feeds[start])]
        while stack:
            for following in stack[-1]:
                if following in on_path:
                    raise _circle(graph, path[path.index(following) :])
                if following not in finished:
                    path.append(following)
                    on_path.add(following)
                    stack.append(iter(graph.feeds[following]))
                    break
            else:
                stack.pop()
                done = path.pop()
                on_path.discard(done)
                finished.add(done)


def _circle(graph: Graph, circle: list[str]) -> ConflictError:
    if len(circle) == 1:
        return ConflictError(
            f"stage '{circle[0]}' depends on its own output", hint="remove the path from 'deps' or from 'outs'"
        )
    # Begin with the stage written first, wherever the walk came in.
    first = min(range(len(circle)), key=lambda n: list(graph.stages).index(circle[n]))
    turned = circle[first:] + circle[:first]
    return ConflictError(
        f"stages depend on each other in a circle: {' -> '.join((*turned, turned[0]))}",
        hint="remove one of the dependencies that close the circle",
    )
