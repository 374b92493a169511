"""Makes checkpoints while commands run: a thread answers who asks for one, and a second one commits them.

The first has the files held and lets the command go on; hashing, trees, commits and refs are the second's. The main thread only
says which commands run. Whatever goes wrong here is one warning and never the end of a run.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from offbranch.base.errors import OffbranchError
from offbranch.base.events import Event, Reporter, Warned
from offbranch.base.plugins import load
from offbranch.base.undisturbed import undisturbed
from offbranch.experiments.attempts import read_records
from offbranch.experiments.checkpoint_committer import Committer, Work, reason_of
from offbranch.experiments.checkpoint_policy import CheckpointMode
from offbranch.experiments.checkpoint_requests import Handoff, Request
from offbranch.experiments.checkpoint_terms import Terms
from offbranch.experiments.events import CheckpointsMade
from offbranch.experiments.experiment import AttemptState
from offbranch.pipeline.stage import LockedStage, Stage

# In mode `auto`: the run's time for each second that its checkpoints have taken.
SPARING = 50
VARIABLE = "OFFBRANCH_CHECKPOINT"
# A run that takes so long may well ask; getting ready costs 20 ms.
_SOON_S = 0.4
_MAKER = "offbranch.experiments.checkpoint_maker:Maker"


class SharedReporter:
    """Lets several threads use one reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._lock:
            self._reporter.emit(event)


