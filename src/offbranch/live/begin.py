"""The beginning of a `Live`: what its arguments and surroundings make of it."""

import math
import os
from typing import Any

from offbranch.base.environ import some_variables
from offbranch.base.plugins import load
from offbranch.base.records import record, replace
from offbranch.live.errors import InvalidDvcyamlError
from offbranch.live.faults import Faults, say
from offbranch.live.handoff import Asking, asking_of, tell_paths
from offbranch.live.outlet import Outlet
from offbranch.live.outputs import is_output, outputs_of
from offbranch.live.registry import flush_all
from offbranch.live.saving import Signals, name_of, prepare
from offbranch.live.surroundings import Inside, Surroundings, is_first_rank, look_around


@record
class Settings:
    """What a program asks for: the arguments of `Live`."""

    directory: str
    resumes: bool
    report: object
    saves: bool
    dvcyaml: Any
    caches_images: bool
    exp_name: str | None
    exp_message: str | None
    checkpoint: bool | None


@record
class Begun:
    """What a `Live` has to work with.

    Attributes:
        settings: What the program asked for.
        around: What surrounds it.
        outlet: The files.
        is_inert: It writes nothing: another process of the training does.
        saves: An experiment is to be saved at the end.
        exp_name: Its name; None: a new one.
        asking: What asks for checkpoints, None if nothing does.
        step: Where it begins; None before a first step is known.
        repeats_from: In a resumed program, the step from which what is there may be repeated, infinity for none; else None.
        dvcyaml: Path of the dvc.yaml as the program knows it.
        tracked: Files for Git that artifacts have brought.
    """

    settings: Settings
    around: Surroundings
    outlet: Outlet
    is_inert: bool
    saves: bool
    exp_name: str | None
    asking: Asking | None
    step: int | None
    repeats_from: float | None
    dvcyaml: str | None
    tracked: list[str]


def begin(settings: Settings) -> Begun:
    """Begins: cleans or reads the directory, looks for Git, says that it is there.

    Raises:
        InvalidReportModeError, InvalidDvcyamlError: See `Live`.
    """
    _dvcyaml_of(settings.dvcyaml)
    faults = Faults()
    report = settings.report
    if report is not None:
        is_ci = bool(some_variables(("CI",)))
        report = load("offbranch.live.report:report_mode")(settings.report, is_ci=is_ci)
    around = look_around()
    is_first = is_first_rank()
    if not is_first:
        say("info", "this is not the process of rank 0: that one logs")
    if is_first and around.is_trial:
        settings = replace(settings, directory=_trial_directory(), dvcyaml=None, saves=False)
    outlet = Outlet(
        settings.directory, dvcyaml=_dvcyaml_of(settings.dvcyaml), report=str_or_none(report), faults=faults
    )
    if not is_first:
        return _inert(settings, around, outlet, step=None)
    return _begin(settings, around, outlet, saves=settings.saves)


def begin_guest(directory: str, *, step: int | None, is_inert: bool) -> Begun:
    """Begins in a process that another one has handed its `Live` to."""
    settings = Settings(
        directory=directory,
        resumes=True,
        report=None,
        saves=False,
        dvcyaml=None,
        caches_images=False,
        exp_name=None,
        exp_message=None,
        checkpoint=False,
    )
    outlet = Outlet(directory, dvcyaml=None, report=None, faults=Faults())
    outlet.forked()
    return _inert(settings, look_around(), outlet, step=step, is_inert=is_inert)


def str_or_none(value: object) -> str | None:
    """Returns a value as text; None stays."""
    return None if value is None else str(value)


def _begin(settings: Settings, around: Surroundings, outlet: Outlet, *, saves: bool) -> Begun:
    faults = outlet.faults
    resumes = settings.resumes or around.is_resumed
    flush_all()  # what an earlier Live of this process has to write comes first
    if resumes:
        outlet.read()
    else:
        outlet.clean()
    step = None
    if resumes:
        with faults.during(f"read what is in '{outlet.directory}'"):
            step = load("offbranch.live.last_step:next_step")(outlet.summary, outlet.file("plots", "metrics"))
    prepared = prepare(around, faults) if saves else None
    around = prepared or around
    name = None
    if prepared is not None and around.inside is Inside.NOTHING:
        name = name_of(settings.exp_name, around)
    if around.project is not None and not around.is_trial:
        outlet.signals = Signals(around.project)
        if prepared is not None and around.inside is Inside.NOTHING:
            with faults.during("tell editors of a program that logs"):
                outlet.signals.begin(name)
            say("info", f"logging to experiment '{name}'")
    if outlet.dvcyaml and around.project and is_output(outlet.dvcyaml, pipeline_outputs(around, outlet)):
        say(
            "warning",
            f"'{outlet.dvcyaml}' is inside an output of the pipeline: what Live says there is not found by commands",
        )
    if around.handoff is not None:
        with faults.during("tell ob what Live writes"):
            tell_paths(around.handoff, (outlet.directory, *((outlet.dvcyaml,) if outlet.dvcyaml else ())))
    return Begun(
        settings=settings,
        around=around,
        outlet=outlet,
        is_inert=False,
        saves=prepared is not None,
        exp_name=name,
        asking=asking_of(around, wish=settings.checkpoint),
        step=step,
        # Who has never named a step may have logged all there is at the first one: nothing of that goes.
        repeats_from=None if not resumes else math.inf if step is None else step,
        dvcyaml=_dvcyaml_of(settings.dvcyaml),
        tracked=[],
    )


def pipeline_outputs(around: Surroundings, outlet: Outlet) -> frozenset[str]:
    """Returns the absolute paths of the outputs of the pipelines that may concern a program."""
    root = around.project or "."
    files = [os.path.join(root, "dvc.yaml"), os.path.join(outlet.home, "dvc.yaml")]
    if ":" in around.stage:
        files.append(os.path.join(root, around.stage.rpartition(":")[0]))
    if outlet.dvcyaml:
        files.append(outlet.dvcyaml)
    return outputs_of(*files)


def _inert(
    settings: Settings, around: Surroundings, outlet: Outlet, *, step: int | None, is_inert: bool = True
) -> Begun:
    return Begun(
        settings=settings,
        around=around,
        outlet=outlet,
        is_inert=is_inert,
        saves=False,
        exp_name=None,
        asking=None,
        step=step,
        repeats_from=None,
        dvcyaml=_dvcyaml_of(settings.dvcyaml),
        tracked=[],
    )


def _dvcyaml_of(wished: Any) -> str | None:
    if wished is None or wished is False:
        return None
    path = "dvc.yaml" if wished is True else os.fspath(wished)
    if os.path.basename(path) != "dvc.yaml":
        raise InvalidDvcyamlError
    return str(path)


def _trial_directory() -> str:
    return os.path.join(load("tempfile").mkdtemp(), "dvclive")
