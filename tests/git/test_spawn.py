import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from offbranch.git import spawn
from offbranch.git.spawn import CAN_SPAWN, Manner, close_conversation, open_conversation, run_to_end

ECHO = "import sys; data = sys.stdin.buffer.read(); sys.stderr.buffer.write(data); sys.stdout.buffer.write(data)"


@pytest.fixture(params=[True, False], ids=["posix_spawn", "subprocess"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "CAN_SPAWN", request.param)


@contextmanager
def no_descriptor_leaks() -> Iterator[None]:
    before = len(os.listdir("/dev/fd"))
    yield
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_much_input_and_output_at_the_same_time(size: int) -> None:
    data = b"x" * size
    with no_descriptor_leaks():
        done = run_to_end([sys.executable, "-c", ECHO], os.environ, data)
    assert (done.code, done.out == data, done.err == data) == (0, True, True)


@pytest.mark.usefixtures("either_way")
def test_program_that_does_not_read_its_input() -> None:
    done = run_to_end([sys.executable, "-c", "raise SystemExit(3)"], os.environ, b"x" * 3_000_000)
    assert done.code == 3


@pytest.mark.usefixtures("either_way")
def test_killed_program_has_the_signal_as_negative_code() -> None:
    assert run_to_end([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], os.environ).code == -9


@pytest.mark.usefixtures("either_way")
def test_input_is_empty_and_the_environment_is_only_what_was_given() -> None:
    program = "import os, sys; print(repr(sys.stdin.read()), sorted(os.environ))"
    done = run_to_end([sys.executable, "-c", program], {"A": "b", "LC_ALL": "C.UTF-8"})
    assert done.out == b"'' ['A', 'LC_ALL']\n"


@pytest.mark.usefixtures("either_way")
def test_program_that_does_not_exist_leaves_nothing_open() -> None:
    with no_descriptor_leaks(), pytest.raises(FileNotFoundError):
        run_to_end(["no-such-program-anywhere"], os.environ, b"x")


@pytest.mark.usefixtures("either_way")
def test_conversation_answers_line_by_line_and_ends() -> None:
    program = (
        "import os, sys\nprint(os.getpid(), flush=True)\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
    )
    with no_descriptor_leaks():
        talk = open_conversation([sys.executable, "-c", program], os.environ)
        pid = int(talk.back.readline())
        for word in (b"one", b"two"):
            talk.to.write(word + b"\n")
            talk.to.flush()
            assert talk.back.readline() == word.upper() + b"\n"
        close_conversation(talk)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_reading_git_loads_nothing_heavy() -> None:
    modules = "objects refs snapshot ignore checkout tree_reader".split()
    imports = "; ".join(f"import offbranch.git.{name}" for name in modules)
    heavy = "{'subprocess', 'json', 'hashlib', 'logging', 'pathlib', 'tempfile', 'shutil', 'selectors', 'threading'}"
    program = f"import sys; before = set(sys.modules); {imports}; print(sorted((set(sys.modules) - before) & {heavy}))"
    done = run_to_end([sys.executable, "-c", program], {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert (done.out, done.err) == (b"[]\n", b"")


def test_children_end_at_a_closed_pipe() -> None:
    done = run_to_end(["sh", "-c", "yes | head -n1; echo ended"], os.environ)
    assert (done.out, done.err) == (b"y\nended\n", b"")


@pytest.mark.skipif(not CAN_SPAWN, reason="only where programs are spawned by ourselves")
def test_a_program_that_says_nothing_is_ended() -> None:
    done = run_to_end(["sleep", "60"], os.environ, manner=Manner(silence_s=0.05))
    assert done.code != 0 and done.err == b"fatal: no answer for 0.05 s\n"
    done = run_to_end(["echo", "x"], os.environ, manner=Manner(silence_s=30))
    assert (done.code, done.out) == (0, b"x\n")
