# What `offbranch.live` offers, for type checkers: the same names as PUBLIC (tests/test_architecture.py compares them).
from collections.abc import Mapping

from offbranch.live.errors import InvalidDataTypeError as InvalidDataTypeError
from offbranch.live.errors import InvalidDvcyamlError as InvalidDvcyamlError
from offbranch.live.errors import InvalidImageNameError as InvalidImageNameError
from offbranch.live.errors import InvalidParameterTypeError as InvalidParameterTypeError
from offbranch.live.errors import InvalidPlotTypeError as InvalidPlotTypeError
from offbranch.live.errors import InvalidReportModeError as InvalidReportModeError
from offbranch.live.errors import LiveError as LiveError
from offbranch.live.handoff import checkpoint as checkpoint
from offbranch.live.logger import Live as Live

PUBLIC: Mapping[str, str]
