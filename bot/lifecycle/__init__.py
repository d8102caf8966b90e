"""PURE: one session's life. `Lifecycle.handle(event, now)` answers with effects; it reads no clock and does no I/O.

What a look at the page means is decided in `bot/signals.py`; in `table.py` it meets the state we are in. Its parts
(none knows those below it):

```
table.py    the states, the ways between them, and what each belief does in each state: pure data
core.py     what all parts share: where the bot stands, its deadlines, the effects of the event in hand
window.py   the browser and its page: launched, opened, closed
qr.py       a QR episode: from the first code shown to the scan
repair.py   the connection is away, or the page broke: told once, then mended
loss.py     the session is over, or seems to be: logout, the ladder of restores, our own logout
person.py   conflict, ban and the like: nothing is retried until a person acts
rise.py     up again: paired, synced, ready
machine.py  Lifecycle: hands each event and each deadline to its part
```
"""

from __future__ import annotations

from bot.lifecycle.core import Due, InvalidTransition, Outage, Page
from bot.lifecycle.machine import Lifecycle
from bot.lifecycle.table import TRANSITIONS

__all__ = ["TRANSITIONS", "Due", "InvalidTransition", "Lifecycle", "Outage", "Page"]
