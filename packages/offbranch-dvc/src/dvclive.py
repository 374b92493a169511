"""`dvclive`, by offbranch: the logger under the name that third-party code imports it by.

A single module with a path for the modules below it. Python prefers a package to a module of the same name beside it:
wherever the real `dvclive` is installed too, that one is imported, and no file is in the way of another.
"""

import os

from offbranch.live.logger import Live as Live
from offbranch_dvc import DVCLIVE_VERSION

__version__ = f"{DVCLIVE_VERSION}+offbranch"
__path__ = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "offbranch_dvc", "modules", "dvclive")]
__all__ = ["Live"]
