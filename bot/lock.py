"""The one lock that says whose volume this is.

`flock` excludes across containers that share a volume, and the kernel takes it back however its holder dies. What the
file says of its holder is for people; only the lock counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from bot.preflight import SessionError, SessionProblem, session_error

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class VolumeLock:
    """Held from construction to `release`.

    Raises SessionError: LOCKED (with who holds it), NO_LOCKS, or what kept the file from being written.
    """

    def __init__(self, folder: Path, client_id: str) -> None:
        path = folder / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise session_error(error, folder, client_id) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._say_who(client_id)
        except BlockingIOError:
            holder = _holder(self._descriptor)
            self.release()
            raise SessionError(SessionProblem.LOCKED, folder, **holder) from None
        except OSError as error:
            self.release()
            if error.errno in _NO_LOCKS:
                raise SessionError(
                    SessionProblem.NO_LOCKS, folder, reason=error.strerror, client=client_id
                ) from error
            raise session_error(error, folder, client_id) from error

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _say_who(self, client_id: str) -> None:
        """In place: a file renamed over the lock would be another lock. On a full disk it goes unsaid."""
        who = {
            "clientId": client_id,
            "pid": os.getpid(),
            "hostname": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(who).encode(), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise


def _holder(descriptor: int) -> dict[str, object]:
    """What the holder wrote of itself; `?` where it had no time to."""
    try:
        raw = json.loads(os.pread(descriptor, 4096, 0))
    except (OSError, ValueError):
        raw = {}
    found = raw if isinstance(raw, dict) else {}
    names = {"holder": "clientId", "pid": "pid", "hostname": "hostname", "since": "since"}
    return {name: str(found.get(key, "?"))[:80] for name, key in names.items()}
