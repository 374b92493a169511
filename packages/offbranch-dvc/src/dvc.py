"""`dvc`, by offbranch: `dvc.api`, and `python -m dvc`. A single module, for the reason said in `dvclive.py`."""

import os
import sys

from offbranch_dvc import DVC_VERSION

__version__ = f"{DVC_VERSION}+offbranch"
__path__ = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "offbranch_dvc", "modules", "dvc")]

if __name__ == "__main__":
    from offbranch_dvc.command import main

    sys.exit(main())
