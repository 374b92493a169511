"""A SLURM of the tests' own: munged, slurmctld and slurmd on free ports of the loopback, in one directory.

It has a key, a socket and a configuration of its own, so one that the machine runs beside it is not disturbed. It needs no
root: everything runs as the user of the tests, whose jobs are the only ones. The daemons are told by the kernel when the
process that started them dies, so none is left behind.
"""

import getpass
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from programs import need
from servers import NotStartedError, free_port, started

CONF = """\
ClusterName=obtests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={place}/munge/socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ReturnToService=2
MinJobAge=300
KillWait=30
GresTypes=gpu
DefMemPerCPU=100
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=4000 Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=closed Nodes={host} MaxTime=INFINITE State=INACTIVE
"""

# Seconds on end; credentials and their revocations are told apart by whole ones.
_REVOKED_S = 2.5


@dataclass
class SlurmSite:
    """A SLURM with one node.

    Attributes:
        conf: What SLURM_CONF names.
        over_since: Requeued job -> when its first run was seen to be over.
    """

    conf: Path
    over_since: dict[str, float] = field(default_factory=dict)

    def ask(self, *words: str) -> str:
        """Runs one of SLURM's programs; returns what it printed."""
        env = {**os.environ, "SLURM_CONF": str(self.conf)}
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def states(self) -> dict[str, str]:
        """Job and array index (`12_3`) -> state, of all that SLURM remembers."""
        lines = self.ask("squeue", "--noheader", "--array", "--states=all", "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def wait_for(self, what: str, is_so: Callable[[], object], timeout_s: float = 90) -> None:
        """Waits until something is so."""
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}\n{self.states()}"
            time.sleep(0.1)

    def processes(self, job_id: str = "") -> list[int]:
        """Every process that a job of this SLURM has started, also one that its daemons know nothing of any more.

        With the own id of a job (not that of its array): those of this job.
        """
        mark = f"SLURM_CONF={self.conf}\0".encode()
        of_job = b"SLURM_JOB_ID=" + (f"{job_id}\0".encode() if job_id else b"")
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                environ = Path("/proc", name, "environ").read_bytes()
            except OSError:
                continue
            if mark in environ and of_job in environ:
                found.append(int(name))
        return found

    def step_daemons(self, job_id: str) -> list[int]:
        """The `slurmstepd` of a job (by its own id, not that of its array)."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = Path("/proc", name, "cmdline").read_bytes().decode()
            except OSError:
                continue
            if command.startswith(f"slurmstepd: [{job_id}.batch]"):
                found.append(int(name))
        return found

    def internal_id(self, element: str) -> str:
        """The id that the daemons know an element of an array by."""
        lines = self.ask("squeue", "--noheader", "--array", "--states=all", "-o", "%i %A").splitlines()
        return dict(line.split() for line in lines)[element]

    def hurry(self) -> None:
        """Starts what was requeued and whose first run is over; by itself SLURM waits two minutes for that.

        Started sooner, it may take the end of the first run for one of the second; and a node that was told within the same
        second that the job is over refuses to begin it, for its credential counts as revoked (the job has failed then).
        """
        lines = self.ask("squeue", "--noheader", "--array", "--states=PENDING", "-o", "%i %A %r").splitlines()
        for element, job_id, reason in (line.split(maxsplit=2) for line in lines):
            if reason != "BeginTime" or self.processes(job_id) or self.step_daemons(job_id):
                self.over_since.pop(element, None)
            elif time.monotonic() - self.over_since.setdefault(element, time.monotonic()) > _REVOKED_S:
                del self.over_since[element]
                words = ("scontrol", "update", f"jobid={element}", "StartTime=now")
                # It may have been cancelled meanwhile.
                subprocess.run(
                    words, env={**os.environ, "SLURM_CONF": str(self.conf)}, capture_output=True, check=False
                )

    def clear(self) -> None:
        """Ends all jobs."""
        self.ask("scancel", f"--user={getpass.getuser()}")
        for pid in self.processes():
            _end(pid)
        live = ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING")
        for element in (name for name, state in self.states().items() if state in live):
            for pid in self.step_daemons(self.internal_id(element)):
                _end(pid)


@contextmanager
def slurm_site(place: Path) -> Iterator[SlurmSite]:
    """Runs a SLURM in a directory until the context ends; skips the test where it is not installed."""
    controller, node, munged = need("slurmctld"), need("slurmd"), need("munged")
    bound = [need("setpriv"), "--pdeathsig", "KILL", "--"]
    for name in ("munge", "state", "spool"):
        (place / name).mkdir(parents=True)
    secrets = place / "munge"
    (secrets / "key").write_bytes(os.urandom(1024))
    (secrets / "key").chmod(0o400)
    files = [
        f"--{name}={secrets / name.removesuffix('-file')}" for name in ("key-file", "pid-file", "log-file", "seed-file")
    ]
    # munged wants no directory above its files that others may write to; pytest's are in /tmp.
    command = [*bound, munged, "--foreground", "--force", f"--socket={secrets / 'socket'}", *files]
    with started(command, r'Created socket "'):
        for _ in range(5):
            try:
                with _daemons(place, bound, controller, node) as site:
                    yield site
                return
            except NotStartedError:
                continue  # somebody took a port
    raise AssertionError("SLURM did not start")


@contextmanager
def _daemons(place: Path, bound: list[str], controller: str, node: str) -> Iterator[SlurmSite]:
    host = socket.gethostname().partition(".")[0]
    conf = place / "slurm.conf"
    ports = {"controller_port": free_port(), "node_port": free_port()}
    conf.write_text(CONF.format(host=host, user=getpass.getuser(), place=place, **ports))
    (place / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n")
    site = SlurmSite(conf)
    with (
        started([*bound, controller, "-D", "-f", str(conf)], r"slurmctld version"),
        started([*bound, node, "-D", "-f", str(conf)], r"slurmd started"),
    ):
        deadline = time.monotonic() + 15
        while re.search("idle|mixed", _sinfo(site)) is None:
            if time.monotonic() > deadline:
                raise NotStartedError("the node did not come up")
            time.sleep(0.1)
        try:
            yield site
        finally:
            site.clear()


def _sinfo(site: SlurmSite) -> str:
    env = {**os.environ, "SLURM_CONF": str(site.conf)}
    words = ["sinfo", "--noheader", "-o", "%T"]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
