"""GPUs: found by what the machine tells, named by users, left by the environment, told to commands."""

import os
from pathlib import Path

import pytest

from gpus import UUIDS, fake_gpus, fake_program
from offbranch.base.errors import UsageError
from offbranch.queue.slots.devices import Device, Found, Kind, choose_devices, parse_gpus, variables_of
from offbranch.queue.slots.find_devices import find_devices

PARTS = ("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-d6d4f1ef-42e4-5de3-91c7-45d71c87eb30")
CUT = (
    "GPU 2: Fake H100 (UUID: GPU-ffffffff-d33d-2b2c-524d-9e3d8d2b8a77)",
    f"  MIG 1g.5gb      Device  0: (UUID: {PARTS[0]})",
    f"  MIG 3g.20gb     Device  1: (UUID: {PARTS[1]})",
)


def find(path: str, tmp_path: Path, **env: str) -> Found:
    nothing = str(tmp_path / "nothing")
    return find_devices({"PATH": path, **env}, proc=nothing, kfd=nothing)


def labels(found: Found) -> list[str]:
    return [device.label for device in found.devices]


def test_nvidia_smi_tells(tmp_path: Path) -> None:
    found = find(fake_gpus(tmp_path / "bin", 2, more=CUT), tmp_path)
    assert labels(found) == ["0", "1", *PARTS]
    assert found.devices[0] == Device(kind=Kind.NVIDIA, index=0, uuid=UUIDS[0], name="Fake A100")
    assert found.devices[3] == Device(kind=Kind.NVIDIA, index=None, uuid=PARTS[1], name="Fake H100 3g.20gb", whole=2)
    assert found.problem == "" and found.hidden_by is None


def test_a_machine_without_gpus(tmp_path: Path) -> None:
    assert find(str(tmp_path), tmp_path) == Found()


@pytest.mark.parametrize(
    ("script", "patience_s", "problem"),
    [
        ("exit 9\n", 60, "nvidia-smi exited with 9"),
        ("exec sleep 60\n", 0.3, "nvidia-smi did not answer within 0.3 s"),
        ("printf '\\0\\377 GPU'\n", 60, "what nvidia-smi prints is not understood"),
    ],
)
def test_a_driver_that_is_broken_is_told_of_and_proc_is_asked(
    tmp_path: Path, script: str, patience_s: float, problem: str
) -> None:
    proc = tmp_path / "proc"
    for bus, uuid in (("0000:3b:00.0", "GPU-????????-????-????"), ("0000:1a:00.0", UUIDS[5])):
        (proc / bus).mkdir(parents=True)
        (proc / bus / "information").write_text(
            f"Model: \t\t Fake V100\nIRQ:   \t\t 65\nGPU UUID: \t {uuid}\nBus Location: \t {bus}\n"
        )
    path = fake_program(tmp_path / "bin", script)
    found = find_devices({"PATH": path}, proc=str(proc), kfd=str(tmp_path / "no"), patience_s=patience_s)
    assert found.problem == problem
    assert found.devices == (
        Device(kind=Kind.NVIDIA, index=0, uuid=UUIDS[5], name="Fake V100"),
        Device(kind=Kind.NVIDIA, index=1, uuid=None, name="Fake V100"),
    )


def test_one_that_has_fallen_off_its_bus_is_left_out(tmp_path: Path) -> None:
    script = f"echo 'GPU 1: A100 (UUID: {UUIDS[1]})'\necho 'GPU 0000:0B:00.0: GPU is lost.'\nexit 15\n"
    found = find(fake_program(tmp_path / "bin", script), tmp_path)
    assert (labels(found), found.problem) == (["1"], "nvidia-smi exited with 15")


def test_no_devices_is_no_problem(tmp_path: Path) -> None:
    assert find(fake_program(tmp_path / "bin", "echo 'No devices found.'\n"), tmp_path) == Found()


def amd_tree(where: Path) -> str:
    for node, simds, unique in ((0, 0, 0), (1, 416, 255), (2, 416, 256), (10, 416, 0)):
        (where / str(node)).mkdir(parents=True)
        (where / str(node) / "properties").write_text(f"cpu_cores_count 0\nsimd_count {simds}\nunique_id {unique}\n")
        (where / str(node) / "name").write_text("gfx90a\n" if simds else "\n")
    return str(where)


