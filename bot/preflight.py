"""Is the session's folder fit to keep a session? Asked before anything is written to it, and while it is used."""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from bot import durable
from bot.contract import LABEL_CLIENT_ID, SESSION_MOUNT, BotExit
from bot.mounts import Mount, mount_of
from bot.problem import Problem

MIN_FREE_BYTES = 16 * 1024**2
MIN_FREE_INODES = 256
INCOMING = "incoming-"
_DEEPEST_LOOK = 4000
_OUR_IMAGE = "io.oturum.image=bot"


class SessionProblem(StrEnum):
    NOT_MADE = "not_made"
    NOT_A_FOLDER = "not_a_folder"
    PERMISSION = "permission"
    READ_ONLY = "read_only"
    NO_SPACE = "no_space"
    NO_INODES = "no_inodes"
    LIMIT = "limit"
    FSYNC = "fsync"
    NO_LOCKS = "no_locks"
    LOCKED = "locked"
    OTHER = "other"
    LOW_SPACE = "low_space"
    LOW_INODES = "low_inodes"
    LOCAL_LOCKS = "local_locks"


_NO_ROOM = (SessionProblem.NO_SPACE, SessionProblem.NO_INODES, SessionProblem.LIMIT)
_WARNINGS = (SessionProblem.LOW_SPACE, SessionProblem.LOW_INODES, SessionProblem.LOCAL_LOCKS)


class SessionError(Problem):
    """`no_room`: the folder is sound but full. `only_soon`: the session is well, so far. `system`: as in ENOSPC, where
    the system itself has said no.
    """

    section: ClassVar[str] = "session_problem"

    def __init__(self, problem: SessionProblem, path: Path, **values: object) -> None:
        code = BotExit.SESSION_IN_USE if problem is SessionProblem.LOCKED else BotExit.SESSION_UNUSABLE
        super().__init__(problem, code, path=path, **values)
        self.path = path
        self.system = ""
        self.no_room = problem in _NO_ROOM
        self.only_soon = problem in _WARNINGS

    @property
    def trace(self) -> str:
        """`file: ERROR`, as evidence: the same in every language."""
        return f"{self.path.name}: {self.system or self.problem.value}"


_BY_ERRNO = {
    errno.EACCES: SessionProblem.PERMISSION,
    errno.EPERM: SessionProblem.PERMISSION,
    errno.EROFS: SessionProblem.READ_ONLY,
    errno.ENOSPC: SessionProblem.NO_SPACE,
    errno.EDQUOT: SessionProblem.LIMIT,
    errno.ENOTDIR: SessionProblem.NOT_A_FOLDER,
    errno.EIO: SessionProblem.FSYNC,
}


def session_error(error: OSError, folder: Path, client_id: str) -> SessionError:
    """What the operating system refused, in words with the command that mends it."""
    found = _in_words(error, folder, client_id)
    found.system = errno.errorcode.get(error.errno or 0, "")
    if error.filename is not None:
        found.path = Path(os.fsdecode(error.filename).removesuffix(durable.PART))
    return found


def _in_words(error: OSError, folder: Path, client_id: str) -> SessionError:
    problem = _BY_ERRNO.get(error.errno or 0, SessionProblem.OTHER)
    path = Path(os.fsdecode(error.filename)) if error.filename is not None else folder
    reason = error.strerror or str(error)
    match problem:
        case SessionProblem.PERMISSION:
            return _permission(path, folder, client_id, reason)
        case SessionProblem.NO_SPACE | SessionProblem.LIMIT:
            return _full(folder, problem, reason)
        case SessionProblem.READ_ONLY:
            return _read_only(path, folder, client_id)
        case _:
            return SessionError(problem, path, reason=reason, client=client_id)


