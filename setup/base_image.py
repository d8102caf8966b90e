"""The base image `oturum-base:bookworm`: Debian pulled from a registry, or built from a package mirror.

As a program (`python3 setup/base_image.py`): progress on standard error; on standard output one JSON line,
`{"base": …, "buildArgs": {…}}`, what a build on this host must be told. Exit code 1: the last line says why. Where
OTURUM_BASE names an image, that is the base, and nothing is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from setup import certificates, mirrors, registry
from setup.context import archive
from setup.host import install, is_debian_like, is_root, last_line, os_release, run, turn
from setup.say import SetupError, say

CODENAME = "bookworm"
TAG = f"oturum-base:{CODENAME}"
PUBLIC = f"debian:{CODENAME}-slim"
VARIABLE = "OTURUM_BASE"
_RAW = "oturum-base:raw"
# Or else Perl comes along, for a program that moves old folders about.
_MERGED_USR = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"
_LEFT_OUT = ("doc/*", "man/*", "info/*", "locale/*", "lintian/*")
_KEPT = "doc/*/copyright"


def is_there(tag: str = TAG) -> bool:
    return registry.is_there(tag)


def ensure() -> None:
    """Has the base image in the engine. Raises SetupError."""
    if is_there():
        return
    with turn("base"):
        if is_there():
            return
        try:
            if not _pull():
                _build_from_mirror()
            _dress()
        finally:
            run(["docker", "rmi", "--no-prune", _RAW])


def _pull() -> bool:
    """True when a registry had the image."""
    if not is_there(PUBLIC):
        say("base-pulling", image=PUBLIC)
        if not registry.pull(PUBLIC):
            return False
    return run(["docker", "tag", PUBLIC, _RAW]).returncode == 0


def _own_sources() -> str:
    """This host's mirrors, said for the image's release; empty where the host is no Debian."""
    release = os_release()
    if release.get("ID") != "debian":
        return ""
    return mirrors.debian_sources(mirrors.read_apt(), release.get("VERSION_CODENAME", ""), CODENAME)


def _build_from_mirror() -> None:
    if run(["mmdebstrap", "--version"]).returncode != 0:
        packages = ["mmdebstrap"]
        if os_release().get("ID") != "debian":
            packages.append("debian-archive-keyring")
        if not is_root():
            packages.append("uidmap")
        install(*packages, why=TAG)
    elif not is_debian_like():
        raise SetupError("base-no-way", image=PUBLIC)
    say("base-building")
    with tempfile.TemporaryDirectory(prefix="oturum-base-") as folder:
        tar = Path(folder) / "base.tar"
        sources = Path(folder) / "debian.sources"
        sources.write_text(_own_sources(), encoding="utf-8")
        answer = run(
            ["mmdebstrap", "--quiet", "--variant=apt", "--components=main", f"--hook-dir={_MERGED_USR}"]
            + [f"--dpkgopt=path-exclude=/usr/share/{name}" for name in _LEFT_OUT]
            + [f"--dpkgopt=path-include=/usr/share/{_KEPT}"]
            + [f"--aptopt={option}" for option in _apt_options()]
            + [CODENAME, str(tar), *([str(sources)] if sources.stat().st_size else [])]
        )
        if answer.returncode != 0:
            raise SetupError("base-mirror-failed", detail=last_line(answer))
        answer = run(["docker", "import", str(tar), _RAW])
        if answer.returncode != 0:
            raise SetupError("base-import-failed", detail=last_line(answer))


def _apt_options() -> list[str]:
    """What the host's apt was told about a mirror that lags behind or stands still."""
    names = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")
    said = run(["apt-config", "dump", "--format", "%f %v%n", *names]).stdout.splitlines()
    return [f'{name} "false"' for name in names if f"{name} false" in said]


def _dress() -> None:
    """Puts this host's mirrors and authorities into the raw image, as files: no address enters a history."""
    files: dict[str, str] = {}
    if sources := _own_sources():
        files |= {"etc/apt/sources.list": "", "etc/apt/sources.list.d/debian.sources": sources}
        # The raw image may name the same archives in a file of another name.
        files["etc/apt/sources.list.d/0000debian.sources"] = ""
    if options := _apt_options():
        files["etc/apt/apt.conf.d/90oturum-mirror"] = "".join(f"{option};\n" for option in options)
    trusted = certificates.bundles()
    for number, text in enumerate(certificates.extra(trusted)):
        files[f"usr/local/share/ca-certificates/oturum-host-{number}.crt"] = text
    bundle = next((path for path in trusted if path.is_file()), None)
    if files and bundle:
        files["etc/ssl/certs/ca-certificates.crt"] = bundle.read_text(encoding="ascii", errors="replace")
    dockerfile = f"FROM {_RAW}\n" + ("COPY files/ /\n" if files else "") + "LABEL io.oturum.image=base\n"
    context = {"Dockerfile": dockerfile.encode()} | {
        f"files/{name}": text.encode() for name, text in files.items()
    }
    build = subprocess.run(
        ["docker", "build", "--quiet", "--tag", TAG, "-"],
        input=archive(context),
        capture_output=True,
        check=False,
    )
    if build.returncode != 0:
        said = build.stderr.decode(errors="replace").strip().splitlines()
        raise SetupError("base-dress-failed", detail=said[-1] if said else build.returncode)
    say("base-ready", image=TAG)


def main() -> int:
    arguments = mirrors.build_arguments(os.environ)
    if given := os.environ.get(VARIABLE):
        print(json.dumps({"base": given, "buildArgs": {**arguments, "BASE": given}}))
        return 0
    try:
        ensure()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps({"base": TAG, "buildArgs": arguments}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
