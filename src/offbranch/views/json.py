"""Records as JSON text, for programs."""

import json
from collections.abc import Sequence
from typing import Any


def render_states(states: Sequence[dict[str, Any]]) -> str:
    """Returns `exp show --json`: one line, as DVC prints it."""
    return json.dumps(states, default=str) + "\n"
