"""What `ob` and `python -m offbranch` start.

`ob --version` is answered from here with nothing but `sys`: it is what scripts and prompts call, and any import would be
most of its time. Everything else goes to `cli/main.py`. The choice is made while this module loads, because no module of
ours imports inside a function.

Under the name `dvc` it answers with the version of DVC whose commands these are: editors compare that with what they need.
"""

import sys

from offbranch import __version__

AS_DVC = "3.67.1"

if sys.argv[1:] in (["--version"], ["-V"]):

    def main() -> int:
        """Prints the version."""
        program = sys.argv[0].replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
        sys.stdout.write(f"{AS_DVC if program == 'dvc' else __version__}\n")
        return 0

else:
    from offbranch.cli.main import main_of_process as main

if __name__ == "__main__":
    sys.exit(main())
