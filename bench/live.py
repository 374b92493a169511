"""Times `Live`, and DVCLive where it is installed, in training programs that do nothing else: CPU seconds, medians.

Everything that is logged is on disk when the program ends. Linux and macOS; standard library only.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
OPEN = "live = Live(save_dvc_exp=False, dvcyaml=None)\n"
# Name -> program, target in seconds (None: there is none), whether DVCLive can do it in reasonable time.
CASES: dict[str, tuple[str, float | None, bool]] = {
    "import": ("", 0.05, True),
    "1,000,000 log_metric": (
        OPEN + "for i in range(1_000_000): live.log_metric('loss', i * 0.37)\nlive.end()\n",
        2.0,
        False,
    ),
    "10,000 log_metric": (OPEN + "for i in range(10_000): live.log_metric('loss', i * 0.37)\nlive.end()\n", None, True),
    "100,000 next_step": (
        OPEN + "for i in range(100_000):\n    live.log_metric('loss', i)\n    live.next_step()\nlive.end()\n",
        1.0,
        False,
    ),
    "1,000 next_step": (
        OPEN + "for i in range(1_000):\n    live.log_metric('loss', i)\n    live.next_step()\nlive.end()\n",
        None,
        True,
    ),
    "1,000 steps of 100 metrics": (
        OPEN
        + "for i in range(1_000):\n    for k in range(100): live.log_metric(f'm/{k}', i)\n    live.next_step()\nlive.end()\n",
        None,
        False,
    ),
}


def cost_of(python: str, program: str, module: str) -> float:
    """Returns the CPU seconds of a program and what it starts."""
    with tempfile.TemporaryDirectory(prefix="ob-bench-") as place:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [python, "-c", f"from {module} import Live\n{program}"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(SOURCE) if module == "offbranch" else "", "DVC_NO_ANALYTICS": "1"},
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="timed runs per case")
    parser.add_argument("--peer", metavar="PYTHON", help="interpreter that has dvclive")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{'CPU seconds, median':32} {'ob':>8} {'dvclive':>8} {'target':>8}")
    for name, (program, target, is_for_peer) in CASES.items():
        cost_of(sys.executable, program, "offbranch")
        ours = statistics.median(cost_of(sys.executable, program, "offbranch") for _ in range(options.runs))
        cells = [f"{ours:8.3f}", f"{'-':>8}", f"{'-':>8}" if target is None else f"{target:8.3f}"]
        if options.peer and is_for_peer:
            cells[1] = (
                f"{statistics.median(cost_of(options.peer, program, 'dvclive') for _ in range(options.runs)):8.3f}"
            )
        print(f"{name:32} {' '.join(cells)} {'' if target is None or ours <= target else '  missed'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
