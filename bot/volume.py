"""`python -m bot volume`: the volume of a bot that does not run, looked at and changed by the bot's own code.

Every change is made under the bot's lock. A session leaves as an archive on standard output and comes in the same way
or from a folder that lies on the volume already (`incoming-*`): that works wherever an engine can run a container.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from bot import archive, durable
from bot.archive import Damaged, Manifest
from bot.chromium import BrowserError, find, version_of
from bot.contract import (
    SESSION_MOUNT,
    SETTINGS_VARIABLE,
    BotExit,
    BotSettings,
    BrowserSettings,
    is_client_id,
)
from bot.generations import Generation, Generations, RestoreOutcome
from bot.preflight import MIN_FREE_BYTES, SessionError, SessionProblem, free_bytes, session_error
from bot.problem import LOCALES, Problem
from bot.session import INCOMING, Session
from bot.text import LANGUAGES, Catalogue

Json = dict[str, Any]


class VolumeProblem(StrEnum):
    HAS_SESSION = "has_session"
    NO_SESSION = "no_session"
    NO_GENERATION = "no_generation"
    UNKNOWN_GENERATION = "unknown_generation"
    DAMAGED_GENERATION = "damaged_generation"
    DAMAGED_ARCHIVE = "damaged_archive"
    NO_ROOM = "no_room"


class VolumeError(Problem):
    section: ClassVar[str] = "volume_problem"

    def __init__(self, problem: VolumeProblem, **values: object) -> None:
        super().__init__(problem, BotExit.REFUSED, **values)


def main(arguments: Sequence[str]) -> int:
    settings = _settings()
    known = argparse.Namespace(
        session_dir=settings.get("sessionDir") or SESSION_MOUNT,
        client=settings.get("clientId") or "",
        language=os.environ.get("OTURUM_LANG") or settings.get("language") or "en",
        json=False,
    )
    options = _parser().parse_args(arguments, known)
    say = Catalogue(LOCALES, options.language if options.language in LANGUAGES else "en")
    tell = sys.stderr if options.command == "export" else sys.stdout
    try:
        answer = _answer(options)
    except Problem as problem:
        said = problem.say(say)
        fix = "; ".join(part for part in (said.hint, said.fix) if part)
        if options.json:
            told = {"error": {"message": said.message, "fix": fix}, "problem": problem.problem.value}
            print(json.dumps({**told, "exit": int(problem.exit)}, ensure_ascii=False), file=tell)
        else:
            print(f"{said.message} ({fix})" if fix else said.message, file=sys.stderr)
        return problem.exit
    if options.json:
        print(json.dumps(answer, ensure_ascii=False), file=tell)
    else:
        for line in _lines(options.command, answer, say):
            print(line, file=tell)
    return BotExit.OK


def _answer(options: argparse.Namespace) -> Json:
    """Raises Problem, also for what the operating system refuses on the volume."""
    try:
        return _COMMANDS[options.command](options)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise session_error(error, _folder(options), options.client) from error


def _parser() -> argparse.ArgumentParser:
    """The common options stand before the command or after it: no default of theirs may undo the other place."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--session-dir", metavar="DIR")
    common.add_argument("--client", metavar="CLIENT")
    common.add_argument("--language")
    common.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    parser = argparse.ArgumentParser(
        prog="python -m bot volume",
        description="Look at and change the volume of a bot that does not run.",
        parents=[common],
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    look = commands.add_parser("look", parents=[common], help="what is on it; changes nothing")
    look.add_argument(
        "--verify", action="store_true", help="read the generations and compare their checksums"
    )
    version = commands.add_parser(
        "browser", parents=[common], help="the version of the browser that would use it"
    )
    version.add_argument("--executable", metavar="FILE", help="as in the bot's settings")
    pin = commands.add_parser("pin", parents=[common], help="keep a generation until it is put back")
    pin.add_argument("number", type=int)
    back = commands.add_parser("rollback", parents=[common], help="put a generation in the profile's place")
    back.add_argument("number", type=int, nargs="?", help="default: the newest")
    take = commands.add_parser("import", parents=[common], help="take in a session; from standard input")
    take.add_argument("--staged", metavar="NAME", help="a folder incoming-* on the volume, instead")
    give = commands.add_parser("export", parents=[common], help="write the session to standard output")
    give.add_argument("--generation", metavar="N", type=int, help="this generation, whatever runs")
    return parser


def _settings() -> Json:
    try:
        found = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _folder(options: argparse.Namespace) -> Path:
    return Path(options.session_dir).absolute()


# ---- looking


def look(options: argparse.Namespace) -> Json:
    folder = _folder(options)
    info = Session.peek(folder)
    store = Generations(folder / "generations")
    found = [read for number in store.numbers() if (read := store.read(number))]
    return {
        "present": info.present,
        "phone": info.phone_masked,
        "paired_at": _time(info.paired_at),
        "last_ready_at": _time(info.last_ready_at),
        "browser_version": info.browser_version,
        "bytes": _size(folder),
        "free_bytes": free_bytes(folder) if folder.is_dir() else None,
        "generations": [_generation(store, each, verify=options.verify) for each in found],
    }


def _generation(store: Generations, found: Generation, *, verify: bool) -> Json:
    """`verdict`: good, candidate (of before a launch or from elsewhere, not proven by a READY yet), tried (put back
    since READY, in vain so far) or, where it was verified, damaged.
    """
    damaged = verify and not store.intact(found.number)
    return {
        "number": found.number,
        "taken_at": found.taken_at.isoformat(),
        "bytes": found.size,
        "browser_version": found.browser_version,
        "verdict": "damaged"
        if damaged
        else "tried"
        if found.tried
        else "good"
        if found.good
        else "candidate",
    }


def browser(options: argparse.Namespace) -> Json:
    settings = BotSettings(
        client_id=options.client or "bot",
        session_dir=str(_folder(options)),
        browser=BrowserSettings(executable=options.executable),
    )
    try:
        return {"version": version_of(find(settings))}
    except BrowserError:
        return {"version": None}


# ---- changing


def pin(options: argparse.Namespace) -> Json:
    """Without the lock: what runs shall be stopped next, and must not push this generation out while it stops."""
    store = Generations(_folder(options) / "generations")
    _known(store, options.number)
    store.pin(options.number)
    return {"number": options.number}


def rollback(options: argparse.Namespace) -> Json:
    folder = _folder(options)
    if not Session.peek(folder).present:
        raise VolumeError(VolumeProblem.NO_SESSION, path=folder)
    store = Generations(folder / "generations")
    number = options.number if options.number is not None else next(iter(store.preferred()), None)
    if number is None:
        raise VolumeError(VolumeProblem.NO_GENERATION, path=folder)
    found = _known(store, number)
    _check_room(folder, found.size)
    session = Session.open(folder, options.client)
    try:
        result = session.roll_back(number)
    finally:
        session.close()
    if result.outcome is not RestoreOutcome.RESTORED:
        raise VolumeError(VolumeProblem.DAMAGED_GENERATION, number=number, path=folder)
    aside = result.aside and str(result.aside.relative_to(folder))
    return {"number": number, "taken_at": found.taken_at.isoformat(), "aside": aside}


def take(options: argparse.Namespace) -> Json:
    """`import`. The folder it came in is gone afterwards, whatever happened."""
    folder = _folder(options)
    staged = folder / (options.staged or f"{INCOMING}{secrets.token_hex(6)}")
    try:
        if staged.parent != folder or not staged.name.startswith(INCOMING):
            raise VolumeError(VolumeProblem.DAMAGED_ARCHIVE, detail=options.staged)
        if options.staged is None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _receive(staged)
        session = Session.open(folder, options.client)
        try:
            return _adopt(session, staged)
        finally:
            session.close()
    except Damaged as damaged:
        raise VolumeError(VolumeProblem.DAMAGED_ARCHIVE, detail=damaged) from damaged
    finally:
        durable.remove_tree(staged)


def _adopt(session: Session, staged: Path) -> Json:
    info = session.info()
    if info.present:
        raise VolumeError(VolumeProblem.HAS_SESSION, path=session.folder, phone=info.phone_masked or "?")
    manifest, content = _verified(staged)
    _check_room(session.folder, manifest.size)
    result = session.adopt(content, manifest)
    if result.outcome is not RestoreOutcome.RESTORED:
        raise VolumeError(VolumeProblem.DAMAGED_GENERATION, number=result.number, path=session.folder)
    return {
        "client_id": manifest.client_id,
        "bytes": manifest.size,
        "files": len(manifest.files),
        "taken_at": manifest.taken_at.isoformat(),
        "phone": manifest.phone_masked,
    }


def _verified(staged: Path) -> tuple[Manifest, Path]:
    """The one session in `staged`, read again as it lies on this disk. Raises Damaged."""
    folders = [each for each in staged.iterdir() if each.is_dir()] if staged.is_dir() else []
    if len(folders) != 1:
        raise Damaged(f"{len(folders)} sessions instead of one")
    content = folders[0]
    manifest = Manifest.decode((content / archive.MANIFEST).read_bytes())
    (content / archive.MANIFEST).unlink()
    found = {path.relative_to(content).as_posix() for path in content.rglob("*") if not path.is_dir()}
    if found != set(manifest.files):
        raise Damaged("too few or too many files", next(iter(found ^ set(manifest.files))))
    for name, expected in manifest.files.items():
        path = content / name
        if path.is_symlink() or durable.fingerprint(path) != expected:
            raise Damaged("its content is not what the manifest says", name)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return manifest, content


def _receive(staged: Path) -> None:
    """An archive from standard input, as an engine would have laid it there. Raises Damaged."""
    manifest: Manifest | None = None
    for member in archive.unpack(sys.stdin.buffer):
        target = staged / member.manifest.client_id / member.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in member.chunks:
                file.write(chunk)
        if manifest is None:
            manifest = member.manifest
            (staged / manifest.client_id / archive.MANIFEST).write_bytes(manifest.encode())


def export(options: argparse.Namespace) -> Json:
    """The profile itself when no bot runs, else the newest generation that is whole."""
    folder = _folder(options)
    if options.generation is not None:
        return _export_generation(options, folder, options.generation)
    if not Session.peek(folder).present:
        raise VolumeError(VolumeProblem.NO_SESSION, path=folder)
    try:
        session = Session.open(folder, options.client)
    except SessionError as error:
        if error.problem is not SessionProblem.LOCKED:
            raise
        return _export_generation(options, folder, None)
    try:
        files = session.profile_files()
        if not files:
            raise VolumeError(VolumeProblem.NO_SESSION, path=folder)
        info = session.info()
        manifest = Manifest(
            _client(options), datetime.now(UTC), files, info.browser_version, info.phone_masked, "profile"
        )
        return _send(
            manifest, lambda name: folder / name if name == archive.MIRROR else session.profile / name
        )
    finally:
        session.close()


def _export_generation(options: argparse.Namespace, folder: Path, number: int | None) -> Json:
    store = Generations(folder / "generations")
    if number is None:
        number = next((each for each in store.preferred() if store.intact(each)), None)
        if number is None:
            raise VolumeError(VolumeProblem.NO_GENERATION, path=folder)
    found = _known(store, number)
    manifest = Manifest(
        _client(options),
        found.taken_at,
        found.files,
        found.browser_version,
        Session.peek(folder).phone_masked,
        f"generation {number}",
    )
    return _send(manifest, lambda name: store.path(number) / name)


def _send(manifest: Manifest, place: Callable[[str], Path]) -> Json:
    def read(name: str) -> Iterator[bytes]:
        with place(name).open("rb") as file:
            yield from archive.read_file(file)

    try:
        for chunk in archive.pack(manifest, read):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.write(archive.END)
        sys.stdout.buffer.flush()
    except (Damaged, FileNotFoundError) as error:
        raise VolumeError(VolumeProblem.DAMAGED_ARCHIVE, detail=error) from error
    return {
        "client_id": manifest.client_id,
        "source": manifest.source,
        "taken_at": manifest.taken_at.isoformat(),
        "bytes": manifest.size,
        "phone": manifest.phone_masked,
    }


# ---- words


def _known(store: Generations, number: int) -> Generation:
    found = store.read(number)
    if found is None:
        known = ", ".join(str(each) for each in store.numbers())
        problem = VolumeProblem.UNKNOWN_GENERATION if known else VolumeProblem.NO_GENERATION
        raise VolumeError(problem, number=number, known=known, path=store.folder.parent)
    return found


def _client(options: argparse.Namespace) -> str:
    return options.client if is_client_id(options.client) else "session"


def _check_room(folder: Path, needed: int) -> None:
    """A copy for the profile beside what is there."""
    free = shutil.disk_usage(folder).free
    if free < needed + MIN_FREE_BYTES:
        raise VolumeError(
            VolumeProblem.NO_ROOM,
            path=folder,
            free=_megabytes(free),
            needed=_megabytes(needed + MIN_FREE_BYTES),
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in durable.files_below(folder)) if folder.is_dir() else 0


def _time(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _megabytes(count: int) -> str:
    return f"{count / 1024**2:.1f} MiB"


def _lines(command: str, answer: Json, say: Catalogue) -> Iterator[str]:
    if command != "look":
        yield say(f"volume.{command}", **answer)
        return
    key = "present" if answer["present"] else "absent"
    yield say(f"volume.{key}", phone=answer["phone"] or "?", size=_megabytes(answer["bytes"]))
    for each in answer["generations"]:
        yield say("volume.generation", **{**each, "size": _megabytes(each["bytes"])})


_COMMANDS: dict[str, Callable[[argparse.Namespace], Json]] = {
    "look": look,
    "browser": browser,
    "pin": pin,
    "rollback": rollback,
    "import": take,
    "export": export,
}
