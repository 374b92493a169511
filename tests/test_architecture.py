"""Rules of the code that the linters cannot see: late loading, start-up, who may touch the process, sizes of modules."""

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import offbranch
from offbranch.base.plugins import load
from offbranch.cli.table import COMMANDS, build_parser, load_command

PACKAGE = Path(offbranch.__file__).resolve().parent
EXAMPLE = PACKAGE / "demo" / "project"  # a user's project, carried along as data
MODULES = tuple(sorted(path for path in PACKAGE.rglob("*.py") if EXAMPLE not in path.parents))
THIRD_PARTY = (
    "ruamel",
    "hydra",
    "omegaconf",
    "antlr4",
    "rich",
    "pathspec",
    "tomlkit",
    "obstore",
    "botocore",
    "asyncssh",
    "celery",
    "kombu",
    "plotille",
    "vl_convert",
)
# Libraries that `Live` takes values of, or looks at the machine with, where a training program has them.
OF_THE_USER = ("IPython", "PIL", "matplotlib", "psutil", "pynvml", "sklearn", "torch")
MAX_LINES = 500
ASKS_TO_BE_SPLIT = 300
# Longer than that, looked at and left whole. A new one needs a reviewer's yes; one that has shrunk must leave this list.
LONG_MODULES = frozenset(
    {
        "base/yaml_simple.py",
        "pipeline/lockfile.py",
        "pipeline/resolve.py",
        "storage/links.py",
    }
)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


def name_of(path: Path) -> str:
    parts = ("offbranch", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_the_walk_finds_the_code() -> None:
    assert {"base/errors.py", "cli/main.py", "git/objects.py"} <= {shown(path) for path in MODULES}
    assert not any("demo/project" in shown(path) for path in MODULES)


# Late loading


def late_targets(path: Path) -> Iterator[str]:
    """Every text that names a module of ours, and every text handed to `load`."""
    loaders = {
        alias.asname or alias.name
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module == "offbranch.base.plugins"
        for alias in node.names
        if alias.name == "load"
    }
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in loaders and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)
            elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                yield str(first.values[0].value).rstrip(":.")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_module_name(node.value):
            yield node.value


def is_module_name(text: str) -> bool:
    module, _, attribute = text.partition(":")
    words = [*module.split("."), *([attribute] if attribute else [])]
    return module.startswith("offbranch.") and all(word.isidentifier() for word in words)


LATE = sorted({(shown(path), target) for path in MODULES for target in late_targets(path)})


def test_late_loading_is_found() -> None:
    assert ("base/yaml.py", "offbranch.base.yaml_ruamel:read") in LATE


