"""The shape of dvc.yaml: what is refused, and that the place is named."""

import pytest

from offbranch.base.errors import BadInputError
from offbranch.base.yaml import load_yaml
from offbranch.pipeline.schema import check_pipeline
from offbranch.pipeline.schema_faults import key_text


def refused(text: str) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        check_pipeline(load_yaml(text, "dvc.yaml"), text=text, path="dvc.yaml")
    return caught.value


VALID = """\
vars: [v.yaml, {a: 1}]
params: [p.yaml]
metrics: [m.json]
plots:
- a.csv
- b: {x: step, y: {b.csv: [loss]}, template: linear}
- c.csv:
artifacts:
  model: {path: m.pkl, desc: best, type: model, labels: [a], meta: {k: [1]}}
datasets:
- {name: d, url: "s3://b", type: url}
stages:
  a:
    cmd: [x, "y ${z}"]
    wdir: sub
    deps: [a, "${b}"]
    params: [lr, {f.yaml: [a.b]}, {g.yaml: }]
    outs: [o, {p: {cache: false, persist: true, push: false, remote: r, labels: [l], meta: 3, checkpoint: true}}]
    metrics: [{m.json: {cache: false}}, n.json: {}]
    plots: [{p.csv: {x: a, y: b, header: false}}, {q.csv: [{x: a}, {x: b}]}]
    vars: [{k: 1}]
    frozen: true
    always_changed: false
    desc: d
    meta: [1]
  b:
    foreach: {x: 1}
    do: {cmd: "${item}"}
  c:
    foreach: ${list}
    do: {cmd: x}
  d:
    matrix: {a: [1, 2], b: "${list}"}
    cmd: ${item.a}
"""


@pytest.mark.parametrize("text", [VALID, "", "{}", "stages: {}\n", "plots: []\n"])
def test_valid(text: str) -> None:
    check_pipeline(load_yaml(text, "dvc.yaml"), text=text, path="dvc.yaml")


STAGE = "stages:\n  a:\n    cmd: x\n    "


