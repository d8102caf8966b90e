"""`make monitor`: all that compose/compose.yaml needs on this machine, noted in compose/.env, and then its `up`."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path

from setup import base_image, bot_image, building, compose_tool, registry
from setup.context import sources
from setup.host import ROOT, turn
from setup.say import SetupError, say

COMPOSE = ROOT / "compose"
_MANAGER = (
    "compose/Dockerfile",
    "Dockerfile",
    "requirements/manager.txt",
    "requirements/bot.txt",
    "setup",
    "bot",
    "manager",
)
# Those that the distribution packages; Grafana is not among them.
_BUILT = ("prometheus", "alertmanager")
_SOCKET = Path("/var/run/docker.sock")


def images() -> dict[str, str]:
    """Service -> image in the engine; without Grafana where its registry can't be reached. Raises SetupError."""
    base_image.ensure()
    bot_image.ensure()
    found = {"manager": _ours("manager", sources(ROOT, _MANAGER))}
    reachable = True
    for service, public in public_images((COMPOSE / "compose.yaml").read_text("utf-8")).items():
        given = os.environ.get(variable(service))
        if given or registry.is_there(public):
            found[service] = given or public
            continue
        if reachable:
            say("image-pulling", image=public)
            reachable = registry.pull(public)
        if reachable:
            found[service] = public
        elif service in _BUILT:
            found[service] = _ours(service, sources(ROOT, _MANAGER))
    return found


def public_images(compose: str) -> dict[str, str]:
    """Service -> the image of others that compose.yaml names for it."""
    named = re.findall(r"image: \$\{OTURUM_([A-Z]+)_IMAGE:-([^}]+)\}", compose)
    return {service.lower(): image for service, image in named if service != "MANAGER"}


def variable(service: str) -> str:
    return f"OTURUM_{service.upper()}_IMAGE"


def _ours(service: str, files: Mapping[str, bytes]) -> str:
    part = files if service == "manager" else {"Dockerfile": files["compose/Dockerfile"]}
    name = f"oturum-{service}:{building.digest(part)}"
    if not registry.is_there(name):
        with turn(f"{service}-image"):
            if not registry.is_there(name):
                say("image-building", image=name)
                building.build(name, service, files, failed="image-failed", dockerfile="compose/Dockerfile")
    return name


def settings(found: Mapping[str, str]) -> dict[str, str]:
    """What compose/.env says of this machine."""
    noted = {variable(service): image for service, image in found.items()}
    noted["OTURUM_BASE"] = base_image.TAG
    if (bots := ROOT / "bots.yaml").exists() and _SOCKET.exists():
        noted["OTURUM_USER"] = f"{bots.stat().st_uid}:{_SOCKET.stat().st_gid}"
    return noted


def note(file: Path, noted: Mapping[str, str]) -> None:
    """Other lines of the file stay as they are: they are people's."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() not in noted]
    file.write_text("\n".join([*kept, *(f"{key}={value}" for key, value in noted.items())]) + "\n", "utf-8")


def password(file: Path) -> bool:
    """True when one was made. The folder is its owner's alone; the file must be read by Grafana's own user."""
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    file.write_text(secrets.token_urlsafe(18), "utf-8")
    file.chmod(0o644)
    return True


def stop() -> None:
    """What watches ends; bots and everything that was recorded stay. Raises SetupError."""
    down = [*compose_tool.command(), "-f", str(COMPOSE / "compose.yaml"), "down"]
    if subprocess.run(down, check=False).returncode != 0:
        raise SetupError("monitor-not-stopped", command=" ".join(down))


def ensure() -> None:
    """Raises SetupError."""
    compose = compose_tool.command()
    found = images()
    note(COMPOSE / ".env", settings(found))
    secret = COMPOSE / "secrets" / "grafana_password"
    password(secret)
    up = [*compose, "-f", str(COMPOSE / "compose.yaml"), "up", "-d", "--no-build", *sorted(found)]
    say("monitor-starting")
    if subprocess.run(up, check=False).returncode != 0:
        raise SetupError("monitor-failed", command=" ".join(up))
    if "grafana" in found:
        address = os.environ.get("OTURUM_GRAFANA_ADDRESS", "127.0.0.1:3000")
        say("monitor-ready", address=address, password=secret)
    else:
        say(
            "monitor-no-grafana",
            image=public_images((COMPOSE / "compose.yaml").read_text("utf-8"))["grafana"],
        )
