"""What is read of a revision: a directory and a commit of the same files say the same."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from offbranch.base.environ import read_environment
from offbranch.base.errors import BadInputError, OffbranchError
from offbranch.base.paths import AbsPath
from offbranch.experiments.revision import RevisionData, read_directory
from offbranch.experiments.revision_reader import RevisionReader
from offbranch.git.ids import CommitId
from offbranch.git.objects import ObjectReader
from offbranch.project import Project, open_project
from offbranch.storage.listing import listing_bytes, listing_id, make_listing
from projects import TestProject, make_project


def opened(project: TestProject) -> Project:
    return open_project(AbsPath(str(project.root)), read_environment())


def workspace(project: TestProject) -> RevisionData:
    here = opened(project)
    return read_directory(here.reader, ignores=here.ignore.ignores, cache=here.cache, param_deps=False)


def commits(project: TestProject, *revs: str) -> list[RevisionData | OffbranchError]:
    here = opened(project)
    assert here.repo is not None
    ids = [CommitId(project.git("rev-parse", rev)) for rev in revs]
    with ObjectReader(here.repo) as objects:
        found = RevisionReader(objects, here.prefix, here.cache).read(ids)
    return [found[each] for each in ids]


def both(project: TestProject) -> RevisionData:
    """Reads the workspace and its commit, which must agree."""
    project.git("add", "-A")
    project.git("commit", "-q", "--allow-empty", "-m", "state")
    from_files, (from_commit,) = workspace(project), commits(project, "HEAD")
    assert from_commit == from_files
    return from_files


def values(entries: Any) -> dict[str, Any]:
    return {path: entry["data"] if "data" in entry else entry["error"]["type"] for path, entry in entries.items()}


def make(tmp_path: Path, **files: str) -> TestProject:
    return make_project(
        tmp_path / "p", {path.replace("__", "/").replace("_", "."): text for path, text in files.items()}
    )


def test_parameters_of_stages_top_level_and_the_default_file(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        params_yaml="lr: 1\nname: x\n",
        other_yaml="a: 1\nb: 2\nc: {d: 3, e: 4}\n",
        whole_toml="w = 1\n",
        code_py="X = 3\nY = 4\n",
        extra_json='{"z": [1, 2]}',
        dvc_yaml=(
            "params: [extra.json]\nstages:\n  s:\n    cmd: x\n    params:\n    - lr\n    - other.yaml: [a, c.d, missing]\n"
            "    - whole.toml:\n    - code.py: [X]\n    - gone.yaml: [g]\n"
        ),
    )
    assert values(both(project).params) == {
        "params.yaml": {"lr": 1, "name": "x"},
        "other.yaml": {"a": 1, "c": {"d": 3}},
        "whole.toml": {"w": 1},
        "code.py": {"X": 3},
        "gone.yaml": "FileNotFoundError",
        "extra.json": {"z": [1, 2]},
    }
    message = both(project).params["gone.yaml"]["error"]["msg"]
    assert message == "[Errno 2] No such file or directory: 'gone.yaml'"


def test_no_default_parameter_file_is_no_error(tmp_path: Path) -> None:
    assert both(make(tmp_path, dvc_yaml="stages: {s: {cmd: x}}\n")).params == {}


def test_metrics_are_numbers_and_texts_of_any_format(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        m_json='{"a": 1, "b": true, "n": null, "l": [1], "t": "x", "e": {}, "d": {"f": 0.5, "l": []}, "nan": NaN}',
        m_yaml="q: 1\n",
        m_toml="w = 2.5\n",
        m_py="A = 3\n",
        one_txt="7\n",
        list_json="[1, 2]",
        bad_json="{",
        dvc_yaml=(
            "metrics: [m.json, m.yaml, m.toml, m.py, one.txt, list.json, bad.json, gone.json]\n"
            "stages: {s: {cmd: x, metrics: [{m.json: {cache: false}}]}}\n"
        ),
    )
    from_files, (from_commit,) = workspace(project), commits(project, "HEAD")
    assert isinstance(from_commit, RevisionData)
    # Compared as text: not a number is not equal to itself.
    assert repr(from_commit.metrics) == repr(from_files.metrics)
    found = values(from_files.metrics)
    assert math.isnan(found["m.json"].pop("nan"))
    assert found == {
        "m.json": {"a": 1, "b": True, "t": "x", "d": {"f": 0.5}},
        "m.yaml": {"q": 1},
        "m.toml": {"w": 2.5},
        "m.py": {"A": 3},
        "one.txt": 7,
        "list.json": {},
        "bad.json": "BadInputError",
        "gone.json": "FileNotFoundError",
    }


def test_directories_of_metrics_are_expanded(tmp_path: Path) -> None:
    project = make(tmp_path, dvc_yaml="metrics: [out]\nstages: {}\n")
    project.write("out/a.json", '{"a": 1}')
    project.write("out/deep/b.yaml", "b: 2\n")
    assert values(both(project).metrics) == {"out/a.json": {"a": 1}, "out/deep/b.yaml": {"b": 2}}


def test_cached_metrics_come_from_the_cache_when_the_file_is_not_there(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        _gitignore="/one.json\n/many\n",
        dvc_yaml="metrics: [many/b.json]\nstages:\n  s:\n    cmd: x\n    outs: [many]\n    metrics: [one.json]\n",
    )
    cache = opened(project).cache
    one, b = cache.add_bytes(b'{"one": 1}'), cache.add_bytes(b'{"b": 2}')
    listing = listing_bytes(make_listing([("a.txt", b), ("b.json", b)]))
    many = listing_id(listing)
    cache.add_listing(listing, many)
    project.write(
        "dvc.lock",
        "schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n"
        f"    - path: many\n      hash: md5\n      md5: {many}\n      size: 8\n      nfiles: 2\n"
        f"    - path: one.json\n      hash: md5\n      md5: {one}\n      size: 10\n",
    )
    found = both(project)
    assert values(found.metrics) == {"one.json": {"one": 1}, "many/b.json": {"b": 2}}
    assert found.outs["many"] == {
        "hash": many,
        "size": 8,
        "nfiles": 2,
        "use_cache": True,
        "is_data_source": False,
    }
    project.write("one.json", '{"one": 5}')
    assert values(workspace(project).metrics)["one.json"] == {"one": 5}
    Path(cache.path_of(one)).unlink()
    (read,) = commits(project, "HEAD")
    assert isinstance(read, RevisionData)
    assert values(read.metrics)["one.json"] == "MissingDataError"


def test_dependencies_and_outputs_come_from_the_lock(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        data_dvc="outs:\n- md5: 8d777f385d3dfec8815d20f7496026dc\n  size: 4\n  hash: md5\n  path: data\n",
        imported_dvc="deps:\n- path: x\n  repo:\n    url: u\nouts:\n- md5: 8d777f385d3dfec8815d20f7496026dc\n  path: i\n",
        _gitignore="/data\n/i\n",
    )
    project.write(
        "sub/dvc.yaml",
        "stages:\n  s:\n    wdir: w\n    cmd: x\n    deps: [../../data, /abs]\n    outs: [o]\n    plots: [p.csv]\n",
    )
    project.write(
        "sub/dvc.lock",
        "schema: '2.0'\nstages:\n  s:\n    cmd: x\n    deps:\n    - path: ../../data\n      hash: md5\n"
        "      md5: 8d777f385d3dfec8815d20f7496026dc\n      size: 4\n",
    )
    found = both(project)
    nothing = {"hash": None, "size": None, "nfiles": None}
    md5 = "8d777f385d3dfec8815d20f7496026dc"
    assert found.deps == {"data": {"hash": md5, "size": 4, "nfiles": None}, "/abs": nothing}
    assert found.outs == {
        "data": {"hash": md5, "size": 4, "nfiles": None, "use_cache": True, "is_data_source": True},
        "i": {"hash": md5, "size": None, "nfiles": None, "use_cache": True, "is_data_source": True},
        "sub/w/o": {**nothing, "use_cache": True, "is_data_source": False},
    }


def test_templates_are_resolved_with_the_parameters_of_each_commit(tmp_path: Path) -> None:
    project = make(tmp_path, params_yaml="name: first\n", dvc_yaml="stages: {s: {cmd: x, outs: ['${name}.bin']}}\n")
    project.write("params.yaml", "name: second\n")
    project.commit()
    project.write("unrelated", "u")
    project.commit()
    found = [
        each.outs.keys() for each in commits(project, "HEAD", "HEAD~1", "HEAD~2") if isinstance(each, RevisionData)
    ]
    assert found == [{"second.bin"}, {"second.bin"}, {"first.bin"}]


def test_a_link_is_followed(tmp_path: Path) -> None:
    project = make(tmp_path, dvc_yaml="metrics: [link.json]\nstages: {}\n")
    project.write("real/params.yaml", "lr: 5\n")
    project.write("real/m.json", '{"a": 1}')
    (project.root / "params.yaml").symlink_to("real/params.yaml")
    (project.root / "link.json").symlink_to("real/m.json")
    found = both(project)
    assert (values(found.params), values(found.metrics)) == ({"params.yaml": {"lr": 5}}, {"link.json": {"a": 1}})


def test_ignored_directories_of_each_commit(tmp_path: Path) -> None:
    project = make(tmp_path, dvc_yaml="stages: {s: {cmd: x, outs: [o]}}\n")
    project.write("skip/dvc.yaml", "stages: {t: {cmd: x, outs: [p]}}\n")
    project.commit()
    project.write(".dvcignore", "# comment\nskip\n")
    assert both(project).outs.keys() == {"o"}
    (before,) = commits(project, "HEAD~1")
    assert isinstance(before, RevisionData)
    assert before.outs.keys() == {"o", "skip/p"}


@pytest.mark.parametrize(
    ("path", "text"), [("dvc.yaml", "stages: [\n"), ("dvc.lock", "schema: '9'\n"), ("x.dvc", "outs: 3\n")]
)
def test_a_malformed_pipeline_is_an_error_of_the_revision(tmp_path: Path, path: str, text: str) -> None:
    project = make(tmp_path, dvc_yaml="stages: {s: {cmd: x, outs: [o]}}\n")
    project.write(path, text)
    project.commit()
    with pytest.raises(BadInputError, match=path):
        workspace(project)
    broken, fine = commits(project, "HEAD", "HEAD~1")
    assert isinstance(broken, BadInputError)
    assert isinstance(fine, RevisionData)


def test_everything_is_json(tmp_path: Path) -> None:
    project = make(tmp_path, params_yaml="d: 2020-01-01\n1: {2: 3}\n", dvc_yaml="stages: {}\n")
    assert json.loads(json.dumps(both(project).params, default=str)) == {
        "params.yaml": {"data": {"d": "2020-01-01", "1": {"2": 3}}}
    }
