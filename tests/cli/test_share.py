"""`exp push`, `exp pull`, `exp list REMOTE`, `exp remove -g`, `exp rename -g` and pushing at once, as a user sees them."""

from pathlib import Path

import pytest

from projects import TestProject
from sharing import Place, make_place, md5


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def test_push_and_pull_say_what_went(place: Place) -> None:
    project = place.project
    first = project.ob("exp", "push", "origin", "one")
    assert (first.code, first.out, first.err) == (
        0,
        "Pushed experiment one to Git remote 'origin'.\n1 file uploaded\n",
        "",
    )
    second = project.ob("exp", "push", "origin")
    assert second.out == (
        "Pushed experiment two to Git remote 'origin'.\n"
        "Experiment one is up to date on Git remote 'origin'.\n"
        "1 file uploaded\n"
    )
    third = project.ob("exp", "push", "origin", "--run-cache")
    assert third.out == (
        "Experiments one and two are up to date on Git remote 'origin'.\n2 entries of the run-cache pushed\n"
    )
    clone = place.clone()
    pulled = clone.ob("exp", "pull", "origin")
    assert (pulled.code, pulled.out) == (
        0,
        "Pulled experiments one and two from Git remote 'origin'.\n2 files fetched\n",
    )
    assert clone.ob("exp", "pull", "-q", "origin").out == ""


def test_json(place: Place) -> None:
    said = place.project.ob("exp", "push", "--json", "origin").json
    assert said["remote"] == "origin"
    assert [(one["name"], one["state"], one["old"], one["error"]) for one in said["experiments"]] == [
        ("one", "new", None, None),
        ("two", "new", None, None),
    ]
    assert said["data"]["files"] == 2
    lost = md5("model 0.2\n")
    (place.store / "files/md5" / lost[:2] / lost[2:]).unlink()
    clone = place.clone()
    failed = clone.ob("exp", "pull", "--json", "origin")
    assert failed.code == 1
    assert [one["error"] is not None for one in failed.json["experiments"]] == [True, False]
    assert clone.ob("exp", "pull", "--json", "--no-cache", "origin").json["data"] is None


def test_nothing_to_share_says_why(place: Place) -> None:
    project = place.project
    project.git("commit", "-q", "--allow-empty", "-m", "next")
    for verb in ("push", "pull"):
        done = project.ob("exp", verb, "origin")
        assert (done.code, done.out) == (0, f"No experiments to {verb}.\n")
        assert done.err == f"no experiments start from here; 'ob exp {verb} -A origin' takes all\n"
    assert project.ob("exp", "pull", "-A", "origin").err == ""


def test_diverged(place: Place) -> None:
    project = place.project
    project.ob("exp", "push", "origin")
    project.ob("exp", "run", "-q", "-f", "-n", "one", "-S", "lr=0.9")
    refused = project.ob("exp", "push", "origin", "one")
    assert refused.code == 1
    assert refused.out == "Nothing was pushed.\n"
    assert refused.err == (
        "warning: experiment 'one' here and the one of the same name at Git remote 'origin' have diverged\n"
        "error: 1 experiment has diverged from Git remote 'origin'\n"
        "hint: -f replaces what is there; to keep both, give yours another name first: ob exp rename NAME NEW\n"
    )
    pulled = project.ob("exp", "pull", "origin", "one")
    assert (pulled.code, pulled.out) == (1, "Nothing was pulled.\n")
    assert "-f replaces what is here" in pulled.err
    forced = project.ob("exp", "push", "-f", "origin", "one")
    assert forced.code == 0
    assert forced.out.startswith("Pushed experiment one to Git remote 'origin', replacing what was there (was ")


def test_data_that_is_lost_is_a_failure_with_names(place: Place) -> None:
    lost = md5("model 0.2\n")
    (place.project.root / ".dvc/cache/files/md5" / lost[:2] / lost[2:]).unlink()
    done = place.project.ob("exp", "push", "origin")
    assert done.code == 1
    assert "Pushed experiment two to" in done.out
    assert f"{lost}' is neither in the cache nor at the data remote 'store' (model.txt)" in done.err
    assert "experiment 'one' was not pushed" in done.err
    assert place.names_there() == ["two"]


