"""PURE: what an event log tells of a bot: its story, its failures, and a verdict on every QR.

```
event.py     lines of an event log -> events; what can't be read is counted and left out
teller.py    events, oldest first -> a Story; failures.py and episodes.py keep their part of it
story.py     what a Story is: times, counts, episodes, failures
period.py    `24h`, `7d`, `2026-11-20` -> since when
discreet.py  takes phone numbers and passwords out of texts that bots of any version wrote
words.py     the sentences: why a QR was asked for, what a failure's hint is
tables.py    a story as lines of text, for a terminal and for a pipe
data.py      a story as JSON
html.py      elements that escape what is put into them
picture.py   a story's times as a picture (SVG)
page.py      the stories of a fleet as one self-contained page
```
"""

from __future__ import annotations

from manager.diagnosis.story import Presence, Story, Window
from manager.diagnosis.teller import tell

__all__ = ["Presence", "Story", "Window", "tell"]
