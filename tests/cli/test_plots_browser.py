"""The page in a browser that has no network: every plot has its marks, every image is there, the console has no error."""

import re
import subprocess
from pathlib import Path

import pytest

from offbranch.views.plot_built_in import BUILT_IN
from offbranch.views.plot_html import render_html
from plot_examples import bars, classes, picture, plots, spec
from programs import need

# Counts what is drawn, and whether images have been loaded, once everything that was going to happen has.
PROBE = """<script>window.addEventListener('load', function () { setTimeout(function () {
  var found = Array.from(document.querySelectorAll('.plot > div')).map(function (div) {
    return div.id + '=' + div.querySelectorAll('[role="graphics-symbol"], canvas').length; });
  found = found.concat(Array.from(document.images).map(function (image, n) {
    return 'img' + n + '=' + (image.complete ? image.naturalWidth : 0); }));
  document.title = found.join(' ');
}, 3000); });</script>"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def opened_in_browser(page: Path, home: Path) -> tuple[str, list[str]]:
    """Returns the document as the browser has it in the end, and the lines of its console."""
    done = subprocess.run(
        [
            need(*BROWSERS),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--user-data-dir={home}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        timeout=110,
        check=True,
    )
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), console


def test_the_page_draws_everything_without_a_network(tmp_path: Path) -> None:
    shown = [
        classes(name) if "confusion" in name else bars(name) if "bar" in name else spec(template=name)
        for name in BUILT_IN
    ]
    shown += [spec(template=name, series="filename::field") for name in BUILT_IN]
    shown.append(spec(template="simple", title="</script><img src=x onerror=alert(1)>"))
    named = [spec(**{**_fields(each), "id": f"plot {n}"}) for n, each in enumerate(shown)]
    page = tmp_path / "index.html"
    text = render_html(plots(*named, pictures=(picture(), picture(rev="HEAD"))))
    page.write_text(text + PROBE, "utf-8")
    document, console = opened_in_browser(page, tmp_path / "browser")
    title = re.search(r"<title>(.*?)</title>", document)
    assert title is not None
    counts = {name: int(count) for name, count in (part.split("=") for part in title[1].split())}
    assert {name: counts.pop(name) for name in list(counts) if name.startswith("img")} == {"img0": 1, "img1": 1}
    assert len(counts) == len(named)
    assert [name for name, count in counts.items() if count < 2] == []
    assert [line for line in console if "WARN" not in line] == []


def _fields(each: object) -> dict[str, object]:
    return {name: getattr(each, name) for name in type(each).__slots__}


@pytest.mark.parametrize("policy", [True, False])
def test_the_probe_sees_what_is_missing(tmp_path: Path, policy: bool) -> None:
    """Our page may load nothing; in one of the user's own it is up to him."""
    loads = (
        '<img src="https://example.com/x.png">'
        '<script>fetch("https://example.com/").catch(() => console.error("no"))</script>'
    )
    page = tmp_path / "index.html"
    text = render_html(plots(spec())) if policy else render_html(plots(spec()), "<body>{scripts}{plot_divs}</body>")
    page.write_text(text + loads + PROBE, "utf-8")
    document, console = opened_in_browser(page, tmp_path / "browser")
    assert "img0=0" in document and console
    assert any("Content Security Policy" in line for line in console) is policy
