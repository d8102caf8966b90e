"""Which file system a folder is on, and whether its locks mean anything to another machine."""

from __future__ import annotations

import pytest

from bot.mounts import mount_of

INFO = [
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
    "30 22 0:40 / /mnt/a\\040b rw,relatime - nfs4 server:/x rw,vers=4.2,local_lock=none",
    "31 22 0:41 / /mnt/old rw,relatime - nfs server:/y rw,nolock",
    "32 22 0:42 / /mnt/win rw - cifs //server/z rw,nobrl",
    "33 22 0:43 / /mnt/ssh rw - fuse.sshfs me@server: rw",
    "34 22 0:44 / /mnt/ssh/tmp rw,nosuid - tmpfs tmpfs rw,size=1m",
    "35 22 0:45 / /mnt/half rw - nfs server:/q rw,local_lock=flock",
    "nonsense",
    "36 22 0:46 / /mnt/half ro - xfs /dev/vdb ro",
]


@pytest.mark.parametrize(
    ("folder", "point", "kind", "why"),
    [
        ("/srv/session", "/", "ext4", None),
        ("/mnt/a b/session", "/mnt/a b", "nfs4", None),
        ("/mnt/a", "/", "ext4", None),
        ("/mnt/old", "/mnt/old", "nfs", "nfs, nolock"),
        ("/mnt/win/x", "/mnt/win", "cifs", "cifs, nobrl"),
        ("/mnt/ssh/x", "/mnt/ssh", "fuse.sshfs", "fuse.sshfs"),
        ("/mnt/ssh/tmp", "/mnt/ssh/tmp", "tmpfs", None),
        ("/mnt/half/x", "/mnt/half", "xfs", None),
    ],
)
def test_the_last_mount_that_holds_the_folder_counts(
    folder: str, point: str, kind: str, why: str | None
) -> None:
    found = mount_of(folder, INFO)
    assert found is not None
    assert (found.point, found.kind, found.why_locks_are_local) == (point, kind, why)


def test_no_mount_is_known() -> None:
    assert mount_of("/srv", ["nonsense"]) is None
    partly = mount_of("/mnt/half", INFO[:-1])
    assert partly is not None
    assert partly.why_locks_are_local == "nfs, local_lock=flock"


@pytest.mark.parametrize(
    ("root", "volume"),
    [
        ("/var/lib/docker/volumes/shop-session-sales/_data", "shop-session-sales"),
        ("/containers/storage/volumes/shop-session-a_b/_data", "shop-session-a_b"),
        ("/srv/sessions", None),
        ("/", None),
    ],
)
def test_a_volume_is_known_by_its_name(root: str, volume: str | None) -> None:
    found = mount_of("/session", [*INFO, f"40 22 254:0 {root} /session rw - ext4 /dev/vda rw"])
    assert found is not None
    assert found.volume == volume
