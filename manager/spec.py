"""PURE: one bot of bots.yaml + what the image is -> the container that must exist, and a hash of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.contract import (
    CONTAINER_SOCKET,
    LABEL_CLIENT_ID,
    LABEL_IMAGE_ID,
    LABEL_PROJECT,
    LABEL_SPEC,
    LABEL_SPEC_HASH,
    LABEL_VERSION,
    SESSION_MOUNT,
    SETTINGS_VARIABLE,
    STOP_GRACE_SECONDS,
    BotSettings,
    ProxySettings,
)
from manager.fleet import Bot, Fleet

PROXY_SECRET = "proxy.json"  # noqa: S105  a file's name
SECRET_PREFIX = "#"  # noqa: S105  marks a digest among the readable settings


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """All that the engine is asked for. Equal specs have equal hashes; a secret takes part only as a digest.

    `memory_bytes` is memory and swap limit in one. `secrets` maps a file name under /session/secrets to its
    text; it is delivered as a file, never through the environment or a label.
    """

    project: str
    client_id: str
    name: str
    volume: str
    network: str
    hostname: str
    image_id: str
    environment: Mapping[str, str] = field(repr=False)
    memory_bytes: int
    stop_grace_seconds: int
    labels: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    dns_search: tuple[str, ...] = ()


def container_name(project: str, client_id: str) -> str:
    return f"{project}-bot-{client_id}"


def volume_name(project: str, client_id: str) -> str:
    return f"{project}-session-{client_id}"


def network_name(project: str) -> str:
    return f"{project}-bots"


def bridge_name(network: str) -> str:
    """The host's interface behind a network: at most 15 characters, as the kernel wants it."""
    return f"oturum-{hashlib.sha256(network.encode()).hexdigest()[:8]}"


def hostname(client_id: str) -> str:
    """A host name (RFC 1123, at most 63 characters), shared only by clientIds that differ in case alone.

    What is one already stays as it is, in lower case. Others get a short digest: `a_b` and `a-b` must not
    answer to the same name, and `127` or `0x7f` alone would be read as an address.
    """
    plain = client_id.lower()
    safe = re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", plain)
    if safe and plain != "localhost" and not re.fullmatch(r"\d+|0x[0-9a-f]*", plain):
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    return f"bot-{words}-{digest}" if words else f"bot-{digest}"


def build(  # noqa: PLR0913
    fleet: Fleet,
    bot: Bot,
    image_id: str,
    version: str,
    *,
    confinement: str = "",
    dns_search: tuple[str, ...] = (),
) -> ContainerSpec:
    """`version`: content hash of the bot image's sources. `confinement`: fingerprint of what every container
    gets beside its own settings (seccomp profile, limits), so that a change there is one of the container."""
    settings, secrets = _settings(bot)
    readable = _readable(fleet.project, bot, image_id, confinement)
    spec = ContainerSpec(
        project=fleet.project,
        client_id=bot.client_id,
        name=container_name(fleet.project, bot.client_id),
        volume=volume_name(fleet.project, bot.client_id),
        network=network_name(fleet.project),
        hostname=hostname(bot.client_id),
        image_id=image_id,
        environment={**bot.env, SETTINGS_VARIABLE: settings.to_json()},
        memory_bytes=bot.memory,
        stop_grace_seconds=STOP_GRACE_SECONDS,
        labels={
            LABEL_PROJECT: fleet.project,
            LABEL_CLIENT_ID: bot.client_id,
            LABEL_IMAGE_ID: image_id,
            LABEL_VERSION: version,
            LABEL_SPEC: json.dumps(readable, sort_keys=True, ensure_ascii=False),
        },
        secrets=secrets,
        dns_search=dns_search,
    )
    return replace(spec, labels={**spec.labels, LABEL_SPEC_HASH: spec_hash(spec)})


