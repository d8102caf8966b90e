"""What is sent to the engine's builder: a tar archive of a few files, in memory."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path


def sources(root: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files under `names`, as the build sees them."""
    found = {}
    for name in names:
        top = root / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts:
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def archive(files: dict[str, bytes]) -> bytes:
    """A build context. Equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
