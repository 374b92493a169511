"""The end of a `Live`, and what it does in the middle that needs `ob`: images and artifacts into the cache, the experiment."""

import os

from offbranch.base.plugins import load
from offbranch.base.records import replace
from offbranch.live.artifacts import Artifact
from offbranch.live.begin import Begun, pipeline_outputs
from offbranch.live.faults import say
from offbranch.live.handoff import tell_paths
from offbranch.live.outputs import is_output
from offbranch.live.saving import Wish, add_for_peer, save
from offbranch.live.surroundings import Inside

# What Live writes into its directory.
OWN = ("metrics.json", "params.yaml", "report.html", "report.md", "plots", "artifacts", "static")


def finish(begun: Begun, saved: str | None, *, failure: str | None) -> str | None:
    """Writes everything, and saves the experiment unless the program has failed.

    Args:
        begun: The `Live`.
        saved: Name of the experiment that an earlier end has saved.
        failure: Name of the exception that ends the program, None if it ends well.

    Returns:
        Name of the experiment that is saved now, None if none is.
    """
    outlet, around = begun.outlet, begun.around
    if begun.settings.caches_images and outlet.has_images():
        _cache(begun, outlet.file("plots", "images"))
    outlet.write_summary()
    outlet.write_dvcyaml(anyway=True)
    outlet.write_report()
    if around.opens_report and outlet.report in ("html", "md"):
        with outlet.faults.during("open the report"):
            load("offbranch.live.report:open_in_browser")(outlet.file(f"report.{outlet.report}"))
    if failure is None:
        saved = save_now(begun, saved)
    elif begun.saves and around.inside is Inside.NOTHING:
        say("warning", f"no experiment is saved, because of {failure}; what was logged stays: ob exp save keeps it")
    if outlet.signals is not None:
        outlet.signals.end()
    return saved


def failure_of(kind: type[BaseException] | None, error: BaseException | None) -> str | None:
    """Returns the name of what ends a program if that is a failure; `sys.exit()` is none."""
    if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return None
    return kind.__name__


def save_now(begun: Begun, saved: str | None) -> str | None:
    """Saves an experiment of a program that does not run as one; inside of a run of DVC, hands files to Git."""
    outlet, around = begun.outlet, begun.around
    with outlet.faults.during("save the experiment"):
        if around.inside is Inside.DVC:
            add_for_peer(outlet.directory, outlet.dvcyaml, pipeline_outputs(around, outlet), outlet.faults)
        elif begun.saves and around.inside is Inside.NOTHING:
            wish = Wish(
                name=saved or begun.exp_name,
                message=begun.settings.exp_message,
                paths=_included(begun),
                replaces=saved is not None,
                is_wished=begun.exp_name in (begun.settings.exp_name, around.exp_name),
            )
            return save(wish, outlet.home, outlet.faults) or saved
    return saved


def log_artifact(begun: Begun, artifact: Artifact, *, copies: bool, caches: bool) -> None:
    """Copies an artifact, puts it into the cache, and notes what is said of it: see `Live.log_artifact`."""
    functions = "offbranch.live.artifacts"
    outlet = begun.outlet
    with outlet.faults.during(f"log '{artifact.path}'"):
        artifact = replace(artifact, path=os.path.abspath(artifact.path))
        if begun.around.project is None:
            outlet.faults.tell(f"log '{artifact.path}'", "there is no project here (ob init)")
            return
        if copies:
            path = load(f"{functions}:copy_artifact")(artifact.path, outlet.file("artifacts"))
            artifact = replace(artifact, path=path)
        if caches:
            _cache(begun, artifact.path)
        entry = load(f"{functions}:entry_of")(artifact, outlet.base)
        if entry is not None:
            outlet.artifacts[entry[0]] = entry[1]


def uncached(directory: str) -> tuple[str, ...] | None:
    """Returns what of a directory is not in the cache: itself alone if all of it is so; None if there is nothing."""
    with os.scandir(directory) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    found: list[str] = []
    is_whole = True
    for entry in entries:
        if f"{entry.name}.dvc" in names:
            is_whole = False
        elif entry.is_dir(follow_symlinks=False):
            inner = uncached(entry.path)
            is_whole = is_whole and inner in (None, (entry.path,))
            found += inner or ()
        else:
            found.append(entry.path)
    if not found:
        return None
    return (directory,) if is_whole else tuple(found)


def _included(begun: Begun) -> tuple[str, ...]:
    """Returns what the experiment gets although Git does not track it, as seen from the directory the program began in."""
    outlet = begun.outlet
    own: tuple[str, ...] = ()
    if any(os.path.exists(outlet.file(name)) for name in (".git", ".dvc")):  # it is that of the whole project
        parts = [outlet.file(name) for name in OWN if os.path.exists(outlet.file(name))]
        own = tuple(path for part in parts for path in (uncached(part) or () if os.path.isdir(part) else (part,)))
    elif os.path.isdir(outlet.directory):
        own = uncached(outlet.directory) or ()
    wanted = (*own, *((outlet.dvcyaml,) if outlet.dvcyaml else ()), *dict.fromkeys(begun.tracked))
    root = os.path.join(os.path.realpath(begun.around.project or outlet.home), "")
    there = [path for path in wanted if os.path.exists(path)]
    paths = [path for path in there if os.path.realpath(path).startswith(root)]
    beyond = [path for path in there if path not in paths]
    if beyond:
        say("warning", f"no part of the experiment, because it is outside of the project: '{beyond[0]}'")
    return tuple(os.path.relpath(path, outlet.home) for path in paths)


def _cache(begun: Begun, path: str) -> None:
    """Puts a path into the cache, unless the pipeline does so."""
    outlet, around = begun.outlet, begun.around
    if around.project is None or is_output(path, pipeline_outputs(around, outlet)):
        return
    tracked = load("offbranch.live.artifacts:add_artifact")(
        path, home=outlet.home, inside=around.inside, faults=outlet.faults
    )
    begun.tracked.extend(tracked.paths)
    if around.handoff is not None and tracked.paths:
        with outlet.faults.during("tell ob what Live writes"):
            tell_paths(around.handoff, tracked.paths)
