"""`Plots` as a page, as JSON, as text and as images: golden files, and what other people's text must not do."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from golden_files import check_golden
from offbranch.base.errors import BadInputError, NotFoundError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.base.plugins import load
from offbranch.views.plot import PlotError, PlotSpec
from offbranch.views.plot_anchors import fill, split
from offbranch.views.plot_built_in import BUILT_IN
from offbranch.views.plot_html import SCRIPTS, SCRIPTS_DIR, check_page, render_html
from offbranch.views.plot_image import ImageKind, draw_image
from offbranch.views.plot_json import file_names, plain_name, plots_to_json
from offbranch.views.plot_templates import find_template, template_names
from offbranch.views.plot_text import render_plots_text
from plot_examples import PNG, bars, classes, picture, plots, spec

NASTY = "</script><script>alert(1)</script><!--\u2028&\"'{plot_divs}"
MISSING = PlotError(rev="HEAD", kind="FileNotFoundError", message="there is no file 'a<b>.csv'", name="a<b>.csv")


def drawn_by_all() -> list[PlotSpec]:
    """One plot per template, and where lines are told apart one with several."""
    found = []
    for name in BUILT_IN:
        example = classes(name) if "confusion" in name else bars(name) if "bar" in name else spec(template=name)
        found.append(example)
        found.append(spec(template=name, series="filename::field"))
    return found


def with_scripts_cut(page: str) -> str:
    """The page without the three libraries, which are checked by their sums."""
    for name in SCRIPTS:
        text = (Path(SCRIPTS_DIR) / f"{name}.min.js").read_text("utf-8")
        body = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip()
        assert page.count(body) == 1
        page = page.replace(body, name)
    return page


# The page


def test_the_page_is_as_it_was() -> None:
    shown = plots(spec(template="linear"), pictures=(picture(), picture(rev="HEAD")), errors=(MISSING,))
    check_golden("views/plots.html", with_scripts_cut(render_html(shown)))


def test_text_of_others_stays_text() -> None:
    evil = spec(NASTY, title=NASTY, points=({"step": 0, "loss": NASTY, "rev": NASTY},), revisions=(NASTY,))
    error = PlotError(rev=NASTY, kind="E", message=NASTY, name=NASTY)
    page = with_scripts_cut(render_html(plots(evil, pictures=(picture(NASTY + ".png", NASTY),), errors=(error,))))
    assert page.count("<script>") == len(SCRIPTS) + 1
    assert page.count("</script>") == len(SCRIPTS) + 1
    assert "<!--" not in page and "\u2028" not in page[page.index("vegaEmbed(") : page.index(".catch")]
    assert page.count("vegaEmbed(") == 1


def test_elements_have_names_of_their_own() -> None:
    page = render_html(plots(spec("a/b"), spec("a_b"), spec("a.b"), pictures=(picture("a_b.2.png"),)))
    ids = re.findall(r' id="([^"]+)"', with_scripts_cut(page))
    assert ids == ["a_b", "a_b-2", "a_b-3", "a_b_2_png"]


def test_a_page_of_the_user_is_kept_as_it_is() -> None:
    page = "<x>{scripts}|{refresh_tag}|{plot_divs}|{other} {{}}</x>"
    text = render_html(plots(spec()), page)
    assert text.startswith("<x><script>") and text.endswith("|{other} {{}}</x>") and "||" in text
    with pytest.raises(BadInputError, match="plot_divs"):
        check_page("<html>{scripts}</html>", "page.html")


def test_a_template_of_vega_is_drawn_as_such() -> None:
    mine = {"$schema": "https://vega.github.io/schema/vega/v5.json", "data": [{"values": "<DVC_METRIC_DATA>"}]}
    page = render_html(plots(spec(template="mine"), mine=mine))
    assert "{mode: 'vega'}" in page and "vega/v5.json" in page


def test_scripts_are_those_that_were_published() -> None:
    versions = json.loads((Path(SCRIPTS_DIR) / "versions.json").read_text())
    assert tuple(versions) == SCRIPTS
    for name, known in versions.items():
        content = (Path(SCRIPTS_DIR) / f"{name}.min.js").read_bytes()
        assert hashlib.sha256(content).hexdigest() == known["sha256"]
        assert "Redistribution and use" in (Path(SCRIPTS_DIR) / f"LICENSE-{name}").read_text()
        assert b"</script" not in content.lower() and b"<!--" not in content
    notices = "".join(path.read_text() for path in Path(SCRIPTS_DIR).glob("LICENSE-*"))
    for holder in ("Mike Bostock", "Mapbox", "Schlueter", "Joachim Wester", "Simon Lydell", "Charles Karney", "Penner"):
        assert holder in notices
    assert versions["vega"]["version"].encode() in (Path(SCRIPTS_DIR) / "vega.min.js").read_bytes()


# JSON


def test_json_has_the_structure_of_dvc() -> None:
    shown = plots(spec(), pictures=(picture(),), errors=(MISSING,))
    found = plots_to_json(shown, {("im.png", "workspace"): "/out/x.png"})
    assert found["data"]["im.png"] == [{"type": "image", "revisions": ["workspace"], "url": "/out/x.png"}]
    entry = found["data"]["log.csv"][0]
    assert (entry["type"], entry["revisions"]) == ("vega", ["workspace", "HEAD"])
    assert entry["content"]["data"]["values"][0] == {"step": 0, "loss": 2.0, "rev": "workspace"}
    assert found["errors"] == [
        {"name": "a<b>.csv", "rev": "HEAD", "type": "FileNotFoundError", "msg": "there is no file 'a<b>.csv'"}
    ]
    assert plots_to_json(plots(), {}) == {}


def test_a_split_specification_put_together_is_the_whole_one() -> None:
    for example in drawn_by_all():
        template = BUILT_IN[example.template]
        form, places = split(template, example)
        assert "<DVC_METRIC_DATA>" in json.dumps(form)

        def together(value: Any, places: dict[str, Any] = places) -> Any:
            if isinstance(value, dict):
                return {key: together(each) for key, each in value.items()}
            if isinstance(value, list):
                return [together(each) for each in value]
            return places.get(value, value) if isinstance(value, str) else value

        assert together(form) == fill(template, example)


@pytest.mark.parametrize("template", BUILT_IN)
def test_no_anchor_is_left(template: str) -> None:
    for series in (None, "field"):
        assert "<DVC_" not in json.dumps(fill(BUILT_IN[template], spec(template=template, series=series)))


def test_specifications_are_as_they_were() -> None:
    text = "".join(f"{json.dumps(fill(BUILT_IN[each.template], each), sort_keys=True)}\n" for each in drawn_by_all())
    check_golden("views/plots_specs.jsonl", text)


def test_fields_with_points_and_brackets_are_escaped() -> None:
    template = {"f": "<DVC_METRIC_X>", "g": "<DVC_METRIC_GROUP_BY_X>", "l": "<DVC_METRIC_X_LABEL>"}
    found = fill(template, spec(x="a.b[0]", x_label="a.b[0]"))
    assert found == {"f": r"a\.b\[0\]", "g": ["rev", r"a\.b\[0\]"], "l": "a.b[0]"}


def test_colours_and_dashes_repeat() -> None:
    many = tuple(f"r{n}" for n in range(9))
    found = fill({"c": "<DVC_METRIC_COLOR>"}, spec(revisions=many))["c"]["scale"]
    assert found["domain"] == list(many) and found["range"][0] == found["range"][7] and len(found["range"]) == 9


# Names of files


def test_two_images_never_share_a_file() -> None:
    pictures = (picture("a/b.png", "r"), picture("a_b.png", "r"), picture("b.png", "r_a"), picture("A_B.png", "r"))
    names = list(file_names(pictures).values())
    assert names[0] == "r_a_b.png"
    assert len({name.casefold() for name in names}) == 4


@pytest.mark.parametrize(
    "text", ["../../x.png", "/etc/x", "a\\..\\b", "..", ".", "x" * 500 + ".png", "a\nb", 'q":*?<>|']
)
def test_a_name_of_a_file_is_one_name(text: str) -> None:
    name = plain_name(text)
    assert name not in ("", ".", "..") and "/" not in name and "\\" not in name and len(name) < 200
    assert name.isprintable()


# Templates


def test_templates_of_a_project_come_first(tmp_path: Path) -> None:
    root = AbsPath(str(tmp_path))
    mine = {"data": {"values": "<DVC_METRIC_DATA>"}, "mine": 1}
    for path in (".dvc/plots/mine.json", ".dvc/plots/deep/er.json", ".dvc/plots/simple.json", "sub/here.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(mine))
    (tmp_path / "linear").write_text("no template")
    cwd = AbsPath(str(tmp_path / "sub"))
    for name in ("mine", "mine.json", "deep/er", "simple", "here.json", "sub/here.json"):
        assert find_template(name, root=root, cwd=cwd) == mine
    assert find_template("linear", root=root, cwd=root) == BUILT_IN["linear"]
    assert template_names(root) == (*BUILT_IN, "mine", "deep/er")
    with pytest.raises(NotFoundError) as caught:
        find_template("scater", root=root, cwd=cwd)
    assert caught.value.hint == "did you mean 'scatter'?"


@pytest.mark.parametrize("text", ["{bad", "[]", '{"a": 1}', "[" * 100_000])
def test_a_template_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text)
    root = AbsPath(str(tmp_path))
    with pytest.raises(BadInputError, match=r"t\.json"):
        find_template("t.json", root=root, cwd=root)


# Text


@pytest.mark.parametrize("color", [False, True])
def test_text_is_as_it_was(color: bool) -> None:
    shown = plots(
        spec(),
        spec("two.csv", series="field"),
        spec("points.csv", "scatter"),
        classes(),
        spec("share", "confusion_normalized", x="actual", y="predicted", points=classes().points),
        bars(),
        spec("sorted.csv", "bar_horizontal_sorted", x="importance", y="name", points=bars().points),
        spec("words.csv", points=({"step": 0, "loss": "high", "rev": "HEAD"},)),
        spec("one.csv", points=({"step": 3, "loss": 0.5, "rev": "HEAD"},)),
        pictures=(picture(), picture(rev="HEAD")),
    )
    check_golden(f"views/plots{'_color' if color else ''}.txt", render_plots_text(shown, width=80, color=color))


def test_text_of_others_does_not_reach_the_terminal() -> None:
    evil = spec(
        "a\x1b[2J\n", title="t\x1b]0;x\x07", revisions=("r\x1b",), points=({"step": 0, "loss": 1, "rev": "r\x1b"},)
    )
    assert "\x1b" not in render_plots_text(plots(evil))


@pytest.mark.parametrize("width", [1, 50, 80, 1000])
def test_a_drawing_fits_its_width(width: int) -> None:
    text = render_plots_text(plots(spec(), bars(), classes()), width=width)
    assert max(map(len, text.splitlines())) <= max(50, min(width, 160)) + 8


def test_curves_of_big_small_and_equal_numbers_are_drawn() -> None:
    for ys in ([1e300, -1e300], [0, 0], [1e-12, 2e-12], [5]):
        example = spec(points=tuple({"step": n, "loss": y, "rev": "HEAD"} for n, y in enumerate(ys)))
        assert "loss" in render_plots_text(plots(example))


# Images


@pytest.mark.parametrize("kind", list(ImageKind))
def test_every_template_is_drawn_without_a_browser(kind: ImageKind) -> None:
    for example in drawn_by_all():
        image = draw_image(fill(BUILT_IN[example.template], example), kind, name=example.id)
        assert image.startswith(b"\x89PNG" if kind is ImageKind.PNG else b"<svg")
        if kind is ImageKind.SVG:
            assert re.search(rb"mark-(line|symbol|rect)", image), example.template


def test_names_with_points_are_drawn() -> None:
    points = tuple({"a.b": n, "c[0]": n * n, "rev": "HEAD"} for n in range(9))
    for template in BUILT_IN:
        example = spec(
            template=template, x="a.b", y="c[0]", x_label="a.b", y_label="c[0]", points=points, revisions=("HEAD",)
        )
        image = draw_image(fill(BUILT_IN[template], example), ImageKind.SVG, name="x").decode()
        assert "NaN" not in image and re.search(r'aria-label="[^"]*c\[0\]', image), template


def test_a_template_that_cannot_be_drawn_is_told() -> None:
    with pytest.raises(OffbranchError, match=r"'mine' cannot be drawn"):
        draw_image({"data": {"values": []}, "mark": 5}, ImageKind.SVG, name="mine")


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('[{"a": 12345}]')
    content = {
        "data": {"url": f"file://{tmp_path}/secret.json"},
        "mark": "text",
        "encoding": {"text": {"field": "a"}},
    }
    try:
        image = draw_image(content, ImageKind.SVG, name="x")
    except OffbranchError:
        return
    assert b"12345" not in image


def test_without_the_library_the_extra_is_named() -> None:
    with pytest.raises(OffbranchError) as caught:
        load("no_such_library:draw", extra="plots")
    assert caught.value.hint == "pip install 'offbranch[plots]'"


def test_the_picture_of_the_tests_is_one() -> None:
    assert PNG.startswith(b"\x89PNG")


# Many points, classes and lines in the terminal


def _cloud(n: int) -> tuple[dict[str, object], ...]:
    return tuple({"step": k, "loss": (k * 7919 % 1000) / 1000, "rev": "workspace"} for k in range(n))


@pytest.mark.parametrize("template", ["simple", "scatter"])
def test_of_many_points_the_outermost_are_drawn(template: str) -> None:
    points = [dict(point) for point in _cloud(20_000)]
    points[12_345]["loss"] = 50.0
    shown = render_plots_text(plots(spec(template=template, points=tuple(points))))
    few = [point for n, point in enumerate(points) if n % 997 == 0 or n in (0, 12_345, 19_999)]
    expected = render_plots_text(plots(spec(template=template, points=tuple(few))))
    assert shown.splitlines()[3] == expected.splitlines()[3]  # the one point far above all others
    assert shown.splitlines()[-2] == expected.splitlines()[-2]  # the ends of the axis


def test_a_table_of_many_classes_has_the_most_frequent_in_the_order_of_numbers() -> None:
    points = tuple(
        {"actual": k, "predicted": k % 7, "rev": "workspace"}
        for k in range(500)
        for _ in range(2 if k in (8, 99) else 1)
    )
    fields = {"x": "actual", "y": "predicted", "x_label": "actual", "y_label": "predicted"}
    lines = render_plots_text(plots(spec(template="confusion", points=points, **fields))).splitlines()
    columns = lines[2].split()[3:]
    assert len(columns) == 30 and {"8", "99"} <= set(columns) and columns == sorted(columns, key=int)
    assert lines[-1].strip() == "... and 470 more columns, 0 more rows"


@pytest.mark.parametrize("color", [False, True])
def test_twenty_lines_have_twenty_signs(color: bool) -> None:
    points = tuple({"step": n, "loss": n * k, "rev": f"r{k}"} for k in range(20) for n in range(3))
    lines = render_plots_text(plots(spec(points=points)), color=color).splitlines()[-20:]
    assert len({line.rpartition(" ")[0] for line in lines}) == 20


def test_a_bar_with_a_long_name_stays_in_the_terminal() -> None:
    points = tuple({"importance": 1, "name": "n" * 200 + str(k), "rev": "workspace"} for k in range(2))
    fields = {"x": "importance", "y": "name", "x_label": "importance", "y_label": "name"}
    shown = render_plots_text(plots(spec(template="bar_horizontal", points=points, **fields))).splitlines()
    assert max(map(len, shown[1:])) <= 80 and shown[1] != shown[2]


def test_texts_on_the_horizontal_axis_have_the_same_place_in_all_lines() -> None:
    days = {"a": ("2026-01-01", "2026-01-02", "2026-01-03"), "b": ("2026-01-03", "2026-01-04")}
    points = tuple({"day": day, "loss": 1, "rev": rev} for rev, each in days.items() for day in each)
    shown = render_plots_text(plots(spec(points=points, x="day", x_label="day"))).splitlines()
    assert shown[-3] == "  day: 0 is 2026-01-01, 3 is 2026-01-04"
    assert shown[-4].split() == ["|", "0", "0.6", "1.2", "1.8", "2.4", "3"]


@pytest.mark.parametrize("field", ['a "b"', "it's", "a.b[0]", "<DVC_METRIC_DATA>"])
def test_a_field_may_have_any_name(field: str) -> None:
    points = tuple({"step": n, field: n, "rev": "workspace"} for n in range(3))
    for template in ("linear", "scatter", "simple"):
        content = fill(BUILT_IN[template], spec(template=template, points=points, y=field, y_label="value"))
        text = draw_image(content, ImageKind.SVG, name="x").decode()
        assert "value" in text and "NaN" not in text


def test_a_message_about_a_drawing_has_no_places_in_scripts() -> None:
    content = {"data": {"values": []}, "mark": "point", "encoding": {"x": {"field": "a[", "type": "quantitative"}}}
    with pytest.raises(OffbranchError) as caught:
        draw_image(content, ImageKind.SVG, name="x.csv")
    assert "missing closing bracket" in caught.value.message and "https:" not in caught.value.message
