"""The only reader of the process environment: every variable we know, named and described.

`read_environment` is called once, at the edge (`api`, `cli`); below, the values travel as arguments. What the tools of a cloud
define is read by who opens a data remote there, as the libraries of the cloud do.
"""

import os
import sys
from collections.abc import Iterable, Mapping

from offbranch.base.paths import AbsPath
from offbranch.base.records import record

SOAK = "OFFBRANCH_SOAK"
VARIABLES: Mapping[str, str] = {
    "OFFBRANCH_CACHE_DIR": "directory for derived data (hashes, tables); may be deleted at any time",
    "OFFBRANCH_SLOTS_DIR": "directory of the locks of GPUs and processors (default: `slots` below OFFBRANCH_CACHE_DIR); one"
    " that all users of a machine may write to keeps them from sharing a GPU",
    "OFFBRANCH_LOCK_WAIT": "seconds to wait for another process that holds the project lock (default 3); where many short"
    " commands pass it on, each waits for its turn",
    "OFFBRANCH_RUN_ROOT": "set by ob for commands it runs in a workspace: the project it holds; an ob inside shares that lock",
    "CUDA_VISIBLE_DEVICES": "GPUs that the queue may use, as for any program of CUDA; set by ob for commands of tasks that have"
    " GPUs of their own",
    "CUDA_DEVICE_ORDER": "set by ob with it, to PCI_BUS_ID: numbers are those of nvidia-smi",
    "ROCR_VISIBLE_DEVICES": "the same for GPUs of AMD; outweighs HIP_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES": "the same",
    "OMP_NUM_THREADS": "set by ob for commands of tasks that have processors of their own, unless it is set: their number",
    "OFFBRANCH_BROKER": "url of the broker of a queue that many machines share, in place of what `ob queue config` set",
    "OFFBRANCH_QUEUE_REMOTE": "Git remote that such a queue is kept at, in place of what `ob queue config` set",
    "OFFBRANCH_TEST_DVC": "for the test suite: command of a real DVC to test interoperability with",
    "OFFBRANCH_TEST_MOTO": "for the test suite: command `moto_server` of a virtual environment of its own, as a server of S3",
    "OFFBRANCH_TEST_AZURITE": "for the test suite: command `azurite-blob`, as a server of Azure",
    "OFFBRANCH_TEST_FRAMEWORKS": "for the test suite: a Python that has training libraries (default: the one that runs it)",
    "OFFBRANCH_SLOT": "set by ob for commands of a queued task: a number that no other task of the machine has meanwhile",
    "OFFBRANCH_SOAK": "for the test suite: how many processes of a queue are killed, ob then at all writes; examples are new",
    "OFFBRANCH_CI": "for the test suite: with 1, a program that tests need and that is missing is a failure, not a skip",
    "OFFBRANCH_UPDATE_GOLDEN": "for the test suite: with 1, golden files are written anew",
    "DVC_ROOT": "set by ob for commands it runs: root of the project",
    "DVC_STAGE": "set by ob for commands it runs: address of the stage",
    "DVC_CHECKPOINT": "set by ob, to 1, for commands of an experiment that makes a checkpoint at every step",
    "DVC_EXP_NAME": "set by ob for commands of an experiment: its name",
    "DVC_EXP_BASELINE_REV": "set by ob for commands of an experiment: commit id of its baseline",
    "DVC_EXP_AUTO_PUSH": "whether each new experiment is pushed at once, in place of exp.auto_push: true or false",
    "DVC_EXP_GIT_REMOTE": "the Git remote new experiments are pushed to, in place of exp.git_remote",
    "DVC_GLOBAL_CONFIG_DIR": "directory of the user's own config file",
    "DVC_SYSTEM_CONFIG_DIR": "directory of the config file of this machine",
    "AWS_ACCESS_KEY_ID": "key for data remotes of S3 that name neither key nor profile, as in the AWS tools",
    "AWS_SECRET_ACCESS_KEY": "its secret",
    "AWS_SESSION_TOKEN": "its token, for temporary keys",
    "AWS_REGION": "region of data remotes of S3 that name none; the AWS tools' other variables (AWS_PROFILE, …) work too",
    "AWS_DEFAULT_REGION": "the same, where AWS_REGION is not set",
    "AWS_ENDPOINT_URL_S3": "url of the service, for data remotes of S3 without endpointurl",
    "AWS_ENDPOINT_URL": "the same, where AWS_ENDPOINT_URL_S3 is not set",
    "AZURE_STORAGE_CONNECTION_STRING": "account and key of data remotes of Azure that name no account",
    "AZURE_STORAGE_ACCOUNT": "account of data remotes of Azure that name none",
    "AZURE_STORAGE_KEY": "its key",
    "AZURE_STORAGE_SAS_TOKEN": "or its shared access signature; Azure's other variables (AZURE_CLIENT_ID, …) work too",
    "STORAGE_EMULATOR_HOST": "url of an emulator of Google Cloud Storage, for data remotes of it without endpointurl; Google's"
    " other variables (GOOGLE_APPLICATION_CREDENTIALS, …) work too",
    "OFFBRANCH_HANDOFF": "set by ob for commands of an experiment: the directory where they ask for checkpoints",
    "OFFBRANCH_CHECKPOINT": "set by ob with it: auto, every or off",
    "OFFBRANCH_LIVE_ALL_RANKS": "with 1, `Live` logs in every process of distributed training, not in that of rank 0 alone",
    "DVCLIVE_RESUME": "whether `Live` goes on from what is there: true or false; set by ob for a run that is resumed",
    "DVCLIVE_LOGLEVEL": "what the logger `offbranch.live` tells, if the program has not said it itself (default WARNING)",
    "DVCLIVE_OPEN": "whether `Live` opens its report in a browser once it is there: true or false",
    "DVCLIVE_TEST": "whether `Live` writes into a temporary directory and saves nothing, for a trial: true or false",
    "HF_DVCLIVE_LOG_MODEL": "what the callback for Transformers logs as artifacts: true (the model at the end) or all"
    " (whatever the trainer saves)",
    "CI": "set by services of continuous integration: a report `auto` of `Live` is then one in Markdown",
    "RANK": "set by torchrun and others: which process of distributed training this is; only that of rank 0 logs",
    "OMPI_COMM_WORLD_RANK": "likewise, by Open MPI",
    "PMI_RANK": "likewise, by MPICH and Intel MPI",
    "PMIX_RANK": "likewise, by PMIx",
    "MV2_COMM_WORLD_RANK": "likewise, by MVAPICH2",
    "HOROVOD_RANK": "likewise, by Horovod",
    "SLURM_PROCID": "likewise, by SLURM",
    "LOCAL_RANK": "likewise, which process of the machine; looked at where none of the others is set",
    "NODE_RANK": "likewise, which machine; looked at with it",
    "SLURM_ARRAY_JOB_ID": "set by SLURM: the array that a job is an element of; read by the jobs of 'ob queue start --slurm'",
    "SLURM_ARRAY_TASK_ID": "likewise: which element",
    "SLURM_RESTART_COUNT": "likewise: how often it was started before",
    "GITHUB_BASE_REF": "set by GitHub Actions for a pull request: the branch it goes to, which `ob report` compares with",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "set by GitLab CI for a merge request: the same",
    "NO_COLOR": "any value: no colour",
    "PAGER": "program that long tables are shown with on a terminal",
    "SHELL": "shell that stage commands run in (default /bin/sh)",
    "TERM": "with `dumb`: no colour",
    "HOME": "home of the user, where the directories for derived data and config are by default",
    "XDG_CACHE_HOME": "on Linux: where the directory for derived data is (default ~/.cache)",
    "XDG_CONFIG_HOME": "on Linux: where the user's own config file is (default ~/.config)",
    "LOCALAPPDATA": "on Windows: where the user's own files are",
    "PROGRAMDATA": "on Windows: where the config file of this machine is",
}


