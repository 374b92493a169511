"""What a task needs, as text and in dvc.yaml."""

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
    needs_text,
    parse_resources,
    parse_size,
    resources_of_stage,
    size_text,
)


def stage(meta: Any, name: str = "train") -> Stage:
    return Stage(name=name, file=RepoPath("sub/dvc.yaml"), wdir=RepoPath("sub"), meta=meta, line=7)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("gpus=1,cpus=4,memory=8G", Resources(gpus=1, cpus=4, memory_bytes=8 << 30)),
        (" memory = 512M , gpus=0 ", Resources(gpus=0, memory_bytes=512 << 20)),
        ("memory=1.5TiB", Resources(memory_bytes=3 << 39)),
        ("memory=1048576", Resources(memory_bytes=1 << 20)),
        ("memory=10KB", Resources(memory_bytes=10240)),
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
        ("disk=3", "'disk' is not known", "the form is"),
    ],
)
def test_bad_text(text: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_resources(text)
    assert reason in raised.value.message
    assert hint in (raised.value.hint or "")


@given(
    resources=st.builds(
        Resources,
        gpus=st.none() | st.integers(0, 64),
        cpus=st.none() | st.integers(1, 512),
        memory_bytes=st.none() | st.integers(1, 999).map(lambda number: number << 30),
    ).filter(lambda found: found != Resources())
)
def test_text_and_back(resources: Resources) -> None:
    assert parse_resources(needs_text(resources)) == resources


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_resources(text) != Resources()
    except UsageError as error:
        assert error.hint


def test_sizes() -> None:
    assert [size_text(parse_size(text)) for text in ("8G", "1536M", "1", "1023", "2T")] == [
        "8G",
        "1.5G",
        "1",
        "1023",
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
        ({"resources": {"memory": 4096}}, Resources(memory_bytes=4096)),
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
    with pytest.raises(BadInputError) as raised:
        resources_of_stage(stage({"resources": written}))
    assert raised.value.message.startswith(f"sub/dvc.yaml:7: {place}")
    assert hint in (raised.value.hint or "")


def test_a_task_needs_the_most_of_its_stages_unless_it_says_so_itself() -> None:
    stages = [
        stage({"resources": {"gpus": 1, "memory": "4G"}}),
        stage({"resources": {"cpus": 8, "gpus": 0}}, "other"),
        stage(None, "third"),
    ]
    assert needs_of(Resources(), stages) == Resources(gpus=1, cpus=8, memory_bytes=4 << 30)
    assert needs_of(Resources(gpus=0, cpus=2), stages) == Resources(gpus=0, cpus=2, memory_bytes=4 << 30)
    assert needs_of(Resources(), []) == Resources()
