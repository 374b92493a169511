"""What came of an `ob` that a test ran inside its own process (fixture `ob` of tests/cli/conftest.py)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ob = Callable[..., Ran]
