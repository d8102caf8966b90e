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
from manager.watch.happenings import Kind

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

MANAGER_METRICS_INTRO = """# Metrics of the watcher

`GET /metrics` of `python -m manager watch` (`127.0.0.1:9465`, see [watch.md](watch.md)), Prometheus text. Counters are of the process and start anew
with it. What has the label `client_id` is told of every bot that should run, and of no other.
"""

WATCH_INTRO = """# The watcher: `python -m manager watch`

It keeps the engine as bots.yaml says. What wakes it:

| | |
|---|---|
| bots.yaml, or `.env` beside it, was written | once it has been the same for 0.6 s (at most 5 s after the first change): a file that is written in place is seen half |
| something happens to a container of the project | 0.2 s after the last such event (at most 2 s after the first). Events only wake: each pass looks at everything |
| the connection to the engine is lost, or there again | at once |
| a pass has done something | at once: whether all is now as it should be is looked at, not assumed |
| a pass has failed | after 1, 2, 4, … 30 s; where not even a plan could be made (no image, say) up to 300 s |
| a roll-out waits for a bot, or the watchdog for a bot's next chance | when that is due |
| nothing of all this | 30 s after the last pass |

A pass is what `up` does: image, plan, steps, with the same lock against other managers on this machine. A bots.yaml that is saved during a long pass ends it after the steps
under way; the next one begins at once. So does a pass that takes more than four minutes, as many starts one after another may. A watcher whose own program was changed on the disk makes no pass, and starts itself anew once that
has been at rest for 5 s and can be started: an update (`git pull && make up`) needs no other care. Two things come on top:

- **A change comes to one bot first.** What recreates bots (another image, other settings) is done to one of them, as by `up --canary --batch 5` (`--batch N` for another number).
  If that bot is not as well as before, the roll-out stops, and the log and `oturum_manager_rollout_halted` say so, until bots.yaml is corrected or that bot is well after all.
- **A bot that is unhealthy is restarted**, which no engine does: 15 s after the engine called it unhealthy (that takes three failed checks), then with growing waits, four times at most. Then it is
  given up, and `oturum_manager_bot_gave_up` says so until it is healthy again or somebody starts it anew. A bot that waits for a person (a scan, BANNED, CONFLICT, …) is never restarted. A bot that ends by itself four times and for half a minute, which the engine starts again and again, counts as given up too. What ran
  out of memory is told apart. While this machine itself is short of CPU or memory, no bot is blamed for ten minutes.
"""

WATCH_EVENTS_INTRO = """A line for each happening: time and sentence, or with `--json` an object with at least `time` (RFC 3339, UTC), `event`, `level` and
`message`, `client_id` where it is about one bot, and the names and numbers of the sentence as fields.
"""

WATCH_EVENTS = {
    Kind.WATCH_START: "it begins; `address`: where it answers",
    Kind.WATCH_STOPPING: "it was told to stop while steps are under way",
    Kind.WATCH_STOP: "it has ended; the bots go on",
    Kind.WATCH_RENEW: "its own program was changed on the disk (an update); it starts itself anew",
    Kind.WATCH_BROKEN: "that program cannot be started; nothing is done until it can, which is tried every 30 s",
    Kind.WATCH_UNGUARDED: "the engine could not be made to hold the project for it; it works on, and a second watcher could too",
    Kind.CONFIG_LOADED: "another bots.yaml counts from now on",
    Kind.CONFIG_INVALID: "bots.yaml has mistakes; the last good one goes on to count",
    Kind.CONFIG_MISSING: "bots.yaml has mistakes, and there was no good one since the start",
    Kind.CONFIG_MENDED: "bots.yaml is again what it was before the mistake",
    Kind.ENGINE_LOST: "the engine does not answer",
    Kind.ENGINE_BACK: "it answers again; `seconds`: how long it did not",
    Kind.MANAGER_WAIT: "another manager is at work on the project; it is waited for",
    Kind.IMAGE_STEP: "a step of the image's build",
    Kind.IMAGE_BUILT: "the image is built",
    Kind.START_HELD: "starts are staggered: the machine bears no more at the moment",
    Kind.STEP_DONE: "a step of a plan was done; `action`, `target`, `cause`, `seconds`",
    Kind.STEP_FAILED: "it failed; told again only when it fails in another way. `problem`: the failure's name",
    Kind.PASS_FAILED: "not even a plan could be made; told once for each reason",
    Kind.PLAN_NOTE: "something about a bot that people should know; told once",
    Kind.CONVERGED: "all is as bots.yaml says; `running`: how many bots run",
    Kind.BOT_UNHEALTHY: "a bot is not well, and something is waited for before it is restarted",
    Kind.BOT_RESTART: "it is restarted; `reason`: unhealthy or oom",
    Kind.BOT_LEFT: "it is not well and waits for a person: not restarted",
    Kind.BOT_GAVE_UP: "restarts did not help; somebody must look",
    Kind.BOT_OOM: "the kernel ended something in its container for want of memory; it went on",
    Kind.ROLLOUT_STEP: "bots are changed now, others later",
    Kind.ROLLOUT_REACHED: "a changed bot is as well as before",
    Kind.ROLLOUT_HALT: "a changed bot is not as well as before: no other is changed",
    Kind.ROLLOUT_GOES_ON: "it is well after all: the roll-out goes on",
    Kind.ROLLOUT_DONE: "all changed bots are as well as before",
}

WATCH_OUTRO = """## HTTP

| | |
|---|---|
| `GET /metrics` | [metrics.md](metrics.md#metrics-of-the-watcher) |
| `GET /sd` | Prometheus' `http_sd`: a group for every bot that should run, `<container>:9464`, with the labels `client_id` and `project`, and `__meta_oturum_container`, `__meta_oturum_memory_limit_bytes` for relabelling. 503 until a bots.yaml was read: Prometheus then keeps what it knows |
| `GET /healthz` | `ok`: False (and 503) only where starting the watcher anew may help; a bots.yaml with mistakes, an engine that is away, a step that fails, a name that is taken, a roll-out that stopped, bots that were given up and an update that cannot be started are in `problems`, with 200: a supervisor that starts it anew for that would only lose the last good file |

## One watcher a project and engine

It holds the name `<project>-watch` on the engine with a container that does nothing (of the bots' image, without network and volume, half a megabyte). The container ends with the watcher's connection to
its input, so it is gone the moment the watcher is, killed or cut off, and the next one may begin; a lock file would know the watchers of one user on one machine only. A second watcher says who
holds the project (process, machine, user, address) and ends with 8. `up`, `restart` and the others need not hold it: they work beside a watcher, each in its turn on one machine, and from another one with
steps that lose harmlessly.
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
    RestartReason.STORAGE: "a code was shown, and the volume could not have kept what is paired",
}

RESTORES = {
    RestoreEnd.READY: "the session is back",
    RestoreEnd.FAILED: "put back, and the page did not take it",
    RestoreEnd.NONE: "there was nothing (more) to put back",
    RestoreEnd.DAMAGED: "a kept copy was not what it had been; an older one is tried",
}
