"""One pass of the watcher: the same plan and the same executor as `up`, and what is to be learned from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from manager import image, reconcile
from manager.execute import Step, StepState
from manager.fleet import Fleet
from manager.image import ImageProgress
from manager.locking import NoTurn
from manager.observed import ContainerState
from manager.plan import Note, Plan
from manager.problems import UNUSABLE, EngineError
from manager.reconcile import Look, Outcome, Progress, ReconcilesOn
from manager.watch.core import Ended, PassEnd
from manager.watch.happenings import Happening, Kind
from manager.watch.holder import Held, Holder
from manager.watch.metrics import WatchMetrics
from manager.watch.telling import PassTeller


class _CalledOff(Exception):
    """A build need not be waited for: the next pass begins it anew."""


class Worker:
    """`stopping`, once set, ends the pass under way after its running steps."""

    def __init__(
        self,
        engine: ReconcilesOn,
        holder: Holder,
        metrics: WatchMetrics,
        teller: PassTeller,
        environ: Mapping[str, str],
    ) -> None:
        self._engine, self._holder, self._metrics = engine, holder, metrics
        self._teller, self._environ = teller, environ
        self.stopping = threading.Event()
        self._fleet: Fleet | None = None
        self._notes: tuple[Note, ...] = ()
        self._converged = False
        self._unguarded = False

    def make_pass(self, fleet: Fleet) -> Ended:
        """Never raises what may go wrong with an engine."""
        began = time.monotonic()
        try:
            self._hold(fleet)
            outcome = self._up(fleet)
        except Held as held:
            return Ended(PassEnd.FAILED, held_by=held.holder)
        except (NoTurn, _CalledOff):
            ended = Ended(PassEnd.INTERRUPTED)
        except EngineError as error:
            ended = Ended(PassEnd.FAILED, error=error, away=error.problem in UNUSABLE)
        else:
            ended = self._judge(fleet, outcome)
        self._count(ended, time.monotonic() - began)
        return ended

    def _hold(self, fleet: Fleet) -> None:
        if self._holder.holds or self._unguarded:
            return
        found = image.ensure(self._engine, fleet.image, self._environ, lambda each: self._report(each, fleet))
        try:
            self._holder.take(fleet.project, found.id)
        except EngineError as error:
            if error.problem in UNUSABLE:
                raise
            self._unguarded = True
            self._teller.tell(Happening(Kind.WATCH_UNGUARDED, {"error": error}))

    def _up(self, fleet: Fleet) -> Outcome:
        return reconcile.up(
            fleet,
            self._engine,
            on_progress=lambda each: self._report(each, fleet),
            environ=self._environ,
            admit=lambda look: self._admit(look, fleet),
            stopping=self.stopping,
        )

    def _report(self, progress: Progress, fleet: Fleet) -> None:
        if isinstance(progress, ImageProgress) and self.stopping.is_set():
            raise _CalledOff
        if isinstance(progress, Step) and progress.state in (StepState.DONE, StepState.FAILED):
            result = "ok" if progress.state is StepState.DONE else "failed"
            self._metrics.actions.labels(progress.action.kind.value, result).inc()
        self._teller(progress, fleet.project)

    def _admit(self, look: Look, fleet: Fleet) -> Plan:
        running = frozenset(
            each.client_id for each in look.observed.containers if each.state is ContainerState.RUNNING
        ).intersection(spec.client_id for spec in look.desired)
        self._metrics.bots({spec.client_id: spec.memory_bytes for spec in look.desired}, running)
        plan = look.plan
        self._metrics.drift.set(len(plan.shared) + sum(map(len, plan.lanes)))
        for note in plan.notes:
            if note not in self._notes:
                self._teller.tell(Happening(Kind.PLAN_NOTE, {"note": note}, note.client_id))
        self._notes = plan.notes
        if not plan.empty or plan.blocked:
            self._converged = False
        elif not self._converged or fleet is not self._fleet:
            self._converged = True
            self._teller.tell(Happening(Kind.CONVERGED, {"running": len(running)}))
        self._fleet = fleet
        return plan

    def _judge(self, fleet: Fleet, outcome: Outcome) -> Ended:
        if outcome.image is not None and outcome.image.built:
            self._teller.tell(Happening(Kind.IMAGE_BUILT, {"tag": outcome.image.tag}))
        lost = next((error for error in outcome.errors if error.problem in UNUSABLE), None)
        changed = any(step.state is StepState.DONE for step in outcome.steps)
        if self.stopping.is_set() and any(step.state is StepState.SKIPPED for step in outcome.steps):
            return Ended(PassEnd.INTERRUPTED, changed)
        return Ended(PassEnd.OK if outcome.ok else PassEnd.FAILED, changed, error=lost, away=lost is not None)

    def _count(self, ended: Ended, seconds: float) -> None:
        self._metrics.reconciles.labels(ended.end.value).inc()
        self._metrics.reconcile_seconds.observe(seconds)
        if ended.end is PassEnd.OK:
            self._metrics.last_success.set(time.time())
        if ended.end is not PassEnd.INTERRUPTED:
            self._metrics.engine_up.set(not ended.away)
