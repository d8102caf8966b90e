"""The volume of one bot: who holds it, what it remembers, and every move of its session's files.

```
lock          profile/      the browser's user-data dir
marker.json   mirror.json   ballast       what a full disk gives back so that the mirror can still be written
generations/  aside/        events/       episode.json   secrets/
incoming-*/   a session on its way in (`bot volume import`)
running       there while a browser is open, or was killed
```

Nothing here deletes a session but a logout by our own command, which leaves nothing of it: what else is over or
damaged is moved to aside/, of which a bounded number is kept. Moves that take several steps are written in the marker
before they begin, and finished by the next `open`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot import durable, marker, mirror, preflight, sessioninfo
from bot.archive import MIRROR, Fingerprint, Manifest
from bot.contract import mask_phone
from bot.generations import (
    Generation,
    GenerationResult,
    Moment,
    Origin,
    RestoreOutcome,
    RestoreResult,
)
from bot.lock import VolumeLock
from bot.marker import Marker, Stage
from bot.moves import INCOMING as INCOMING  # noqa: PLC0414  ours to the outside
from bot.moves import Erased, Moves, Report, is_empty
from bot.preflight import SessionError as SessionError  # noqa: PLC0414  ours to the outside
from bot.preflight import session_error
from bot.sessioninfo import SessionInfo
from bot.verdict import Ruling

_BALLAST_BYTES = 1024**2


class Session:
    """Open and locked from `open` to `close`; of one bot, used from one thread at a time."""

    def __init__(self, folder: Path, client_id: str, lock: VolumeLock) -> None:
        self.folder = folder
        self.client_id = client_id
        self.profile = folder / "profile"
        self.reports: list[Report] = []
        self.erased: Erased | None = None  # by a logout of our own; whoever tells of it takes it away
        self.created = False
        self._lock = lock
        self._moves = moves = Moves(folder)
        self._marker_file = moves.marker_file
        self._mirror_file = moves.mirror_file
        self._ballast = folder / "ballast"
        self._generations = moves.generations
        self._marker = Marker()
        self._mirrored: dict[str, str] | None = None
        self._was_ready = False
        self._running = folder / "running"
        self.stopped_cleanly: bool | None = None  # None: nothing ran here before

    @classmethod
    def open(cls, folder: Path, client_id: str) -> Session:
        """Raises SessionError. `created` afterwards: the store was made just now.

        A full disk is no reason to refuse: whoever launches a browser looks at the room (`storage_problem`), and waits.
        """
        folder = folder.absolute()
        preflight.check(folder, client_id, room=False)
        session = cls(folder, client_id, VolumeLock(folder, client_id))
        try:
            session._take_stock()
        except OSError as error:
            session.close()
            raise session_error(error, folder, client_id) from error
        return session

    peek = staticmethod(sessioninfo.peek)

    def close(self) -> None:
        self._lock.release()

    # --- what is there ----------------------------------------------------------------------------------

    def info(self) -> SessionInfo:
        return sessioninfo.info(self._marker, self._living_mirror())

    def load_mirror(self) -> dict[str, str] | None:
        """What the page's localStorage must hold before its scripts run; None of a session that a logout ended."""
        return self._living_mirror()

    def free_bytes(self) -> int:
        return preflight.free_bytes(self.folder)

    def storage_problem(self) -> SessionError | None:
        """Looks at the volume as `open` did, and for what is about to run out. Raises OSError."""
        problem = preflight.look(self.folder, self.client_id, self._generations.size_of(self.profile))
        if problem is None:
            self._make_ballast()
        return problem

    def generations(self) -> list[int]:
        """Numbers of the complete ones, newest first."""
        return self._generations.numbers()

    def newest_generation(self) -> Generation | None:
        return next((found for each in self.generations() if (found := self._generations.read(each))), None)

    def generation_bytes(self) -> int:
        return self._generations.size()

    # --- what happened ----------------------------------------------------------------------------------

    def store_mirror(self, entries: Mapping[str, str]) -> None:
        """On disk before it returns. Ignores what is no session or no change. Raises SessionError."""
        if not mirror.is_session(entries) or dict(entries) == self._mirrored:
            return
        self._write(lambda: mirror.store(self._mirror_file, entries))
        self._mirrored = dict(entries)

    def mark_paired(self, wid: str | None) -> None:
        """`wid`: the account's id as the page names it; only its masked number is kept. Raises SessionError.

        What it tells of is on disk when it returns, the browser's own files too.
        """
        phone = mask_phone(wid) if wid else self._marker.phone_masked
        version = self._marker.browser_version
        known = Marker(Stage.PAIRED, paired_at=_now(), phone_masked=phone, browser_version=version)
        if self._marker.stage in (Stage.PAIRED, Stage.READY):
            known = replace(self._marker, phone_masked=phone)
        self._sync_and_remember(known)

    def mark_ready(self, browser_version: str | None) -> None:
        """As `mark_paired`: what the first sync changed is on disk when it returns. Raises SessionError."""
        self._was_ready = True
        version = browser_version or self._marker.browser_version
        known = replace(self._marker, stage=Stage.READY, last_ready_at=_now(), browser_version=version)
        paired_at = known.paired_at or known.last_ready_at
        self._sync_and_remember(replace(known, paired_at=paired_at, dead_keys=None, in_doubt=None))
        with suppress(OSError):
            self._generations.proven()

    def mark_browser(self, version: str) -> None:
        """A browser of this version is about to use the profile: what it writes no older one may read. Best effort."""
        if version != self._marker.browser_version:
            with suppress(SessionError):
                self._remember(replace(self._marker, browser_version=version))

    def mark_in_doubt(self) -> None:
        """The page asked for a scan, and nothing proves a logout. Raises SessionError."""
        if not self._marker.in_doubt:
            self._remember(replace(self._marker, in_doubt=True))

    def browser_starts(self) -> None:
        """Best effort: what is lost is one line of evidence."""
        with suppress(OSError):
            durable.write_file(self._running, b"")

    def browser_closed(self) -> None:
        """By itself, and its storage is written."""
        with suppress(OSError):
            self._running.unlink(missing_ok=True)

    def mark_logged_out(self, reason: str, ruling: Ruling | None = None, *, erase: bool = False) -> None:
        """The session is over: said before its files move, so that a crash in between is harmless.

        `ruling`: who caused it. `erase`: its files are not to be set aside but removed. Raises SessionError.
        """
        entries = self._read_mirror()
        self._was_ready = False
        self._remember(
            Marker(
                Stage.LOGGED_OUT,
                browser_version=self._marker.browser_version,
                logged_out_at=_now(),
                logout_reason=reason,
                verdict=ruling.verdict if ruling else None,
                evidence=ruling.evidence if ruling else (),
                dead_keys=mirror.keys_fingerprint(entries) if entries else None,
                pending_aside=None if erase else reason,
                pending_erase=erase or None,
            )
        )

    def plan_erase(self) -> None:
        """A logout of our own begins: written down before the server hears of it, so that a crash on the way never lets
        the session pass for a lost one. Raises SessionError.
        """
        self._remember(replace(self._marker, pending_erase=True))

    def drop_erase(self) -> None:
        """Nothing came of that logout: the session lives on. Raises SessionError."""
        if self._marker.pending_erase:
            self._remember(replace(self._marker, pending_erase=None))

    # --- moves of files; the browser must be closed -------------------------------------------------------

    def set_aside(self, reason: str) -> Path | None:
        """Moves all of the session to aside/, and starts afresh. None: there was nothing. Raises SessionError."""
        if (
            self._marker.pending_aside is None
        ):  # a full disk refused it: files that are gone must be no session
            self.mark_logged_out(reason)
        moved: list[Path | None] = []
        self._write(lambda: moved.append(self._finish_aside(reason)))
        return moved[0]

    def erase(self, reason: str, ruling: Ruling | None = None) -> None:
        """Ends the session and removes all of it, copies and earlier ones too: `erased`. Raises SessionError."""
        if self._marker.stage is not Stage.LOGGED_OUT or not self._marker.pending_erase:
            self.mark_logged_out(reason, ruling, erase=True)
        self.sweep()
        self._write(self._finish_erase)

    def take_generation(
        self, moment: Moment = Moment.CLOSED, interrupted: Callable[[], bool] = lambda: False
    ) -> GenerationResult:
        """A copy of the session. CLOSED, LIVE: of one that was READY in this run. LAUNCH: of a living one, before a
        browser uses it again. LIVE: the browser runs. `interrupted`: asked before each file. Raises SessionError.
        """
        if reason := self._objection(moment):
            return GenerationResult(False, reason=reason)
        origin = Origin(_now(), self._marker.browser_version, moment)
        try:
            return self._generations.take(self.profile, self._mirror_file, origin, interrupted)
        except OSError as error:
            raise session_error(error, self.folder, self.client_id) from error

    def _objection(self, moment: Moment) -> str:
        if self._marker.pending_erase:
            return "in_doubt"
        if moment is Moment.LAUNCH:
            # The first candidate since READY is of the profile that is nearest to what worked: it stays.
            doubt = self._marker.in_doubt or self._generations.candidate() is not None
            return "not_ready" if not self.info().present else "in_doubt" if doubt else ""
        if not self._was_ready or self._marker.stage is not Stage.READY:
            return "not_ready"
        # Measured: what the browser has not written yet is missing in a live copy, and the mirror makes up for it.
        return "no_mirror" if moment is Moment.LIVE and self._living_mirror() is None else ""

    def restore_generation(self, reason: str) -> RestoreResult:
        """The newest copy that was not tried since READY, in place of the profile, which goes aside.

        Raises SessionError. DAMAGED: that copy is not what it was; ask again for an older one.
        """
        number = self._generations.untried()
        if number is None or self._marker.pending_erase:
            return RestoreResult(RestoreOutcome.NONE)
        result = self._put_back(number, reason, self._marker)
        self._write(lambda: self._generations.mark_tried(number))
        return result

    def roll_back(self, number: int) -> RestoreResult:
        """Generation `number` in place of the profile because somebody asked for it. Raises SessionError."""
        found = self._generations.read(number)
        if found is None:
            return RestoreResult(RestoreOutcome.NONE, number)
        known = replace(self._marker, browser_version=found.browser_version or self._marker.browser_version)
        return self._put_back(number, "rollback", known)

    def adopt(self, staged: Path, manifest: Manifest) -> RestoreResult:
        """A session that came from elsewhere becomes ours: as the newest generation first, so that a crash never
        leaves a half one, then as the profile. `staged` (on this volume) holds just the manifest's files, and is gone
        afterwards. The caller has made sure that no session is here. Raises SessionError.
        """
        try:
            if not is_empty(self.profile) or self._mirror_file.exists() or self._generations.numbers():
                self._finish_aside(manifest.source)
            number = self._generations.adopt(
                staged, manifest.taken_at, manifest.browser_version, dict(manifest.files)
            )
        except OSError as error:
            raise session_error(error, self.folder, self.client_id) from error
        known = Marker(
            Stage.PAIRED, phone_masked=manifest.phone_masked, browser_version=manifest.browser_version
        )
        return self._put_back(number, manifest.source, known)

    def profile_files(self) -> dict[str, Fingerprint]:
        """Name -> fingerprint of all that is the session now; no browser runs. Raises SessionError."""
        try:
            files = self._moves.profile_files()
            if self._living_mirror() is not None:
                files[MIRROR] = durable.fingerprint(self._mirror_file)
        except OSError as error:
            raise session_error(error, self.folder, self.client_id) from error
        return files

    def sweep(self) -> None:
        """Before a browser uses the profile: what an earlier one left goes."""
        self.reports += self._moves.sweep()

    # --- inside ------------------------------------------------------------------------------------------

    def _take_stock(self) -> None:
        """Reads the marker, finishes what a crash interrupted, and makes what is missing."""
        self.created = not self.profile.exists() and not self._marker_file.exists()
        self.stopped_cleanly = None if self.created else not self._running.exists()
        self._marker = self._read_marker()
        self._generations.prune()
        if self._marker.stage is Stage.LOGGED_OUT and self._marker.pending_erase:
            self._write(self._finish_erase)
        if self._marker.pending_aside is not None:
            self.reports.append(Report("finished_aside", self.profile, self._marker.pending_aside))
            reason = self._marker.pending_aside
            self._write(lambda: self._finish_aside(reason))
        if self._marker.pending_restore is not None:
            self.reports.append(Report("finished_restore", self.profile, str(self._marker.pending_restore)))
            number = self._marker.pending_restore
            self._write(lambda: self._finish_restore(number, "interrupted"))
        durable.remove_tree(self._moves.restoring)
        self._mirrored = self._read_mirror(report=True)
        self.profile.mkdir(mode=0o700, exist_ok=True)
        self._make_ballast()
        if not self._marker_file.exists():
            marker.store(self._marker_file, self._marker)

    def _make_ballast(self) -> None:
        with suppress(OSError):
            if not self._ballast.exists():
                durable.write_file(self._ballast, bytes(_BALLAST_BYTES))

    def _sync_and_remember(self, known: Marker) -> None:
        """A disk that refuses to sync is told of; what we know of the session is written down all the same."""
        try:
            self._write(self._moves.sync_profile)
        finally:
            self._remember(known)

    def _read_marker(self) -> Marker:
        try:
            return marker.load(self._marker_file) or sessioninfo.guess(self.profile)
        except marker.Unreadable as error:
            self.reports.append(Report("damaged_marker", self._marker_file, str(error)))
            durable.move(self._marker_file, self._marker_file.with_suffix(".damaged"))
            return sessioninfo.guess(self.profile)

    def _read_mirror(self, *, report: bool = False) -> dict[str, str] | None:
        try:
            return mirror.load(self._mirror_file)
        except (mirror.Unreadable, OSError) as error:
            if report:
                self.reports.append(Report("damaged_mirror", self._mirror_file, str(error)))
            return None

    def _living_mirror(self) -> dict[str, str] | None:
        return sessioninfo.living(self._read_mirror(), self._marker)

    def _remember(self, known: Marker) -> None:
        self._write(lambda: marker.store(self._marker_file, known))
        self._marker = known

    def _write(self, write: Callable[[], object]) -> None:
        """A full disk costs the ballast once before it costs the session."""
        try:
            try:
                write()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._ballast.exists():
                    raise
                self._ballast.unlink(missing_ok=True)
                write()
        except OSError as error:
            raise session_error(error, self.folder, self.client_id) from error

    def _put_back(self, number: int, reason: str, known: Marker) -> RestoreResult:
        """`known`: what the volume says from the moment on from which the generation counts."""
        try:
            durable.remove_tree(self._moves.restoring)
            if not self._generations.copy_to(number, self._moves.restoring):
                durable.remove_tree(self._moves.restoring)
                return RestoreResult(RestoreOutcome.DAMAGED, number)
            self._generations.doubt_others(number)
            self._remember(replace(known, pending_restore=number))
            aside = self._finish_restore(number, reason)
            self._generations.unpin()
        except OSError as error:
            raise session_error(error, self.folder, self.client_id) from error
        return RestoreResult(RestoreOutcome.RESTORED, number, aside)

    def _finish_aside(self, reason: str) -> Path | None:
        self._mirrored = None
        self._marker, moved = self._moves.finish_aside(self._marker, reason)
        return moved

    def _finish_erase(self) -> None:
        self._mirrored = None
        self._marker, self.erased = self._moves.finish_erase(self._marker)

    def _finish_restore(self, number: int, reason: str) -> Path | None:
        self._mirrored = None
        self._marker, aside = self._moves.finish_restore(self._marker, number, reason)
        return aside


def _now() -> datetime:
    return datetime.now(UTC)
