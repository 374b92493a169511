"""Names that a shell completes: experiments, stages, parameters. Reads what it can and never complains."""

import os
from collections.abc import Iterator

from offbranch.base.environ import Environment
from offbranch.base.paths import PIPELINE_FILE, AbsPath, relative_to
from offbranch.base.plugins import load
from offbranch.project import find_root, open_project, read_config


def experiment_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of all experiments, each once."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    return tuple(dict.fromkeys(each.name for each in load("offbranch.experiments.refs:list_experiments")(project.repo)))


def checkpoint_names(start: AbsPath, environment: Environment, word: str) -> tuple[str, ...]:
    """Returns `NAME@1`, `NAME@2` … and `NAME@last` where a word begins like that; nothing for any other word."""
    name = word.rpartition("@")[0]
    project = open_project(start, environment)
    if project.repo is None or not name:
        return ()
    numbers = load("offbranch.experiments.refs:checkpoint_numbers")(project.repo, name)
    return tuple(f"{name}@{each}" for each in (*numbers, "last")) if numbers else ()


def names_to_go_on_with(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of what has made checkpoints and has not come to its end, newest first, then of all experiments."""
    project = open_project(start, environment)
    records = load("offbranch.experiments.attempts:read_records")(project.root)
    begun = (each.name for each in reversed(list(records)) if each.checkpoint is not None)
    return tuple(dict.fromkeys((*begun, *experiment_names(start, environment))))


def live_words(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of what runs or waits now, and of the metrics that are logged, or were in the workspace."""
    sight = load("offbranch.api.live_runs:Look")(open_project(start, environment), ()).read()
    metrics = (name for run in sight.runs for name in run.series)
    return tuple(dict.fromkeys((*(run.name for run in sight.runs), *sight.waiting, *metrics)))


def names_with_tasks(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of all experiments and of what waits in the queue, each once."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    tasks = load("offbranch.queue.store:read_tasks")(project.repo, project.root).all
    return tuple(dict.fromkeys((*experiment_names(start, environment), *(task.name for task in tasks))))


def tasks_in_states(start: AbsPath, environment: Environment, *states: str) -> tuple[str, ...]:
    """Returns the names of tasks in some states, each once."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    known = load("offbranch.queue.chosen:read_known")(project.repo, project.root, with_succeeded="succeeded" in states)
    return tuple(dict.fromkeys(each.name for each in known.tasks if each.state.value in states))


def peer_task_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of what waits in DVC's queue, each once."""
    found = load("offbranch.queue.peer.tasks:peer_tasks")(open_project(start, environment))
    return tuple(dict.fromkeys(each.name for each in found if each.state.value == "queued"))


def task_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of all tasks that `ob queue status` lists, each once."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    return tuple(
        dict.fromkeys(task.name for task in load("offbranch.queue.whole:read_queue")(project, project.repo).tasks)
    )


def tag_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the tags that experiments have, each once."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    experiments = load("offbranch.experiments.refs:list_experiments")(project.repo)
    found = load("offbranch.experiments.labels:read_labels")(project.repo, experiments)
    return tuple(sorted({tag for labels in found.values() for tag in labels.tags}))


def stage_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns how the stages and .dvc files of the project are addressed from the user's directory."""
    project = open_project(start, environment)
    pipelines = load("offbranch.experiments.loading:load")(project)
    here = relative_to(start, project.root) or ""
    return tuple(dict.fromkeys(_as_seen_from(here, stage.file, stage.name) for stage in pipelines.stages))


def remote_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of the data remotes."""
    names: tuple[str, ...] = load("offbranch.storage.remote_setting:remote_names")(
        read_config(find_root(start), environment)
    )
    return names


def git_remote_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the names of the Git remotes."""
    project = open_project(start, environment)
    if project.repo is None:
        return ()
    names: tuple[str, ...] = load("offbranch.git.git_remotes:remote_names")(project.repo)
    return names


def option_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the options of the configuration, those of data remotes only where they are set."""
    known = load("offbranch.base.config:KNOWN")
    plain = (f"{section}.{option}" for section, options in known.items() for option in sorted(options or ()))
    config = read_config(find_root(start), environment)
    set_here = (load("offbranch.api.config_levels:shown_name")(*key) for key in config.settings)
    return tuple(dict.fromkeys((*set_here, *plain)))


def parameter_keys(start: AbsPath, environment: Environment, file: str) -> tuple[str, ...]:
    """Returns the dotted keys of a parameter file, which is looked for from the user's directory, then from the top."""
    project = open_project(start, environment)
    for base in (start, project.root):
        try:
            with open(os.path.join(base, file), "rb") as opened:
                data = load("offbranch.params.files:parse_params")(opened.read(), file)
        except OSError:
            continue
        return tuple(key for key, _ in load("offbranch.params.lookup:flatten")(data) if key)
    return ()


def group_names(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the groups of the configuration that Hydra composes; none where it composes nothing, or from a module."""
    return tuple(sorted({os.path.dirname(path) for path in _configurations(start, environment)} - {""}))


def group_choices(start: AbsPath, environment: Environment, group: str) -> tuple[str, ...]:
    """Returns the options of a group of that configuration."""
    found = (os.path.split(path) for path in _configurations(start, environment))
    return tuple(sorted(name.rpartition(".")[0] for directory, name in found if directory == group))


def _configurations(start: AbsPath, environment: Environment) -> Iterator[str]:
    """Yields the files of the configuration, as seen from its directory; Hydra itself would take too long to load."""
    project = open_project(start, environment)
    source = load("offbranch.experiments.composition:hydra_source_of")(project)
    if source is None or source.config_module:
        return
    top = os.path.join(project.root, source.config_dir)
    for directory, _, names in os.walk(top):
        for name in names:
            if name.endswith((".yaml", ".yml")):
                yield os.path.relpath(os.path.join(directory, name), top).replace(os.sep, "/")


def parameter_files(start: AbsPath, environment: Environment) -> tuple[str, ...]:
    """Returns the parameter files that the stages name, as seen from the user's directory."""
    project = open_project(start, environment)
    pipelines = load("offbranch.experiments.loading:load")(project)
    named = (group.path for stage in pipelines.stages for group in stage.params if group.path is not None)
    found = dict.fromkeys((*pipelines.top_params, *named))
    return tuple(os.path.relpath(os.path.join(project.root, path), start) for path in found)


def _as_seen_from(here: str, file: str, name: str | None) -> str:
    directory, _, base = file.rpartition("/")
    if name is not None and base == PIPELINE_FILE and directory == here:
        return name
    seen = os.path.relpath(file, here or ".") if here else file
    return seen if name is None else f"{seen}:{name}"
