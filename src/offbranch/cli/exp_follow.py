"""`ob exp show --follow`: on a terminal a table that is redrawn where it changes, elsewhere a table or line of JSON each time.

Ctrl-C is how it is ended, and no failure.
"""

import json
import time
from collections.abc import Callable, Iterator

from offbranch.api.show_follow import Followed
from offbranch.base.plugins import load
from offbranch.cli.console import Console
from offbranch.cli.watching import Waiting, redraw_each, until_ctrl_c
from offbranch.views.table import Table


def show_changes(
    views: Iterator[Followed],
    console: Console,
    render: Callable[[Table], str] | None,
    waiting: Waiting | None = None,
    *,
    in_place: bool = True,
) -> None:
    """Shows experiments as they change, until Ctrl-C.

    Args:
        views: What they look like.
        console: Where to.
        render: Draws a table where it is not to be redrawn in place; None for JSON.
        waiting: What waits between two views; draws again when the terminal gets another size.
        in_place: Whether a terminal gets a table that is redrawn, whatever `render` makes.
    """
    with until_ctrl_c():
        if render is not None and in_place and console.can_redraw:
            draw = load("offbranch.views.terminal:render_terminal")
            color = console.has_color(console.out)
            tables = ((view.table, view.options.precision) for view in views)
            texts = (draw(table, precision=digits, now_s=time.time(), color=color) for table, digits in tables)
            redraw_each((text.splitlines() for text in texts), console, waiting)
            return
        is_first = True
        for view in views:
            if render is None:
                console.data(json.dumps(view.states, default=str))
            else:
                console.data(("" if is_first else "\n") + render(view.table))
            console.flush()
            is_first = False