class Checkpointer:
    """A `CommandWatcher`; one for each run. `close` is to be called when its commands are over.

    Args:
        terms: Of the run.
        clock: Seconds, monotonic: that of `state.json`.
    """

    def __init__(self, terms: Terms, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._terms = terms
        self._clock = clock
        self._began_s = clock()
        self._waits_s = 0.0
        self._running: dict[str, tuple[Stage, LockedStage]] = {}
        # Also those that have ended, until dvc.lock says so: their newest snapshot stands for them.
        self._unrecorded: dict[str, Stage] = {}
        # What is recorded of: at the end of this run, or by that which it goes on from.
        self._recorded = [] if terms.begun is None else sorted(terms.begun.ended)
        # Those that the chain has, or may have, an unfinished state of.
        self._in_chain = set() if terms.begun is None else set(terms.begun.entries)
        self._handoff: Handoff | None = None
        self._maker: Any = None
        self._listener: threading.Thread | None = None
        self._committer = Committer(
            terms.spec.name, terms.reporter, clock, warn=self._warn, give_up=self._break, ended=self._committed
        )
        self._committer.recorded = frozenset(self._recorded)
        # Held while somebody is answered; who holds it knows what runs.
        self._answering = threading.Lock()
        self._is_over = self._is_broken = False
        self._warned: set[str] = set()

    def began(self, stage: Stage, described: LockedStage) -> Mapping[str, str]:
        mode = mode_of(self._terms.spec.checkpoints.mode, stage)
        try:
            if self._handoff is None:
                self._open()
        except (OSError, OffbranchError) as error:
            self._warn(f"no checkpoints can be made: {error}")
            return {VARIABLE: CheckpointMode.OFF.value}
        assert self._handoff is not None
        self.keep_ends()
        with self._answering:
            if stage.address in self._recorded:
                self._recorded.remove(stage.address)
            self._running[stage.address] = (stage, described)
            self._unrecorded[stage.address] = stage
        env = {"OFFBRANCH_HANDOFF": self._handoff.path, VARIABLE: mode.value}
        if mode is CheckpointMode.EVERY:
            env["DVC_CHECKPOINT"] = "1"
        return env

    def ended(self, stage: Stage) -> None:
        if self._handoff is None:
            return
        with self._answering:
            self._running.pop(stage.address, None)
        self._committer.wait()
        self._terms.chain.live.update(dict.fromkeys(self._handoff.live_paths()))

    def recorded(self, stage: Stage) -> None:
        with self._answering:
            if self._unrecorded.pop(stage.address, None) is not None:
                self._recorded.append(stage.address)
        if self._running:
            self.keep_ends()

    def keep_ends(self) -> None:
        """Commits the end of stages that the chain has only up to a checkpoint: whoever goes on from there need not run them.

        Where nothing comes after it the commit of the experiment does that, so it is not to be called then.
        """
        with undisturbed(), self._answering:
            self._committer.wait()
            known = self._committer.recorded
            ends = [each for each in self._recorded if each in self._in_chain and each not in known]
            if not ends or self._is_broken or not self._may_make():
                return
            assert self._handoff is not None
            try:
                self._maker = self._maker or load(_MAKER)(self._terms)
                live = self._handoff.live_paths()
                snapshot = self._maker.take_end(ends, live, copies_first=self._committer.copies_first)
                self._commit(snapshot, is_told=False)
            except Exception as error:  # noqa: BLE001 - an edge: a mistake of ours is no reason to stop a run
                self._warn(f"the end of '{ends[0]}' is no checkpoint: {reason_of(error)}")
            self._committer.wait()

    def close(self) -> None:
        """Ends the threads; what is under way is finished."""
        self._is_over = True
        try:
            if self._handoff is not None:
                self._handoff.wake()
            if self._listener is not None:
                self._listener.join()
            self._committer.close()
        finally:
            self._terms.chain.close()
            with suppress(OSError):
                if self._handoff is not None:
                    self._handoff.close()
        if self._committer.made:
            self._terms.reporter.emit(CheckpointsMade(name=self._terms.spec.name, n_made=self._committer.made))

    def _open(self) -> None:
        terms = self._terms
        self._handoff = Handoff(terms.place_root, terms.chain.attempt.id, (terms.root,))
        self._say(next_at=0.0)
        with undisturbed():  # a signal is for the main thread, which waits for the commands
            self._listener = threading.Thread(target=self._listen, name="checkpoints", daemon=True)
            self._listener.start()

    def _listen(self) -> None:
        assert self._handoff is not None
        try:
            while not self._is_over:
                self._handoff.wait()
                if self._maker is None and self._clock() - self._began_s > _SOON_S and self._may_make():
                    self._maker = load(_MAKER)(self._terms)  # so that the first who asks need not wait for it
                for request in self._handoff.requests():
                    if self._is_over:
                        break
                    with self._answering:
                        self._answer(request)
        except Exception as error:  # noqa: BLE001 - an edge: a mistake of ours is no reason to stop a run
            self._break(f"no more checkpoints are made: {reason_of(error)}")
            self._handoff.leave()
        finally:
            if self._maker is not None:
                self._maker.end_taking()

    def _may_make(self) -> bool:
        return self._terms.spec.checkpoints.mode is not CheckpointMode.OFF and not self._is_over

    def _answer(self, request: Request) -> None:
        assert self._handoff is not None
        began_s = self._clock()
        reason = self._refusal(request, began_s)
        if reason is not None:
            self._handoff.reply(request, number=None, reason=reason)
            return
        if not self._committer.is_idle:
            return  # its turn comes when the one before it is committed
        try:
            self._maker = self._maker or load(_MAKER)(self._terms)
            live = self._handoff.live_paths()
            copies_first = self._committer.copies_first
            snapshot = self._maker.take(self._asked(request), live, request.step, copies_first=copies_first)
        except (OffbranchError, OSError) as error:
            self._warn(f"a checkpoint could not be made: {reason_of(error)}")
            self._handoff.reply(request, number=None, reason=reason_of(error))
            return
        self._say(next_at=None)
        try:
            self._handoff.reply(request, number=snapshot.number)
        finally:
            self._waits_s += self._clock() - began_s
            self._in_chain.update(stage.address for stage, _ in self._asked(request))
            self._commit(snapshot, is_told=request.kind != "auto")

    def _commit(self, snapshot: Any, *, is_told: bool) -> None:
        running, recorded = tuple(self._unrecorded.values()), tuple(self._recorded)
        work = Work(maker=self._maker, snapshot=snapshot, running=running, recorded=recorded, is_told=is_told)
        self._committer.commit(work)

    def _committed(self) -> None:
        """Hears that one is committed, or could not be."""
        assert self._handoff is not None
        self._say(next_at=self._next_s())
        self._handoff.wake()

    def _refusal(self, request: Request, now_s: float) -> str | None:
        """Returns why there will be no checkpoint; None where there will be one."""
        if self._is_broken:
            return "no more checkpoints are made"
        if self._terms.spec.checkpoints.mode is CheckpointMode.OFF:
            return "checkpoints are off"
        if not self._asked(request):
            return "no command of a stage runs"
        if request.is_of_anybody and self._others_run():
            text = "no checkpoint was made for the file DVC_CHECKPOINT: several experiments run, and nobody knows whose it is"
            self._warn(text, hint="'ob checkpoint' and offbranch.checkpoint() say it")
            return text
        if request.kind == "auto" and not self._committer.is_idle:
            return "an earlier one is still being committed"
        if request.kind == "auto" and now_s < self._next_s():
            return "too early"
        return None

    def _others_run(self) -> bool:
        own = self._terms.chain.attempt.id
        return any(
            each.id != own and each.state is AttemptState.RUNNING and each.true_state is AttemptState.RUNNING
            for each in read_records(self._terms.root)
        )

    def _asked(self, request: Request) -> list[tuple[Stage, LockedStage]]:
        own = self._running.get(request.stage or "")
        return [own] if own is not None else list(self._running.values())

    @property
    def _cost_s(self) -> float:
        return self._waits_s + self._committer.cost_s

    def _next_s(self) -> float:
        # With the next one included: what it will cost is guessed from those before.
        each_s = self._cost_s / max(self._committer.made, 1)
        return self._began_s + SPARING * (self._cost_s + each_s)

    def _say(self, *, next_at: float | None) -> None:
        assert self._handoff is not None
        mode = self._terms.spec.checkpoints.mode.value
        with suppress(OSError):  # the disk is full: who asks by the old one is refused
            self._handoff.say(mode=mode, made=self._committer.made, cost_s=self._cost_s, next_at=next_at)

    def _break(self, text: str) -> None:
        self._is_broken = True
        self._warn(text)

    def _warn(self, text: str, hint: str = "the run goes on") -> None:
        if text not in self._warned:
            self._warned.add(text)
            with suppress(OSError):  # nobody reads what we print: the main thread finds out
                self._terms.reporter.emit(Warned(text=text, hint=hint))


def mode_of(mode: CheckpointMode, stage: Stage) -> CheckpointMode:
    """Returns how often the commands of a stage shall ask: at every step where one of its outputs says so."""
    if mode is CheckpointMode.AUTO and any(out.checkpoint for out in stage.outs):
        return CheckpointMode.EVERY
    return mode
