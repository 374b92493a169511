"""`dvclive.error`."""

from offbranch.live.errors import InvalidDataTypeError as InvalidDataTypeError
from offbranch.live.errors import InvalidDvcyamlError as InvalidDvcyamlError
from offbranch.live.errors import InvalidImageNameError as InvalidImageNameError
from offbranch.live.errors import InvalidParameterTypeError as InvalidParameterTypeError
from offbranch.live.errors import InvalidPlotTypeError as InvalidPlotTypeError
from offbranch.live.errors import InvalidReportModeError as InvalidReportModeError
from offbranch.live.errors import LiveError as DvcLiveError

__all__ = ["DvcLiveError"]
