"""`offbranch.api` beside `dvc.api`: the same calls on one project, and values that are equal but where ours are better."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.test_python import make
from projects import SOURCE, TestProject

pytestmark = pytest.mark.interop

CALLS = {
    "params": "api.params_show()",
    "params of a revision": "api.params_show(rev='v1')",
    "params of an experiment": "api.params_show(rev='wide')",
    "params of deps": "api.params_show(deps=True)",
    "params of a stage": "api.params_show(stages='train')",
    "params of stages": "api.params_show(stages=['train', 'eval'])",
    "params of stages of a revision": "api.params_show(stages=['eval'], rev='wide')",
    "params of a file": "api.params_show('other.yaml')",
    "params of files": "api.params_show('other.yaml', 'params.yaml')",
    "params of file and stage": "api.params_show('other.yaml', stages='eval')",
    "params of file and deps": "api.params_show('other.yaml', deps=True)",
    "params of a directory": "api.params_show(repo=REPO)",
    "params of a directory at a revision": "api.params_show(repo=REPO, rev='v1')",
    "params of a url": "api.params_show(repo='file://' + REPO)",
    "metrics": "api.metrics_show()",
    "metrics of a revision": "api.metrics_show(rev='wide')",
    "metrics of a file": "api.metrics_show('m.json')",
    "metrics of files": "api.metrics_show('m2.json', 'm.json')",
    "metrics of any file": "api.metrics_show('deep.json')",
    "data": "api.read('data.txt')",
    "data of a revision": "api.read('data.txt', rev='v1')",
    "bytes": "api.read('data.txt', mode='rb').decode()",
    "data in a directory": "api.read('parts/deep/y')",
    "data in a directory of a revision": "api.read('parts/deep/y', rev='wide')",
    "a file of Git": "api.read('params.yaml', rev='v1')",
    "a file of an experiment": "api.read('params.yaml', rev='wide')",
    "a file elsewhere": "api.read('data.txt', repo='file://' + REPO, rev='v1')",
    "a url": "api.get_url('data.txt')",
    "a url of a revision": "api.get_url('data.txt', rev='v1')",
    "a url of a directory": "api.get_url('parts')",
    "a url in a directory": "api.get_url('parts/x')",
    "a url by settings": "api.get_url('data.txt', config={'remote': {'z': {'url': 's3://z/k'}}, 'core': {'remote': 'z'}})",
    "a url by options": "api.get_url('data.txt', remote='new', remote_config={'url': 's3://x/y'})",
    "branches": "api.all_branches()",
    "tags": "api.all_tags()",
    "commits": "api.all_commits()",
    "experiments": "api.exp_show()",
    "experiments of revisions": "api.exp_show(revs=['v1', 'main'])",
    "more experiments": "api.exp_show(num=2)",
    "experiments with deps": "api.exp_show(param_deps=True, force=True)",
    "experiments of a directory": "api.exp_show(repo=REPO)",
}
PROGRAM = """\
import json, sys
import {module} as api
REPO = sys.argv[1]
found = {{}}
for name, call in json.loads(sys.argv[2]).items():
    try:
        found[name] = eval(call)
    except Exception as error:
        found[name] = "error: " + type(error).__name__ + " " + str(error)
print("RESULT" + json.dumps(found))
"""


def answers(python: str, module: str, project: TestProject, **env: str) -> dict[str, Any]:
    words = [python, "-c", PROGRAM.format(module=module), str(project.root), json.dumps(CALLS)]
    done = subprocess.run(
        words, cwd=project.root, env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.partition("RESULT")[2])
    return found


def as_dvc_has_it(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Undoes what is better in our rows: DVC has floats for numbers, texts for lists, 'None' for null, a time of day."""
    return [{key: _plain(key, value) for key, value in row.items()} for row in rows]


def _plain(key: str, value: Any) -> Any:
    if key == "Created":
        return value is not None
    if isinstance(value, bool | list):
        return str(value)
    return float(value) if isinstance(value, int) else None if value == "None" else value


def test_the_same_calls_give_the_same_values(dvc: str, tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    ours = answers(sys.executable, "offbranch.api", project, PYTHONPATH=str(SOURCE))
    theirs = answers(str(Path(dvc).with_name("python")), "dvc.api", project)
    assert not [name for name, value in ours.items() if str(value).startswith("error: ")]
    for name in CALLS:
        if name == "experiments with deps":  # DVC leaves the other columns in, for the sake of its baselines
            for row in theirs[name]:
                assert row.pop("list") in ("None", "[1, 2]")
        if "experiments" in name:
            assert as_dvc_has_it(ours[name]) == as_dvc_has_it(theirs[name]), name
            assert [list(row) for row in ours[name]] == [list(row) for row in theirs[name]], name
        else:
            assert ours[name] == theirs[name], name
            assert json.dumps(ours[name]) == json.dumps(theirs[name]), f"{name}: the order"


def test_each_reads_what_the_other_saved(dvc: str, tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    python = str(Path(dvc).with_name("python"))
    for interpreter, module, name in ((sys.executable, "offbranch.api", "ours"), (python, "dvc.api", "theirs")):
        code = f"import {module} as api; print('RESULT' + api.exp_save({name!r}))"
        env = {**os.environ, "PYTHONPATH": str(SOURCE)} if module.startswith("off") else dict(os.environ)
        done = subprocess.run(
            [interpreter, "-c", code], cwd=project.root, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.partition("RESULT")[2].strip() == project.exps()[name]
    ours = answers(sys.executable, "offbranch.api", project, PYTHONPATH=str(SOURCE))
    theirs = answers(python, "dvc.api", project)
    assert as_dvc_has_it(ours["experiments"]) == as_dvc_has_it(theirs["experiments"])
