"""One pass of the watcher: the same plan and the same executor as `up`; a roll-out says what of it is done now, and
bots that run without being well are restarted where that may help."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from manager import image, pressure, reconcile
from manager.engine import Engine
from manager.execute import Step, StepState
from manager.fleet import Fleet
from manager.image import BotImage, ImageProgress
from manager.locking import NoTurn
from manager.observed import ContainerState
from manager.plan import ActionKind, Note, Plan
from manager.problems import UNUSABLE, EngineError
from manager.reconcile import Look, Outcome, Progress
from manager.rolling import LOOK_SECONDS, Roller
from manager.rollout import News, Rollout
from manager.spec import network_name
from manager.survey import Survey
from manager.watch.core import RELIST_SECONDS, Ended, PassEnd
from manager.watch.happenings import Happening, Kind, of_decision, of_news
from manager.watch.healing import Healer
from manager.watch.holder import Held, Holder
from manager.watch.metrics import WatchMetrics
from manager.watch.program import REST_SECONDS
from manager.watch.telling import PassTeller
from manager.watchdog import Decision


@dataclass(frozen=True, slots=True)
class Ways:
    """How passes are made. `language`: in which the bots are asked. `batch`: how many bots are changed at a time, after
    the first. `join`: containers with this label are put on the bots' network, as Prometheus must be.
    `changed_for`, `broken`: as `Program`'s."""

    environ: Mapping[str, str]
    language: str = "en"
    batch: int | None = None
    join: str | None = None
    clock: Callable[[], float] = time.monotonic
    changed_for: Callable[[], float | None] = lambda: None
    broken: Callable[[], str] = lambda: ""


# Many starts, one after another, may take longer than anybody wants the watcher to look at nothing else.
SLICE_SECONDS = 240.0
FORGET_NOTE_SECONDS = 600.0


class _CalledOff(Exception):
    """A build need not be waited for: the next pass begins it anew."""


