"""From files to finished stages."""

import time
from collections.abc import Mapping

import pytest

from contracts.memory import MemoryReader
from offbranch.base.errors import BadInputError, NotFoundError
from offbranch.base.files import DirectoryReader
from offbranch.base.paths import AbsPath, RepoPath
from offbranch.pipeline.interpolate import ParsingOptions
from offbranch.pipeline.load import find_files, load_pipelines
from offbranch.pipeline.stage import Dependency, Output, OutputKind, ParamsDependency, Pipelines, Stage

MD5 = "5d02e4d2354eae28589766cca211477d"


def nothing_ignored(path: RepoPath, is_dir: bool) -> bool:
    return False


def load(files: Mapping[str, str] | str, **more: str) -> Pipelines:
    files = {"dvc.yaml": files} if isinstance(files, str) else files
    named = {name.replace("__", "/").replace("_yaml", ".yaml"): text for name, text in more.items()}
    reader = MemoryReader({path: text.encode() for path, text in {**files, **named}.items()})
    return load_pipelines(reader, ignores=nothing_ignored)


def commands(pipelines: Pipelines) -> dict[str, object]:
    assert not pipelines.broken, pipelines.broken
    return {stage.address: stage.command for stage in pipelines.stages}


def error_of(pipelines: Pipelines, address: str) -> BadInputError:
    error = pipelines.broken[address]
    assert isinstance(error, BadInputError)
    return error


def test_a_whole_stage() -> None:
    loaded = load(
        {
            "sub/dvc.yaml": """\
stages:
  train:
    desc: trains
    wdir: work
    cmd: [a, b]
    deps: [data.csv, ../../in, "s3://b/k", /abs/x, ../../../out]
    params: [lr, x, lr, {params.yaml: [z]}, {../p.json: [b, a]}, {q.toml: }]
    outs: [o/, {c: {cache: false, persist: true, push: false, remote: r, desc: d, labels: [l]}}]
    metrics: [{m.json: {cache: false}}]
    plots: [{p.csv: {x: a, cache: false}}, {q.csv: [{x: a}, {x: b}]}]
    frozen: true
    always_changed: true
    meta: {k: 1}
"""
        }
    )
    assert not loaded.broken
    assert loaded.stages == (
        Stage(
            name="train",
            file=RepoPath("sub/dvc.yaml"),
            wdir=RepoPath("sub/work"),
            command=("a", "b"),
            deps=(
                Dependency(written="data.csv", path=RepoPath("sub/work/data.csv")),
                Dependency(written="../../in", path=RepoPath("in")),
                Dependency(written="s3://b/k", path=None),
                Dependency(written="/abs/x", path=None),
                Dependency(written="../../../out", path=None),
            ),
            params=(
                ParamsDependency(written="params.yaml", path=RepoPath("sub/work/params.yaml"), keys=("lr", "x", "z")),
                ParamsDependency(written="../p.json", path=RepoPath("sub/p.json"), keys=("b", "a")),
                ParamsDependency(written="q.toml", path=RepoPath("sub/work/q.toml"), keys=()),
            ),
            outs=(
                Output(written="o/", path=RepoPath("sub/work/o")),
                Output(
                    written="c", path=RepoPath("sub/work/c"), cache=False, persist=True, push=False, remote="r",
                    annotations={"desc": "d", "labels": ["l"]},
                ),
                Output(written="m.json", path=RepoPath("sub/work/m.json"), kind=OutputKind.METRIC, cache=False),
                Output(
                    written="p.csv", path=RepoPath("sub/work/p.csv"), kind=OutputKind.PLOT, cache=False, plot=({"x": "a"},)
                ),
                Output(
                    written="q.csv", path=RepoPath("sub/work/q.csv"), kind=OutputKind.PLOT, plot=({"x": "a"}, {"x": "b"})
                ),
            ),
            frozen=True,
            always_changed=True,
            desc="trains",
            meta={"k": 1},
        ),
    )  # fmt: skip
    assert loaded.stages[0].address == "sub/dvc.yaml:train"