@pytest.mark.parametrize(("where", "target"), LATE, ids=[f"{where}-{target}" for where, target in LATE])
def test_every_target_of_late_loading_exists(where: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names and module not in sys.builtin_module_names:
        assert importlib.util.find_spec(module) is not None or sys.platform == "win32", f"{where}: no module {module}"
    if module.partition(".")[0] in OF_THE_USER and importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    found = load(module)
    assert not attribute or hasattr(found, attribute), f"{where}: '{module}' has no '{attribute}'"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_whole(name: str) -> None:
    module = load_command(COMMANDS[name])
    assert module.__doc__ and module.__doc__.strip()
    assert all(command.startswith("ob ") or " ob " in f" {command}" for command, _ in module.EXAMPLES)
    parser = build_parser(COMMANDS[name], module)
    assert all(entry.help for entry in parser.entries), "an option without help"
    assert callable(module.run)


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """Modules that a module imports when it is loaded."""
    found: list[str] = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found += (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(found)


def test_libraries_live_in_modules_that_nobody_imports() -> None:
    with_library = {
        name_of(path): shown(path)
        for path in MODULES
        if any(module.partition(".")[0] in THIRD_PARTY for module in imported_modules(path))
    }
    assert "offbranch.base.yaml_ruamel" in with_library
    importers = {
        f"{shown(path)} imports {module}"
        for path in MODULES
        if name_of(path) not in with_library
        for module in imported_modules(path)
        if module in with_library
    }
    assert not importers


def test_importlib_is_used_by_one_module() -> None:
    users = {shown(path) for path in MODULES if any(m.startswith("importlib") for m in imported_modules(path))}
    assert users == {"base/plugins.py"}


# Start-up


def loaded_by(code: str) -> set[str]:
    """Returns the modules that a fresh interpreter loads for some code, beyond those it always loads."""
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONSAFEPATH": "1"}

    def modules(script: str) -> set[str]:
        full = f"import sys\n{script}\nsys.stderr.write(' '.join(sys.modules))"
        done = subprocess.run([sys.executable, "-c", full], capture_output=True, text=True, env=env, check=True)
        return set(done.stderr.split())

    return modules(code) - modules("pass")


def test_import_of_the_package_loads_nothing_else() -> None:
    assert loaded_by("import offbranch") == {"offbranch"}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_loads_nothing_else(flag: str) -> None:
    code = f"sys.argv[:] = ['ob', '{flag}']\nfrom offbranch.__main__ import main\nassert main() == 0"
    assert loaded_by(code) == {"offbranch", "offbranch.__main__"}


@pytest.mark.parametrize("command", ["exp run", "exp list", "status", "repro"])
def test_a_command_starts_without_libraries(command: str) -> None:
    code = (
        f"from offbranch.cli.table import *\nbuild_parser(COMMANDS['{command}'], load_command(COMMANDS['{command}']))"
    )
    loaded = {module.partition(".")[0] for module in loaded_by(code)}
    assert not loaded & {*THIRD_PARTY, "sqlite3", "logging", "asyncio", "concurrent", "pathlib", "tempfile"}


# Training programs pay for what these load.
HEAVY = {
    *THIRD_PARTY,
    "numpy",
    "PIL",
    "matplotlib",
    "pandas",
    "sklearn",
    "psutil",
    "sqlite3",
    "subprocess",
    "logging",
    "asyncio",
    "concurrent",
    "pathlib",
    "shutil",
    "tempfile",
    "inspect",
    "dataclasses",
    "json",
}
LOOP = """
from offbranch import Live
live = Live({directory!r}, save_dvc_exp=False, dvcyaml=None)
live.log_metric("loss", 0.5)
"""


def test_a_training_program_loads_nothing_heavy(tmp_path: Path) -> None:
    for code in ("from offbranch import Live", "import offbranch; offbranch.checkpoint", LOOP):
        loaded = loaded_by(code.format(directory=str(tmp_path / "live")))
        assert not {module.partition(".")[0] for module in loaded} & HEAVY
        above = ("api", "cli", "experiments", "git", "params", "pipeline", "project", "queue", "storage", "views")
        assert not {module for module in loaded if module.startswith(tuple(f"offbranch.{name}" for name in above))}


def test_frameworks_are_not_loaded_before_they_are_asked_for() -> None:
    assert "offbranch.live.logger" not in loaded_by("import offbranch.live")
    callbacks = "offbranch.live.frameworks"
    outside = [path for path in MODULES if not name_of(path).startswith(callbacks)]
    assert not {shown(path) for path in outside for module in imported_modules(path) if module.startswith(callbacks)}


@pytest.mark.parametrize("module", ["offbranch", "offbranch.live"])
def test_public_names_are_those_that_type_checkers_see(module: str) -> None:
    loaded = load(module)
    path = PACKAGE.joinpath(*module.split(".")[1:], "__init__.pyi")
    stub = ast.parse(path.read_text("utf-8"))
    seen = {a.asname for node in stub.body if isinstance(node, ast.ImportFrom) for a in node.names if a.asname}
    assert seen == set(loaded.PUBLIC) <= set(dir(loaded))
    assert all(getattr(loaded, name) is not None for name in loaded.PUBLIC)


# What only some packages may do


def uses(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yields what a module does to the process it runs in, with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "getenv" | "putenv" | "environb"):
                yield "environment", node.lineno
            case ast.ImportFrom(module="os", names=names) if {n.name for n in names} & {"environ", "getenv"}:
                yield "environment", node.lineno
            case ast.Call(func=ast.Name(id="print" | "input" | "breakpoint")):
                yield "terminal", node.lineno
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "stdin"):
                yield "terminal", node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="sys" | "os"), attr="exit" | "_exit" | "abort")):
                yield "exit", node.lineno
            case ast.Call(func=ast.Name(id="exit" | "quit")) | ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit"))):
                yield "exit", node.lineno
            case ast.ImportFrom(module="offbranch.api.session", names=names) if "LOCK" in {n.name for n in names}:
                yield "project lock", node.lineno