def check(folder: Path, client_id: str, *, room: bool = True) -> None:
    """Makes the folder where it is missing and tries what a session needs. Raises SessionError.

    Without `room` a full one will do: what is there can be read, and it can be locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise SessionError(SessionProblem.NOT_A_FOLDER, folder) from None
    except OSError as error:
        raise _not_made(error, folder, client_id) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise _read_only(folder, folder, client_id)
        raise _permission(folder, folder, client_id, os.strerror(errno.EACCES))
    try:
        _check_room(folder)
        _check_writing(folder, client_id)
    except SessionError as error:
        if room or not error.no_room:
            raise
    _check_content(folder, client_id)


def look(folder: Path, client_id: str, session_bytes: int) -> SessionError | None:
    """What is wrong with the folder, or (`only_soon`) may come to be: there is no room for copies of the session any
    more, or its lock keeps nobody on another machine away.

    A copy is made where three of its size are free. Raises nothing but what `statvfs` does.
    """
    try:
        check(folder, client_id)
    except SessionError as error:
        return error
    found = os.statvfs(folder)
    needed = MIN_FREE_BYTES + 3 * session_bytes
    if free_bytes(folder) < needed:
        return _no_space(folder, SessionProblem.LOW_SPACE, needed)
    if found.f_files and found.f_favail < 4 * MIN_FREE_INODES:
        return SessionError(
            SessionProblem.LOW_INODES, folder, free=found.f_favail, needed=4 * MIN_FREE_INODES
        )
    mount = _mount(folder)
    if mount is not None and (why := mount.why_locks_are_local):
        return SessionError(SessionProblem.LOCAL_LOCKS, folder, reason=why)
    return None


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write to the file system of `folder`."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def disk_bytes(folder: Path) -> int:
    """All that the file system of `folder` holds, free or not."""
    found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize


def _not_made(error: OSError, folder: Path, client_id: str) -> SessionError:
    if error.errno in (errno.EACCES, errno.EPERM):
        parent = next(each for each in folder.parents if each.exists())
        return _permission(parent, parent, client_id, error.strerror or "", SessionProblem.NOT_MADE)
    return session_error(error, folder, client_id)


def _check_room(folder: Path) -> None:
    if free_bytes(folder) < MIN_FREE_BYTES:
        raise _no_space(folder)
    found = os.statvfs(folder)
    # A file system without a fixed number of inodes reports none at all.
    if found.f_files and found.f_favail < MIN_FREE_INODES:
        raise SessionError(SessionProblem.NO_INODES, folder, free=found.f_favail, needed=MIN_FREE_INODES)


def _check_writing(folder: Path, client_id: str) -> None:
    attempt = folder / f".preflight-{os.getpid()}"
    try:
        with attempt.open("wb") as file:
            file.write(os.urandom(4096))
            file.flush()
            _sync(file.fileno(), folder, client_id)
            _reserve(file.fileno())
    except OSError as error:
        raise _of_folder(error, folder, client_id) from error
    finally:
        try:
            attempt.unlink(missing_ok=True)
        except OSError as error:
            raise _of_folder(error, folder, client_id) from error


def _of_folder(error: OSError, folder: Path, client_id: str) -> SessionError:
    """The file that was tried is nobody's: what it met goes for its folder."""
    error.filename = str(folder)
    return session_error(error, folder, client_id)


def _reserve(descriptor: int) -> None:
    """A user's quota, and a disk that has promised more than it has, show in no number of statvfs: they are tried."""
    try:
        os.posix_fallocate(descriptor, 0, MIN_FREE_BYTES)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise


def _sync(descriptor: int, folder: Path, client_id: str) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error.strerror or str(error)
        found = SessionError(SessionProblem.FSYNC, folder, reason=reason, client=client_id)
        found.system = errno.errorcode.get(error.errno or 0, "")
        raise found from error


def _check_content(folder: Path, client_id: str) -> None:
    """What stands there already must be ours to change: one file of another owner can cost the session later.

    What an import has left (`incoming-*`) is no part of it: whoever owns that, the bot starts.
    """
    looked = 0
    for parent, folders, files in os.walk(folder):
        if Path(parent) == folder:
            folders[:] = [name for name in folders if not name.startswith(INCOMING)]
        for name in (*folders, *files):
            looked += 1
            if looked > _DEEPEST_LOOK:
                return
            path = Path(parent, name)
            if path.is_symlink() or path.parent == folder / "secrets":
                continue
            wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
            if path.exists() and not os.access(path, wanted):
                raise _permission(path, folder, client_id, os.strerror(errno.EACCES))


