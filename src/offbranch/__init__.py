"""Machine-learning experiments that live off your branches.

Only the version is here: `import offbranch` must cost nothing, because training code and `ob --version` pay for it.
Everything a program can do is a function of `offbranch.api`.
"""

__version__ = "0.1.0"
