"""The page *Fleet*: how all bots are, and which ones need somebody. Readable for one bot and for a hundred."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring import parts, states
from monitoring.parts import GREEN, ORANGE, RED, YELLOW, Column, Look, Query, small

_TILE_LINK = parts.bot_link("${__field.labels.client_id}")
_ROW_LINK = parts.bot_link("${__data.fields.bot}")
_PERSON = "WAITING_FOR_QR_SCAN|LOGGED_OUT|CONFLICT|BANNED|OUTDATED|PROXY_BLOCKED|FAILED"
_DAY = 86400


def dashboard() -> Dashboard:
    page = parts.page(
        "Oturum: fleet",
        parts.FLEET_UID,
        "All bots of one bots.yaml: their states, why QRs were asked for, lost connections, memory, and the manager.",
        start="now-24h",
    )
    for section in (_now, _qr, _connections, _resources, _manager):
        page = section(page)
    return page


def _now(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Now"))
    page.with_panel(
        parts.number(
            small(
                "Bots wanted",
                "Bots that bots.yaml wants to run.",
                "short",
            ),
            Query("oturum_manager_desired_bots", "wanted"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "READY",
                "Bots that are connected, of all that are wanted.",
                "percentunit",
                steps=((None, RED), (0.5, ORANGE), (0.9, YELLOW), (1, GREEN)),
            ),
            Query("avg(client_id:oturum_ready:bool)", "READY"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Wait for a person",
                "Bots that show a QR, or stand in a state that no retrying mends.",
                "short",
                steps=((None, GREEN), (1, ORANGE)),
            ),
            Query(f'sum(whatsapp_bot_state{{state=~"{_PERSON}"}})', "bots"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Do not answer",
                "Bots that are wanted and whose metrics cannot be read.",
                "short",
                steps=((None, GREEN), (1, RED)),
            ),
            Query('sum(1 - max by (client_id) (up{job="oturum-bots"}))', "bots"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Sessions lost",
                "QRs that no phone caused, in the time shown. This number stays 0, or somebody finds out why.",
                "short",
                steps=((None, GREEN), (0.5, RED)),
                decimals=0,
            ),
            Query('sum(increase(whatsapp_bot_qr_requests_total{cause="session_lost"}[$__range]))', "lost"),
        )
    )
    page.with_panel(
        parts.number(
            small(
                "Availability",
                "Share of the time shown in which a bot was READY, the mean of all bots.",
                "percentunit",
                steps=((None, RED), (0.95, YELLOW), (0.99, GREEN)),
                decimals=2,
            ),
            Query("avg(avg_over_time(client_id:oturum_ready:bool[$__range]))", "READY"),
        )
    )
    page.with_panel(
        parts.tiles(
            Look("Every bot", "The state of each bot. A click opens its own page.", "short", 16, 10),
            Query("sort(client_id:oturum_state:code)", "{{client_id}}"),
            states.legend(),
            link=_TILE_LINK,
        )
    )
    page.with_panel(
        parts.listing(
            Look(
                "Alerts",
                "What fires now. docs/runbooks has a page for each.",
                "short",
                8,
                10,
                empty="no alert",
            ),
            Query('ALERTS{alertstate="firing"}', ""),
            columns={"severity": "severity", "alertname": "alert", "client_id": "bot"},
            link=_ROW_LINK,
        )
    )
    page.with_panel(
        parts.shares(
            Look(
                "Bots by state",
                "How many bots stood in which state. A bot that does not answer is in none.",
                "short",
                24,
                7,
            ),
            Query("state:oturum_bots:count > 0", "{{state}}"),
            {state.value: colour for state, colour in states.COLOURS.items()},
        )
    )
    return page


def _qr(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("QR codes"))
    page.with_panel(
        parts.counts(
            Look(
                "QR episodes by cause",
                "How often a bot began to ask for a scan. first_pairing and logout are people's doing; session_lost is ours.",
                "short",
                12,
            ),
            Query(f"sum by (cause) ({parts.happened('whatsapp_bot_qr_requests_total')})", "{{cause}}"),
            colours={"session_lost": "red", "logout": "orange", "first_pairing": "blue"},
        )
    )
    page.with_panel(
        parts.ranking(
            Look(
                "Time since the last QR",
                "The 12 bots that wanted a scan most recently. Long bars are good; a bot that never asked is not here.",
                "s",
                12,
                steps=((None, RED), (3600, ORANGE), (_DAY, YELLOW), (7 * _DAY, GREEN)),
            ),
            Query(
                "sort(bottomk(12, time() - client_id:oturum_qr_wanted:timestamp_seconds))", "{{client_id}}"
            ),
            link=_TILE_LINK,
        )
    )
    return page


def _connections(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Connections"))
    page.with_panel(
        parts.counts(
            Look("Disconnects by reason", "Connections lost, all bots together.", "short", 12),
            Query(
                f"sum by (reason) ({parts.happened('whatsapp_bot_disconnects_total')}) > 0",
                "{{reason}}",
            ),
        )
    )
    page.with_panel(
        parts.curve(
            Look(
                "Time to reconnect",
                "From the loss of a connection to READY again, over the last hour: half of the cases, and 95 % of them, were faster.",
                "s",
                12,
                steps=((None, GREEN), (60, YELLOW), (600, RED)),
            ),
            *(
                Query(
                    f"histogram_quantile({share}, sum by (le) (rate(whatsapp_bot_reconnect_seconds_bucket[1h])))",
                    name,
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
        )
    )
    page.with_panel(
        parts.counts(
            Look(
                "What brought them back",
                "page: WhatsApp's page by itself; reload, relaunch: the bot; restart: the bot's own start.",
                "short",
                12,
            ),
            Query(f"sum by (how) ({parts.happened('whatsapp_bot_reconnects_total')}) > 0", "{{how}}"),
        )
    )
    page.with_panel(
        parts.counts(
            Look("Browsers started anew", "By reason, all bots together.", "short", 12),
            Query(
                f"sum by (reason) ({parts.happened('whatsapp_bot_browser_restarts_total')}) > 0",
                "{{reason}}",
            ),
        )
    )
    bad: parts.Steps = ((None, GREEN), (1, YELLOW), (5, ORANGE), (20, RED))
    page.with_panel(
        parts.table(
            Look(
                "Top offenders",
                "The bots with the most trouble in the time shown, worst first.",
                "short",
                24,
                9,
            ),
            [
                Column(_within("whatsapp_bot_disconnects_total"), "disconnects", "short", bad),
                Column(_within("whatsapp_bot_qr_requests_total"), "QR episodes", "short", bad),
                Column(_within("whatsapp_bot_browser_restarts_total"), "browser restarts", "short", bad),
                Column(_within("whatsapp_bot_page_probe_failures_total"), "unanswered looks", "short", bad),
                Column(
                    "1 - avg_over_time(client_id:oturum_ready:bool[$__range])",
                    "not READY",
                    "percentunit",
                    ((None, GREEN), (0.01, YELLOW), (0.05, RED)),
                ),
                Column("max by (client_id) (whatsapp_bot_browser_memory_bytes)", "browser's memory", "bytes"),
            ],
            link=_ROW_LINK,
            sort="disconnects",
        )
    )
    return page


def _within(counter: str) -> str:
    return f"sum by (client_id) (round(increase({counter}[$__range])))"


def _resources(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Memory and disk"))
    page.with_panel(
        parts.ranking(
            Look(
                "Nearest to their memory limit",
                "The 12 bots that use the largest share of their limit. Above 90 % an alert follows, at 100 % a kill.",
                "percentunit",
                8,
                steps=((None, GREEN), (0.75, YELLOW), (0.9, RED)),
                empty="no limits",
            ),
            Query(
                "sort_desc(topk(12, max by (client_id) "
                "(whatsapp_bot_memory_bytes / (whatsapp_bot_memory_limit_bytes > 0))))",
                "{{client_id}}",
            ),
            most=1,
            link=_TILE_LINK,
        )
    )
    page.with_panel(
        parts.curve(
            Look("Memory of the browsers", "Proportional memory: all bots, and the largest one.", "bytes", 8),
            Query("sum(whatsapp_bot_browser_memory_bytes)", "all"),
            Query("max(whatsapp_bot_browser_memory_bytes)", "largest"),
        )
    )
    page.with_panel(
        parts.ranking(
            Look(
                "Least free disk",
                "Free bytes under the sessions, the 12 smallest. Bots on one disk show the same number.",
                "bytes",
                8,
                steps=((None, RED), (512 * 1024**2, YELLOW), (2 * 1024**3, GREEN)),
            ),
            Query("sort(bottomk(12, max by (client_id) (whatsapp_bot_session_free_bytes)))", "{{client_id}}"),
            link=_TILE_LINK,
        )
    )
    return page


def _manager(page: Dashboard) -> Dashboard:
    page.with_row(parts.row("Manager"))
    page.with_panel(
        parts.curve(
            Look(
                "Wanted and running",
                "Bots that bots.yaml wants, bots whose container runs, and the steps that are left to do.",
                "short",
                8,
            ),
            Query("oturum_manager_desired_bots", "wanted"),
            Query("oturum_manager_running_bots", "running"),
            Query("oturum_manager_drift", "steps left"),
            kinds=("lastNotNull",),
        )
    )
    page.with_panel(
        parts.counts(
            Look("What it did", "Steps by kind and result.", "short", 8),
            Query(
                f"sum by (kind, result) ({parts.happened('oturum_manager_actions_total')}) > 0",
                "{{kind}} {{result}}",
            ),
        )
    )
    page.with_panel(
        parts.curve(
            Look(
                "How long a pass takes",
                "95 % of the passes of the last hour were faster; and the time since the last one that ended well.",
                "s",
                8,
                steps=((None, GREEN), (300, RED)),
            ),
            Query(
                "histogram_quantile(0.95, sum by (le) (rate(oturum_manager_reconcile_seconds_bucket[1h])))",
                "p95",
            ),
            Query("time() - (oturum_manager_last_success_timestamp_seconds > 0)", "since the last good pass"),
        )
    )
    page.with_panel(
        parts.counts(
            Look(
                "Bots it restarted",
                "Containers that were unhealthy (`unhealthy`) or out of memory (`oom`).",
                "short",
                12,
            ),
            Query(
                f"sum by (client_id, reason) ({parts.happened('oturum_manager_bot_restarts_total')}) > 0",
                "{{client_id}} {{reason}}",
            ),
        )
    )
    page.with_panel(
        parts.ranking(
            Look(
                "Given up",
                "Bots that no restart mended, the manager's or the engine's, and that the manager leaves alone now: 1 for each.",
                "short",
                12,
                steps=((None, GREEN), (1, RED)),
                empty="none",
            ),
            Query("sort_desc(topk(12, max by (client_id) (oturum_manager_bot_gave_up)))", "{{client_id}}"),
            most=1,
            link=_TILE_LINK,
        )
    )
    return page