def spec_hash(spec: ContainerSpec) -> str:
    """64 hex digits over everything that makes the container what it is, the hash's own label left out."""
    labels = {key: value for key, value in spec.labels.items() if key != LABEL_SPEC_HASH}
    everything = {
        "project": spec.project,
        "client_id": spec.client_id,
        "name": spec.name,
        "volume": spec.volume,
        "network": spec.network,
        "hostname": spec.hostname,
        "image_id": spec.image_id,
        "environment": dict(spec.environment),
        "memory_bytes": spec.memory_bytes,
        "stop_grace_seconds": spec.stop_grace_seconds,
        "labels": labels,
        "secrets": dict(spec.secrets),
        "dns_search": list(spec.dns_search),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def readable_settings(spec: ContainerSpec) -> dict[str, str]:
    """What the label `io.oturum.spec` says: setting -> value as people write it. Secrets as `#digest`."""
    found: dict[str, str] = json.loads(spec.labels[LABEL_SPEC])
    return found


def human_bytes(count: int) -> str:
    """As bots.yaml writes it: `512m`, `1g`; plain bytes when it is no whole number of KiB."""
    for unit, letter in ((2**40, "t"), (2**30, "g"), (2**20, "m"), (2**10, "k")):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)


def _settings(bot: Bot) -> tuple[BotSettings, dict[str, str]]:
    """The bot's settings as it reads them, and the secrets that must not stand in them."""
    proxy, secrets = None, {}
    if bot.proxy is not None:
        credentials = None
        if bot.proxy.username is not None:
            credentials = f"{SESSION_MOUNT}/secrets/{PROXY_SECRET}"
            account = {"username": bot.proxy.username, "password": bot.proxy.password or ""}
            secrets[PROXY_SECRET] = json.dumps(account)
        proxy = ProxySettings(server=bot.proxy.server, credentials_file=credentials)
    settings = BotSettings(
        client_id=bot.client_id,
        session_dir=SESSION_MOUNT,
        url=bot.url,
        http_host="0.0.0.0",  # noqa: S104  inside the container's network, published nowhere
        control_socket=CONTAINER_SOCKET,
        language=bot.language,
        locale=bot.locale,
        timezone=bot.timezone,
        proxy=proxy,
        browser=bot.browser,
        reconnect=bot.reconnect,
    )
    return settings, secrets


def _readable(project: str, bot: Bot, image_id: str, confinement: str) -> dict[str, str]:
    """Every setting that may differ between two containers of one bot, in bots.yaml's own words."""
    seen: dict[str, str] = {
        "image": image_id.removeprefix("sha256:")[:12],
        "memory": human_bytes(bot.memory),
        "language": bot.language,
        "url": bot.url,
    }
    if bot.timezone:
        seen["timezone"] = bot.timezone
    if bot.locale:
        seen["locale"] = bot.locale
    if confinement:
        seen["confinement"] = confinement[:12]
    if bot.proxy is not None:
        seen["proxy"] = bot.proxy.server
        if bot.proxy.username is not None:
            account = f"{bot.proxy.username}\n{bot.proxy.password}"
            seen["proxy credentials"] = _digest(project, bot.client_id, account)
    for name, value in sorted(bot.env.items()):
        seen[f"env.{name}"] = _digest(project, bot.client_id, value)
    for group, model in (("reconnect", bot.reconnect), ("browser", bot.browser)):
        chosen = model.model_dump(by_alias=True, exclude_defaults=True, mode="json")
        for name, value in chosen.items():
            seen[f"{group}.{name}"] = _written(value)
    return seen


def _written(value: object) -> str:
    """As bots.yaml writes it: `20` also where it is kept as 20.0."""
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def _digest(project: str, client_id: str, secret: str) -> str:
    """Enough to see that a secret changed. Short on purpose: a label is no place to guess a password from."""
    text = f"{project}\n{client_id}\n{secret}"
    return SECRET_PREFIX + hashlib.sha256(text.encode()).hexdigest()[:8]
