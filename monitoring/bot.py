"""The page *Bot*: one bot over time."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from monitoring import parts, states
from monitoring.parts import GREEN, ORANGE, RED, YELLOW, Look, Query, small

_THIS = 'client_id="$clientId"'
_DAY = 86400
_GIB = 1024**3


def dashboard() -> Dashboard:
    page = parts.page(
        "Oturum: bot",
        parts.BOT_UID,
        "One bot: its state over time, lost connections, QRs, memory, its session on the disk.",
        start="now-24h",
    )
    page.with_variable(
        QueryVariable("clientId")
        .label("bot")
        .description("clientId in bots.yaml")
        .datasource(parts.SOURCE)
        .query({"query": 'label_values(up{job="oturum-bots"}, client_id)', "refId": "clientId"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )
    for name, expr, colour, text in _MARKS:
        page.annotation(parts.note(name, expr, colour, text))
    for section in (_now, _connection, _qr, _memory, _session):
        page = section(page)
    return page


_MARKS = (
    (
        "disconnect",
        f"increase(whatsapp_bot_disconnects_total{{{_THIS}}}[$__rate_interval]) > 0",
        "yellow",
        "{{reason}}",
    ),
    (
        "QR",
        f"increase(whatsapp_bot_qr_requests_total{{{_THIS}}}[$__rate_interval]) > 0",
        "orange",
        "{{cause}}",
    ),
    (
        "start",
        # Not by a change from one scrape to the next: the bot may have been away for longer than any window. A step
        # is long enough, with time to be read for the first time.
        f"whatsapp_bot_started_timestamp_seconds{{{_THIS}}} > time() - ($__interval_ms / 1000 + 30)",
        "blue",
        "the process",
    ),
)


def _of(metric: str, more: str = "") -> str:
    return f"whatsapp_bot_{metric}{{{_THIS}{',' if more else ''}{more}}}"


def _manager(metric: str) -> str:
    return f"oturum_manager_{metric}{{{_THIS}}}"


def _now(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("$clientId"))
    page.with_panel(
        parts.number(
            small(
                "State",
                "Where the bot stands now.",
                "short",
            ),
            Query(f"client_id:oturum_state:code{{{_THIS}}}", "state"),
            words=states.legend(),
        )
    )
    page.with_panel(
        parts.number(
            small("Connected for", "Since it became READY.", "s", empty="not connected"),
            Query(f"time() - ({_of('connected_since_timestamp_seconds')} > 0)", "connected"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Availability",
                "Share of the time shown in which it was READY.",
                "percentunit",
                steps=((None, RED), (0.95, YELLOW), (0.99, GREEN)),
                decimals=2,
            ),
            Query(f"avg_over_time(client_id:oturum_ready:bool{{{_THIS}}}[$__range])", "READY"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Last QR",
                "Since it last wanted a scan, for as long as Prometheus remembers.",
                "s",
                steps=((None, RED), (3600, ORANGE), (_DAY, YELLOW), (7 * _DAY, GREEN)),
                empty="none seen",
            ),
            Query(f"time() - client_id:oturum_qr_wanted:timestamp_seconds{{{_THIS}}}", "ago"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Phone last seen",
                "Since the phone paired, or wrote a message. WhatsApp unlinks the bot after about 14 days without the phone.",
                "s",
                steps=((None, GREEN), (10 * _DAY, YELLOW), (12 * _DAY, RED)),
                empty="not known",
            ),
            Query(f"time() - ({_of('phone_seen_timestamp_seconds')} > 0)", "ago"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Running for",
                "Since the bot's process started.",
                "s",
            ),
            Query(f"time() - {_of('started_timestamp_seconds')}", "running"),
        )
    )
    page.with_panel(
        parts.timeline(
            Look("State over time", "Each change of state; dark red: it did not answer.", "short", 24, 5),
            Query(f"client_id:oturum_state:code{{{_THIS}}}", "{{client_id}}"),
            states.legend(),
        )
    )
    return page


def _connection(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Connection"))
    page.with_panel(
        parts.counts(
            Look("Disconnects by reason", "Connections it lost.", "short", 8),
            Query(f"{parts.happened(_of('disconnects_total'))} > 0", "{{reason}}"),
        )
    )
    page.with_panel(
        parts.counts(
            Look(
                "What brought it back",
                "page: WhatsApp's page by itself; reload, relaunch: the bot; restart: its own start.",
                "short",
                8,
            ),
            Query(f"{parts.happened(_of('reconnects_total'))} > 0", "{{how}}"),
        )
    )
    page.with_panel(
        parts.curve(
            Look(
                "Time to reconnect, time to READY",
                "Over the last hour: from a loss to READY again, and from a start to READY; 95 % were faster.",
                "s",
                8,
                steps=((None, GREEN), (60, YELLOW), (600, RED)),
            ),
            Query(
                f"histogram_quantile(0.95, sum by (le) (rate({_of('reconnect_seconds_bucket')}[1h])))",
                "reconnect p95",
            ),
            Query(
                f"histogram_quantile(0.95, sum by (le) (rate({_of('ready_seconds_bucket')}[1h])))",
                "start p95",
            ),
        )
    )
    page.with_panel(
        parts.counts(
            Look("Browsers started anew", "By reason.", "short", 8),
            Query(f"{parts.happened(_of('browser_restarts_total'))} > 0", "{{reason}}"),
        )
    )
    page.with_panel(
        parts.counts(
            Look(
                "Looks the page did not answer",
                "Two in a row of full length mean that the page hangs. A few now and then mean too little CPU.",
                "short",
                8,
            ),
            Query(parts.happened(_of("page_probe_failures_total")), "unanswered"),
        )
    )
    page.with_panel(
        parts.curve(
            Look(
                "Names missing in the page",
                "Internal names of WhatsApp's page that could not be read. Many bots at once: WhatsApp has changed its page.",
                "short",
                8,
            ),
            Query(_of("signals_missing"), "missing"),
            kinds=("lastNotNull", "max"),
        )
    )
    return page


def _qr(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("QR codes"))
    page.with_panel(
        parts.counts(
            Look(
                "QR episodes by cause",
                "How often it began to ask for a scan. first_pairing and logout are people's doing; session_lost is ours.",
                "short",
                8,
            ),
            Query(f"{parts.happened(_of('qr_requests_total'))} > 0", "{{cause}}"),
            colours={"session_lost": "red", "logout": "orange", "first_pairing": "blue"},
        )
    )
    page.with_panel(
        parts.counts(
            Look("Codes shown", "One episode shows a new code every 20 to 60 seconds.", "short", 8),
            Query(parts.happened(_of("qr_codes_total")), "codes"),
        )
    )
    page.with_panel(
        parts.counts(
            Look("Restores", "Kept copies that were put back after a loss, by what came of it.", "short", 8),
            Query(f"{parts.happened(_of('restores_total'))} > 0", "{{result}}"),
            colours={"ready": "green", "failed": "red", "damaged": "red", "none": "orange"},
        )
    )
    return page


def _memory(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Memory"))
    page.with_panel(
        parts.curve(
            Look(
                "Memory",
                "What counts against the limit, the limit, and the browser's proportional share. At the limit its browser is killed.",
                "bytes",
                12,
            ),
            Query(f"{_of('memory_bytes')} > 0", "container"),
            Query(f"{_of('memory_limit_bytes')} > 0", "limit"),
            Query(_of("browser_memory_bytes"), "browser"),
        )
    )
    page.with_panel(
        parts.counts(
            Look(
                "Restarted by the manager",
                "Because it was unhealthy, or out of memory.",
                "short",
                12,
            ),
            Query(f"{parts.happened(_manager('bot_restarts_total'))} > 0", "{{reason}}"),
            Query(
                f"{parts.happened(_manager('bot_oom_kills_total'))} > 0",
                "killed at the limit",
            ),
        )
    )
    return page


def _session(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Session on the disk"))
    page.with_panel(
        parts.curve(
            Look("Size", "The session, and all kept copies of it.", "bytes", 8),
            Query(_of("session_bytes"), "session"),
            Query(_of("generation_bytes"), "copies"),
        )
    )
    page.with_panel(
        parts.curve(
            Look(
                "Free disk",
                "Under the session. A bot wants room for three copies; without any, it waits rather than risk the session.",
                "bytes",
                8,
                steps=((None, RED), (0.5 * _GIB, YELLOW), (2 * _GIB, GREEN)),
            ),
            Query(_of("session_free_bytes"), "free"),
            kinds=("lastNotNull", "min"),
        )
    )
    page.with_panel(
        parts.curve(
            Look("Age of the newest copy", "Since the session was last copied.", "s", 8),
            Query(f"time() - ({_of('last_generation_timestamp_seconds')} > 0)", "age"),
            kinds=("lastNotNull",),
        )
    )
    page.with_panel(
        parts.number(
            Look(
                "Session on the volume",
                "1 when the volume holds a paired session.",
                "short",
                8,
                4,
                steps=((None, ORANGE), (1, GREEN)),
            ),
            Query(_of("session_present"), "session"),
        )
    )
    page.with_panel(
        parts.number(
            Look(
                "Event lines lost",
                "Lines of the event log that could not be written, since the bot's start.",
                "short",
                8,
                4,
                steps=((None, GREEN), (1, ORANGE)),
            ),
            Query(_of("events_lost_total"), "lost"),
        )
    )
    page.with_panel(
        parts.name(
            Look("Version", "Of the bot that runs.", "short", 8, 4), Query(_of("build_info"), "{{version}}")
        )
    )
    return page
