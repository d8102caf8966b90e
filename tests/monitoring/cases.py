"""What promtool is asked of each alert: made-up series, and at which steps it must fire and must not."""

from __future__ import annotations

from dataclasses import dataclass, field

BOT = 'client_id="shop",job="oturum-bots"'
MANAGER = 'instance="manager:9465",job="oturum-manager"'
_DAY = 24
_MIB = 1024 * 1024
_GIB = 1024 * _MIB


def bot(name: str, **labels: str) -> str:
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f"whatsapp_bot_{name}{{{BOT}{more}}}"


def manager(name: str, **labels: str) -> str:
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f"oturum_manager_{name}{{{MANAGER}{more}}}"


def state(name: str) -> str:
    return bot("state", state=name)


def waiting(cause: str) -> str:
    return bot("qr_waiting", cause=cause)


@dataclass(frozen=True)
class Case:
    """`series`: promtool's notation, a sample each `step`. `firing` and `quiet`: at which steps it must, must not.

    `labels`: what the alert carries besides its name and severity.
    """

    alert: str
    what: str
    series: dict[str, str]
    firing: tuple[int, ...]
    quiet: tuple[int, ...]
    labels: dict[str, str] = field(default_factory=lambda: {"client_id": "shop"})
    step: str = "1m"

    def __str__(self) -> str:
        return f"{self.alert}-{self.what}"


def of_state(name: str) -> dict[str, str]:
    return {"client_id": "shop", "job": "oturum-bots", "state": name}


_LOST = {"client_id": "shop", "job": "oturum-bots", "cause": "session_lost"}
_FLEET = {"instance": "manager:9465", "job": "oturum-manager"}
UP = 'up{client_id="shop",job="oturum-bots"}'
_UP_MANAGER = f"up{{{MANAGER}}}"

