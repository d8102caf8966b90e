"""What a single value of bots.yaml must look like.

Each check returns the value or raises PydanticCustomError, whose type is a key of the catalogue's [config].
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from difflib import get_close_matches
from functools import cache
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic_core import PydanticCustomError

from bot.contract import LOCALE_PATTERN
from manager.fleet import Proxy

LEAST_MEMORY = 128 * 1024 * 1024
MOST_MEMORY = 1024**4
LONGEST_NAME = 80

# Chromium's content/public/common/content_switches and sandbox/policy/switches.
_UNSANDBOXING = frozenset(
    {
        "no-sandbox", "no-zygote-sandbox", "disable-setuid-sandbox", "disable-namespace-sandbox",
        "disable-seccomp-filter-sandbox", "disable-gpu-sandbox", "allow-sandbox-debugging", "single-process",
    }
)  # fmt: skip
_TAKEN = frozenset({"user-data-dir", "profile-directory", "remote-debugging-port", "remote-debugging-pipe"})
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def _wrong(key: str, **values: Any) -> PydanticCustomError:
    return PydanticCustomError(key, key, values)


def memory(value: object) -> int:
    """`512m`, `1.5g`, `1GiB`, or bytes -> bytes."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong("memory")
    found = re.fullmatch(
        r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b)?", str(value).strip(), re.IGNORECASE | re.ASCII
    )
    if found is None:
        raise _wrong("memory")
    count = int(float(found.group(1)) * _UNITS[found.group(2).lower()])
    if count < LEAST_MEMORY:
        raise _wrong("memory_small", least="128m", hint="" if found.group(2) else "memory_unit")
    if count > MOST_MEMORY:
        raise _wrong("memory_big", most="1t")
    return count


def project(text: str) -> str:
    """The beginning of all names on the engine: Docker's own rule, in lower case, at most 40 characters."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", text):
        return text
    latin = (
        unicodedata.normalize("NFKD", text[:200].lower().replace("ı", "i")).encode("ascii", "ignore").decode()
    )
    better = re.sub(r"[^a-z0-9_-]+", "-", latin).strip("-_")[:40]
    raise _wrong("project", better=better, hint="did_you_mean" if better else "")


def image(text: str | None) -> str | None:
    """The form of an image reference; whether it exists is the engine's to say."""
    if text is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}", text):
        raise _wrong("image")
    return text


def url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or _has_space(text):
        raise _wrong("url")
    if not _port_is_right(parts):
        raise _wrong("url")
    if parts.username is not None:
        raise _wrong("url_credentials")
    return text


def timezone(name: str | None) -> str | None:
    """A name of the time zone database. Where the host has no database, only the form is checked."""
    if name is None:
        return None
    if re.fullmatch(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}", name) and (_zone(name) or not _zones()):
        return name
    better = nearest(name, tuple(_zones()))
    raise _wrong("timezone", better=better, hint="did_you_mean" if better else "")


def locale(name: str | None) -> str | None:
    """A language tag as browsers know them: `tr`, `tr-TR`, `zh-Hant-TW`."""
    pattern = LOCALE_PATTERN.strip("^$")
    if name is None or re.fullmatch(pattern, name):
        return name
    language, *rest = re.split(r"[-_]", name.split(".")[0])
    better = "-".join(
        [language.lower(), *(each.title() if len(each) == 4 else each.upper() for each in rest)]
    )
    known = re.fullmatch(pattern, better)
    raise _wrong("locale", better=better if known else "", hint="did_you_mean" if known else "")


def proxy(value: object) -> Proxy | None:
    """`http://user:password@host:8080`, `socks5://host:1080` -> address and credentials apart."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "text expected")
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https", "socks5") or _has_space(value):
        raise _wrong("proxy")
    name = parts.hostname or ""
    if not _is_host(name):
        raise _wrong("proxy")
    if not _port_is_right(parts):
        raise _wrong("proxy_port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _wrong("proxy_path")
    if parts.username is not None and parts.scheme == "socks5":
        raise _wrong("proxy_socks_credentials")
    if parts.username == "":
        raise _wrong("proxy")
    host = f"[{name}]" if ":" in name else name
    server = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port is not None else "")
    if parts.username is None:
        return Proxy(server)
    return Proxy(server, unquote(parts.username), unquote(parts.password or ""))


def browser_args(args: tuple[str, ...]) -> tuple[str, ...]:
    """Switches only, and none that takes away the session's folder or, unseen, the sandbox."""
    for each in args:
        written = each.split("=", 1)[0]
        found = re.fullmatch(r"--?([A-Za-z0-9][A-Za-z0-9-]*)", written)  # to Chromium `-x` is `--x`
        if found is None:
            raise _wrong("browser_arg", text=each)
        if found[1] in _UNSANDBOXING:
            raise _wrong("browser_arg_sandbox", text=written)
        if found[1] in _TAKEN:
            raise _wrong("browser_arg_taken", text=written)
    return args


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.hostname
    except ValueError:
        return None
    return parts


def _port_is_right(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_host(name: str) -> bool:
    """A name or an address, as Chromium's proxy rules read one: `,` and `;` would begin another rule there, and
    a rule that can't be read may be left out, the real address shown to all the world."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        last = name.removesuffix(".").rsplit(".", 1)[-1]
        return not last.isdigit() and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*\.?", name) is not None
    return "%" not in name


def _has_space(text: str) -> bool:
    return any(each.isspace() or ord(each) < 32 for each in text)


def _zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def nearest(text: str, known: tuple[str, ...]) -> str:
    """The known name that was probably meant; compared without case and without `-` or `_`."""

    if len(text) > LONGEST_NAME:
        return ""

    def plain(name: str) -> str:
        return re.sub(r"[-_ ]", "", name).lower()

    by_plain = {plain(each): each for each in sorted(known, reverse=True)}
    found = get_close_matches(plain(text), by_plain, n=1, cutoff=0.6)
    if found:
        return by_plain[found[0]]
    cities = {plain(each.rsplit("/", 1)[-1]): each for each in sorted(known, reverse=True) if "/" in each}
    found = get_close_matches(plain(text), cities, n=1, cutoff=0.8)
    return cities[found[0]] if found else ""