def test_files_are_found_in_order_with_their_locks() -> None:
    lock = (
        f"schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: o\n      md5: {MD5}\n  gone:\n    cmd: y\n"
    )
    loaded = load(
        {
            "z/dvc.yaml": "stages: {b: {cmd: x}}",
            "dvc.yaml": "stages: {c: {cmd: x}, a: {cmd: x, outs: [o]}}",
            "dvc.lock": lock,
            "z/dvc.lock": "schema: '2.0'\nstages:\n  b:\n    cmd: old\n",
            "a.csv.dvc": f"outs:\n- md5: {MD5}\n  path: a.csv\n",
            "a/deep/x.dvc": "outs:\n- path: x\n",
            ".git/dvc.yaml": "broken: [",
            ".dvc/config": "",
            "notes/dvc.yaml.txt": "",
        }
    )
    assert [stage.address for stage in loaded.stages] == ["c", "a", "a.csv.dvc", "a/deep/x.dvc", "z/dvc.yaml:b"]
    assert loaded.files == ("dvc.yaml", "a.csv.dvc", "a/deep/x.dvc", "z/dvc.yaml")
    assert set(loaded.locks) == {"a", "a.csv.dvc", "a/deep/x.dvc", "z/dvc.yaml:b"}
    assert loaded.locks["a"].outs[0].md5 == MD5
    assert loaded.locks["z/dvc.yaml:b"].command == "old"


def test_tracked_directories_subprojects_and_ignored_paths_are_not_entered() -> None:
    files = {
        "data.dvc": "outs:\n- path: data\n",
        "data/dvc.yaml": "bad: [",
        "dvc.yaml": "stages: {a: {cmd: x, outs: [made]}}",
        "made/x.dvc": "bad: [",
        "other/.dvc/config": "",
        "other/dvc.yaml": "bad: [",
        "ignored/dvc.yaml": "bad: [",
        "skip.dvc": "bad: [",
    }
    reader = MemoryReader({path: text.encode() for path, text in files.items()})
    ignored = {"ignored": True, "skip.dvc": False}

    def ignores(path: RepoPath, is_dir: bool) -> bool:
        return ignored.get(path) is is_dir

    loaded = load_pipelines(reader, ignores=ignores)
    assert not loaded.broken
    assert loaded.files == ("dvc.yaml", "data.dvc")
    assert find_files(reader, ignores=ignores) == ("dvc.yaml", "data.dvc", "data/dvc.yaml", "made/x.dvc")


def test_only_one_file() -> None:
    reader = MemoryReader(
        {"dvc.yaml": b"[", "s/dvc.yaml": b"stages: {a: {cmd: x}}", "s/dvc.lock": b"[", "s/t/x.dvc": b"["}
    )
    loaded = load_pipelines(reader, ignores=nothing_ignored, only=RepoPath("s/dvc.yaml"))
    assert [stage.address for stage in loaded.stages] == ["s/dvc.yaml:a"]
    assert list(loaded.broken) == ["s/dvc.lock"]
    with pytest.raises(NotFoundError, match=r"'no/dvc\.yaml' does not exist"):
        load_pipelines(reader, ignores=nothing_ignored, only=RepoPath("no/dvc.yaml"))


def test_one_broken_part_leaves_the_rest() -> None:
    loaded = load(
        {
            "dvc.yaml": "stages:\n  a:\n    cmd: echo ${nope}\n  b:\n    cmd: fine\n",
            "s/dvc.yaml": "stages: [",
            "t/dvc.yaml": "stages: {a: {cmd: x, depz: []}}",
            "x.dvc": "outs: 3\n",
            "u/dvc.yaml": "stages: {a: {cmd: x}}",
            "u/dvc.lock": "stages: 3",
        }
    )
    assert [stage.address for stage in loaded.stages] == ["b", "u/dvc.yaml:a"]
    assert set(loaded.broken) == {"a", "s/dvc.yaml", "t/dvc.yaml", "x.dvc", "u/dvc.lock"}
    error = error_of(loaded, "a")
    assert (error.path, error.line, error.column, error.key) == ("dvc.yaml", 3, 5, "stages.a.cmd")


