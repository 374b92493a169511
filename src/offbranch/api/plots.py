"""Plots: `plots show`, `plots diff`, `plots templates`, and writing what they draw. Reads without taking a lock.

What is drawn is a record, `Plots`; `views/plot_json.py`, `plot_html.py`, `plot_text.py` and `plot_image.py` turn it into
something to look at, and `write_page`, `write_images` put that into a directory of the user.
"""

import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from offbranch.api.naming import queued_tasks
from offbranch.api.session import Session, need_git, opened, working_directory
from offbranch.base.errors import NotFoundError, OffbranchError, UsageError
from offbranch.base.events import Progressed
from offbranch.base.files import atomic_write, decode, is_really_inside, remove_file
from offbranch.base.paths import DVC_DIR, AbsPath, RepoPath, absolute, join, relative_to, resolve_in
from offbranch.base.plugins import load
from offbranch.base.records import field, record, replace
from offbranch.experiments.plot_files import WORKSPACE, open_revisions
from offbranch.experiments.refs import find_checkpoint, resolve_experiment
from offbranch.project import Project, find_root
from offbranch.views.plot import PlotError, Plots
from offbranch.views.plot_anchors import fill
from offbranch.views.plot_collect import PlotQuery, collect_plots
from offbranch.views.plot_json import file_names, plain_name
from offbranch.views.plot_points import Wish
from offbranch.views.plot_templates import find_template, template_names

DEFAULT_OUT = "dvc_plots"
STATIC = "static"
_DRAW = "offbranch.views.plot_image:draw_image"
_HTML = "offbranch.views.plot_html:render_html"
EXTRA = "plots"


@record
class PlotRequest:
    """What to draw.

    Attributes:
        targets: Files, directories, ids of plots, or dvc.yaml files; all that is defined if there are none.
        x: Field for the horizontal axis, instead of the defined one.
        y: The same for the vertical axis.
        header: Whether the first row of a table names its columns; None for what the definition says.
        options: `template`, `title`, `x_label`, `y_label`, instead of the defined ones.
    """

    targets: tuple[str, ...] = ()
    x: str | None = None
    y: str | None = None
    header: bool | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def plots_show(request: PlotRequest, session: Session) -> Plots:
    """Returns the plots of the workspace.

    Raises:
        NotFoundError: A target is nothing that could be drawn, or a template does not exist.
        BadInputError: A template is malformed.
    """
    with opened(session) as project:
        return _collect(project, (WORKSPACE,), request, session)


def plots_diff(
    request: PlotRequest, revisions: Sequence[str], session: Session, *, with_baseline: bool = False
) -> Plots:
    """Returns the plots of several revisions, each drawn together; the workspace first, if it is among them.

    Args:
        request: What to draw.
        revisions: Git revisions, experiments (also running ones), attempts that failed, or `workspace`; of none HEAD and
            the workspace, of one that and the workspace. A queued task has nothing to draw yet: that is an error in
            the result, and no mistake.
        session: Where.
        with_baseline: A single revision is an experiment, and shown with its baseline.

    Raises:
        NotFoundError: A revision does not exist; or as `plots_show`.
    """
    with opened(session) as project:
        need_git(project)
        names = _revisions(project, revisions, with_baseline=with_baseline)
        tasks = queued_tasks(project, names)
        plots = _collect(project, [name for name in names if name not in tasks], request, session)
        return replace(plots, errors=(*plots.errors, *(_waits(name) for name in tasks)))


def plot_templates(session: Session) -> tuple[str, ...]:
    """Returns the names of our templates, and of those of the project if there is one."""
    root = find_root(session.start)
    return template_names(root)


def plot_template(name: str, session: Session) -> Any:
    """Returns the content of a template.

    Raises:
        NotFoundError: There is none; near names are offered.
    """
    root = find_root(session.start)
    return find_template(name, root=root or session.start, cwd=session.start)


def out_directory(given: str | None, session: Session) -> AbsPath:
    """Returns where plots are written: as given, as configured (`plots.out_dir`), or `dvc_plots`.

    Raises:
        UsageError: The configuration that Git keeps, which may be a stranger's, leads out of the project.
    """
    if given is not None:
        return absolute(given, base=session.start)
    with opened(session) as project:
        setting = project.config.settings.get(("plots", "out_dir"))
        out = absolute(DEFAULT_OUT if setting is None else setting.value, base=session.start)
        is_shared = setting is None or setting.origin.replace(os.sep, "/").endswith(f"{DVC_DIR}/config")
        if is_shared and not is_really_inside(join(out, "index.html"), project.root):
            raise UsageError(
                f"the directory for plots, '{out}', is outside of the project",
                hint="say where: --out DIR, or ob config --local plots.out_dir DIR",
            )
        return out


def opens_itself(session: Session) -> bool:
    """Tells whether pages are to be opened in a browser (`plots.auto_open`)."""
    with opened(session) as project:
        return project.config.get_bool("plots", "auto_open")


def write_page(plots: Plots, out: AbsPath, session: Session, *, page: str | None = None) -> AbsPath:
    """Writes `index.html`, which shows everything by itself, and beside it the images as files, in `static`.

    Args:
        plots: What it shows.
        out: The directory.
        session: Where.
        page: Path of a page of the user's with `{plot_divs}` in it; else as configured (`plots.html_template`).

    Returns:
        The page.

    Raises:
        BadInputError: The user's page has no place for plots.
        NotFoundError: There is no such page.
    """
    text = load(_HTML)(plots, _user_page(page, session))
    names = file_names(plots.pictures)
    _write(out, {f"{STATIC}/{names[each.id, each.rev]}": each.content for each in plots.pictures})
    _write(out, {"index.html": text.encode("utf-8", "surrogateescape")})
    return join(out, "index.html")


