"""The pipelines in docs/examples do what they say, in clones as a CI has them, with stand-ins for what is the platform's."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from git_repos import run as git
from projects import SOURCE, TestProject, make_project

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
RECORD = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word" >> "$RECORDS/{name}"; done\n'


def load(name: str) -> Any:
    return YAML(typ="safe").load((EXAMPLES / name).read_text())


@pytest.fixture
def upstream(tmp_path: Path) -> TestProject:
    """A project with data at a remote, and a request that changes a parameter."""
    made = make_project(tmp_path / "upstream")
    made.write("data.txt", "hello\n")
    made.git("rm", "-q", "--cached", "data.txt")
    assert made.ob("add", "data.txt").code == 0
    assert made.ob("remote", "add", "-d", "store", str(tmp_path / "store")).code == 0
    made.write("requirements.txt", "")
    assert made.ob("repro").code == 0 and made.ob("push").code == 0
    made.commit("results")
    made.git("switch", "-qc", "feature")
    made.write("params.yaml", "lr: 0.3\nfail: 0\n")
    made.commit("a better rate")
    made.git("update-ref", "refs/pull/7/merge", "HEAD")
    made.git("switch", "-q", "main")
    return made


@pytest.fixture
def clone(upstream: TestProject) -> Path:
    root = upstream.root.parent / "runner"
    git(upstream.root.parent, "init", "-q", str(root))
    git(root, "remote", "add", "origin", f"file://{upstream.root}")
    git(root, "fetch", "-q", "--no-tags", "--depth=1", "origin", "+refs/pull/7/merge:refs/remotes/pull/7/merge")
    git(root, "checkout", "-q", "--detach", "refs/remotes/pull/7/merge")
    return root


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Where stand-ins on PATH write their words, a line for each; `ob` is the real one."""
    where, programs = tmp_path / "records", tmp_path / "bin"
    where.mkdir()
    programs.mkdir()
    for name in ("gh", "curl", "pip"):
        (programs / name).write_text(RECORD.format(name=name))
    (programs / "ob").write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec "{sys.executable}" -m offbranch "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return where


def run_shell(script: str, cwd: Path, records: Path, env: Mapping[str, str]) -> None:
    path = f"{records.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    without = {name: value for name, value in os.environ.items() if not name.startswith("GIT_AUTHOR")}
    everything = {**without, "CI": "true", "RECORDS": str(records), **env, "PATH": path}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=cwd,
        env=everything,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def check(upstream: TestProject, clone: Path, name: str) -> None:
    """The report is right, and the experiment is at the Git remote with its data at the data remote."""
    report = (clone / "report.md").read_text()
    assert report.startswith(f"## Experiment {name}\n")
    assert "| `lr` | 0.1 | 0.3 | +0.2 |" in report and "| `acc` | 0.1 | 0.3 | +0.2 |" in report
    assert re.search(r"`origin/main \([0-9a-f]{7}\)`", report)
    assert set(upstream.exps()) == {name}
    assert upstream.git("rev-parse", f"{upstream.exps()[name]}^") == upstream.git("rev-parse", "feature")
    assert upstream.ob("exp", "apply", name).code == 0
    (upstream.root / "model.txt").unlink(missing_ok=True)
    assert upstream.ob("pull").code == 0
    assert upstream.read("model.txt") == "model 0.3\n"


def test_github_actions(upstream: TestProject, clone: Path, records: Path) -> None:
    workflow = load("github-actions.yml")
    assert workflow[True if True in workflow else "on"] == "pull_request"
    assert workflow["permissions"] == {"contents": "write", "pull-requests": "write"}
    (job,) = workflow["jobs"].values()
    values = {
        "secrets.AWS_ACCESS_KEY_ID": "",
        "secrets.AWS_SECRET_ACCESS_KEY": "",
        "github.event.pull_request.number": "7",
        "github.run_id": "99",
        "github.run_attempt": "1",
        "github.token": "secret",
    }
    env = {name: EXPRESSION.sub(lambda found: values[found[1]], str(text)) for name, text in job["env"].items()}
    env |= {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(records / "summary")}
    uses = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
    assert uses == ["actions/checkout", "actions/setup-python"]
    for step in job["steps"]:
        if "run" in step:
            assert "${{" not in step["run"], "an expression in a script lets a title run commands"
            run_shell(step["run"], clone, records, env)
    assert (records / "gh").read_text().split("\n")[:3] == ["pr", "comment", "7"]
    assert "report.md" in (records / "gh").read_text()
    assert (records / "pip").read_text().split() == ["install", "offbranch", "-r", "requirements.txt"]
    assert (records / "summary").read_text() == (clone / "report.md").read_text()
    check(upstream, clone, "pr-7-99-1")
    assert upstream.git("log", "-1", "--format=%cn", upstream.exps()["pr-7-99-1"]) != ""


def test_gitlab_ci(upstream: TestProject, clone: Path, records: Path, pinned_environment: Path) -> None:
    (job,) = load("gitlab-ci.yml").values()
    env = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PIPELINE_ID": "99",
        "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_PROJECT_ID": "12",
        "CI_PROJECT_PATH": "team/project",
        "CI_SERVER_HOST": "gitlab.example",
        "GITLAB_TOKEN": "secret",
        "GITLAB_USER_NAME": "Ann Dev",
        "GITLAB_USER_EMAIL": "ann@example.com",
    }
    for name, text in job["variables"].items():
        env[name] = re.sub(r"\$(\w+)", lambda found: env[found[1]], text)
    git(
        clone,
        "config",
        f"url.file://{upstream.root}.insteadOf",
        "https://oauth2:secret@gitlab.example/team/project.git",
    )
    run_shell("\n".join(job["script"]), clone, records, env)
    words = (records / "curl").read_text().splitlines()
    assert "body=<report.md" in words and "PRIVATE-TOKEN: secret" in words
    assert words[-1] == "https://gitlab.example/api/v4/projects/12/merge_requests/7/notes"
    check(upstream, clone, "mr-7-99")
    assert job["artifacts"]["paths"] == ["report.md"]
