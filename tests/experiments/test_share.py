"""Experiments to and from Git remotes: refs, outputs, labels; what has diverged, is missing, or is not to be trusted."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from git_repos import opened, state_of_user
from git_repos import run as git
from offbranch.api.exp import RunRequest, run
from offbranch.api.share import pull, push
from offbranch.api.share_there import list_there, remove, rename
from offbranch.base.errors import (
    ConflictError,
    MissingDataError,
    NotFoundError,
    OffbranchError,
    RemoteError,
    UsageError,
)
from offbranch.base.events import Warned
from offbranch.experiments.choose import Choice
from offbranch.experiments.label_records import Labels
from offbranch.experiments.labels import change_labels, read_labels
from offbranch.experiments.refs import resolve_experiment
from offbranch.experiments.share_remove import RemoteRemoval
from offbranch.experiments.sharing import ShareReport, ShareRequest, ShareState, raise_unshared
from offbranch.views.listing import render_listing
from projects import Recorder, TestProject
from sharing import CONFIG, Place, commit_on, labels_of, make_place, md5, ref_of


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def request(*names: str, **more: object) -> ShareRequest:
    return ShareRequest(remote="origin", choice=Choice(names=names), **more)  # type: ignore[arg-type]


def states(report: ShareReport) -> dict[str, str]:
    return {one.experiment.name: one.state.name for one in report.experiments}


def new_version(project: TestProject, name: str, lr: str = "0.9") -> str:
    """Makes an experiment again with another result."""
    run(RunRequest(overrides=(f"lr={lr}",), name=name, force=True), project.session(), rng=random.Random(1))
    project.git("checkout", "-q", "--", ".")
    return project.exps()[name]


def test_push_and_pull_bring_everything(place: Place) -> None:
    before = state_of_user(place.project.root)
    report = push(request(), place.project.session())
    assert states(report) == {"one": "NEW", "two": "NEW"}
    assert place.there() == {ref_of(place.project, name)[1]: id for name, id in place.project.exps().items()}
    assert place.stored() == {md5("model 0.2\n"), md5("model 0.3\n")}
    assert state_of_user(place.project.root)[:3] == before[:3]
    clone = place.clone()
    user = state_of_user(clone.root)
    pulled = pull(request(), clone.session())
    assert states(pulled) == {"one": "NEW", "two": "NEW"}
    assert pulled.data.n_objects == 2
    assert clone.exps() == place.project.exps()
    assert state_of_user(clone.root)[:2] == user[:2]
    assert clone.git("status", "--porcelain") == ""
    assert not clone.exists(".git/FETCH_HEAD")
    assert clone.ob("exp", "apply", "one").code == 0
    assert clone.read("model.txt") == "model 0.2\n"
    again = pull(request(), clone.session())
    assert states(again) == {"one": "SAME", "two": "SAME"}
    assert again.data.n_objects == 0
    assert states(push(request(), clone.session())) == {"one": "SAME", "two": "SAME"}


def test_names_patterns_and_baselines(place: Place) -> None:
    project = place.project
    old = project.git("rev-parse", "HEAD")
    project.commit("next") if project.write("n.txt", "n") else None
    project.git("push", "-q", "origin", "main")
    new_version(project, "three", "0.7")
    assert states(push(request(), project.session())) == {"three": "NEW"}
    assert states(push(request("t*"), project.session())) == {"two": "NEW", "three": "SAME"}
    by_rev = ShareRequest(remote="origin", choice=Choice(revs=(old,)))
    assert states(push(by_rev, project.session())) == {"one": "NEW", "two": "SAME"}
    by_number = ShareRequest(remote="origin", choice=Choice(n_commits=2))
    assert set(states(push(by_number, project.session()))) == {"one", "two", "three"}
    commit = project.exps()["one"]
    assert set(states(push(request(commit[:10]), project.session()))) == {"one"}
    everything = ShareRequest(remote="origin", choice=Choice(everything=True))
    assert set(states(pull(everything, place.clone().session()))) == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("names", "hint"), [(("ome",), "'one'"), (("one", "nosuch"), "exp list -A"), (("x-*",), "exp list -A")]
)
def test_an_unknown_name_stops_before_anything_is_done(place: Place, names: Sequence[str], hint: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        push(request(*names), place.project.session())
    assert hint in (raised.value.hint or "")
    assert place.there() == {}
    push(request(), place.project.session())
    clone = place.clone()
    with pytest.raises(NotFoundError, match="at Git remote 'origin'"):
        pull(request(*names), clone.session())
    assert clone.exps() == {}


def test_names_and_selectors_exclude_each_other(place: Place) -> None:
    choice = Choice(names=("one",), everything=True)
    with pytest.raises(UsageError):
        push(ShareRequest(remote="origin", choice=choice), place.project.session())


def test_an_ambiguous_name_is_refused_unless_head_has_it(place: Place) -> None:
    project = place.project
    project.write("n.txt", "n")
    project.commit("next")
    new_version(project, "one", "0.7")
    assert [one.experiment.baseline for one in push(request("one"), project.session()).experiments] == [
        project.git("rev-parse", "HEAD")
    ]
    project.write("n.txt", "again")
    project.commit("next")
    with pytest.raises(NotFoundError, match="ambiguous"):
        push(request("one"), project.session())


@pytest.mark.parametrize(
    ("text", "kind", "hint"),
    [
        ("one", UsageError, "origin one"),
        ("orign", NotFoundError, "'origin'"),
        ("nowhere", NotFoundError, "origin"),
        ("", UsageError, "origin"),
        ("--upload-pack=touch x", NotFoundError, "origin"),
    ],
)
def test_what_is_no_remote_gets_a_hint(place: Place, text: str, kind: type[OffbranchError], hint: str) -> None:
    for act in (push, pull):
        with pytest.raises(kind) as raised:
            act(ShareRequest(remote=text), place.project.session())
        assert hint in (raised.value.hint or "")


@pytest.mark.parametrize("form", ["path", "relative", "file", "pushurl"])
def test_a_remote_may_be_a_path_or_url_or_pushed_to_elsewhere(place: Place, form: str) -> None:
    text = {"path": str(place.remote), "relative": "../remote.git", "file": place.remote.as_uri()}.get(form, "origin")
    if form == "pushurl":
        git(place.base, "init", "-q", "--bare", "other.git")
        place.project.git("remote", "set-url", "--push", "origin", str(place.remote))
        place.project.git("remote", "set-url", "origin", str(place.base / "other.git"))
    wanted = ShareRequest(remote=text)
    assert states(push(wanted, place.project.session())) == {"one": "NEW", "two": "NEW"}
    assert states(push(wanted, place.project.session())) == {"one": "SAME", "two": "SAME"}
    assert place.names_there() == ["one", "two"]


def test_a_mirror_gets_only_what_is_named(place: Place) -> None:
    place.project.git("config", "remote.origin.mirror", "true")
    place.project.git("branch", "private")
    push(request("one"), place.project.session())
    assert place.names_there() == ["one"]
    assert git(place.remote, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"


def test_diverged_on_push_keeps_the_rest_going(place: Place) -> None:
    push(request("one"), place.project.session())
    there = place.there()
    new_version(place.project, "one")
    report = push(request(), place.project.session())
    assert states(report) == {"one": "DIVERGED", "two": "NEW"}
    assert there.items() <= place.there().items()
    assert md5("model 0.9\n") not in place.stored()
    with pytest.raises(ConflictError, match="1 experiment has diverged"):
        raise_unshared(report, "pushed", "-f")
    forced = push(request(force=True), place.project.session())
    assert states(forced) == {"one": "REPLACED", "two": "SAME"}
    assert place.there()[ref_of(place.project, "one")[1]] == place.project.exps()["one"]
    assert md5("model 0.9\n") in place.stored()


def test_diverged_on_pull_keeps_ours_and_the_rest_comes(place: Place) -> None:
    clone = place.clone()
    push(request("one"), place.project.session())
    pull(request("one"), clone.session())
    theirs = new_version(place.project, "one")
    push(request(force=True), place.project.session())
    ours = new_version(clone, "one", "0.8")
    report = pull(request(), clone.session())
    assert states(report) == {"one": "DIVERGED", "two": "NEW"}
    assert clone.exps()["one"] == ours
    forced = pull(request(force=True), clone.session())
    assert states(forced) == {"one": "REPLACED", "two": "SAME"}
    assert clone.exps()["one"] == theirs
    assert [one.old for one in forced.of(ShareState.REPLACED)] == [ours]


def test_a_lease_protects_what_was_pushed_meanwhile(place: Place) -> None:
    push(request("one"), place.project.session())
    _, ref = ref_of(place.project, "one")
    new_version(place.project, "one")
    program, once = place.base / "receive", place.base / "once"
    change = f"[ -e {once} ] || {{ touch {once}; git -C {place.remote} update-ref {ref} refs/heads/main; }}"
    program.write_text(f'#!/bin/sh\n{change}\nexec git-receive-pack "$@"\n')
    program.chmod(0o755)
    place.project.git("config", "remote.origin.receivepack", str(program))
    report = push(request("one", force=True), place.project.session())
    assert states(report) == {"one": "DIVERGED"}, [one.error for one in report.experiments]
    assert place.there()[ref] == git(place.remote, "rev-parse", "main")


def test_a_chain_goes_on_at_either_end(place: Place) -> None:
    """Checkpoints: later commits of the same experiment are no divergence."""
    project = place.project
    push(request("one"), project.session())
    clone = place.clone()
    pull(request("one"), clone.session())
    tip = project.exps()["one"]
    longer = commit_on(project, tip, ref_of(project, "one")[1], {"params.yaml": "lr: 5\n"})
    assert states(pull(request("one"), project.session())) == {"one": "SAME"}
    assert project.exps()["one"] == longer
    assert states(push(request("one"), project.session())) == {"one": "UPDATED"}
    assert states(push(request("one"), clone.session())) == {"one": "DIVERGED"}
    assert states(pull(request("one"), clone.session())) == {"one": "UPDATED"}
    assert clone.exps()["one"] == longer


def test_data_of_every_commit_of_a_chain_goes(place: Place) -> None:
    project = place.project
    lock = project.file_at(project.exps()["two"], "dvc.lock")
    commit_on(project, project.exps()["one"], ref_of(project, "one")[1], {"dvc.lock": lock + "\n"})
    push(request("one"), project.session())
    assert place.stored() == {md5("model 0.2\n"), md5("model 0.3\n")}


def test_an_experiment_whose_data_is_lost_is_not_pushed(place: Place) -> None:
    lost = md5("model 0.2\n")
    (place.project.root / ".dvc/cache/files/md5" / lost[:2] / lost[2:]).unlink()
    report = push(request(), place.project.session())
    assert states(report) == {"one": "FAILED", "two": "NEW"}
    assert place.names_there() == ["two"]
    with pytest.raises(MissingDataError, match=lost):
        raise_unshared(report, "pushed", "-f")
    only_refs = push(request("one", with_data=False), place.project.session())
    assert states(only_refs) == {"one": "NEW"}
    again = push(request("one"), place.project.session())
    assert states(again) == {"one": "FAILED"}


def test_data_that_is_there_already_need_not_be_here(place: Place) -> None:
    push(request(), place.project.session())
    clone = place.clone()
    pull(request(with_data=False), clone.session())
    assert not clone.exists(".dvc/cache/files")
    git(place.base, "init", "-q", "--bare", "second.git")
    report = push(ShareRequest(remote=str(place.base / "second.git")), clone.session())
    assert states(report) == {"one": "NEW", "two": "NEW"}


def test_the_data_remote_is_that_of_the_workspace(tmp_path: Path) -> None:
    """Also of experiments that were made before there was a data remote."""
    place = make_place(tmp_path, config="")
    first = push(request(), place.project.session())
    assert states(first) == {"one": "NEW", "two": "NEW"}
    assert first.n_homeless == 2
    assert place.stored() == set()
    place.project.write(".dvc/config.local", CONFIG)
    second = push(request(), place.project.session())
    assert states(second) == {"one": "SAME", "two": "SAME"}
    assert second.data.n_objects == 2
    assert second.n_homeless == 0
    assert len(place.stored()) == 2
    clone = place.clone()
    assert pull(request(), clone.session()).n_homeless == 2
    clone.write(".dvc/config.local", CONFIG)
    assert pull(request(), clone.session()).data.n_objects == 2


def test_an_output_with_a_remote_of_its_own_goes_there(place: Place) -> None:
    project = place.project
    yaml = project.read("dvc.yaml").replace("    - model.txt", "    - model.txt:\n        remote: other")
    commit_on(project, project.exps()["one"], ref_of(project, "one")[1], {"dvc.yaml": yaml})
    report = push(request(), project.session())
    assert states(report) == {"one": "FAILED", "two": "NEW"}
    with pytest.raises(NotFoundError, match="other"):
        raise_unshared(report, "pushed", "-f")
    project.write(".dvc/config.local", "['remote \"other\"']\n    url = ../../other\n")
    assert states(push(request("one"), project.session())) == {"one": "NEW"}
    assert len(list((place.base / "other").rglob("files/md5/??/*"))) == 1


def test_a_data_remote_that_cannot_be_used_keeps_the_refs_back(place: Place) -> None:
    place.project.write(".dvc/config.local", CONFIG)
    place.store.write_text("a file, no directory")
    report = push(request(), place.project.session())
    assert set(states(report).values()) == {"FAILED"}
    assert place.there() == {}


def test_a_wrong_data_remote_is_named(place: Place) -> None:
    for act in (push, pull):
        with pytest.raises(NotFoundError, match="nosuch"):
            act(request(data_remote="nosuch"), place.project.session())
    assert place.there() == {}


def test_missing_data_on_pull_is_a_failure_that_can_be_repeated(place: Place) -> None:
    push(request(), place.project.session())
    lost = md5("model 0.2\n")
    kept = (place.store / "files/md5" / lost[:2] / lost[2:]).read_bytes()
    (place.store / "files/md5" / lost[:2] / lost[2:]).unlink()
    clone = place.clone()
    report = pull(request(), clone.session())
    assert states(report) == {"one": "NEW", "two": "NEW"}
    assert [one.experiment.name for one in report.experiments if one.error] == ["one"]
    with pytest.raises(MissingDataError):
        raise_unshared(report, "pulled", "-f")
    (place.store / "files/md5" / lost[:2] / lost[2:]).write_bytes(kept)
    again = pull(request(), clone.session())
    assert again.data.n_objects == 1
    assert all(one.error is None for one in again.experiments)


def test_corrupt_data_does_not_come(place: Place) -> None:
    push(request(), place.project.session())
    bad = md5("model 0.2\n")
    path = place.store / "files/md5" / bad[:2] / bad[2:]
    path.chmod(0o644)
    path.write_text("something else\n")
    clone = place.clone()
    report = pull(request("one"), clone.session())
    assert [one.error is not None for one in report.experiments] == [True]
    assert not clone.exists(f".dvc/cache/files/md5/{bad[:2]}/{bad[2:]}")


def test_the_run_cache_goes_along_when_asked_for(place: Place) -> None:
    push(request(), place.project.session())
    assert not (place.store / "runs").exists()
    assert push(request(run_cache=True), place.project.session()).data.n_runs == 2
    clone = place.clone()
    assert pull(request(run_cache=True), clone.session()).data.n_runs == 2


def test_dry_changes_nothing(place: Place) -> None:
    assert states(push(request(dry=True), place.project.session())) == {"one": "NEW", "two": "NEW"}
    assert place.there() == {}
    assert place.stored() == set()
    push(request(), place.project.session())
    clone = place.clone()
    assert states(pull(request(dry=True), clone.session())) == {"one": "NEW", "two": "NEW"}
    assert clone.exps() == {}
    assert not clone.exists(".dvc/cache/files")


def test_nothing_to_share(tmp_path: Path) -> None:
    place = make_place(tmp_path, experiments=())
    assert push(request(), place.project.session()).experiments == ()
    assert pull(request(), place.project.session()).experiments == ()


def test_private_refs_stay(place: Place) -> None:
    project = place.project
    head = project.git("rev-parse", "HEAD")
    for ref in ("refs/exps/exec/EXEC_HEAD", "refs/exps/apply/ORIG_HEAD", "refs/ob/attempts/x", "refs/ob/tasks/x"):
        project.git("update-ref", ref, head)
    project.git("tag", "mine")
    project.git("config", "push.followTags", "true")
    project.git("tag", "-a", "-m", "annotated", "noted")
    push(ShareRequest(remote="origin", choice=Choice(everything=True)), project.session())
    assert sorted(place.there()) == sorted(ref_of(project, name)[1] for name in ("one", "two"))
    for ref in ("refs/exps/exec/EXEC_HEAD", "refs/ob/attempts/y"):
        git(place.remote, "update-ref", ref, head)
    clone = place.clone()
    pull(ShareRequest(remote="origin", choice=Choice(everything=True)), clone.session())
    assert sorted(clone.git("for-each-ref", "--format=%(refname)", "refs/exps", "refs/ob").splitlines()) == sorted(
        ref_of(project, name)[1] for name in ("one", "two")
    )


def test_a_forged_ref_does_not_come(place: Place) -> None:
    """Its commit does not descend from the baseline that its name says."""
    push(request(), place.project.session())
    forged = f"refs/exps/{'ab' * 1}/{'cd' * 19}/forged"
    git(place.remote, "update-ref", forged, place.project.exps()["one"])
    tree = git(place.remote, "hash-object", "-w", "-t", "tree", "--stdin", input=b"")
    blob_ref = f"refs/exps/{'ab' * 1}/{'cd' * 19}/blob"
    git(place.remote, "update-ref", blob_ref, git(place.remote, "rev-parse", tree))
    clone = place.clone()
    report = pull(ShareRequest(remote="origin", choice=Choice(everything=True)), clone.session())
    assert states(report) == {"one": "NEW", "two": "NEW", "forged": "FAILED", "blob": "FAILED"}
    assert sorted(clone.exps()) == ["one", "two"]


def test_a_baseline_that_is_not_here_comes_along(place: Place, tmp_path: Path) -> None:
    project = place.project
    project.git("checkout", "-q", "-b", "local")
    project.write("n.txt", "n")
    project.commit("only here")
    new_version(project, "three", "0.7")
    push(request(), project.session())
    shallow = f"file://{place.remote}"
    git(place.base, "clone", "-q", "--depth", "1", shallow, "s")
    clone = TestProject(place.base / "s")
    clone.write(".dvc/config.local", CONFIG)
    report = pull(request("three"), clone.session())
    assert states(report) == {"three": "NEW"}
    assert clone.ob("exp", "apply", "three").code == 0
    assert clone.read("model.txt") == "model 0.7\n"


def test_a_partial_clone_works(place: Place) -> None:
    push(request(), place.project.session())
    git(place.remote, "config", "uploadpack.allowFilter", "true")
    git(place.base, "clone", "-q", "--filter=blob:none", f"file://{place.remote}", "s")
    clone = TestProject(place.base / "s")
    assert states(pull(request(), clone.session())) == {"one": "NEW", "two": "NEW"}
    assert clone.ob("exp", "apply", "two").code == 0
    assert clone.read("model.txt") == "model 0.3\n"


def test_a_shallow_clone_pushes(place: Place) -> None:
    git(place.base, "clone", "-q", "--depth", "1", f"file://{place.remote}", "s")
    clone = TestProject(place.base / "s")
    new_version(clone, "deep", "0.6")
    assert states(push(request(), clone.session())) == {"deep": "NEW"}


# Labels


def label_ref(project: TestProject, name: str) -> str:
    baseline, _ = ref_of(project, name)
    return f"refs/ob/labels/{baseline[:2]}/{baseline[2:]}/{name}"


def test_labels_travel_with_their_experiment(place: Place) -> None:
    project = place.project
    first = labels_of(project, "one", '{"tags": ["good"]}')
    labels_of(project, "two", '{"tags": ["other"]}')
    push(request("one"), project.session())
    assert place.there()[label_ref(project, "one")] == first
    assert label_ref(project, "two") not in place.there()
    clone = place.clone()
    pull(request("one"), clone.session())
    assert clone.git("rev-parse", label_ref(clone, "one")) == first
    later = labels_of(clone, "one", '{"tags": ["better"]}', first)
    push(request("one"), clone.session())
    assert place.there()[label_ref(clone, "one")] == later
    pull(request("one"), project.session())
    assert project.git("rev-parse", label_ref(project, "one")) == later


def tagged(project: TestProject, name: str, *tags: str) -> None:
    repo = opened(project.root)
    experiment = resolve_experiment(repo, name)
    change_labels(repo, experiment, Labels(tags=tags))


def tags_of(project: TestProject, name: str) -> set[str]:
    repo = opened(project.root)
    experiment = resolve_experiment(repo, name)
    return set(read_labels(repo, [experiment])[experiment.ref].tags)


@pytest.mark.parametrize("by", ["push", "pull"])
def test_labels_that_have_diverged_are_merged(place: Place, by: str) -> None:
    project = place.project
    tagged(project, "one", "good")
    push(request("one"), project.session())
    clone = place.clone()
    pull(request("one"), clone.session())
    tagged(project, "one", "good", "mine")
    push(request("one"), project.session())
    tagged(clone, "one", "good", "yours")
    if by == "push":
        push(request("one"), clone.session())
    else:
        pull(request("one"), clone.session())
        assert tags_of(clone, "one") == {"good", "mine", "yours"}
        push(request("one"), clone.session())
    assert place.there()[label_ref(clone, "one")] == clone.git("rev-parse", label_ref(clone, "one"))
    pull(request("one"), project.session())
    assert tags_of(project, "one") == tags_of(clone, "one") == {"good", "mine", "yours"}


def test_labels_are_replaced_by_force(place: Place) -> None:
    project = place.project
    tagged(project, "one", "good")
    push(request("one"), project.session())
    clone = place.clone()
    pull(request("one"), clone.session())
    tagged(clone, "one", "yours")
    tagged(project, "one", "mine")
    push(request("one"), project.session())
    push(request("one", force=True), clone.session())
    pull(request("one", force=True), project.session())
    assert tags_of(project, "one") == {"yours"}


def test_labels_only_there_are_left_alone(place: Place) -> None:
    project = place.project
    push(request("one"), project.session())
    clone = place.clone()
    pull(request("one"), clone.session())
    tagged(clone, "one", "good")
    push(request("one"), clone.session())
    push(request("one"), project.session())
    assert label_ref(clone, "one") in place.there()


def test_a_remote_that_refuses_labels_still_takes_experiments(place: Place) -> None:
    hook = place.remote / "hooks/update"
    hook.write_text('#!/bin/sh\ncase $1 in refs/ob/*) echo "only experiments here" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    labels_of(place.project, "one", "{}")
    told = Recorder()
    report = push(request(), place.project.session(told))
    assert states(report) == {"one": "NEW", "two": "NEW"}
    assert ["did not take" in warning.text for warning in told.of(Warned)] == [True]


def test_a_remote_that_refuses_one_experiment(place: Place) -> None:
    hook = place.remote / "hooks/update"
    hook.write_text("#!/bin/sh\ncase $1 in */one) exit 1;; esac\n")
    hook.chmod(0o755)
    report = push(request(), place.project.session())
    assert states(report) == {"one": "FAILED", "two": "NEW"}
    with pytest.raises(RemoteError, match="hook declined"):
        raise_unshared(report, "pushed", "-f")


def test_a_git_remote_that_is_away(place: Place) -> None:
    place.project.git("remote", "set-url", "origin", "../away.git")
    for act in (push, pull):
        with pytest.raises(RemoteError, match="Git remote 'origin'"):
            act(request(), place.project.session())
    assert place.stored() == set()


# List, remove, rename


def test_list_of_a_remote(place: Place) -> None:
    project = place.project
    old = project.git("rev-parse", "HEAD")
    push(request(), project.session())
    project.write("n.txt", "n")
    project.commit("next")
    new_version(project, "three", "0.7")
    push(request(), project.session())
    here = render_listing(list_there("origin", Choice(), project.session()), with_ids=False)
    assert here == "main:\n\tthree\n"
    everything = render_listing(list_there("origin", Choice(everything=True), project.session()), with_ids=False)
    assert everything == f"main:\n\tthree\n{old[:7]}:\n\tone\n\ttwo\n"
    assert list_there("origin", Choice(revs=(old,)), project.session()).groups[0][0].commit == old


def test_remove_there_leaves_what_is_here(place: Place) -> None:
    project = place.project
    labels_of(project, "one", "{}")
    push(request(), project.session())
    dry = remove("origin", RemoteRemoval(choice=Choice(names=("o*",)), dry=True), project.session())
    assert [one.name for one in dry.experiments] == ["one"]
    assert place.names_there() == ["one", "two"]
    removed = remove("origin", RemoteRemoval(choice=Choice(names=("one",))), project.session())
    assert [one.name for one in removed.experiments] == ["one"]
    assert sorted(place.there()) == [ref_of(project, "two")[1]]
    assert sorted(project.exps()) == ["one", "two"]
    with pytest.raises(NotFoundError, match="'one' at Git remote 'origin'"):
        remove("origin", RemoteRemoval(choice=Choice(names=("one", "two"))), project.session())
    assert place.names_there() == ["two"]
    with pytest.raises(UsageError):
        remove("origin", RemoteRemoval(), project.session())
    remove("origin", RemoteRemoval(choice=Choice(everything=True)), project.session())
    assert place.there() == {}


def test_remove_there_all_but_some(place: Place) -> None:
    push(request(), place.project.session())
    remove("origin", RemoteRemoval(choice=Choice(names=("one",)), keep=True), place.project.session())
    assert place.names_there() == ["one"]


def test_remove_there_only_what_is_old(place: Place) -> None:
    project = place.project
    push(request(), project.session())
    made = int(project.git("show", "-s", "--format=%ct", project.exps()["two"]))
    base = project.git("rev-parse", "HEAD")
    tree = project.git("rev-parse", "HEAD^{tree}")
    date = {"GIT_AUTHOR_DATE": f"@{made - 40 * 86400} +0000", "GIT_COMMITTER_DATE": f"@{made - 40 * 86400} +0000"}
    aged = git(project.root, "commit-tree", tree, "-p", base, "-m", "aged", env=date)
    git(project.root, "push", "-q", "origin", f"{aged}:refs/exps/{base[:2]}/{base[2:]}/aged")
    clone = place.clone()  # it has none of the commits
    removal = RemoteRemoval(older_than="30d", dry=True)
    found = remove("origin", removal, clone.session(), clock=lambda: made + 60.0)
    assert [one.name for one in found.experiments] == ["aged"]
    assert clone.git("for-each-ref", "refs/exps") == ""
    assert list((clone.root / ".git").glob("*ages*")) == []
    assert "promisor" not in (clone.root / ".git/config").read_text()
    removed = remove("origin", RemoteRemoval(older_than="30d"), clone.session(), clock=lambda: made + 60.0)
    assert [one.name for one in removed.experiments] == ["aged"]
    assert place.names_there() == ["one", "two"]
    later = remove("origin", RemoteRemoval(older_than="1w"), project.session(), clock=lambda: made + 8 * 86400.0)
    assert sorted(one.name for one in later.experiments) == ["one", "two"]


@pytest.mark.parametrize("text", ["", "30", "d", "30x", "2026-13-01", "yesterday", "-3d"])
def test_an_age_that_is_none(place: Place, text: str) -> None:
    push(request(), place.project.session())
    with pytest.raises(UsageError):
        remove("origin", RemoteRemoval(older_than=text), place.project.session())
    assert place.names_there() == ["one", "two"]


def test_rename_there_and_here(place: Place) -> None:
    project = place.project
    label = labels_of(project, "one", "{}")
    push(request(), project.session())
    commit = project.exps()["one"]
    done = rename("origin", "one", "uno", project.session())
    assert done.there is not None
    assert done.here is not None
    assert project.exps()["uno"] == commit
    assert place.names_there() == ["two", "uno"]
    assert label_ref(project, "uno") in place.there()
    assert place.there()[label_ref(project, "uno")] == label
    with pytest.raises(ConflictError):
        rename("origin", "uno", "two", project.session())
    assert place.names_there() == ["two", "uno"]
    clone = place.clone()
    assert rename("origin", "two", "duo", clone.session()).here is None
    assert place.names_there() == ["duo", "uno"]
    assert clone.exps() == {}
    with pytest.raises(NotFoundError):
        rename("origin", "nosuch", "x", clone.session())
    rename("origin", "duo", "uno", clone.session(), force=True)
    assert place.names_there() == ["uno"]


def test_rename_without_atomic_pushes(place: Place) -> None:
    push(request(), place.project.session())
    git(place.remote, "config", "receive.advertiseAtomic", "false")
    rename("origin", "one", "uno", place.project.session())
    assert place.names_there() == ["two", "uno"]


# Many


@pytest.mark.timeout(300)  # writes 5,600 refs, one file each: a slow disk takes its time
def test_many_experiments_at_once(place: Place) -> None:
    project = place.project
    base, _ = ref_of(project, "one")
    commit = project.exps()["one"]
    names = [f"{'n' * 230}-{i}" for i in range(1400)]  # more than one command line holds
    lines = "".join(f"create refs/exps/{base[:2]}/{base[2:]}/{name} {commit}\n" for name in names)
    git(project.root, "update-ref", "--stdin", input=lines.encode())
    report = push(request(), project.session())
    assert {one.state for one in report.experiments} == {ShareState.NEW}
    assert len(place.names_there()) == 1402
    clone = place.clone()
    pulled = pull(request(), clone.session())
    assert len(pulled.experiments) == len(clone.exps()) == 1402
    removed = remove("origin", RemoteRemoval(choice=Choice(names=("n*",))), clone.session())
    assert len(removed.experiments) == 1400
    assert place.names_there() == ["one", "two"]
