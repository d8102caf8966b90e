"""Every metric of the bot, in one place. Counters are of this process; every label value starts at 0."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)

from bot.contract import DisconnectReason, QrCause, ReconnectHow, RestartReason, RestoreEnd, State
from bot.stimuli import Clocked, Tally

disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 120, 300, 900, 3600)


class BotMetrics:
    def __init__(self, client_id: str, version: str) -> None:
        self.registry = CollectorRegistry()
        self.client_id = client_id
        self.disconnects = self._counter(
            "disconnects",
            "Connections lost, by reason",
            "reason",
            [reason.value for reason in DisconnectReason],
        )
        self.reconnects = self._counter(
            "reconnects",
            "Times the bot became READY again, by what brought it back",
            "how",
            [how.value for how in ReconnectHow],
        )
        self.qr_requests = self._counter(
            "qr_requests", "QR episodes, by cause", "cause", [cause.value for cause in QrCause]
        )
        self.browser_restarts = self._counter(
            "browser_restarts",
            "Browsers started anew, by reason",
            "reason",
            [reason.value for reason in RestartReason],
        )
        self.restores = self._counter(
            "restores",
            "Attempts to bring back a lost session, by result",
            "result",
            [end.value for end in RestoreEnd],
        )
        self.qr_codes = self._plain_counter("qr_codes", "QR codes shown")
        self.page_probe_failures = self._plain_counter("page_probe_failures", "Looks the page did not answer")
        self.events_lost = self._plain_counter("events_lost", "Event log lines that could not be written")
        self.state = Gauge(
            "whatsapp_bot_state",
            "1 for the state the bot is in, 0 for the others",
            ["client_id", "state"],
            registry=self.registry,
        )
        for state in State:
            self.state.labels(client_id, state.value).set(0)
        self.qr_waiting = Gauge(
            "whatsapp_bot_qr_waiting",
            "1 while a scan is waited for, under the cause of the QR episode",
            ["client_id", "cause"],
            registry=self.registry,
        )
        self.wait_for_scan(None)
        self.session_present = self._gauge("session_present", "1 when the volume holds a paired session")
        self.connected_since = self._gauge(
            "connected_since_timestamp_seconds", "When the bot became READY, as Unix time; 0 while it is not"
        )
        self.started = self._gauge("started_timestamp_seconds", "When the process started, as Unix time")
        self.unclean_end = self._gauge(
            "previous_end_unclean",
            "1 when the process before this one was killed before it closed its browser",
        )
        self.phone_seen = self._gauge(
            "phone_seen_timestamp_seconds",
            "When the phone last paired or wrote a message, as Unix time: it was online then; 0: not known",
        )
        self.session_bytes = self._gauge("session_bytes", "Size of the session, its kept copies not counted")
        self.session_disk = self._gauge(
            "session_disk_bytes", "Size of the file system that holds the session"
        )
        self.session_free = self._gauge(
            "session_free_bytes", "Free bytes of the file system that holds the session"
        )
        self.last_generation = self._gauge(
            "last_generation_timestamp_seconds",
            "When the newest copy of the session was taken, as Unix time; 0: none",
        )
        self.generation_bytes = self._gauge("generation_bytes", "Size of all kept copies of the session")
        self.signals_missing = self._gauge(
            "signals_missing", "Internal signals of the page that could not be read"
        )
        self.browser_memory = self._gauge(
            "browser_memory_bytes", "Proportional memory of the browser's processes"
        )
        self.memory = self._gauge(
            "memory_bytes", "Memory that counts against the limit: the whole container's; 0 without a limit"
        )
        self.memory_limit = self._gauge("memory_limit_bytes", "The memory limit; 0: there is none")
        self.ready_seconds = self._histogram(
            "ready_seconds",
            "From process start (stored session) or pairing (new session) to READY, in seconds",
        )
        self.reconnect_seconds = self._histogram(
            "reconnect_seconds", "From the loss of the connection to READY again, in seconds"
        )
        info = Info("whatsapp_bot_build", "Version of the bot", ["client_id"], registry=self.registry)
        info.labels(client_id).info({"version": version})

    def _counter(self, name: str, text: str, label: str, values: list[str]) -> Counter:
        counter = Counter(f"whatsapp_bot_{name}", text, ["client_id", label], registry=self.registry)
        for value in values:
            counter.labels(self.client_id, value)
        return counter

    def _plain_counter(self, name: str, text: str) -> Counter:
        counter = Counter(f"whatsapp_bot_{name}", text, ["client_id"], registry=self.registry)
        counter.labels(self.client_id)
        return counter

    def _gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(f"whatsapp_bot_{name}", text, ["client_id"], registry=self.registry)
        gauge.labels(self.client_id).set(0)
        return gauge

    def _histogram(self, name: str, text: str) -> Histogram:
        histogram = Histogram(
            f"whatsapp_bot_{name}", text, ["client_id"], buckets=_SECONDS, registry=self.registry
        )
        histogram.labels(self.client_id)
        return histogram

    def count(self, what: Tally, label: str, amount: float = 1) -> None:
        if what is Tally.QR_CODES:
            self.qr_codes.labels(self.client_id).inc(amount)
        else:
            self._by_tally(what).labels(self.client_id, label).inc(amount)

    def events_lost_seen(self, total: int) -> None:
        """`total`: lines lost so far, as the event log counts them."""
        self.events_lost.labels(self.client_id).inc(total - self._single(self.events_lost))

    def observe(self, what: Clocked, seconds: float) -> None:
        histogram = self.ready_seconds if what is Clocked.READY else self.reconnect_seconds
        histogram.labels(self.client_id).observe(seconds)

    def set(self, gauge: Gauge, value: float) -> None:
        gauge.labels(self.client_id).set(value)

    def enter(self, state: State) -> None:
        for other in State:
            self.state.labels(self.client_id, other.value).set(float(other is state))

    def wait_for_scan(self, cause: QrCause | None) -> None:
        """None: nobody is waited for."""
        for other in QrCause:
            self.qr_waiting.labels(self.client_id, other.value).set(float(other is cause))

    def counters(self) -> dict[str, object]:
        """The same numbers for the status document."""
        found: dict[str, object] = {
            tally.value: self._by_label(self._by_tally(tally))
            for tally in Tally
            if tally is not Tally.QR_CODES
        }
        found["qr_codes"] = self._single(self.qr_codes)
        found["page_probe_failures"] = self._single(self.page_probe_failures)
        return found

    def value(self, what: Tally, label: str) -> int:
        return self._by_label(self._by_tally(what)).get(label, 0)

    def _by_tally(self, what: Tally) -> Counter:
        return {
            Tally.DISCONNECTS: self.disconnects,
            Tally.RECONNECTS: self.reconnects,
            Tally.QR_REQUESTS: self.qr_requests,
            Tally.BROWSER_RESTARTS: self.browser_restarts,
            Tally.RESTORES: self.restores,
        }[what]

    @staticmethod
    def _by_label(counter: Counter) -> dict[str, int]:
        found: dict[str, int] = {}
        for sample in next(iter(counter.collect())).samples:
            if sample.name.endswith("_total"):
                (label,) = (value for key, value in sample.labels.items() if key != "client_id")
                found[label] = int(sample.value)
        return found

    @staticmethod
    def _single(counter: Counter) -> int:
        samples = next(iter(counter.collect())).samples
        return next(int(sample.value) for sample in samples if sample.name.endswith("_total"))

    def render(self) -> bytes:
        return generate_latest(self.registry)