@cache
def uses_in(path: Path) -> frozenset[str]:
    return frozenset(kind for kind, _ in uses(tree_of(path)))


def offenders(kind: str) -> set[str]:
    return {shown(path) for path in MODULES if kind in uses_in(path)}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import os\nx = os.environ.get('A')", "environment"),
        ("import os\nx = os.getenv('A')", "environment"),
        ("from os import environ", "environment"),
        ("def f():\n    print('x')", "terminal"),
        ("import sys\nsys.stderr.write('x')", "terminal"),
        ("import sys\nsys.exit(1)", "exit"),
        ("raise SystemExit(1)", "exit"),
        ("import os\nos._exit(1)", "exit"),
        ("from offbranch.api.session import LOCK", "project lock"),
    ],
)
def test_what_is_forbidden_is_seen(source: str, kind: str) -> None:
    assert [found for found, _ in uses(ast.parse(source))] == [kind]


def test_the_environment_is_read_in_one_place() -> None:
    assert offenders("environment") == {"base/environ.py"}


def test_only_the_command_line_touches_the_terminal() -> None:
    outside = {path for path in offenders("terminal") if not path.startswith(("cli/", "__main__"))}
    # They hand our own files to commands and look whether they are a terminal; they print nothing.
    # A forked process writes out what it was told, to where its output goes.
    forked = {"queue/child.py", "api/detached.py", "api/queue_manner.py"}
    assert outside <= {"pipeline/runner.py", "pipeline/pool.py", *forked}


def test_nothing_but_the_start_exits() -> None:
    # A forked process must not do what its parent has still to do.
    assert offenders("exit") == {"__main__.py", "api/detached.py", "queue/child.py"}


def test_the_lock_of_the_project_is_known_in_one_place() -> None:
    holders = {shown(path) for path in MODULES if "held(" in path.read_text("utf-8")}
    assert all(path.startswith("api/") for path in holders)
    assert offenders("project lock") == set()


def test_nothing_executable_is_stored() -> None:
    forbidden = {"pickle", "cPickle", "shelve", "dill", "cloudpickle", "joblib", "marshal"}
    users = {shown(path) for path in MODULES if any(m.partition(".")[0] in forbidden for m in imported_modules(path))}
    assert not users


def test_imports_are_absolute_and_the_same_for_the_type_checker() -> None:
    for path in MODULES:
        for node in nodes_of(path):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{shown(path)}: relative import"
            assert not (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"), f"{shown(path)}: TYPE_CHECKING"


# Sizes


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_no_module_is_too_long() -> None:
    assert {shown(path): n_lines(path) for path in MODULES if n_lines(path) > MAX_LINES} == {}


def test_long_modules_are_the_known_ones() -> None:
    assert {shown(path) for path in MODULES if n_lines(path) > ASKS_TO_BE_SPLIT} <= LONG_MODULES


def test_the_list_of_long_modules_has_no_short_ones() -> None:
    assert {path for path in LONG_MODULES if n_lines(PACKAGE / path) < 0.8 * ASKS_TO_BE_SPLIT} == set()