@record
class Environment:
    """What the environment says, read once.

    Attributes:
        all: Every variable, for handing on to child processes.
        cache_dir: Where derived data of this user lives.
        global_config_dir: Directory of the user's config file.
        system_config_dir: Directory of the machine's config file.
        slots_dir: Where the locks of GPUs and processors are.
        lock_wait_s: Seconds to wait for the project lock.
        outer_root: Root of the project held by the ob that started this process, None outside of one.
        exp_auto_push: Whether new experiments are pushed at once; None where that is not said.
        exp_git_remote: Where to; None where that is not said.
        broker: Url of the broker of the queue; None where that is not said.
        queue_remote: Git remote that the queue is kept at; None where that is not said.
        target_branch: Branch that the pull or merge request goes to which a CI works on.
    """

    all: Mapping[str, str]
    cache_dir: AbsPath
    slots_dir: AbsPath
    global_config_dir: AbsPath
    system_config_dir: AbsPath
    lock_wait_s: float
    outer_root: str | None
    no_color: bool
    shell: str | None
    pager: str | None
    exp_auto_push: bool | None = None
    exp_git_remote: str | None = None
    broker: str | None = None
    queue_remote: str | None = None
    target_branch: str | None = None


def cloud_variable(name: str) -> str | None:
    """Returns a variable that the tools of a cloud define, and that its data remotes are opened with; None if not set.

    Credentials are asked for where they are needed, and go no further.
    """
    if name not in VARIABLES:
        raise KeyError(name)
    return os.environ.get(name) or None


