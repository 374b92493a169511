"""`DVCFileSystem`, `artifacts_show` and `get_dataset` of DVC and ours, on one project: the same answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import offbranch
from projects import make_project

pytest.importorskip("fsspec", reason="needs fsspec")
pytestmark = pytest.mark.interop

CODE = """
import sys
if sys.argv[1] == "ours":
    import offbranch.api as api
else:
    import dvc.api as api

def short(entry):
    data = entry.get("dvc_info") or {}
    return entry["name"], entry["type"], bool(data.get("isdvc")), data.get("md5")

def tried(function):
    try:
        return function()
    except OSError as error:
        return type(error).__name__

for make in (lambda: api.DVCFileSystem(), lambda: api.DVCFileSystem(".", rev="v1"), lambda: api.DVCFileSystem(rev="HEAD")):
    for path in ("", "/", "data", "/data/", "./data", "src", "model.bin", "nothing"):
        print(path, tried(lambda: sorted(make().ls(path, detail=False))))
        print(path, tried(lambda: sorted(make().ls(path, detail=False, dvc_only=True))))
    files = make()
    print(files.find("/"), files.find("data"), files.find("/", dvc_only=True), files.find("nothing"))
    print(files.find("/", maxdepth=1, withdirs=True), files.glob("**/*.csv"))
    print(sorted((top, sorted(dirs), sorted(names)) for top, dirs, names in files.walk("/")))
    for path in ("src/code.py", "data/a.csv", "model.bin"):
        print(path, files.read_text(path), files.cat(path), files.exists(path), files.isdir(path), files.isdvc(path))
    print(tried(lambda: files.open("data")), tried(lambda: files.open("nothing")), tried(lambda: files.open("model.bin", "wb")))
print([short(api.DVCFileSystem().info(path)) for path in ("src", "data", "data/a.csv", "/model.bin", "src/code.py")])
for words in (("model",), ("model", "v1.0.0"), ("model", None, "prod"), ("src:small",), ("src/dvc.yaml:small",)):
    print(words, api.artifacts_show(*words))
print(api.get_dataset("registry"), api.all_branches(), api.all_tags())
"""
FILES = {
    "src/code.py": "code\n",
    "src/dvc.yaml": "artifacts:\n  small:\n    path: s.bin\n",
    "dvc.yaml": "artifacts:\n  model:\n    path: model.bin\ndatasets:\n- {name: registry, type: dvc, url: ../r, path: d}\n",
    "dvc.lock": "schema: '2.0'\ndatasets:\n- {name: registry, type: dvc, url: ../r, path: d, rev_lock: abc}\n",
}


def test_the_same_answers(tmp_path: Path, dvc: str) -> None:
    project = make_project(tmp_path / "p", FILES)
    for path, text in {"data/a.csv": "1\n", "data/sub/b.csv": "22\n", "model.bin": "hello\n"}.items():
        project.write(path, text)
    assert project.ob("add", "data", "model.bin").code == 0
    project.commit("data")
    for name in ("v1", "model@v1.0.0", "model@v1.1.0-rc1", "model#prod#1", "src=small@v0.1.0"):
        project.git("tag", "-a", name, "-m", name)
    project.write("later.txt", "x")
    source = str(Path(offbranch.__file__).parents[1])
    ways = {"ours": (sys.executable, {"PYTHONPATH": os.pathsep.join([source, *filter(None, sys.path[1:])])})}
    ways["theirs"] = (str(Path(dvc).parent / "python"), {})
    said = {}
    for who, (python, env) in ways.items():
        done = subprocess.run(
            [python, "-c", CODE, who],
            cwd=project.root,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{who}: {done.stderr}"
        said[who] = done.stdout.splitlines()
    assert said["ours"] == said["theirs"]
