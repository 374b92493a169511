"""Projects whose files are hard to write in the same way: name -> path -> text."""

from collections.abc import Mapping

LONG = " ".join(f"--option-number-{n}=value-{n}" for n in range(30))
PARAMS = """\
# learning
lr: 0.1
small: 1e-3
tiny: 1.0e-10
whole: 1.0
big: 123456789012345678901234567890
negative: -3
yes_text: "yes"
no: no
on: on
flag: true
nothing:
tilde: ~
empty: ""
number_text: "12"
float_text: "1.5"
date_text: "2020-01-01"
colon: "a: b"
hash: "a #b"
star: "*x"
apostrophe: "it's"
quote: 'say "hi"'
backslash: 'a\\b'
lines: |
  first
  second
folded: >
  one
  two
unicode: "é ü 日本"
emoji: "🎉"
space: " lead"
trail: "trail "
octal: 0o17
hexa: 0x1F
under: 1_000
inf: .inf
nan_text: nan
list: [1, 2.5, three, null, true, [a, b], {k: v}]
empty_list: []
empty_map: {}
map:
  b: 1
  a: {y: [1, 2], x: null}
  "1": text key
long: "word word word word word word word word word word word word word word word word word word end"
longer: "x: word word word word word word word word word word word word word word word word word end"
deep: {a: {b: {c: {d: [[1, [2, [3]]]]}}}}
"""
PARAM_KEYS = (
    "lr small tiny whole big negative yes_text no on flag nothing tilde empty number_text float_text date_text colon"
    " hash star apostrophe quote backslash lines folded unicode emoji space trail octal hexa under inf nan_text list"
    " empty_list empty_map long longer deep map.a.x map.a.y.1 list.6.k list.0"
).split()

# Every command writes its stage into the file $RUNS first, so that a test sees what really ran.
RUN = "echo $DVC_STAGE >> $RUNS;"

_PARAMS = f"""\
stages:
  keys:
    cmd: {RUN} echo keys > keys.txt
    params:
{"".join(f"    - {key}{chr(10)}" for key in PARAM_KEYS)}    outs: [keys.txt]
  files:
    cmd: {RUN} echo files > files.txt
    deps: [keys.txt]
    params:
    - whole.yaml:
    - lr
    - conf/other.json: [a.b, z, e, a.b.1.c]
    - conf/t.toml:
      - train
      - title
    - p.py: [SEED, RATE, NAMES, PAIR, MAP, Train.epochs]
    outs: [files.txt]
  all:
    cmd: {RUN} echo all > all.txt
    params:
    - params.yaml:
    - conf/t.toml:
    - conf/other.json:
    - p.py:
    outs: [all.txt]
"""

_COMMANDS = f"""\
stages:
  list:
    cmd:
    - {RUN} echo one > one.txt
    - echo two >> one.txt
    - "echo 'a: b' # c"
    deps: [in.txt]
    outs: [one.txt]
  lines:
    cmd: |
      {RUN} echo one > two.txt
      echo two >> two.txt

      cat one.txt
    deps: [one.txt]
    outs: [two.txt]
  folded:
    cmd: >-
      {RUN} cat two.txt > three.txt &&
      echo {LONG}
      && true
    deps: [two.txt]
    outs: [three.txt]
  quoted:
    cmd: "{RUN} echo 'it is' \\"so\\" > four.txt; printf '%s\\\\t: #' x {LONG}"
    deps: [three.txt]
    outs: [four.txt]
  longlist:
    cmd:
    - {RUN} echo {LONG} > five.txt
    - "echo '{LONG}' {LONG}"
    deps: [four.txt]
    outs: [five.txt]
  unicode:
    cmd: {RUN} echo 'é 日本 🎉' > 'naïve file.txt'
    deps: [in.txt]
    outs: ['naïve file.txt']
  inside:
    cmd: {RUN} cat in.txt ../one.txt > out.txt
    wdir: dir
    deps: [in.txt, ../one.txt]
    outs: [out.txt]
  'a b':
    cmd: "{RUN} mkdir -p 'my dir' && cp 'naïve file.txt' 'my dir/a [b] #1!.txt'"
    deps: ['naïve file.txt']
    outs: ['my dir/a [b] #1!.txt']
"""

