"""What matters only when stages run side by side: that what they leave is the same as if they had run one by one."""

from collections.abc import Collection, Iterable, Mapping

from offbranch.base.paths import RepoPath
from offbranch.pipeline.facts import Facts
from offbranch.pipeline.plan import Action, Step, describe
from offbranch.pipeline.recording import Later
from offbranch.pipeline.run_cache import is_recordable, run_key
from offbranch.pipeline.stage import Stage


class Alongside:
    """Remembers who runs what, who waits for it, and what each has left.

    Args:
        stages: By address.
        position: Address -> place in the execution order.
        recorded_before: Addresses that had an entry in dvc.lock when we came.
        uses_run_cache: Whether what one stage made may be restored for another.
    """

    def __init__(
        self,
        stages: Mapping[str, Stage],
        position: Mapping[str, int],
        recorded_before: Collection[str],
        *,
        uses_run_cache: bool,
    ) -> None:
        self._stages, self._position, self._recorded_before = stages, position, recorded_before
        self._uses_run_cache = uses_run_cache
        self._keys: dict[str, str] = {}
        self._waiting: dict[str, list[str]] = {}
        self._ignored: dict[str, tuple[RepoPath, ...]] = {}

    def waits(self, step: Step, facts: Facts) -> bool:
        """Tells whether a stage has to wait for one that runs now and makes what it can then take from the run-cache.

        If not, and it is about to run, others will wait for it.
        """
        key = self._key(step, facts)
        if key is None:
            return False
        if key in self._keys:
            self._waiting.setdefault(self._keys[key], []).append(step.stage.address)
            return True
        self._keys[key] = step.stage.address
        return False

    def end(self, address: str, ignored: tuple[RepoPath, ...]) -> Iterable[str]:
        """Notes that a stage has ended and which outputs got ignore lines; returns who has waited for it."""
        if ignored:
            self._ignored[address] = ignored
        self._keys = {key: other for key, other in self._keys.items() if other != address}
        return self._waiting.pop(address, ())

    def later(self, stage: Stage, done: Iterable[str]) -> Later:
        """Returns what those of the finished stages that come after a stage have left already."""
        later = [address for address in done if self._position[address] > self._position[stage.address]]
        new = [self._stages[address] for address in later if address not in self._recorded_before]
        return Later(
            entries=tuple(other.name for other in new if other.file == stage.file and other.name is not None),
            ignored=tuple(path for address in later for path in self._ignored.get(address, ())),
        )

    def _key(self, step: Step, facts: Facts) -> str | None:
        """Returns under which key of the run-cache a stage will be found; None if it will not be."""
        if step.action is not Action.RUN or not self._uses_run_cache or not is_recordable(step.stage):
            return None
        if any(reason.code == "forced" for reason in step.reasons):
            return None
        return run_key(describe(step.stage, facts), tuple(sorted(out.written for out in step.stage.outs)))
