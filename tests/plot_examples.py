"""Plots that the tests of renderers share."""

import base64
from typing import Any

from offbranch.base.paths import RepoPath
from offbranch.views.plot import Picture, PlotError, Plots, PlotSpec
from offbranch.views.plot_built_in import BUILT_IN

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def spec(id: str = "log.csv", template: str = "simple", *, series: str | None = None, **more: Any) -> PlotSpec:
    """A curve of the workspace and of HEAD, or several of each."""
    names = ("loss", "acc") if series else ("loss",)
    points = tuple(
        {"step": n, "loss": round(4 / (n + 2 + k + m), 4), "rev": rev, **({series: name} if series else {})}
        for k, rev in enumerate(("workspace", "HEAD"))
        for m, name in enumerate(names)
        for n in range(8)
    )
    fields: dict[str, Any] = {
        "id": id,
        "revisions": ("workspace", "HEAD"),
        "template": template,
        "title": id,
        "x": "step",
        "y": "loss",
        "x_label": "step",
        "y_label": "loss",
        "series": series,
        "points": points,
    }
    return PlotSpec(**{**fields, **more})


def classes(template: str = "confusion") -> PlotSpec:
    """A confusion matrix of two revisions."""
    pairs = (("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("dog", "dog"), ("fox", "cat"))
    points = tuple(
        {"actual": a, "predicted": p, "rev": rev}
        for rev in ("workspace", "HEAD")
        for a, p in pairs[: 5 if rev == "HEAD" else 4]
    )
    return spec("cls.csv", template, x="actual", y="predicted", x_label="actual", y_label="predicted", points=points)


def bars(template: str = "bar_horizontal") -> PlotSpec:
    """Importances of three features in two revisions."""
    values = {"age": 0.5, "name of a feature": 0.125, "sex": 0.75}
    points = tuple(
        {"importance": value * factor, "name": name, "rev": rev}
        for rev, factor in (("workspace", 1), ("HEAD", 0.5))
        for name, value in values.items()
    )
    return spec("imp.csv", template, x="importance", y="name", x_label="importance", y_label="name", points=points)


def plots(
    *specs: PlotSpec, pictures: tuple[Picture, ...] = (), errors: tuple[PlotError, ...] = (), **templates: Any
) -> Plots:
    return Plots(
        names=tuple(dict.fromkeys((*(each.id for each in specs), *(each.id for each in pictures)))),
        specs=specs,
        pictures=pictures,
        errors=errors,
        templates={**BUILT_IN, **templates},
    )


def picture(id: str = "im.png", rev: str = "workspace") -> Picture:
    return Picture(id=id, rev=rev, path=RepoPath(id), content=PNG)