_TEMPLATES = f"""\
vars:
- extra.yaml
- vars.json:outdir,pick
- local: {{suffix: txt}}
stages:
  build:
    cmd: >-
      {RUN} mkdir -p ${{outdir}} && echo ${{lr}} ${{flag}} ${{none}} ${{pick.me[1]}}
      > ${{outdir}}/${{name}}.${{local.suffix}}
    params: [lr, models.cnn]
    outs: ['${{outdir}}/${{name}}.${{local.suffix}}']
  opts:
    cmd: {RUN} echo ${{d}} \\${{HOME}} > opts.txt
    deps: ['${{outdir}}/${{name}}.${{local.suffix}}']
    outs: [opts.txt]
  each:
    foreach: ${{models}}
    do:
      cmd: {RUN} echo ${{key}} ${{item.layers}} ${{item.act}} > each-${{key}}.txt
      deps: [opts.txt]
      params: ['models.${{key}}.layers']
      outs: ['each-${{key}}.txt']
  list:
    foreach: [a, 1, 2.5, true]
    do:
      cmd: {RUN} echo ${{item}} > list-${{item}}.txt
      deps: [each-cnn.txt]
      outs: ['list-${{item}}.txt']
  maps:
    foreach:
    - {{x: 1, y: [p, q]}}
    - {{x: 2, y: [r, s]}}
    do:
      cmd: {RUN} echo ${{item.x}} ${{item.y[1]}} > maps-${{item.x}}.txt
      deps: [opts.txt]
      outs: ['maps-${{item.x}}.txt']
  grid:
    matrix:
      m: [cnn, mlp]
      seed: ${{seeds}}
      o: [{{k: 1}}, {{k: 2}}]
    cmd: {RUN} echo ${{item.m}} ${{item.seed}} ${{item.o.k}} > grid-${{key}}.txt
    deps: ['each-${{item.m}}.txt']
    outs: ['grid-${{key}}.txt']
  scoped:
    vars: [{{inner: 5}}]
    cmd: {RUN} echo ${{inner}} ${{width}} > scoped.txt
    deps: [opts.txt]
    outs: [scoped.txt]
"""

_OUTPUTS = f"""\
stages:
  dir:
    cmd: >-
      {RUN} mkdir -p tree/sub tree/none && echo 1 > tree/b && echo 2 > tree/sub/é.txt && echo 1 > 'tree/a b'
      && : > tree/empty && chmod 755 tree/b
    deps: [src.txt]
    outs: [tree]
  tool:
    cmd: {RUN} printf '#!/bin/sh\\n' > tool.sh && chmod 755 tool.sh && > nothing
    deps: [src.txt]
    outs: [tool.sh, nothing]
  report:
    cmd:
    - {RUN} ./tool.sh && mkdir -p plots rep flat && echo t > plain.txt && echo f > flat/f
    - |-
      echo '{{"acc": 0.5}}' > metrics.json && echo '{{"b": 1}}' > rep/cached.json
    - printf 'x,y\\n1,2\\n' > plots/p.csv && printf '<svg/>' > fig.svg
    deps: [tool.sh, tree/sub, tree]
    outs:
    - plain.txt:
        cache: false
    - flat:
        cache: false
    metrics:
    - metrics.json:
        cache: false
    - rep/cached.json
    plots:
    - plots:
        cache: false
        x: x
        y: y
    - fig.svg
  score:
    cmd:
    - {RUN} mkdir -p scores curves/deep && echo 'f,1' > curves/deep/c.csv
    - |-
      echo '{{"f": 1}}' > scores/s.json && printf 'x,y\\n1,2\\n' > c.csv && chmod 755 c.csv
    deps: [tool.sh]
    metrics:
    - scores/s.json:
        cache: false
    plots:
    - c.csv:
        cache: false
        x: x
    - curves:
        cache: false
  grow:
    cmd: {RUN} echo more >> kept.txt
    deps: [src.txt]
    outs:
    - kept.txt:
        persist: true
        desc: grows
        type: log
        labels: [a, b]
        meta: {{k: v}}
        push: false
"""

_GRAPH = f"""\
params: [top.yaml]
metrics: [m.json]
plots:
- plots.csv
- curve: {{y: plots.csv}}
artifacts:
  model: {{path: a.txt, type: model, labels: [x], desc: d}}
stages:
  one:
    cmd:
    - {RUN} cat data/raw.txt data/set/sub/2.txt > a.txt
    - |-
      echo '{{"q": 1}}' > m.json; echo 'y' > plots.csv
    deps: [data/raw.txt, data/set/sub]
    outs: [a.txt]
    metrics: [{{m.json: {{cache: false}}}}]
    plots: [{{plots.csv: {{cache: false}}}}]
    desc: first
    meta: {{who: me}}
  always:
    cmd: {RUN} echo always > always.txt
    always_changed: true
    deps: [a.txt]
    outs: [always.txt]
  callback:
    cmd: {RUN} true
  source:
    cmd: {RUN} echo source > source.txt
    outs: [source.txt]
  side:
    cmd: {RUN} true
    deps: [source.txt]
"""

