"""How long a training loop waits for a checkpoint; on the file system of the directory that is named, else of temporary files.

For each case the loop writes its outputs anew, asks, and notes how long the answer took, and then how long opening the model
for writing was held up by the copy that is still being made. Milliseconds: first, median and longest of ten checkpoints.
Run with the directories `src` and `tests` on PYTHONPATH.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from asking import training

LOOP = """
import random, statistics
def write(step):
    for name, size in FILES:
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(step.to_bytes(2, "big"))
            for _ in range(size // 65536): file.write(BLOCK)
BLOCK = os.urandom(65536)
waits, opens = [], []
for step in range(10):
    write(step)
    metrics(acc=step)
    began = time.perf_counter()
    assert ask(step)["is_taken"]
    waits.append(time.perf_counter() - began)
    began = time.perf_counter()
    open(FILES[0][0], "r+b").close()
    opens.append(time.perf_counter() - began)
    time.sleep(1.5)
with open(os.environ["DVC_ROOT"] + "/.dvc/tmp/said.json", "w") as file:
    json.dump([waits, opens], file)
"""
# As the program says it.
CASES = {
    "a model of 100 MB": '[("model.bin", 100 << 20)]',
    "a directory of 1,000 files, 64 KB each": '[(f"model.bin/{n}", 1 << 16) for n in range(1000)]',
    "a directory of ten files, 10 MB each": '[(f"model.bin/{n}", 10 << 20) for n in range(10)]',
}


def main(where: Path) -> None:
    print(f"{'checkpoint of':42}{'waits: first':>14}{'median':>9}{'longest':>9}{'open: median':>15}{'longest':>9}")
    for label, files in CASES.items():
        with tempfile.TemporaryDirectory(dir=where) as scratch:
            project = training(Path(scratch) / "p", f"FILES = {files}\n{LOOP}")
            subprocess.run(["git", "-C", str(project.root), "config", "user.name", "bench"], check=True)
            done = project.ob("exp", "run", "-n", "x", timeout=600)
            if done.code != 0:
                sys.exit(done.err)
            waits, opens = json.loads(project.read(".dvc/tmp/said.json"))
            ms = [1000 * x for x in (waits[0], sorted(waits)[5], max(waits), sorted(opens)[5], max(opens))]
            print(f"{label:42}{ms[0]:14.1f}{ms[1]:9.1f}{ms[2]:9.1f}{ms[3]:15.1f}{ms[4]:9.1f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()))