class Worker:
    """Makes one pass at a time. `healer` is told of what the kernel ended."""

    def __init__(
        self, engine: Engine, holder: Holder, metrics: WatchMetrics, teller: PassTeller, ways: Ways
    ) -> None:
        self._engine, self._holder, self._metrics = engine, holder, metrics
        self._teller, self._ways = teller, ways
        self._rollout = Rollout(canary=True, batch=ways.batch)
        self._meter: pressure.Meter | None = None
        self._meter_sought = False
        self.healer = Healer(engine, self._ask, metrics, self._is_busy, ways.clock)
        self._fleet: Fleet | None = None
        self._seen: Look | None = None
        self._notes: list[tuple[Note, float]] = []
        self._converged = False
        self._unguarded = False
        self._broken = ""
        self._troubles: list[Happening] = []
        self.slice_seconds = SLICE_SECONDS
        self._slice: threading.Timer | None = None

    def make_pass(self, fleet: Fleet, stopping: threading.Event) -> Ended:
        """Never raises what may go wrong with an engine. `stopping`, once set, ends it after its running steps.

        It is set here too, some time after the first step: the next pass looks anew, and goes on.
        """
        if (age := self._ways.changed_for()) is not None:
            return self._outdated(age)
        self._broken = ""
        began = time.monotonic()
        self._turn_to(fleet)
        self._teller.begin()
        try:
            self._hold(fleet, stopping)
            outcome = self._up(fleet, stopping)
            ended = self._judge(outcome, stopping)
            if ended.end is not PassEnd.INTERRUPTED and not ended.away:
                touched = frozenset(step.action.client_id for step in outcome.steps)
                ended = self._look_after(fleet, stopping, ended, touched)
            # Last: who cannot be put there is no reason to leave a bot alone that hangs.
            self._join(fleet, outcome)
        except Held as held:
            return Ended(PassEnd.FAILED, held_by=held.holder)
        except (NoTurn, _CalledOff):
            ended = Ended(PassEnd.INTERRUPTED)
        except EngineError as error:
            ended = Ended(PassEnd.FAILED, error=error, away=error.problem in UNUSABLE)
        finally:
            self._end_slice()
        self._count(ended, time.monotonic() - began)
        return ended

    @property
    def troubles(self) -> list[Happening]:
        """What stands in the way of what bots.yaml says, beside a bad file and an engine that is away."""
        if self._broken:
            return [Happening(Kind.WATCH_BROKEN, {"detail": self._broken})]
        return self._troubles

    def _outdated(self, age: float) -> Ended:
        """Nothing is done any more; `age`: seconds since the program on the disk changed last."""
        if age < REST_SECONDS:
            return Ended(PassEnd.INTERRUPTED, again_in=REST_SECONDS)
        broken, before = self._ways.broken(), self._broken
        self._broken = broken
        if broken and broken != before:
            self._teller.tell(Happening(Kind.WATCH_BROKEN, {"detail": broken}))
        return Ended(PassEnd.INTERRUPTED, again_in=RELIST_SECONDS, renew=not broken)

    def _turn_to(self, fleet: Fleet) -> None:
        if fleet is not self._fleet:
            self._fleet, self._converged = fleet, False
            self._teller.forget()
            there = self._seen.plan.notes if self._seen is not None else ()
            self._notes = [each for each in self._notes if each[0] in there]
            self._survey = Survey(self._engine, fleet, self._ways.language)
            self._roller = Roller(self._rollout, self._survey, self._tell_news, self._ways.clock)

    def _hold(self, fleet: Fleet, stopping: threading.Event) -> None:
        if self._holder.holds or self._unguarded:
            return
        found = image.find(self._engine, fleet.image)
        if not found.exists:
            found = self._build(fleet, stopping)
        # A first pass may take minutes: whoever asks meanwhile must not read that the engine is away.
        self._metrics.engine_up.set(1)
        try:
            self._holder.take(fleet.project, found.id)
        except EngineError as error:
            if error.problem in UNUSABLE:
                raise
            self._unguarded = True
            self._teller.tell(Happening(Kind.WATCH_UNGUARDED, {"error": error}))

    def _build(self, fleet: Fleet, stopping: threading.Event) -> BotImage:
        """In the project's turn: an `up` that builds it just now is waited for as one that does anything else is."""

        def report(each: Progress) -> None:
            self._report(each, fleet, stopping)

        with reconcile.project_turn(fleet, self._engine, report, stopping):
            return image.ensure(self._engine, fleet.image, self._ways.environ, report)

    def _up(self, fleet: Fleet, stopping: threading.Event) -> Outcome:
        return reconcile.up(
            fleet,
            self._engine,
            on_progress=lambda each: self._report(each, fleet, stopping),
            environ=self._ways.environ,
            admit=self._admit,
            stopping=stopping,
        )

    def _join(self, fleet: Fleet, outcome: Outcome) -> None:
        if self._ways.join and outcome.ok and fleet.enabled:
            self._engine.join_labelled(network_name(fleet.project), self._ways.join)

    def _report(self, progress: Progress, fleet: Fleet, stopping: threading.Event) -> None:
        if isinstance(progress, ImageProgress):
            self._metrics.engine_up.set(1)
            if stopping.is_set():
                raise _CalledOff
        if isinstance(progress, Step) and self._slice is None:
            self._slice = threading.Timer(self.slice_seconds, stopping.set)
            self._slice.daemon = True
            self._slice.start()
        if isinstance(progress, Step) and progress.state in (StepState.DONE, StepState.FAILED):
            result = "ok" if progress.state is StepState.DONE else "failed"
            self._metrics.actions.labels(progress.action.kind.value, result).inc()
        self._teller(progress, fleet.project)

    def _admit(self, look: Look) -> Plan:
        self._metrics.engine_up.set(1)
        running = frozenset(
            each.client_id for each in look.observed.containers if each.state is ContainerState.RUNNING
        ).intersection(spec.client_id for spec in look.desired)
        self._metrics.bots({spec.client_id: spec.memory_bytes for spec in look.desired}, running)
        plan = look.plan
        self._metrics.drift.set(len(plan.shared) + sum(map(len, plan.lanes)) + len(plan.blocked))
        self._tell_notes(plan.notes)
        if not plan.empty or plan.blocked:
            self._converged = False
        elif not self._converged:
            self._converged = True
            self._teller.tell(Happening(Kind.CONVERGED, {"running": len(running)}))
        self._seen = look
        admitted = self._roller.admit(look)
        self._metrics.rollout_halted.set(self._rollout.halt is not None)
        return admitted

    def _tell_notes(self, notes: tuple[Note, ...]) -> None:
        """Each once; again only after it was not to be told for a while: a bot that ends again and again is seen
        running in between."""
        now = self._ways.clock()
        known = [each for each in self._notes if now - each[1] < FORGET_NOTE_SECONDS]
        told = [note for note, _ in known]
        for note in notes:
            if note not in told:
                self._teller.tell(Happening(Kind.PLAN_NOTE, {"note": note}, note.client_id))
        self._notes = [each for each in known if each[0] not in notes] + [(note, now) for note in notes]

    def _tell_news(self, news: News) -> None:
        self._teller.tell(of_news(news))

    def _judge(self, outcome: Outcome, stopping: threading.Event) -> Ended:
        if outcome.image is not None and outcome.image.built:
            self._teller.tell(Happening(Kind.IMAGE_BUILT, {"tag": outcome.image.tag}))
        self._troubles = [
            *(Happening(Kind.PLAN_NOTE, {"note": note}) for note in outcome.notes if note.blocking),
            *(
                Happening(Kind.PASS_FAILED, {"error": error})
                for error in outcome.errors
                if error.problem not in UNUSABLE
            ),
        ]
        lost = next((error for error in outcome.errors if error.problem in UNUSABLE), None)
        changed = any(step.state is StepState.DONE for step in outcome.steps)
        if stopping.is_set() and any(step.state is StepState.SKIPPED for step in outcome.steps):
            return Ended(PassEnd.INTERRUPTED, changed, failed=not outcome.ok)
        waits = self._rollout.under_way and self._rollout.halt is None
        return Ended(
            PassEnd.OK if outcome.ok else PassEnd.FAILED,
            changed,
            error=lost,
            away=lost is not None,
            again_in=LOOK_SECONDS if waits else None,
        )

    def _look_after(
        self, fleet: Fleet, stopping: threading.Event, ended: Ended, touched: frozenset[str | None]
    ) -> Ended:
        """After the bots that a pass found as they should be; `ended`, and what came of this."""
        assert self._seen is not None
        findings = self.healer.look(self._seen, touched)
        for each in findings.decisions:
            if each.new:
                self._teller.tell(of_decision(each))
        restarted = [self._restart(fleet, each, stopping) for each in findings.restarts]
        waits = [each for each in (ended.again_in, findings.again_in) if each is not None]
        changed = ended.changed or any(restarted)
        return replace(ended, changed=changed, again_in=min(waits, default=None))

    def _restart(self, fleet: Fleet, decision: Decision, stopping: threading.Event) -> bool:
        """Of that very container: one that was made anew meanwhile is not ill."""

        def same(plan: Plan) -> Plan:
            stopped = {step.target for lane in plan.lanes for step in lane if step.kind is ActionKind.STOP}
            return plan if stopped == {decision.container} else Plan()

        outcome = reconcile.restart(
            fleet,
            self._engine,
            frozenset({decision.client_id}),
            on_progress=lambda each: self._report(each, fleet, stopping),
            cause=decision.reason.value,
            admit=same,
            stopping=stopping,
        )
        return any(step.state is StepState.DONE for step in outcome.steps)

    def _ask(self, container: str) -> object:
        return self._survey.status(container)

    def _is_busy(self) -> bool:
        if not self._meter_sought:
            self._meter, self._meter_sought = pressure.meter_of(self._engine), True
        return self._meter is not None and self._meter.read().is_busy

    def _end_slice(self) -> None:
        timer, self._slice = self._slice, None
        if timer is not None:
            timer.cancel()

    def _count(self, ended: Ended, seconds: float) -> None:
        self._metrics.reconciles.labels(ended.end.value).inc()
        self._metrics.reconcile_seconds.observe(seconds)
        if ended.end is PassEnd.OK or (
            ended.end is PassEnd.INTERRUPTED and ended.changed and not ended.failed
        ):
            self._metrics.last_success.set(time.time())
        if ended.end is not PassEnd.INTERRUPTED:
            self._metrics.engine_up.set(not ended.away)
