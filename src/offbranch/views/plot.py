"""The records of plots: what is drawn, told once, and drawn by `plot_html`, `plot_text`, `plot_image` and `plot_json`."""

from collections.abc import Mapping
from typing import Any

from offbranch.base.paths import RepoPath
from offbranch.base.plugins import load
from offbranch.base.records import record
from offbranch.views.plot_data import Point

INDEX = "step"
X_JOINED = "dvc_inferred_x_value"
Y_JOINED = "dvc_inferred_y_value"
REVISION = "rev"
DEFAULT_TEMPLATE = "linear"


@record
class PlotSpec:
    """One drawing, of all revisions together.

    Attributes:
        id: What it is called.
        revisions: Of which there are points, in the order of their colours.
        template: Name of a template, or a path.
        title: Text above it.
        x: Field of the points for the horizontal axis.
        y: Field of the points for the vertical axis.
        x_label: Text at the horizontal axis.
        y_label: Text at the vertical axis.
        series: Field that tells apart several lines of one revision; None where there is one.
        points: One after the other by revision and line.
    """

    id: str
    revisions: tuple[str, ...]
    template: str
    title: str
    x: str
    y: str
    x_label: str
    y_label: str
    series: str | None
    points: tuple[Point, ...]

    @property
    def series_names(self) -> tuple[str, ...]:
        """The lines of a revision, in the order of their dashes."""
        if self.series is None:
            return ()
        return tuple(sorted({str(point[self.series]) for point in self.points}))


@record
class Picture:
    """One image of one revision.

    Attributes:
        id: What it is called.
        rev: The revision.
        path: The file.
        content: Its bytes.
    """

    id: str
    rev: str
    path: RepoPath
    content: bytes


@record
class PlotError:
    """Why something is not drawn.

    Attributes:
        rev: Of which revision.
        kind: Name of the kind of error.
        message: For the user.
        name: The plot; None where it is all of a revision.
        source: The file that is to blame, where it is one.
        hint: The way out.
        is_mistake: It is wrong, rather than not there (yet, or in this clone).
    """

    rev: str
    kind: str
    message: str
    name: str | None = None
    source: str | None = None
    hint: str | None = None
    is_mistake: bool = False


@record
class Plots:
    """All that was asked for.

    Attributes:
        names: Ids of plots and pictures in the order of their definitions, also of those with errors alone.
        specs: The drawings.
        pictures: By id, then revision.
        errors: What is missing from them.
        templates: Name of a template as a plot has it -> its content.
    """

    names: tuple[str, ...]
    specs: tuple[PlotSpec, ...]
    pictures: tuple[Picture, ...]
    errors: tuple[PlotError, ...]
    templates: Mapping[str, Any]

    def _repr_html_(self) -> str:
        """Returns the page of these plots in a frame of its own, for notebooks; it needs no network."""
        frame: str = load("offbranch.views.plot_html:render_frame")(self)
        return frame
