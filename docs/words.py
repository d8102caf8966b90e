"""What docs/*.md say beyond what the code says: one meaning for every name a bot gives to the outside."""

from __future__ import annotations

from bot.contract import (
    BotExit,
    DisconnectReason,
    EventName,
    QrCause,
    ReconnectHow,
    RestartReason,
    RestoreEnd,
    State,
    Verdict,
)

BOT_INTRO = """# A single bot

`python -m bot` keeps one WhatsApp session alive. `python -m manager up` runs one in each container; it runs as well by
itself, against web.whatsapp.com or any page that behaves like it:

```console
$ BOT_SETTINGS='{"clientId": "shop", "sessionDir": "./session"}' python -m bot
$ python -m bot ctl --socket /tmp/oturum-shop.sock qr
```

`python -m bot --help` and `python -m bot --print-schema` say the rest. Numbers: [metrics.md](metrics.md).
"""

SETTINGS_INTRO = """One JSON object in the environment variable `BOT_SETTINGS`. An unknown key is an error; all errors are told at once.
"""

SETTINGS = {
    "clientId": "The bot's name, `[A-Za-z0-9_-]{1,63}`",
    "sessionDir": "Folder of the session; made, and checked, before anything else",
    "url": "Address of WhatsApp Web",
    "httpHost": "Where /metrics, /healthz and /status listen",
    "httpPort": "Port of the same; 0: any free one",
    "proxy.server": "`http://`, `https://` or `socks5://host:port`, without credentials",
    "proxy.credentialsFile": 'File with `{"username": "…", "password": "…"}`, read at each launch of the browser',
}

EVENTS_INTRO = """One JSON object a line on standard output, and in `events/events.jsonl` on the session's volume (rotated, 4 older files of
2 MB kept). Every line has `time` (RFC 3339, UTC), `event`, `level` (`success`, `info`, `warning`, `error`), `client_id` and `message` (in the
settings' `language`); what else a line tells follows as further keys: `reason`, `how`, `cause`, `session` (`present` or `absent`),
`sessionWasAvailable`, `problem`, `hint`, `fix`, `evidence`, … Names and keys stay as they are in every language. A QR's text is never
logged; phone numbers are masked.
"""

EVENTS = {
    EventName.STARTUP: "the process starts",
    EventName.SHUTDOWN: "a stop was asked for; `signal` says how",
    EventName.SESSION_CREATE: "the session's folder was made: there is no session yet",
    EventName.BOT_SESSION: "a session was found, or the folder has none, or it can't be used (error, with `hint` and `fix`)",
    EventName.BOT_INIT: "the first browser of this process is ready; or a browser could not start (error, with `hint` and `fix`)",
    EventName.BOT_STATE: "the state changed, `from` one `to` another",
    EventName.BOT_RECONNECT: "what is done to get the connection back: `how`, `attempt`, `sessionWasAvailable`",
    EventName.BOT_CONTROL: "a logout or a reload was asked for, or a logout could not be carried out",
    EventName.BROWSER_START: "a new browser took the place of an earlier one",
    EventName.BROWSER_LOST: "the browser died or was killed",
    EventName.PAGE_CRASHED: "the page's renderer died",
    EventName.PAGE_HUNG: "the page did not answer for twice `probeTimeout`",
    EventName.SIGNAL_MISSING: "WhatsApp's page no longer has some of the names the bot reads (`missing`); the others do",
    EventName.WHATSAPP_QR: "a code is there to be scanned: `cause` and `number` of the episode, never its text",
    EventName.WHATSAPP_PAIRING_CODE: "a code for linking by phone number was made, or WhatsApp asks for a passkey (warning)",
    EventName.WHATSAPP_PAIRED: "the phone linked this bot; the session is on the volume already",
    EventName.WHATSAPP_READY: "the chats are there; after an outage with `how` and `seconds`",
    EventName.WHATSAPP_DISCONNECT: "the connection was lost: once an outage for each `reason`, with `session` and `sessionWasAvailable`",
    EventName.WHATSAPP_LOGOUT: "the session ended: unlinked on the phone (`reason: phone`: it is set aside) or by us (`own_command`: it is erased)",
    EventName.WHATSAPP_CONFLICT: "the session was opened elsewhere: taken back once where `takeover` allows it, else stopped",
    EventName.WHATSAPP_BANNED: "the account is banned, blocked or locked",
    EventName.WHATSAPP_OUTDATED: "WhatsApp refuses this browser's version",
    EventName.WHATSAPP_PROXY_BLOCKED: "WhatsApp refuses the proxy",
    EventName.SESSION_KEPT: "a copy of the session (`generation`, `bytes`) was taken: `moment` closed, launch (before the browser starts) or live",
    EventName.SESSION_RESTORE: "the page lost its session; what was kept (`kind`: mirror or generation) is tried",
    EventName.SESSION_ERASED: "after a logout by our own command nothing of the session is on the volume any more: `removed` names, `bytes`, and how many copies (`generations`) and ended sessions (`aside`) were among it",
    EventName.SESSION_LOST: "nothing kept of the session worked: a QR follows that no phone caused",
    EventName.STORAGE_WARNING: "the volume refused something or fills up (with `hint` and `fix`), something damaged on it was dealt with, or (info) it is well again",
}