def test_a_file_that_is_no_text() -> None:
    reader = MemoryReader({"dvc.yaml": b"stages:\n  \xff"})
    loaded = load_pipelines(reader, ignores=nothing_ignored)
    assert error_of(loaded, "dvc.yaml").line == 2


# What a template may refer to


def test_params_yaml_beside_the_file_then_vars() -> None:
    loaded = load(
        {
            "params.yaml": "lr: 1\nd: {a: 1}\n",
            "v.yaml": "v: 2\nw: 3\n",
            "v.json": '{"j": 4}',
            "sub/params.yaml": "lr: 7\n",
            "sub/w.yaml": "in_w: 8\n",
            "dvc.yaml": "vars: ['v.yaml:v', v.json, {d: {b: 2}}]\nstages:\n  a:\n    cmd: ${lr} ${v} ${j} ${d}\n"
            "  b:\n    wdir: sub\n    vars: [w.yaml]\n    cmd: ${lr} ${in_w}\n",
            "sub/dvc.yaml": "stages: {a: {cmd: '${lr} x'}}",
        }
    )
    assert commands(loaded) == {"a": "1 2 4 --a 1 --b 2", "b": "1 8", "sub/dvc.yaml:a": "7 x"}


@pytest.mark.parametrize(
    ("vars_", "word"),
    [
        ("[{lr: 4}]", "'lr' from 'vars[0]' is already defined in 'params.yaml'"),
        ("[v.yaml]", "'lr' from 'v.yaml' is already defined in 'params.yaml'"),
        ("[{y: {a: 1}}, {y: {a: 2}}]", "'y.a' from 'vars[1]' is already defined in 'vars[0]'"),
        ("[{y: 1}, {y: {a: 2}}]", "'y' from 'vars[1]'"),
        ("['v.yaml:w', v.yaml]", "loaded twice"),
        ("['v.yaml:w', 'v.yaml:w']", "loaded twice"),
        ("['v.yaml:wv']", "has no key 'wv'"),
        ("[no.yaml]", "'no.yaml' in 'vars' does not exist"),
        ("[../../x.yaml]", "outside the project"),
        ("[list.yaml]", "no mapping"),
        ("[{y: '${lr}'}]", "none may stand in 'vars'"),
        ("['${lr}.yaml']", "none may stand in 'vars'"),
    ],
)
def test_vars_that_are_refused(vars_: str, word: str) -> None:
    files = {"params.yaml": "lr: 1\n", "v.yaml": "lr: 1\nw: 3\n", "list.yaml": "[1]"}
    loaded = load({**files, "dvc.yaml": f"vars: {vars_}\nstages: {{a: {{cmd: x}}}}\n"})
    assert word in error_of(loaded, "dvc.yaml").message
    assert error_of(loaded, "dvc.yaml").line == 1
    loaded = load({**files, "dvc.yaml": f"stages:\n  a:\n    cmd: x\n    vars: {vars_}\n"})
    assert error_of(loaded, "a").line == 4


def test_a_file_loaded_twice_whole_counts_once() -> None:
    loaded = load(
        {
            "v.yaml": "v: 1",
            "params.yaml": "p: 2",
            "dvc.yaml": "vars: [v.yaml, v.yaml, params.yaml]\nstages: {a: {cmd: '${v}${p}'}}",
        }
    )
    assert commands(loaded) == {"a": "12"}


def test_vars_of_one_stage_do_not_reach_another() -> None:
    text = "vars: [{m: {a: 1}}]\nstages:\n  a:\n    cmd: ${m}\n    vars: [{m: {b: 2}}]\n  b:\n    cmd: ${m}\n"
    assert commands(load(text)) == {"a": "--a 1 --b 2", "b": "--a 1"}


