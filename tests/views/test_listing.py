"""`exp list`."""

from pathlib import Path

from offbranch.api.show import exp_list
from offbranch.base.environ import read_environment
from offbranch.base.paths import AbsPath
from offbranch.views.listing import Listing, ListOptions, listing_to_json, render_commits, render_listing, render_names
from projects import TestProject


def listing(root: Path, options: ListOptions | None = None) -> Listing:
    return exp_list(options or ListOptions(), start=AbsPath(str(root)), environment=read_environment())


def test_names_and_ids(sample: Path) -> None:
    found = listing(sample)
    exps = TestProject(sample).exps()
    order = ["broken", "first", "second", "steps"]
    assert render_names(found) == "".join(f"{name}\n" for name in order)
    assert render_commits(found) == "".join(f"{exps[name]}\n" for name in order)
    assert render_listing(found) == "main:\n" + "".join(f"\t{exps[name][:7]} [{name}]\n" for name in order)


def test_all_with_those_of_head_first(sample: Path) -> None:
    groups = listing(sample, ListOptions(all_commits=True)).groups
    assert [baseline.name for baseline, _ in groups] == ["main", "v1"]
    TestProject(sample).git("checkout", "-q", "v1")
    groups = listing(sample, ListOptions(all_commits=True)).groups
    assert [baseline.name for baseline, _ in groups] == ["v1", "main"]


def test_nothing_to_list(sample: Path) -> None:
    project = TestProject(sample)
    project.git("commit", "-q", "--allow-empty", "-m", "next")
    assert render_listing(listing(sample)) == ""
    assert [baseline.name for baseline, _ in listing(sample, ListOptions(num=3)).groups] == [None, "v1"]


def test_as_json(sample: Path) -> None:
    exps = TestProject(sample).exps()
    commit = TestProject(sample).git("rev-parse", "v1")
    found = listing_to_json(listing(sample, ListOptions(revs=("v1",))))
    assert found == [{"rev": commit, "name": "v1", "experiments": [{"name": "early", "rev": exps["early"]}]}]