def some_variables(names: Iterable[str]) -> Mapping[str, str]:
    """Returns those of some variables that are set and not empty: for training programs, which need no `Environment`."""
    return {name: value for name in names if name in VARIABLES and (value := os.environ.get(name))}


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Returns the environment as one record.

    Args:
        variables: Instead of the process's own.
    """
    env = dict(os.environ if variables is None else variables)
    home = env.get("HOME") or os.path.expanduser("~")
    if sys.platform == "darwin":
        caches, configs = os.path.join(home, "Library/Caches"), os.path.join(home, "Library/Application Support")
        system = "/Library/Application Support"
    elif sys.platform == "win32":
        caches = configs = env.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        system = env.get("PROGRAMDATA") or "C:\\ProgramData"
    else:
        caches = env.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        configs, system = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "/etc/xdg"
    try:
        wait_s = float(env.get("OFFBRANCH_LOCK_WAIT", "3"))
    except ValueError:
        wait_s = 3.0
    cache_dir = env.get("OFFBRANCH_CACHE_DIR") or os.path.join(caches, "offbranch")
    return Environment(
        all=env,
        cache_dir=AbsPath(cache_dir),
        slots_dir=AbsPath(env.get("OFFBRANCH_SLOTS_DIR") or os.path.join(cache_dir, "slots")),
        global_config_dir=AbsPath(env.get("DVC_GLOBAL_CONFIG_DIR") or os.path.join(configs, "dvc")),
        system_config_dir=AbsPath(env.get("DVC_SYSTEM_CONFIG_DIR") or os.path.join(system, "dvc")),
        lock_wait_s=wait_s,
        outer_root=env.get("OFFBRANCH_RUN_ROOT") or None,
        no_color=bool(env.get("NO_COLOR")),
        shell=env.get("SHELL") or None,
        pager=env.get("PAGER") or None,
        exp_auto_push=_flag(env.get("DVC_EXP_AUTO_PUSH")),
        exp_git_remote=env.get("DVC_EXP_GIT_REMOTE") or None,
        broker=env.get("OFFBRANCH_BROKER") or None,
        queue_remote=env.get("OFFBRANCH_QUEUE_REMOTE") or None,
        target_branch=env.get("GITHUB_BASE_REF") or env.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or None,
    )


def _flag(text: str | None) -> bool | None:
    return text.strip().lower() in ("1", "y", "yes", "true", "on") if text else None
