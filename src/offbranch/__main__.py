"""What `ob` and `python -m offbranch` start.

`ob --version` is answered from here with nothing but `sys`: it is what scripts and prompts call, and any import would be
most of its time. Everything else goes to `cli/main.py`. The choice is made while this module loads, because no module of
ours imports inside a function.
"""

import sys

from offbranch import __version__

if sys.argv[1:] in (["--version"], ["-V"]):

    def main() -> int:
        """Prints the version."""
        sys.stdout.write(f"{__version__}\n")
        return 0

else:
    from offbranch.cli.main import main_of_process as main

if __name__ == "__main__":
    sys.exit(main())
