"""Machine-learning experiments that live off your branches.

    from offbranch import Live

    with Live() as live:
        ...
        live.log_metric("loss", loss)
        live.next_step()

Only the version is loaded at once: `import offbranch` must cost nothing, because training code and `ob --version` pay for it.
`Live` logs a training program, `checkpoint` asks for a checkpoint of the experiment that runs it, and `api` has a function for
everything that `ob` does. They are loaded when they are first used (`__init__.pyi` tells type checkers what they are).
"""

__version__ = "0.1.0"

# Name -> module and attribute in it; empty for the module itself.
PUBLIC = {
    "Live": "offbranch.live.logger:Live",
    "checkpoint": "offbranch.live.handoff:checkpoint",
    "api": "offbranch.api",
    "live": "offbranch.live",
}


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"module 'offbranch' has no attribute '{name}'")
    module, _, attribute = PUBLIC[name].partition(":")
    found = __import__(module, fromlist=[attribute or "__name__"])
    value: object = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