REASONS = {
    DisconnectReason.CONNECTION_ERROR: "network or server away; the session stays, no QR",
    DisconnectReason.LOGOUT: "unlinked, with proof; a QR follows after `logoutWait`",
    DisconnectReason.CONFLICT: "opened elsewhere",
    DisconnectReason.BANNED: "account banned, blocked or locked",
    DisconnectReason.OUTDATED: "browser or page version refused",
    DisconnectReason.PROXY_BLOCKED: "proxy refused",
    DisconnectReason.PAGE_CRASHED: "the page's renderer died; a new browser follows",
    DisconnectReason.PAGE_HUNG: "the page did not answer; a new browser follows",
    DisconnectReason.BROWSER_LOST: "the browser died; a new one follows",
    DisconnectReason.SESSION_LOST: "the page asks for a QR and nothing proves a logout; kept copies are tried first",
}

HOWS = {
    ReconnectHow.PAGE: "WhatsApp's page by itself",
    ReconnectHow.RELOAD: "the bot loaded the page anew",
    ReconnectHow.RELAUNCH: "the bot started a new browser",
    ReconnectHow.RESTART: "the bot itself was started, with a stored session",
}

CAUSES = {
    QrCause.FIRST_PAIRING: "never paired before",
    QrCause.LOGOUT: "unlinked on the phone or by our own `logout`",
    QrCause.SESSION_LOST: "lost on our side: alarm",
}

VERDICTS_INTRO = """`verdict` of WHATSAPP_LOGOUT, WHATSAPP_BANNED and SESSION_LOST, of the WHATSAPP_QRs that follow, and of the status:
whose doing it was. `evidence` holds what speaks for it, what decided first: signals of the page, the marker, the disk, how the browser
and the bot ended before.
"""

VERDICTS = {
    Verdict.PHONE: "unlinked on the phone: WhatsApp's own logout address says so",
    Verdict.OWN_COMMAND: "unlinked by our own `logout`",
    Verdict.ACCOUNT: "the account is banned, blocked or locked",
    Verdict.STORAGE: "our side: the disk was full, refused or damaged something, or a browser was killed for want of memory",
    Verdict.DOWNGRADE: "our side: an older browser met the profile of a newer one",
    Verdict.UNKNOWN: "our side, as no phone did it; nothing that was seen explains it",
}

STATES_INTRO = """A permanent state is never left by retrying: a person acts (`ctl reload`, a restart), or the page itself shows that it is over.
"""

STATES = {
    State.STARTING: "browser and page are being started",
    State.WAITING_FOR_QR_SCAN: "a code is shown, and refreshed without end",
    State.PAIRING: "scanned; the session is on the volume",
    State.SYNCING: "logged in, the first sync is under way",
    State.READY: "connected",
    State.RECONNECTING: "connection, page or browser lost; being mended, without end",
    State.LOGGED_OUT: "the session has ended; a new QR follows after `logoutWait`",
    State.CONFLICT: "opened elsewhere",
    State.BANNED: "the account is banned, blocked or locked",
    State.OUTDATED: "WhatsApp wants a newer browser",
    State.PROXY_BLOCKED: "WhatsApp refuses the proxy",
    State.FAILED: "no browser can be started, or the volume refuses; the last error event says how to mend it",
    State.STOPPING: "closing the browser; the process ends",
}

