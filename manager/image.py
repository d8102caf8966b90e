"""The bot image: named after the content of its sources, so that an unchanged one costs one look-up."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.contract import LABEL_VERSION
from manager.locking import turn
from manager.problems import EngineError, EngineProblem, problem_of

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "oturum-bot"
TARGET = "bot"
_SINGLE_FILES = ("Dockerfile", "requirements/bot.txt")
_FOLDERS = ("bot", "handlers")
_LEFT_OUT = {"__pycache__"}
_HASH_DIGITS = 12
_DETAIL_LINES = 5


@dataclass(frozen=True, slots=True)
class ImageProgress:
    """A line of the builder, or (`step` and `steps` are 0) of the base image's maker."""

    text: str
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class BotImage:
    """`id` as the engine knows it. `version` is the content hash, or the id's start for a foreign image.

    `exists` is False only in a dry run that found nothing to look at: `id` is then the tag to be built, and also where
    it is there and would be built anew (`rebuild`).
    """

    tag: str
    id: str
    version: str
    built: bool = False
    exists: bool = True
    rebuild: bool = False


class BuildsImages(Protocol):
    host: str

    def image_id(self, reference: str) -> str | None: ...
    def build(self, context: Any, **options: Any) -> Iterator[dict[str, Any]]: ...


class Sources:
    """The very bytes that are hashed are the ones that are built."""

    def __init__(self, root: Path = ROOT) -> None:
        """Raises FileNotFoundError when `root` is not the project's folder."""
        names = [root / name for name in _SINGLE_FILES]
        for folder in _FOLDERS:
            names += sorted(path for path in (root / folder).rglob("*") if _counts(path))
        self.files = {path.relative_to(root).as_posix(): path.read_bytes() for path in names}

    @property
    def version(self) -> str:
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:_HASH_DIGITS]

    @property
    def tag(self) -> str:
        return f"{REPOSITORY}:{self.version}"

    def archive(self) -> io.BytesIO:
        """A build context: equal sources give equal bytes, so that the builder's cache holds."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in sorted(self.files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        buffer.seek(0)
        return buffer


def _counts(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and not _LEFT_OUT.intersection(path.parts)


def find(
    engine: BuildsImages, reference: str | None = None, root: Path = ROOT, *, rebuild: bool = False
) -> BotImage:
    """What there is, nothing built. `rebuild`: as it stands before it is built anew.

    Raises EngineError IMAGE_MISSING for a `reference` that is not there.
    """
    if reference is not None:
        found = engine.image_id(reference)
        if found is None:
            raise EngineError(EngineProblem.IMAGE_MISSING, image=reference)
        return BotImage(reference, found, found.removeprefix("sha256:")[:_HASH_DIGITS])
    sources = Sources(root)
    found = engine.image_id(sources.tag)
    known = sources.tag if rebuild or found is None else found
    return BotImage(sources.tag, known, sources.version, exists=found is not None, rebuild=rebuild)


def ensure(  # noqa: PLR0913
    engine: BuildsImages,
    reference: str | None,
    environ: Mapping[str, str],
    on_progress: Callable[[ImageProgress], None] = lambda progress: None,
    root: Path = ROOT,
    *,
    rebuild: bool = False,
) -> BotImage:
    """The image to run: the fleet's own `reference`, or ours, built when its sources have no image yet.

    `rebuild`: ours is built anew all the same, and nothing of an earlier build is used, so that it holds the newest
    packages, the browser above all. Its tag is the same, its id is not: every bot is moved.
    Raises EngineError: IMAGE_MISSING, BASE_IMAGE, BUILD_FAILED, DISK_FULL.
    """
    image = find(engine, reference, root)
    if image.exists and not (rebuild and reference is None):
        return image
    with turn(f"build {image.tag} on {engine.host}"):
        image = find(engine, reference, root)
        if image.exists and not rebuild:
            return image
        sources = Sources(root)
        arguments = _base_image(root, environ, on_progress)
        _build(engine, sources, arguments, on_progress, cached=not rebuild)
        built = engine.image_id(sources.tag)
        if built is None:
            raise EngineError(EngineProblem.IMAGE_MISSING, image=sources.tag)
        return BotImage(sources.tag, built, sources.version, built=True)


def _base_image(
    root: Path, environ: Mapping[str, str], on_progress: Callable[[ImageProgress], None]
) -> dict[str, str]:
    """Has the base image made where it is absent; the build arguments this host needs (mirrors, proxies)."""
    lines: deque[str] = deque(maxlen=1)
    with subprocess.Popen(
        [sys.executable, str(root / "setup" / "base_image.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=dict(environ),
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.strip():
                lines.append(line.strip())
                on_progress(ImageProgress(line.strip()))
        answer = process.stdout.read()
    if process.returncode != 0:
        raise EngineError(EngineProblem.BASE_IMAGE, lines[0] if lines else f"exit code {process.returncode}")
    arguments: dict[str, str] = json.loads(answer)["buildArgs"]
    return arguments


def _build(
    engine: BuildsImages,
    sources: Sources,
    arguments: dict[str, str],
    on_progress: Callable[[ImageProgress], None],
    *,
    cached: bool,
) -> None:
    messages = engine.build(
        sources.archive(),
        tag=sources.tag,
        target=TARGET,
        buildargs=arguments,
        labels={LABEL_VERSION: sources.version},
        nocache=not cached,
    )
    step = steps = 0
    last: deque[str] = deque(maxlen=_DETAIL_LINES)
    for message in messages:
        if "error" in message:
            sentence = str(message["error"])
            known = problem_of(None, sentence + " ".join(last))
            problem = known if known is EngineProblem.DISK_FULL else EngineProblem.BUILD_FAILED
            raise EngineError(problem, f"{sentence} ({' | '.join(last)})")
        for line in str(message.get("stream", "")).splitlines():
            if not (text := line.strip()):
                continue
            last.append(text)
            if found := re.match(r"Step (\d+)/(\d+) : (.*)", text):
                step, steps, text = int(found[1]), int(found[2]), found[3]
            on_progress(ImageProgress(text, step, steps))