CASES = [
    Case(
        "OturumSessionLost",
        "counted, then scanned",
        {
            bot("qr_requests_total", cause="session_lost"): "0x4 1x60",
            bot("qr_requests_total", cause="first_pairing"): "0 1x64",
            waiting("session_lost"): "0x4 1x9 0x60",
        },
        firing=(6, 20, 33),
        quiet=(3, 45),
        labels=_LOST,
    ),
    Case(
        "OturumSessionLost",
        "before Prometheus came",
        {
            bot("qr_requests_total", cause="session_lost"): "1x60",
            waiting("session_lost"): "1x20 0x40",
        },
        firing=(1, 20),
        quiet=(22, 50),
        labels=_LOST,
    ),
    Case(
        "OturumSessionLost",
        "not for a logout",
        {
            bot("qr_requests_total", cause="session_lost"): "0x60",
            bot("qr_requests_total", cause="logout"): "0x4 1x60",
            waiting("session_lost"): "0x64",
            waiting("logout"): "0x4 1x60",
        },
        firing=(),
        quiet=(6, 30),
    ),
    Case(
        "OturumQrWaiting",
        "until somebody scans",
        {waiting("logout"): "0x4 1x15 0x20", waiting("first_pairing"): "0x40"},
        firing=(10, 19),
        quiet=(3, 7, 22),
        labels=_LOST | {"cause": "logout"},
    ),
    Case(
        "OturumQrWaiting",
        "not for a pairing that goes well",
        {waiting("first_pairing"): "1x3 0x20"},
        firing=(),
        quiet=(2, 4, 6, 10),
    ),
    Case(
        "OturumRestoreFailed",
        "the copy did not help",
        {bot("restores_total", result="failed"): "0x4 1x60", bot("restores_total", result="ready"): "0x64"},
        firing=(6, 30),
        quiet=(3, 45),
    ),
    Case(
        "OturumRestoreFailed",
        "not for one that did",
        {bot("restores_total", result="failed"): "0x64", bot("restores_total", result="ready"): "0x4 1x60"},
        firing=(),
        quiet=(6, 30),
    ),
    Case(
        "OturumReconnectingTooLong",
        "one state after the other",
        {
            state("RECONNECTING"): "0x4 1x5 0x5 1x10 0x20",
            state("STARTING"): "0x10 1x5 0x30",
            state("READY"): "1x4 0x20 1x20",
        },
        firing=(16, 24),
        quiet=(3, 14, 28),
    ),
    Case(
        "OturumReconnectingTooLong",
        "not for a short cut",
        {state("RECONNECTING"): "0x4 1x8 0x30", state("READY"): "1x4 0x8 1x30"},
        firing=(),
        quiet=(6, 12, 14, 20),
    ),
    Case(
        "OturumFlapping",
        "connections",
        {bot("disconnects_total", reason="CONNECTION_ERROR"): "0x4 0+1x6 6x60"},
        firing=(11, 30),
        quiet=(4, 7, 50),
    ),
    *(
        # 30 minutes are no multiple of the step: of so many losses an increase makes a little more, by extrapolation.
        Case(
            "OturumFlapping",
            f"{losses} lost connections",
            {bot("disconnects_total", reason="CONNECTION_ERROR"): f"3x300 {counted} {3 + losses}x600"},
            firing=firing,
            quiet=(2100, *quiet, 4200),
            step="7s",
        )
        for losses, counted, firing, quiet in (
            (4, "4x4 5x4 6x4", (), (2240, 2800)),
            (5, "4x4 5x4 6x4 7x4", (2254, 2800), (2240,)),
        )
    ),
    Case(
        "OturumFlapping",
        "starts",
        {
            bot("started_timestamp_seconds"): "100x4 200x4 300x4 400x4 500x60",
            bot("previous_end_unclean"): "0x4 1x4 1x4 0x4 1x60",
        },
        firing=(20, 30),
        quiet=(4, 12, 60),
    ),
    Case(
        "OturumFlapping",
        "not for starts that somebody wanted",
        {
            bot("started_timestamp_seconds"): "100x4 200x4 300x4 400x4 500x60",
            bot("previous_end_unclean"): "0x80",
        },
        firing=(),
        quiet=(4, 12, 20, 30),
    ),
    Case(
        "OturumFlapping",
        "not for two lost connections",
        {bot("disconnects_total", reason="CONNECTION_ERROR"): "0x4 1x9 2x60"},
        firing=(),
        quiet=(6, 16, 30),
    ),
    Case(
        "OturumBotDown",
        "gone and back",
        {UP: "1x4 0x10 1x20"},
        firing=(8, 15),
        quiet=(3, 6, 18),
    ),
    Case("OturumBotDown", "not for a restart", {UP: "1x4 0x0 1x20"}, firing=(), quiet=(5, 6, 8)),
    Case(
        "OturumBotGaveUp",
        "until somebody restarts it",
        {manager("bot_gave_up", client_id="shop"): "0x4 1x10 0x10"},
        firing=(6, 15),
        quiet=(3, 18),
    ),
    Case(
        "OturumConflict",
        "until it is over",
        {state("CONFLICT"): "0x4 1x10 0x10"},
        firing=(7, 15),
        quiet=(3, 5, 18),
        labels=of_state("CONFLICT"),
    ),
    Case(
        "OturumBanned",
        "until it is over",
        {state("BANNED"): "0x4 1x10 0x10", state("CONFLICT"): "0x24"},
        firing=(6, 15),
        quiet=(3, 18),
        labels=of_state("BANNED"),
    ),
    *(
        Case(
            "OturumBotStuck",
            name,
            {state(name): "0x4 1x10 0x10", state("READY"): "1x4 0x10 1x10"},
            firing=(7, 15),
            quiet=(3, 5, 18),
            labels=of_state(name),
        )
        for name in ("OUTDATED", "PROXY_BLOCKED", "FAILED")
    ),
    Case(
        "OturumMemoryNearLimit",
        "for long",
        {bot("memory_bytes"): "500x4 950x10 500x10", bot("memory_limit_bytes"): "1000x24"},
        firing=(10, 15),
        quiet=(3, 8, 18),
    ),
    Case(
        "OturumMemoryNearLimit",
        "not without a limit",
        {bot("memory_bytes"): "500x24", bot("memory_limit_bytes"): "0x24"},
        firing=(),
        quiet=(10, 20),
    ),
    Case(
        "OturumOutOfMemory",
        "killed once",
        {manager("bot_oom_kills_total", client_id="shop"): "0x4 1x60"},
        firing=(6, 30),
        quiet=(3, 45),
    ),
    Case(
        "OturumSessionDiskFilling",
        "little room left",
        {
            bot("session_free_bytes"): f"{4 * _GIB}x4 {600 * _MIB}x20 {4 * _GIB}x20",
            bot("session_bytes"): f"{50 * _MIB}x44",
            bot("session_disk_bytes"): f"{8 * _GIB}x44",
        },
        firing=(16, 24),
        quiet=(3, 13, 30),
    ),
    Case(
        "OturumSessionDiskFilling",
        "full within a day at this pace",
        {
            bot("session_free_bytes"): f"{10 * _GIB}-{10 * _MIB}x120 {30 * _GIB}x60",
            bot("session_bytes"): f"{50 * _MIB}x180",
            bot("session_disk_bytes"): f"{50 * _GIB}x180",
        },
        firing=(30, 120),
        quiet=(5, 180),
    ),
    Case(
        "OturumSessionDiskFilling",
        "not on a disk that has much room",
        {
            bot("session_free_bytes"): f"{40 * _GIB}-{100 * _MIB}x120",
            bot("session_bytes"): f"{50 * _MIB}x120",
            bot("session_disk_bytes"): f"{50 * _GIB}x120",
        },
        firing=(),
        quiet=(30, 120),
    ),
    Case(
        "OturumPhoneNotSeen",
        "twelve days",
        {
            bot("phone_seen_timestamp_seconds"): f"1x{13 * _DAY} {13 * _DAY * 3600}x20",
            bot("session_present"): f"1x{14 * _DAY}",
        },
        firing=(12 * _DAY + 2, 13 * _DAY),
        quiet=(5, 11 * _DAY, 13 * _DAY + 5),
        step="1h",
    ),
    Case(
        "OturumPhoneNotSeen",
        "not where nothing is known, nor without a session",
        {
            bot("phone_seen_timestamp_seconds"): f"0x{13 * _DAY}",
            bot("session_present"): f"1x{13 * _DAY}",
            'whatsapp_bot_phone_seen_timestamp_seconds{client_id="other"}': f"1x{13 * _DAY}",
            'whatsapp_bot_session_present{client_id="other"}': f"0x{13 * _DAY}",
        },
        firing=(),
        quiet=(12 * _DAY + 2,),
        step="1h",
    ),
    Case(
        "OturumEngineDown",
        "gone and back",
        {manager("engine_up"): "1x4 0x10 1x10"},
        firing=(7, 15),
        quiet=(3, 5, 18),
        labels=_FLEET,
    ),
    Case(
        "OturumManagerNotReconciling",
        "it does not answer",
        {_UP_MANAGER: "1x4 0x10 1x10", manager("last_success_timestamp_seconds"): "1+60x30"},
        firing=(8, 15),
        quiet=(3, 6, 18),
        labels={},
    ),
    Case(
        "OturumManagerNotReconciling",
        "no pass ends any more",
        {_UP_MANAGER: "1x40", manager("last_success_timestamp_seconds"): "1+60x4 240x15 1200+60x20"},
        firing=(13, 19),
        quiet=(4, 9, 25),
        labels=_FLEET,
    ),
    Case(
        "OturumManagerNotReconciling",
        "no pass ever ended",
        {_UP_MANAGER: "1x40", manager("last_success_timestamp_seconds"): "0x20 1260+60x20"},
        firing=(13, 20),
        quiet=(9, 24),
        labels=_FLEET,
    ),
    Case(
        "OturumManagerNotReconciling",
        "no pass ends after an update",
        {_UP_MANAGER: "1x60", manager("last_success_timestamp_seconds"): "1+60x20 0x20 2460+60x20"},
        firing=(34, 40),
        quiet=(19, 24, 30, 44),
        labels=_FLEET,
    ),
    Case(
        "OturumConfigInvalid",
        "until it is mended",
        {manager("config_valid"): "1x4 0x10 1x10"},
        firing=(7, 15),
        quiet=(3, 5, 18),
        labels=_FLEET,
    ),
    Case(
        "OturumRolloutHalted",
        "until the next one",
        {manager("rollout_halted"): "0x4 1x10 0x10"},
        firing=(6, 15),
        quiet=(3, 18),
        labels=_FLEET,
    ),
    Case(
        "OturumPageChanged",
        "most bots",
        {
            bot("signals_missing"): "0x4 2x30 0x10",
            'whatsapp_bot_signals_missing{client_id="other"}': "0x4 1x30 0x10",
            'whatsapp_bot_signals_missing{client_id="third"}': "0x44",
        },
        firing=(21, 34),
        quiet=(3, 18, 38),
        labels={},
    ),
    Case(
        "OturumPageChanged",
        "not one bot of three",
        {
            bot("signals_missing"): "2x40",
            'whatsapp_bot_signals_missing{client_id="other"}': "0x40",
            'whatsapp_bot_signals_missing{client_id="third"}': "0x40",
        },
        firing=(),
        quiet=(20, 40),
        labels={},
    ),
]
