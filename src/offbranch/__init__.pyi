# What `offbranch` offers, for type checkers: the same names as PUBLIC (tests/test_architecture.py compares them).
from collections.abc import Mapping

from offbranch import api as api
from offbranch import live as live
from offbranch.live.handoff import checkpoint as checkpoint
from offbranch.live.logger import Live as Live

__version__: str
PUBLIC: Mapping[str, str]