def write_pictures(plots: Plots, out: AbsPath) -> dict[tuple[str, str], str]:
    """Writes the images of plots; returns (id, revision) -> the path of each."""
    names = file_names(plots.pictures)
    _write(out, {names[each.id, each.rev]: each.content for each in plots.pictures})
    return {key: join(out, name) for key, name in names.items()}


def write_images(
    plots: Plots, out: AbsPath, kind: str, session: Session
) -> tuple[tuple[AbsPath, ...], tuple[OffbranchError, ...]]:
    """Writes every plot as an image of its own, `svg` or `png`, and the images among them as they are.

    Args:
        plots: What to draw.
        out: The directory.
        kind: `svg` or `png`.
        session: Where progress goes.

    Returns:
        The files, and why plots cannot be drawn.

    Raises:
        OffbranchError: The library that draws is not installed.
    """
    files: dict[str, bytes] = {}
    errors: list[OffbranchError] = []
    if plots.specs:
        draw, kinds = load(_DRAW, extra=EXTRA), load("offbranch.views.plot_image:ImageKind")
        for n, spec in enumerate(plots.specs):
            session.reporter.emit(Progressed(what="drawing plots", done=n, total=len(plots.specs), unit="files"))
            name = _free(f"{plain_name(spec.id)}.{kind}", files)
            try:
                files[name] = draw(fill(plots.templates[spec.template], spec), kinds(kind), name=spec.id)
            except OffbranchError as error:
                errors.append(error)
    _write(out, files)
    return (*(join(out, name) for name in files), *map(AbsPath, write_pictures(plots, out).values())), tuple(errors)


def _collect(project: Project, names: Sequence[str], request: PlotRequest, session: Session) -> Plots:
    wish = Wish(x=request.x, y=request.y, header=request.header, options=request.options)
    cwd = working_directory(project, session)
    targets = tuple(_seen_from(cwd, target, project, session) for target in request.targets)
    query = PlotQuery(targets=targets, wish=wish, cwd=cwd)
    with open_revisions(project, project.repo, names) as revisions:
        return collect_plots(
            revisions,
            query,
            lambda name: find_template(name, root=project.root, cwd=session.start),
            session.reporter,
        )


def _seen_from(cwd: RepoPath, target: str, project: Project, session: Session) -> str:
    """Returns a path that goes round, as `/home/me/project/log.csv` or `../project/log.csv`, as a short one."""
    inside = relative_to(absolute(target, base=session.start), project.root)
    if not inside or resolve_in(cwd, target) is not None:
        return target
    return posixpath.relpath(inside, cwd or ".")


def _waits(name: str) -> PlotError:
    return PlotError(
        rev=name,
        kind="NotRunError",
        message="it is queued, and there is nothing to draw before it has run",
        hint="ob queue start runs what is queued",
    )


def _revisions(project: Project, given: Sequence[str], *, with_baseline: bool) -> tuple[str, ...]:
    if with_baseline and len(given) == 1:
        part = find_checkpoint(need_git(project), given[0])
        experiment = resolve_experiment(need_git(project), given[0]) if part is None else part.experiment
        return (given[0], experiment.baseline[:7])
    names = [*(given or ("HEAD",)), *((WORKSPACE,) if len(given) <= 1 else ())]
    return tuple(dict.fromkeys(sorted(names, key=lambda name: name != WORKSPACE)))


def _user_page(given: str | None, session: Session) -> str | None:
    """Returns the text of the user's page; a configured path counts from `.dvc`, as with DVC."""
    if given is not None:
        path = absolute(given, base=session.start)
    else:
        with opened(session) as project:
            configured = project.config.get("plots", "html_template")
            if not configured:
                return None
            path = absolute(configured, base=join(project.root, DVC_DIR))
    try:
        with open(path, "rb") as file:
            text = decode(file.read(), path)
    except OSError as error:
        raise NotFoundError(
            f"the page '{given or path}' cannot be read: {error.strerror}", hint="give the path of an HTML file"
        ) from error
    load("offbranch.views.plot_html:check_page")(text, path)
    return text


def _free(name: str, taken: Mapping[str, bytes]) -> str:
    """Returns a name that no other file has, not even on a system that ignores case."""
    others = {each.casefold() for each in taken}
    stem, _, suffix = name.rpartition(".")
    n = 1
    while name.casefold() in others:
        n += 1
        name = f"{stem}-{n}.{suffix}"
    return name


def _write(out: AbsPath, files: Mapping[str, bytes]) -> None:
    try:
        for name, content in files.items():
            path = join(out, name)
            # A link in place of a file or directory of ours may lead anywhere; Git can carry one along.
            for place in (AbsPath(os.path.dirname(path)), path):
                if place != out and os.path.islink(place):
                    remove_file(place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            atomic_write(path, content)
    except OSError as error:
        raise OffbranchError(
            f"cannot write plots into '{out}': {error.strerror or error}", hint="choose another directory: --out DIR"
        ) from error
