"""PURE: from what a subject showed and what its phone did -> was a QR anybody's doing, and how did the round end?

A QR is explained by the phone alone: once for the first pairing, once for each time the device was unlinked, once for
each pairing that the phone saw fail. What the subject says of its own QR's cause counts for nothing here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from drill.campaign import Round


class What(StrEnum):
    """Of the subject: up to ENDED; of its phone: the rest."""

    STARTED = "started"
    QR = "qr"
    PAIRED = "paired"
    READY = "ready"
    AWAY = "away"
    ENDED = "ended"
    LINKED = "linked"
    UNLINKED = "unlinked"
    PAIRING_FAILED = "pairing_failed"


@dataclass(slots=True)
class Ledger:
    """Told everything in order. An episode begins with a QR and ends with a pairing or READY: a code's successors, and
    the same request after a restart, belong to it. `reported`: it has said of this pairing that it is one."""

    explained: int = 0
    unexplained: int = 0
    exits: int = 0
    showing: bool = False
    ready: bool = False
    linked: bool = False
    reported: bool = False
    _credit: int = 1

    def hear(self, what: What) -> bool:
        """True when that was the beginning of an episode that nobody's phone explains."""
        match what:
            case What.QR:
                self.ready = False
                return self._request()
            case What.READY:
                self.ready, self.showing, self.reported = True, False, True
            case What.PAIRED:
                self.showing, self.reported = False, True
            case What.AWAY | What.STARTED:
                self.ready = False
            case What.ENDED:
                self.ready, self.exits = False, self.exits + 1
            case What.LINKED:
                self.linked, self.showing, self._credit = True, False, 0
            case What.UNLINKED:
                self.linked, self.reported, self._credit = False, False, 1
            case What.PAIRING_FAILED:
                self._credit = 1
        return False

    def _request(self) -> bool:
        if self.showing:
            return False
        self.showing = True
        if self._credit:
            self._credit -= 1
            self.explained += 1
            return False
        self.unexplained += 1
        return True


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seconds`: from the fault's end to READY; None: not within the limit. `befell`: False when the fault could not be
    brought about this time, so that the round proves nothing."""

    round: Round
    subject: str
    unexplained: int
    explained: int
    exits: int
    seconds: float | None
    befell: bool = True
    note: str = ""

    @property
    def hang(self) -> bool:
        return self.seconds is None

    @property
    def passed(self) -> bool:
        return self.befell and not self.hang and not self.unexplained

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "hang": self.hang, "passed": self.passed}


def judge(  # noqa: PLR0913  what a round consists of
    round_: Round,
    subject: str,
    before: Ledger,
    after: Ledger,
    seconds: float | None,
    *,
    befell: bool,
    note: str = "",
) -> Verdict:
    """`before`, `after`: the ledger as it stood when the round began and when it ended.

    A round that went wrong counts, whether or not its fault came about.
    """
    unexplained = after.unexplained - before.unexplained
    return Verdict(
        round=round_,
        subject=subject,
        unexplained=unexplained,
        explained=after.explained - before.explained,
        exits=after.exits - before.exits,
        seconds=seconds,
        befell=befell or unexplained > 0 or seconds is None,
        note=note,
    )