def test_the_driver_of_amd_tells(tmp_path: Path) -> None:
    kfd = amd_tree(tmp_path / "kfd")
    env = {"PATH": str(tmp_path)}
    found = find_devices(env, proc=str(tmp_path / "no"), kfd=kfd)
    assert labels(found) == ["0", "1", "2"]
    assert found.devices[0] == Device(kind=Kind.AMD, index=0, uuid="GPU-00000000000000ff", name="gfx90a")
    assert found.devices[2].uuid is None
    left = find_devices({**env, "HIP_VISIBLE_DEVICES": "2,0"}, proc=str(tmp_path / "no"), kfd=kfd)
    assert labels(left) == ["2", "0"] and left.hidden_by == "HIP_VISIBLE_DEVICES"
    told = variables_of(left.devices, Kind.AMD, {"CUDA_VISIBLE_DEVICES": "7"})
    assert told == {"ROCR_VISIBLE_DEVICES": "2,0", "HIP_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert "CUDA_VISIBLE_DEVICES" not in variables_of(left.devices, Kind.AMD, {})


@pytest.mark.parametrize(
    ("visible", "left"),
    [
        ("1,0", ["1", "0"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,9,1", ["0"]),  # as CUDA does: what follows the first unknown one is not there
        ("0,0,1", ["0"]),
        (UUIDS[1], ["1"]),
        (UUIDS[1][:12], ["1"]),
        ("GPU-", []),  # which one?
        (PARTS[0], [PARTS[0]]),
        ("2", list(PARTS)),
    ],
)
def test_what_the_environment_leaves(tmp_path: Path, visible: str, left: list[str]) -> None:
    found = find(fake_gpus(tmp_path / "bin", 2, more=CUT), tmp_path, CUDA_VISIBLE_DEVICES=visible)
    assert labels(found) == left
    assert found.hidden_by == "CUDA_VISIBLE_DEVICES"


def test_what_the_environment_names_is_believed_where_nothing_tells(tmp_path: Path) -> None:
    found = find(str(tmp_path), tmp_path, CUDA_VISIBLE_DEVICES="3,2")
    assert labels(found) == ["3", "2"]
    assert [device.label for device in choose_devices(found, ("2",))] == ["2"]
    with pytest.raises(UsageError, match="no GPU '0' to use here: CUDA_VISIBLE_DEVICES leaves 3, 2"):
        choose_devices(found, ("0",))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0", ("0",)),
        ("0,1, 3", ("0", "1", "3")),
        ("0-3", ("0", "1", "2", "3")),
        ("2-2,07", ("2", "7")),
        (f"{UUIDS[0]},{PARTS[0]}", (UUIDS[0], PARTS[0])),
    ],
)
def test_lists_of_users(text: str, wanted: tuple[str, ...]) -> None:
    assert parse_gpus(text) == wanted


@pytest.mark.parametrize("text", ["", "0,", "a", "3-1", "-1", "0.5", "1-", "GPU", "99999", "0-99999", "all,0"])
def test_bad_lists(text: str) -> None:
    with pytest.raises(UsageError, match="is no list of GPUs") as raised:
        parse_gpus(text)
    assert "'all'" in (raised.value.hint or "")


def test_choosing(tmp_path: Path) -> None:
    found = find(fake_gpus(tmp_path / "bin", 2, more=CUT), tmp_path)
    assert [device.label for device in choose_devices(found, ("1", "2"))] == ["1", *PARTS]
    assert [device.label for device in choose_devices(found, (UUIDS[1][:14],))] == ["1"]
    with pytest.raises(UsageError, match=r"no GPU '5' to use here: there are 0, 1, MIG-"):
        choose_devices(found, ("0", "5"))
    with pytest.raises(UsageError, match="named twice"):
        choose_devices(found, ("0", UUIDS[0]))
    with pytest.raises(UsageError, match="no GPU 'GPU-1' to use here: none is found"):
        choose_devices(Found(), ("GPU-1",))
    assert choose_devices(Found(), ("4",)) == (Device(kind=Kind.GIVEN, index=4),)


def test_what_commands_are_told() -> None:
    devices = (Device(kind=Kind.NVIDIA, index=3), Device(kind=Kind.NVIDIA, index=None, uuid=PARTS[0]))
    assert variables_of(devices, Kind.NVIDIA, os.environ) == {
        "CUDA_VISIBLE_DEVICES": f"3,{PARTS[0]}",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    assert variables_of((), Kind.NVIDIA, {})["CUDA_VISIBLE_DEVICES"] == ""