def test_everything_of_a_stage_is_filled_in() -> None:
    loaded = load(
        """\
vars: [{lr: 0.1, d: {a: 1}, p: sub}]
stages:
  t:
    wdir: ${p}
    cmd: [echo, "x ${lr}"]
    deps: ["x/${lr}", "${lr}"]
    params: ["p${lr}", {"f${lr}.yaml": ["k${lr}", b]}]
    outs: [{"o${lr}": {desc: "d${lr}", labels: ["l${lr}"], meta: {"k${lr}": "${d.a}"}}}]
    plots: [{"p${lr}.csv": {x: "x${lr}"}}]
    desc: hi ${lr}
    meta: {a: "${lr}"}
"""
    )
    assert not loaded.broken
    stage = loaded.stages[0]
    assert (stage.wdir, stage.command, stage.desc, stage.meta) == ("sub", ("echo", "x 0.1"), "hi 0.1", {"a": 0.1})
    assert [dep.written for dep in stage.deps] == ["x/0.1", "0.1"]
    assert [(file.written, file.keys) for file in stage.params] == [
        ("params.yaml", ("p0.1",)),
        ("f0.1.yaml", ("k0.1", "b")),
    ]
    assert stage.outs[0].annotations == {"desc": "d0.1", "labels": ["l0.1"], "meta": {"k0.1": 1}}
    assert stage.outs[1].plot == ({"x": "x0.1"},)


def test_the_top_level() -> None:
    loaded = load(
        {
            "sub/params.yaml": "n: 1\nm: {a: 2, b: 3}\nunused: 4\n",
            "sub/dvc.yaml": """\
params: ["p${n}.yaml", ../q.yaml]
metrics: [m.json]
plots: [a.csv, {title: {x: "x${n}", y: {b.csv: loss}}}, {c.csv: }]
artifacts: {model: {path: "m${n}.pkl"}}
stages: {a: {cmd: "${m.a}"}}
""",
        }
    )
    assert not loaded.broken
    assert loaded.top_params == ("sub/p1.yaml", "q.yaml", "sub/params.yaml")
    assert loaded.template_params == {"sub/params.yaml": ("m.a", "n")}
    assert loaded.top_metrics == ("sub/m.json",)
    assert [(plot.id, plot.options) for plot in loaded.top_plots] == [
        ("a.csv", {}), ("title", {"x": "x1", "y": {"b.csv": "loss"}}), ("c.csv", {}),
    ]  # fmt: skip
    assert loaded.artifacts == {"sub/dvc.yaml:model": {"path": "m1.pkl"}}


# Groups


@pytest.mark.parametrize(
    ("foreach", "expected"),
    [
        (
            "[a, true, null, 1.5, 'x y/z']",
            {"g@a": "a", "g@true": "true", "g@None": "None", "g@1.5": "1.5", "g@x y/z": "x y/z"},
        ),
        ("[{a: '${lr}'}, 3]", {"g@0": "--a 0.1", "g@1": "3"}),
        ("{k1: {a: 1}, k2: 5, 3: 1}", {"g@k1": "--a 1", "g@k2": "5", "g@3": "1"}),
        ("${d}", {"g@e": "3", "g@0": "7"}),
        ("['${lr}', 'x${lr}']", {"g@0.1": "0.1", "g@x0.1": "x0.1"}),
        ("[b, b]", {"g@b": "b"}),
        ("[]", {}),
        ("${lst}", {"g@1": "1", "g@2": "2"}),
    ],
)
def test_foreach(foreach: str, expected: dict[str, str]) -> None:
    variables = "vars: [{lr: 0.1, d: {e: 3, '0': 7}, lst: [1, 2]}]\n"
    text = f"{variables}stages:\n  g:\n    foreach: {foreach}\n    do:\n      cmd: '${{item}}'\n"
    assert commands(load(text)) == expected


def test_key_is_there_for_maps_only() -> None:
    assert commands(load("stages: {g: {foreach: {a: 1}, do: {cmd: 'x ${key} ${item}'}}}")) == {"g@a": "x a 1"}
    loaded = load("stages: {g: {foreach: [1], do: {cmd: '${key}'}}}")
    assert "'key' is not defined" in error_of(loaded, "g@1").message
    assert "g@1" in error_of(loaded, "g@1").message