_SUB = f"""\
stages:
  one:
    cmd: {RUN} cat ../a.txt > b.txt && cat ../data/set/1.txt > ../up.txt
    deps: [../a.txt, ../data/set]
    params:
    - lr
    - ../top.yaml: [k]
    outs: [b.txt, ../up.txt]
  deeper:
    cmd: {RUN} cat ../b.txt > ../c.txt
    wdir: deep/er/..
    deps: [../b.txt]
    params:
    - ../../top.yaml:
    outs: [../c.txt]
"""

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "params": {
        "params.yaml": PARAMS,
        "conf/other.json": '{"a": {"b": [1, {"c": null}]}, "z": 1.5, "e": 1e-7, "t": true}',
        "conf/t.toml": 'title = "x"\n[train]\nlr = 0.5\nlist = [1, 2]\n[train.deep]\nk = "v"\n',
        "p.py": "SEED = 3\nRATE: float = 1e-2\nNAMES = ['a', 'b']\nPAIR = (1, 2)\nMAP = {'x': None}\n"
        "class Train:\n    epochs = 5\n    def __init__(self):\n        self.inner = 7\n",
        "whole.yaml": 'z: 1\na:\n  c: [x, {y: 1}]\n  b: null\n"1": text key\n',
        "dvc.yaml": _PARAMS,
    },
    "commands": {"in.txt": "input\n", "dir/in.txt": "inner\n", "dvc.yaml": _COMMANDS},
    "templates": {
        "params.yaml": "lr: 0.1\nname: model\nflag: true\nnone: null\nseeds: [1, 2]\n"
        "models: {cnn: {layers: 3, act: relu}, mlp: {layers: 1, act: tanh}}\n"
        'd: {a: 1, b: {c: x y, t: true, f: false}, l: [1, two, 3], q: "it\'s", n: null, fl: 1.0e-05}\n',
        "extra.yaml": "width: 64\ndepth: {x: 2}\n",
        "vars.json": '{"outdir": "made", "pick": {"me": [10, 20]}}',
        "dvc.yaml": _TEMPLATES,
    },
    "outputs": {"src.txt": "source\n", "dvc.yaml": _OUTPUTS},
    "graph": {
        "data/raw.txt": "raw\n",
        "data/set/1.txt": "1\n",
        "data/set/sub/2.txt": "2\n",
        "top.yaml": "k: 1\n",
        "dvc.yaml": _GRAPH,
        "sub/params.yaml": "lr: 5\n",
        "sub/dvc.yaml": _SUB,
        "sub/deep/er/keep": "",
    },
}
EXPERIMENTS: Mapping[str, str] = {
    ".gitignore": "/ready\n/model.txt\n",
    "params.yaml": "# rate\nlr: 0.1\ntrain:\n  epochs: 3\n  opt: adam\n  layers:\n  - 8\n  - 16\n"
    "fail: 0\nextra:\n- 1\n- a: b\nnothing:\n",
    "conf/more.json": '{"seed": 1, "deep": {"x": 1.5}}',
    "step.sh": "echo $DVC_STAGE >> $RUNS\n",
    "data/raw.txt": "raw\n",
    "dvc.yaml": """\
vars: [conf/more.json]
metrics: [summary.json]
stages:
  prepare:
    cmd: sh step.sh && mkdir -p ready && cp data/raw.txt ready/ && echo ${deep.x} > ready/x
    deps: [data/raw.txt, step.sh]
    outs: [ready]
  train:
    cmd:
    - sh step.sh
    - . ./read.sh && [ $fail = 0 ] && echo "model $lr" > model.txt && echo "{\\"acc\\":$lr,\\"at\\":{\\"n\\":[1,2]}}" > m.json
    - cp m.json summary.json
    - printf 'step,acc\\n0,0.1\\n1,0.2\\n' > plot.csv
    deps: [ready, read.sh]
    params:
    - lr
    - train.epochs
    - fail
    - conf/more.json: [seed]
    outs:
    - model.txt
    - summary.json:
        cache: false
    metrics:
    - m.json:
        cache: false
    plots:
    - plot.csv:
        cache: false
        x: step
""",
    "read.sh": "while IFS=': ' read -r k v; do case $k in lr) lr=$v;; fail) fail=$v;; esac; done < params.yaml\n",
}
