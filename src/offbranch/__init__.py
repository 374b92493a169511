"""Machine-learning experiments that live off your branches.

Only the version is here: `import offbranch` must cost nothing, because training code and `ob --version` pay for it.
Everything a program can do is a function of `offbranch.api`, which is loaded when it is first used.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "api":
        return __import__("offbranch.api").api
    raise AttributeError(f"module 'offbranch' has no attribute '{name}'")
