"""PURE: what /proc/self/mountinfo says of a folder: the file system it is on, and whether locks on it mean anything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Of these, flock() is answered by this machine alone, without a word to any other that has the same files.
_LOCAL_LOCKS = frozenset(
    {"9p", "vboxsf", "davfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys"}
)
_LOCAL_WITH = {
    "nfs": ("nolock", "local_lock=all", "local_lock=flock"),
    "nfs4": ("nolock", "local_lock=all", "local_lock=flock"),
    "cifs": ("nobrl",),
    "smb3": ("nobrl",),
}

_VOLUME = re.compile(r"/volumes/([a-zA-Z0-9][a-zA-Z0-9_.-]*)/_data$")


@dataclass(frozen=True, slots=True)
class Mount:
    """`kind` as in ext4; `options` of the mount and of the file system together; `root`: the folder of the file system
    that is mounted.
    """

    point: str
    kind: str
    options: frozenset[str]
    root: str = "/"

    @property
    def volume(self) -> str | None:
        """The name of the engine's volume that it is: Docker and Podman keep each in `…/volumes/NAME/_data`."""
        found = _VOLUME.search(self.root)
        return found[1] if found else None

    @property
    def why_locks_are_local(self) -> str | None:
        """The kind of file system or the option for which no other machine sees our lock; None: none is known."""
        if self.kind in _LOCAL_LOCKS:
            return self.kind
        found = next((each for each in _LOCAL_WITH.get(self.kind, ()) if each in self.options), None)
        return f"{self.kind}, {found}" if found else None


def mount_of(folder: str, mountinfo: Iterable[str]) -> Mount | None:
    """`folder`: absolute, links resolved. The last of several on one point is the one that is seen (proc(5))."""
    best: Mount | None = None
    for line in mountinfo:
        mount = _read(line)
        if (
            mount is not None
            and _holds(mount.point, folder)
            and len(mount.point) >= len(best.point if best else "")
        ):
            best = mount
    return best


def _read(line: str) -> Mount | None:
    before, _, after = line.partition(" - ")
    head, tail = before.split(), after.split()
    if len(head) < 6 or len(tail) < 1:
        return None
    options = frozenset([*head[5].split(","), *(tail[2].split(",") if len(tail) > 2 else ())])
    return Mount(_plain(head[4]), tail[0], options, _plain(head[3]))


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _holds(point: str, folder: str) -> bool:
    return point in ("/", folder) or folder.startswith(point + "/")
