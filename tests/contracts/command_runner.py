"""What every `CommandRunner` keeps to: subclass and give `make`."""

from pathlib import Path

from offbranch.base.paths import AbsPath
from offbranch.pipeline.runner import CommandRunner


class CommandRunnerContract:
    def make(self) -> CommandRunner:
        raise NotImplementedError

    def test_returns_the_exit_code(self, tmp_path: Path) -> None:
        for command, code in (("true", 0), ("exit 3", 3)):
            assert self.make().run(command, cwd=AbsPath(str(tmp_path)), env={}) == code

    def test_runs_in_the_directory_with_the_variables(self, tmp_path: Path) -> None:
        assert self.make().run('echo "$MINE" > here', cwd=AbsPath(str(tmp_path)), env={"MINE": "x y"}) == 0
        assert (tmp_path / "here").read_text() == "x y\n"

    def test_can_be_used_again(self, tmp_path: Path) -> None:
        runner = self.make()
        for _ in range(2):
            assert runner.run("echo x >> twice", cwd=AbsPath(str(tmp_path)), env={}) == 0
        assert (tmp_path / "twice").read_text() == "x\nx\n"