@pytest.mark.parametrize(
    ("text", "key", "line", "word"),
    [
        ("[]", None, None, "mapping"),
        ("just text", None, None, "the text 'just text'"),
        ("foo: 1\n", "foo", 1, "unknown key"),
        ("stages:\n", "stages", 1, "found nothing"),
        ("stages: [a]\n", "stages", 1, "found a list"),
        ("stages:\n  a:\n", "stages.a", 2, "'cmd'"),
        ("stages:\n  a:\n    deps: [b]\n", "stages.a", 2, "'cmd' is missing"),
        ("stages:\n  1:\n    cmd: b\n", "stages[1]", 2, "quotes"),
        (STAGE + "depz: [b]\n", "stages.a.depz", 4, "did you mean 'deps'?"),
        (STAGE + "live: x\n", "stages.a.live", 4, "no 'live' any more"),
        (STAGE + "outs: [o: ]\n", "stages.a.outs[0].o", 4, "expected a mapping of options, found nothing"),
        (STAGE + "matrix: {}\n", "stages.a.matrix", 4, "no axes"),
        ("plots: [a: {x: 1}]\n", "plots[0].a.x", 1, "a column or a list of columns"),
        ("plots: [a: {y: {f.csv: {b: 1}}}]\n", "plots[0].a.y.f.csv", 1, "a column or a list of columns"),
        ("plots: [a: {y: {f.csv: [b, 1]}}]\n", "plots[0].a.y.f.csv[1]", 1, "expected text"),
        ("plots: [a: {title: [b]}]\n", "plots[0].a.title", 1, "expected text"),
        (STAGE + "frozen: 'yes'\n", "stages.a.frozen", 4, "expected true or false, found the text 'yes'"),
        (STAGE + "always_changed: 1\n", "stages.a.always_changed", 4, "the number 1"),
        (STAGE + "deps: b\n", "stages.a.deps", 4, "expected a list of texts"),
        (STAGE + "deps:\n", "stages.a.deps", 4, "found nothing"),
        (STAGE + "deps: [1]\n", "stages.a.deps[0]", 4, "the number 1"),
        (STAGE + "deps: ['']\n", "stages.a.deps[0]", 4, "empty"),
        (STAGE + "outs:\n    - o1:\n        cache: ${flag}\n", "stages.a.outs[0].o1.cache", 6, "true or false"),
        (STAGE + "outs:\n    - o1:\n        cach: false\n", "stages.a.outs[0].o1.cach", 6, "did you mean 'cache'?"),
        (STAGE + "outs: [{o: x}]\n", "stages.a.outs[0].o", 4, "a mapping of options"),
        (STAGE + "outs: [[o]]\n", "stages.a.outs[0]", 4, "found a list"),
        (STAGE + "metrics: [{m: {x: a}}]\n", "stages.a.metrics[0].m.x", 4, "unknown key"),
        (STAGE + "plots: [{m: [{z: a}]}]\n", "stages.a.plots[0].m[0].z", 4, "unknown key"),
        (STAGE + "params: [1]\n", "stages.a.params[0]", 4, "a key, or a file"),
        (STAGE + "params: [{f: x}]\n", "stages.a.params[0].f", 4, "a list of texts"),
        (STAGE + "wdir: [x]\n", "stages.a.wdir", 4, "expected text"),
        (STAGE + "vars: x\n", "stages.a.vars", 4, "a list"),
        ("stages:\n  a:\n    cmd: ''\n", "stages.a.cmd", 3, "command is empty"),
        ("stages:\n  a:\n    cmd: '  '\n", "stages.a.cmd", 3, "command is empty"),
        ("stages:\n  a:\n    cmd: []\n", "stages.a.cmd", 3, "command is empty"),
        ("stages:\n  a:\n    cmd: [x, '']\n", "stages.a.cmd[1]", 3, "command is empty"),
        ("stages:\n  a:\n    cmd:\n", "stages.a.cmd", 3, "found nothing"),
        ("stages:\n  a:\n    cmd: {a: b}\n", "stages.a.cmd", 3, "found a mapping"),
        ("stages:\n  a:\n    foreach: [1]\n", "stages.a", 2, "'do' is missing"),
        ("stages:\n  a:\n    do: {cmd: x}\n", "stages.a", 2, "'foreach' is missing"),
        ("stages:\n  a:\n    foreach: 3\n    do: {cmd: x}\n", "stages.a.foreach", 3, "the number 3"),
        ("stages:\n  a:\n    foreach: [1]\n    do: {cmd: x}\n    wdir: y\n", "stages.a.wdir", 5, "below 'do'"),
        ("stages:\n  a:\n    foreach: [1]\n    do:\n      x: y\n", "stages.a.do.x", 5, "unknown key"),
        (
            "stages:\n  a:\n    foreach: [1]\n    do:\n      cmd: y\n      matrix: {a: [1]}\n",
            "stages.a.do.matrix",
            6,
            "",
        ),
        ("stages:\n  a:\n    matrix: {a: 1}\n    cmd: x\n", "stages.a.matrix.a", 3, "the number 1"),
        ("stages:\n  a:\n    matrix: {}\n    cmd: x\n", "stages.a.matrix", 3, "axes"),
        ("plots: {a: {x: b}}\n", "plots", 1, "a list of plots"),
        ("plots: [{a: {z: b}}]\n", "plots[0].a.z", 1, "unknown key"),
        ("artifacts: {m: {desc: x}}\n", "artifacts.m", 1, "'path' is missing"),
        ("artifacts: {m: {path: x, labels: y}}\n", "artifacts.m.labels", 1, "list"),
        ("metrics: m.json\n", "metrics", 1, "list"),
        ("vars: [1]\n", "vars[0]", 1, "a file or a mapping"),
    ],
)
def test_refused(text: str, key: str | None, line: int | None, word: str) -> None:
    error = refused(text)
    assert (error.key, error.line) == (key, line)
    assert word in f"{error.message} {error.hint}"


def test_key_text() -> None:
    assert key_text(("stages", "a", "outs", 0, "o")) == "stages.a.outs[0].o"
    assert key_text(()) == ""
