"""What a task needs, as text and in dvc.yaml."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbranch.base.errors import BadInputError, UsageError
from offbranch.base.paths import RepoPath
from offbranch.pipeline.stage import Stage
from offbranch.queue.resources import (
    Resources,
    needs_of,
    parse_resources,
    parse_size,
    resources_of_stage,
    size_text,
)


def stage(meta: Any, name: str = "train") -> Stage:
    return Stage(name=name, file=RepoPath("sub/dvc.yaml"), wdir=RepoPath("sub"), meta=meta)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("gpus=1,cpus=4,memory=8G", Resources(gpus=1, cpus=4, memory_bytes=8 << 30)),
        (" memory = 512M , gpus=0 ", Resources(gpus=0, memory_bytes=512 << 20)),
        ("memory=1.5TiB", Resources(memory_bytes=3 << 39)),
        ("memory=1048576", Resources(memory_bytes=1 << 20)),
        ("memory=10240KB", Resources(memory_bytes=10 << 20)),
        ("cpus=2", Resources(cpus=2)),
    ],
)
def test_text(text: str, wanted: Resources) -> None:
    assert parse_resources(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("gpu=1", "'gpu' is not known", "did you mean 'gpus'?"),
        ("gpus", "'gpus' is not KEY=VALUE", "the form is"),
        ("", "'' is not KEY=VALUE", "the form is"),
        ("gpus=1,gpus=2", "gpus: it is given twice", "leave one of them out"),
        ("gpus=-1", "gpus: '-1' is not a whole number from 0 on", "the form is"),
        ("gpus=0.5", "gpus: '0.5' is not a whole number from 0 on", "the form is"),
        ("cpus=0", "cpus: '0' is not a whole number from 1 on", "the form is"),
        ("cpus=99999999999", "is not a whole number", "the form is"),
        ("cpus=٣", "is not a whole number", "the form is"),
        ("memory=0", "memory: '0' is no amount of memory", "8G"),
        ("memory=8X", "memory: '8X' is no amount of memory", "8G"),
        ("memory=99999P", "is no amount of memory", "8G"),
        ("memory=8", "memory: '8' is 8 bytes, which is too little for any command", "8G"),
        ("disk=3", "'disk' is not known", "the form is"),
    ],
)
def test_bad_text(text: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_resources(text)
    assert reason in raised.value.message
    assert hint in (raised.value.hint or "")


@given(gpus=st.integers(0, 64), cpus=st.integers(1, 512), memory=st.integers(1, 999).map(lambda number: number << 30))
def test_text_and_back(gpus: int, cpus: int, memory: int) -> None:
    text = f"gpus={gpus},cpus={cpus},memory={size_text(memory)}"
    assert parse_resources(text) == Resources(gpus=gpus, cpus=cpus, memory_bytes=memory)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_resources(text) != Resources()
    except UsageError as error:
        assert error.hint


def test_sizes() -> None:
    assert [size_text(parse_size(text)) for text in ("8G", "1536M", "1048576", "1MB", "2T")] == [
        "8G",
        "1.5G",
        "1M",
        "1M",
        "2T",
    ]
    with pytest.raises(UsageError, match="'much' is no amount"):
        parse_size("much")


@pytest.mark.parametrize(
    ("meta", "wanted"),
    [
        (None, Resources()),
        ("anything", Resources()),
        ([1, 2], Resources()),
        ({"owner": "me"}, Resources()),
        ({"resources": None}, Resources()),
        ({"resources": {}}, Resources()),
        ({"resources": {"gpus": 1, "cpus": "4", "memory": "8G"}}, Resources(gpus=1, cpus=4, memory_bytes=8 << 30)),
        ({"resources": {"gpus": 2, "instance": "p4d.24xlarge"}}, Resources(gpus=2)),
        ({"resources": "gpus=1,memory=2G"}, Resources(gpus=1, memory_bytes=2 << 30)),
        ({"resources": {"memory": 4194304}}, Resources(memory_bytes=4 << 20)),
    ],
)
def test_of_a_stage(meta: Any, wanted: Resources) -> None:
    assert resources_of_stage(stage(meta)) == wanted


@pytest.mark.parametrize(
    ("written", "place", "hint"),
    [
        ({"gpu": 1}, "stages.train.meta.resources.gpu: unknown key", "did you mean 'gpus'?"),
        ({"gpus": True}, "stages.train.meta.resources.gpus: 'True' is not a whole number from 0 on", "the form"),
        ({"gpus": 1.5}, "stages.train.meta.resources.gpus: '1.5' is not", "the form"),
        ({"memory": "lots"}, "stages.train.meta.resources.memory: 'lots' is no amount", "8G"),
        ({"memory": [1]}, "stages.train.meta.resources.memory: expected an amount", "8G"),
        ([1], "stages.train.meta.resources: expected a mapping", "the form"),
        ("gpus:1", "stages.train.meta.resources: 'gpus:1' is not KEY=VALUE", "the form"),
    ],
)
def test_errors_name_file_line_and_key(written: Any, place: str, hint: str) -> None:
    def read_text(path: RepoPath) -> str:
        assert path == "sub/dvc.yaml"
        return f"stages:\n  train:\n    cmd: echo\n    meta:\n      resources: {json.dumps(written)}\n"

    with pytest.raises(BadInputError) as raised:
        resources_of_stage(stage({"resources": written}), read_text)
    column = 7 if "resources:" in place else 19
    assert raised.value.message.startswith(f"sub/dvc.yaml:5:{column}: {place}")
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        (
            "b@1",
            "stages:\n  b:\n    foreach: [1]\n    do:\n      meta:\n        resources:\n          gpu: 1\n",
            "dvc.yaml:7:11: stages.b@1.meta.resources.gpu",
        ),
        (
            "b@1",
            "stages:\n  b:\n    matrix: {x: [1]}\n    meta:\n      resources:\n        gpu: 1\n",
            "dvc.yaml:6:9: stages.b@1.meta.resources.gpu",
        ),
        (None, "meta:\n  resources:\n    gpu: 1\n", "dvc.yaml:3:5: meta.resources.gpu"),
        ("b", "", "dvc.yaml: stages.b.meta.resources.gpu"),
    ],
)
def test_errors_name_the_line_wherever_a_stage_is_written(name: str | None, text: str, place: str) -> None:
    made = Stage(name=name, file=RepoPath("dvc.yaml"), wdir=RepoPath(""), meta={"resources": {"gpu": 1}})
    with pytest.raises(BadInputError) as raised:
        resources_of_stage(made, lambda _: text)
    assert raised.value.message == f"{place}: unknown key"


def test_a_task_needs_the_most_of_its_stages_unless_it_says_so_itself() -> None:
    stages = [
        stage({"resources": {"gpus": 1, "memory": "4G"}}),
        stage({"resources": {"cpus": 8, "gpus": 0}}, "other"),
        stage(None, "third"),
    ]
    assert needs_of(Resources(), stages) == Resources(gpus=1, cpus=8, memory_bytes=4 << 30)
    assert needs_of(Resources(gpus=0, cpus=2), stages) == Resources(gpus=0, cpus=2, memory_bytes=4 << 30)
    assert needs_of(Resources(), []) == Resources()