def _no_space(
    folder: Path, problem: SessionProblem = SessionProblem.NO_SPACE, needed: int = MIN_FREE_BYTES
) -> SessionError:
    free = _megabytes(free_bytes(folder))
    return SessionError(problem, folder, free=free, needed=_megabytes(needed))


def _full(folder: Path, problem: SessionProblem, reason: str) -> SessionError:
    """The system has no room. What statvfs says of it decides how that is put."""
    with suppress(OSError):
        try:
            _check_room(folder)
        except SessionError as error:
            return error
    found, needed = _mount(folder), _megabytes(MIN_FREE_BYTES)
    point = found.point if found else folder
    return SessionError(
        SessionProblem.LIMIT,
        folder,
        free=_megabytes(free_bytes(folder)),
        needed=needed,
        reason=reason,
        mount=point,
        user=os.geteuid(),
    )


def _read_only(path: Path, folder: Path, client_id: str) -> SessionError:
    mount = _mount(folder)
    place = shlex.quote(mount.point if mount else str(folder))
    if folder == Path(SESSION_MOUNT):
        if mount is not None and mount.volume:
            source = f"$(docker volume inspect -f '{{{{.Mountpoint}}}}' {mount.volume})"
        else:
            ours = f'{{{{if eq .Destination "{SESSION_MOUNT}"}}}}{{{{.Source}}}}{{{{end}}}}'
            source = f"$(docker inspect -f '{{{{range .Mounts}}}}{ours}{{{{end}}}}' {_container(client_id)})"
        place = f'"$(findmnt -no TARGET -T {source})"'
    return SessionError(SessionProblem.READ_ONLY, path, command=f"sudo mount -o remount,rw {place}")


def _mount(folder: Path) -> Mount | None:
    try:
        return mount_of(str(folder.resolve()), Path("/proc/self/mountinfo").read_text().splitlines())
    except OSError:
        return None


def _permission(
    path: Path,
    folder: Path,
    client_id: str,
    reason: str,
    problem: SessionProblem = SessionProblem.PERMISSION,
) -> SessionError:
    try:
        found = path.stat()
        owner, mode = f"{found.st_uid}:{found.st_gid}", stat.filemode(found.st_mode)
    except OSError:
        owner = mode = "?"
    user = f"{os.geteuid()}:{os.getegid()}"
    return SessionError(
        problem,
        path,
        reason=reason,
        owner=owner,
        mode=mode,
        user=user,
        command=_command(folder, client_id, user),
    )


def _command(folder: Path, client_id: str, user: str) -> str:
    """Gives the folder to the bot's user. Of a container's volume only the host can do that: named, it can be mended
    also when the container that said so is gone.
    """
    if folder != Path(SESSION_MOUNT):
        return f"sudo chown -R {user} {shlex.quote(str(folder))}"
    mount = _mount(folder)
    if mount is not None and mount.volume:
        place = f"--volume {mount.volume}:{SESSION_MOUNT} $(docker images -q --filter label={_OUR_IMAGE} | head -n 1)"
    else:
        container = _container(client_id)
        place = f"--volumes-from {container} $(docker inspect -f '{{{{.Image}}}}' {container})"
    mend = f"chown -R {user} {SESSION_MOUNT} && chmod -R u+rwX {SESSION_MOUNT}"
    return f"docker run --rm --user 0 {place} sh -c '{mend}'"


def _container(client_id: str) -> str:
    """The container we are in, for a shell on the host: bots of other projects may have the same clientId.

    The engine mounts /etc/hostname and the like from a folder named after the container.
    """
    try:
        found = re.search(r"/containers/([0-9a-f]{64})/", Path("/proc/self/mountinfo").read_text())
    except OSError:
        found = None
    if found:
        return found[1][:12]
    return f"$(docker ps -aqf label={LABEL_CLIENT_ID}={client_id} | head -n 1)"


def _megabytes(number: int) -> str:
    return f"{number / 1024**2:.0f} MiB"