CONTROL_INTRO = """`python -m bot ctl [--socket PATH] [--json] COMMAND`, inside the container or beside the process. `--json` prints the whole
answer. Default socket: the settings' `controlSocket`, else `oturum-<clientId>.sock` in the temporary folder.
"""

VOLUME = """`python -m bot volume [--session-dir DIR] [--client CLIENT] [--json] COMMAND` looks at a session's folder and changes it, under
the bot's own lock. The manager runs it in a short-lived container for `import`, `backup`, `restore`, `generations`, `rollback`.

| Command |  |
|---|---|
| `look [--verify]` | session, generations, sizes; changes nothing, takes no lock |
| `export [--generation N]` | the session as a tar on standard output: the profile, or while a bot runs its newest whole generation |
| `import [--staged NAME]` | takes such a tar in, from standard input or from a folder `incoming-*` on the volume; never over a session |
| `rollback [N]` | puts a generation in the profile's place, which is set aside |
| `pin N` | keeps a generation until it is put back |
| `browser` | the version of the browser that would use it |
"""

HTTP = """| Path | |
|---|---|
| `/metrics` | Prometheus text |
| `/healthz` | 200 while the bot's loop and its page answer, else 503. It never asks whether anybody is logged in |
| `/status` | JSON without secrets: `state`, `since`, `permanent`, `user_action`, `session_present`, `phone` (masked), `counters`, `signals`, `qr`, `verdict`, `reconnect`, `last_events` |
"""

EXITS = {
    BotExit.OK: "stopped as asked, the session is kept; `ctl`: done",
    BotExit.FAILED: "failed",
    BotExit.BAD_SETTINGS: "BOT_SETTINGS is wrong; `ctl`: wrong usage",
    BotExit.NO_QR: "`ctl qr`: no QR is being shown",
    BotExit.NOT_RUNNING: "`ctl`: no bot answers on the socket",
    BotExit.REFUSED: "`ctl`: not possible in this state; `volume`: refused, and nothing was changed",
    BotExit.SESSION_UNUSABLE: "the session's folder can't be used; the event says how to mend it",
    BotExit.SESSION_IN_USE: "another bot holds the session's folder; the event says which",
    BotExit.BROWSER_UNUSABLE: "there is no browser that can be started",
    BotExit.PORT_IN_USE: "the HTTP port or the control socket is taken",
}

METRICS_INTRO = """# Metrics of a bot

`GET /metrics` on `httpPort` (9464 in a container), Prometheus text. Every metric has the label `client_id`; every other label value
is there with 0 from the start, so that the first increase counts. Counters are of the process and start anew with it.
"""

METRICS_OUTRO = """Reasons, hows and causes: [bot.md](bot.md). A QR episode (`qr_requests_total`) is one however many codes it shows
(`qr_codes_total`), and one over a restart of the bot in the middle of it.

Worth an alarm: any increase of `whatsapp_bot_qr_requests_total{cause="session_lost"}`; `whatsapp_bot_state` 1 for CONFLICT, BANNED, OUTDATED,
PROXY_BLOCKED or FAILED; RECONNECTING for long; `whatsapp_bot_signals_missing` above 0 on many bots at once (WhatsApp has changed
its page).
"""

RUNBOOKS_INTRO = """# Runbooks

One for each alert of [compose/prometheus/rules](../../compose/prometheus/rules): what it means, what to look at, what to type.
`CLIENT` is the alert's label `client_id`, `PROJECT` the `project` of bots.yaml. `python -m manager` is typed in the folder of bots.yaml,
after `. .venv/bin/activate` in the project's.
"""

RESTARTS = {
    RestartReason.RECONNECT: "the page stayed away, or never became ready, after a reload",
    RestartReason.PAGE_CRASHED: "the page's renderer died",
    RestartReason.PAGE_HUNG: "the page did not answer",
    RestartReason.BROWSER_LOST: "the browser died",
    RestartReason.SESSION_LOST: "a kept copy is tried, or a new pairing begins after a loss",
    RestartReason.LOGOUT: "a new pairing begins after a logout",
    RestartReason.CONTROL: "a person asked (`ctl reload`) where the bot had stopped trying",
}

RESTORES = {
    RestoreEnd.READY: "the session is back",
    RestoreEnd.FAILED: "put back, and the page did not take it",
    RestoreEnd.NONE: "there was nothing (more) to put back",
    RestoreEnd.DAMAGED: "a kept copy was not what it had been; an older one is tried",
}