def test_without_data_remote(tmp_path: Path) -> None:
    place = make_place(tmp_path, config="")
    done = place.project.ob("exp", "push", "origin")
    assert done.code == 0
    assert "2 outputs were not pushed: the project has no data remote" in done.err
    assert place.project.ob("exp", "push", "--no-cache", "origin").err == ""
    clone = place.clone()
    pulled = clone.ob("exp", "pull", "origin")
    assert pulled.code == 0
    assert "2 outputs were not pulled: the project has no data remote" in pulled.err


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_mistakes(place: Place, verb: str) -> None:
    project = place.project
    missing = project.ob("exp", verb)
    assert (missing.code, missing.err) == (
        2,
        "error: a Git remote must be named\nhint: the Git remotes of this repository: origin\n",
    )
    swapped = project.ob("exp", verb, "one", "origin")
    assert swapped.code == 2
    assert "'one' is an experiment, and the first argument is the Git remote" in swapped.err
    wrong = project.ob("exp", verb, "orgin")
    assert (wrong.code, wrong.err.splitlines()[-1]) == (1, "hint: did you mean 'origin'?")
    both = project.ob("exp", verb, "origin", "one", "-A")
    assert both.code == 2
    project.git("remote", "set-url", "origin", "../away.git")
    away = project.ob("exp", verb, "origin")
    assert away.code == 12
    assert "cannot read Git remote 'origin'" in away.err


def test_nothing_to_do_without_experiments(tmp_path: Path) -> None:
    place = make_place(tmp_path, experiments=())
    assert place.project.ob("exp", "push", "origin").out == "No experiments to push.\n"
    assert place.project.ob("exp", "pull", "origin").out == "No experiments to pull.\n"
    assert place.project.ob("exp", "remove", "-g", "origin", "-A").out == "No experiments to remove.\n"


def test_dry_run(place: Place) -> None:
    said = place.project.ob("exp", "push", "--dry-run", "origin")
    assert said.out == "Would push experiments one and two to Git remote 'origin'.\n"
    assert place.there() == {}


def test_list_of_a_remote(place: Place) -> None:
    project = place.project
    assert "ob exp list origin -A" in project.ob("exp", "list", "origin").err
    project.ob("exp", "push", "origin")
    assert project.ob("exp", "list", "origin").out == "main:\n\tone\n\ttwo\n"
    assert project.ob("exp", "list", "origin", "--name-only").out == "one\ntwo\n"
    commits = project.exps()
    assert project.ob("exp", "list", "origin", "--sha-only").out == f"{commits['one']}\n{commits['two']}\n"
    listed = project.ob("exp", "list", "origin", "--json").json
    assert [one["rev"] for one in listed[0]["experiments"]] == [commits["one"], commits["two"]]
    assert project.ob("exp", "list", "nowhere").code == 1


def test_remove_and_rename_there(place: Place) -> None:
    project = place.project
    project.ob("exp", "push", "origin")
    dry = project.ob("exp", "remove", "-g", "origin", "-A", "--older-than", "2999-01-01", "--dry-run")
    assert dry.out == "Would remove experiments: 'one' and 'two'\n"
    assert project.ob("exp", "rename", "-g", "origin", "two", "duo").out == (
        "Experiment 'two' is now 'duo' at Git remote 'origin' and here.\n"
    )
    assert project.ob("exp", "remove", "-g", "origin", "duo", "--json").json == ["duo"]
    assert place.names_there() == ["one"]
    assert sorted(project.exps()) == ["duo", "one"]
    unknown = project.ob("exp", "remove", "-g", "origin", "duo", "one")
    assert (unknown.code, place.names_there()) == (1, ["one"])
    assert project.ob("exp", "remove", "--older-than", "3d", "one").code == 2
    assert project.ob("exp", "remove", "-g", "origin", "--older-than", "soon").code == 2


def test_refused_deletions_are_failures(place: Place) -> None:
    place.project.ob("exp", "push", "origin")
    hook = place.remote / "hooks/update"
    hook.write_text("#!/bin/sh\ncase $1 in */one) exit 1;; esac\n")
    hook.chmod(0o755)
    done = place.project.ob("exp", "remove", "-g", "origin", "-A")
    assert (done.code, done.out) == (12, "Removed experiments: 'two'\n")
    assert "'one' could not be removed at Git remote 'origin'" in done.err


def test_tags_and_notes_are_told(place: Place) -> None:
    project = place.project
    project.ob("exp", "push", "origin")
    project.ob("exp", "tag", "one", "best")
    pushed = project.ob("exp", "push", "origin", "one")
    same = "Experiment one is up to date on Git remote 'origin'.\n"
    assert (pushed.out, pushed.err) == (f"{same}tags and notes of 1 experiment pushed\n", "")
    assert project.ob("exp", "push", "origin", "one").out == same
    clone = place.clone()
    assert clone.ob("exp", "pull", "--json", "origin").json["labels"] == 1
    project.ob("exp", "note", "two", "slow")
    project.ob("exp", "push", "-q", "origin")
    assert clone.ob("exp", "pull", "origin").out.endswith("\ntags and notes of 1 experiment pulled\n")