def test_matrix() -> None:
    text = (
        "vars: [{lst: [x, {a: 1}], lr: 1e-5}]\nstages:\n  m:\n"
        "    matrix: {a: [1, true], b: '${lst}', c: ['${lr}']}\n    cmd: ${item.a} ${item.b} ${key}\n"
    )
    assert commands(load(text)) == {
        "m@1-x-1e-05": "1 x 1-x-1e-05",
        "m@1-b1-1e-05": "1 --a 1 1-b1-1e-05",
        "m@true-x-1e-05": "true x true-x-1e-05",
        "m@true-b1-1e-05": "true --a 1 true-b1-1e-05",
    }


@pytest.mark.parametrize(
    ("text", "address", "word"),
    [
        ("stages: {g: {foreach: '${x}', do: {cmd: a}}}", "g", "the number 3"),
        ("stages: {g: {foreach: '${y}', do: {cmd: a}}}", "g", "'y' is not defined"),
        ("stages: {g: {matrix: {a: '${x}'}, cmd: a}}", "g", "axis 'a'"),
        ("stages: {g: {foreach: [1], do: {cmd: a, vars: [{item: 2}]}}}", "g@1", "reserved"),
        ("stages: {'g@1': {cmd: a}, g: {foreach: [1], do: {cmd: a}}}", "g@1", "taken twice"),
        ("stages: {a: {cmd: b, outs: [o, ./o]}}", "a", "listed twice"),
        ("stages: {a: {cmd: b, outs: [o], metrics: [x/../o]}}", "a", "listed twice"),
        ("stages: {a: {cmd: b, outs: [.]}}", "a", "the project itself"),
        ("stages: {a: {cmd: b, wdir: 's3://b/x'}}", "a", "no directory of this machine"),
        ("stages: {a: {cmd: '${empty}'}}", "a", "empty once it is filled in"),
        ("stages: {a: {cmd: b, deps: ['${m}']}}", "a", "is a mapping"),
    ],
)
def test_stages_that_are_refused(text: str, address: str, word: str) -> None:
    loaded = load(f"vars: [{{x: 3, empty: '', m: {{a: 1}}}}]\n{text}\n")
    assert list(loaded.broken) == [address]
    assert word in error_of(loaded, address).message
    assert error_of(loaded, address).line == 2


def test_parsing_options_are_used() -> None:
    reader = MemoryReader({"dvc.yaml": b"vars: [{m: {f: false}}]\nstages: {a: {cmd: 'x ${m}'}}"})
    loaded = load_pipelines(reader, ignores=nothing_ignored, options=ParsingOptions(bool="boolean_optional"))
    assert loaded.stages[0].command == "x --no-f"


def test_params_yaml_is_not_read_without_a_template() -> None:
    assert commands(load("stages: {a: {cmd: x}}", params_yaml="broken: [")) == {"a": "x"}
    loaded = load("stages: {a: {cmd: '${x}'}}", params_yaml="broken: [")
    assert error_of(loaded, "dvc.yaml").path == "params.yaml"


def test_many_stages_in_a_directory(tmp_path: object) -> None:
    rows = "".join(
        f"  s{n}:\n    cmd: run ${{lr}} {n}\n    deps:\n    - in{n}\n    params:\n    - lr\n    outs:\n    - o{n}\n"
        for n in range(2000)
    )
    with open(f"{tmp_path}/dvc.yaml", "w") as file:
        file.write("stages:\n" + rows)
    with open(f"{tmp_path}/params.yaml", "w") as file:
        file.write("lr: 0.1\n")
    started = time.process_time()
    loaded = load_pipelines(DirectoryReader(AbsPath(str(tmp_path))), ignores=nothing_ignored)
    assert len(loaded.stages) == 2000
    assert loaded.stages[1999].command == "run 0.1 1999"
    # Six times what it takes: the full YAML reader alone would take longer.
    assert time.process_time() - started < 1.2
