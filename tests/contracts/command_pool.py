"""What every `CommandPool` keeps to: subclass and give `make`."""

from contextlib import AbstractContextManager
from pathlib import Path

from offbranch.base.paths import AbsPath
from offbranch.pipeline.runner import CommandPool


class CommandPoolContract:
    def make(self) -> AbstractContextManager[CommandPool]:
        raise NotImplementedError

    def test_returns_each_with_its_exit_code(self, tmp_path: Path) -> None:
        cwd = AbsPath(str(tmp_path))
        with self.make() as pool:
            for label, command in (("a", "exit 3"), ("b", "true"), ("c", "exit 4")):
                pool.start(label, command, cwd=cwd, env={})
            ended = [pool.wait() for _ in range(3)]
            pool.start("a", "exit 5", cwd=cwd, env={})
            ended.append(pool.wait())
        assert sorted((one.label, one.code) for one in ended) == [("a", 3), ("a", 5), ("b", 0), ("c", 4)]
        assert all(one.error is None for one in ended)
        assert pool.stopped is None

    def test_runs_in_the_directory_with_the_variables(self, tmp_path: Path) -> None:
        with self.make() as pool:
            pool.start("a", 'echo "$MINE" > here', cwd=AbsPath(str(tmp_path)), env={"MINE": "x y"})
            assert pool.wait().code == 0
        assert (tmp_path / "here").read_text() == "x y\n"

    def test_what_nobody_waited_for_has_ended_when_it_is_closed(self, tmp_path: Path) -> None:
        with self.make() as pool:
            pool.start("a", "touch one", cwd=AbsPath(str(tmp_path)), env={})
            pool.start("b", "touch two", cwd=AbsPath(str(tmp_path)), env={})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