def test_what_a_hook_says_is_passed_on(place: Place) -> None:
    hook = place.remote / "hooks/update"
    hook.write_text('#!/bin/sh\ncase $1 in */one) echo "no experiments on Fridays" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    place.project.ob("exp", "tag", "one", "best")
    done = place.project.ob("exp", "push", "origin")
    assert (done.code, done.out) == (12, "Pushed experiment two to Git remote 'origin'.\n2 files uploaded\n")
    assert done.err == (
        "remote: no experiments on Fridays\n"
        "warning: Git remote 'origin' did not take the tags and notes of 1 experiment: hook declined\n"
        "warning: experiment 'one' was not pushed: Git remote 'origin' did not take 'one': hook declined\n"
        "error: 1 experiment could not be pushed: Git remote 'origin' did not take 'one': hook declined\n"
        "hint: a rule of that repository forbids it; whoever keeps it can say which\n"
    )


# Pushing at once


def test_each_experiment_is_pushed_where_that_is_configured(place: Place) -> None:
    project = place.project
    project.write(".dvc/config.local", "[exp]\n    auto_push = true\n")
    done = project.ob("exp", "run", "-n", "three", "-S", "lr=0.7")
    assert "pushed experiment 'three' to Git remote 'origin'" in done.err
    project.ob("exp", "run", "--temp", "-n", "four", "-S", "lr=0.8")
    project.ob("exp", "save", "-n", "five")
    assert place.names_there() == ["five", "four", "three"]
    assert {md5("model 0.7\n"), md5("model 0.8\n")} <= place.stored()
    assert list((place.store / "runs").glob("*/*/*"))
    project.ob("exp", "save", "-n", "six", DVC_EXP_AUTO_PUSH="false")
    assert "six" not in place.names_there()


@pytest.mark.parametrize("more", [(), ("-j", "2")])
def test_each_queued_experiment_is_pushed_as_it_ends(place: Place, more: tuple[str, ...]) -> None:
    project = place.project
    project.write(".dvc/config.local", "[exp]\n    auto_push = true\n")
    for name, value in (("three", "0.7"), ("four", "0.8")):
        project.ob("exp", "run", "-q", "--queue", "-n", name, "-S", f"lr={value}")
    assert place.names_there() == []
    done = project.ob("exp", "run", "--run-all", *more)
    assert done.code == 0
    assert place.names_there() == ["four", "three"]
    assert place.stored() == {md5("model 0.7\n"), md5("model 0.8\n")}
    assert all(f"pushed experiment '{name}' to Git remote 'origin'\n" in done.err for name in ("three", "four"))


def test_a_queue_goes_on_if_a_push_fails(place: Place) -> None:
    project = place.project
    project.write(".dvc/config.local", "[exp]\n    auto_push = true\n")
    project.git("remote", "remove", "origin")
    for name, value in (("three", "0.7"), ("four", "0.8")):
        project.ob("exp", "run", "-q", "--queue", "-n", name, "-S", f"lr={value}")
    done = project.ob("exp", "run", "--run-all")
    assert (done.code, done.err.count("was not pushed")) == (0, 2)
    assert "Ran experiment(s): three, four" in done.out


def test_the_environment_says_whether_and_where(place: Place) -> None:
    project = place.project
    project.git("remote", "rename", "origin", "elsewhere")
    project.ob("exp", "save", "-n", "three", DVC_EXP_AUTO_PUSH="1", DVC_EXP_GIT_REMOTE="elsewhere")
    assert place.names_there() == ["three"]


@pytest.mark.parametrize("broken", ["remote", "data", "diverged"])
def test_a_push_that_fails_is_only_a_warning(place: Place, broken: str) -> None:
    project = place.project
    project.write(".dvc/config.local", "[exp]\n    auto_push = true\n")
    if broken == "remote":
        project.git("remote", "remove", "origin")
    elif broken == "data":
        place.store.write_text("no directory")
    else:
        project.ob("exp", "push", "origin")
    done = project.ob("exp", "run", "-f", "-n", "one", "-S", "lr=0.9")
    assert done.code == 0
    assert "Ran experiment(s): one" in done.out
    assert "experiment 'one' was not pushed" in done.err
    option = "-f " if broken == "diverged" else ""
    assert f"push it later: ob exp push {option}origin one" in done.err


def test_progress_and_questions_need_a_terminal(place: Place) -> None:
    """Without one nothing of Git's own is printed, and nothing waits."""
    clone = TestProject(place.base / "p")
    clone.git("config", "remote.origin.uploadpack", "sh -c 'echo asking >&2; read x < /dev/tty; exit 3'")
    done = clone.ob("exp", "pull", "origin", timeout=30)
    assert done.code == 12
