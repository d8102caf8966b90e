"""Where this host gets its packages, for the images it builds: apt's mirror, pip's index, proxies."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_APT = Path("/etc/apt")
_PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True)
class Source:
    """One archive: a line of sources.list, or one URI and suite of a deb822 stanza."""

    uri: str
    suite: str
    components: tuple[str, ...]


def parse_list(text: str) -> list[Source]:
    """One-line style, sources.list(5). Lines that are not `deb` are left out."""
    sources = []
    for line in text.splitlines():
        found = re.match(r"deb\s+(?:\[[^]]*]\s*)?(\S+)\s+(\S+)\s+(.+)", line.split("#")[0].strip())
        if found:
            sources.append(Source(found[1], found[2], tuple(found[3].split())))
    return sources


def parse_deb822(text: str) -> list[Source]:
    """Stanza style, sources.list(5). Disabled stanzas and those without `deb` are left out."""
    sources = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t") and name:
                fields[name] += " " + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        components = tuple(fields.get("components", "").split())
        sources += [
            Source(uri, suite, components)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return sources


def read_apt(folder: Path = _APT) -> list[Source]:
    sources = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        if path.suffix == ".list":
            sources += parse_list(text)
        elif path.suffix == ".sources":
            sources += parse_deb822(text)
    return sources


def debian_sources(sources: Iterable[Source], host_codename: str, codename: str) -> str:
    """A sources file for Debian `codename` on the mirrors that `sources` name for the host's own release.

    Empty when they name none that a container could reach: then the public default is meant.
    """
    stanzas = []
    for source in dict.fromkeys(sources):
        release, dash, pocket = source.suite.partition("-")
        address = urlsplit(source.uri)
        if (
            release != host_codename
            or "main" not in source.components
            or pocket not in ("", "updates", "security")
        ):
            continue
        if address.scheme not in ("http", "https") or address.hostname in ("localhost", "127.0.0.1", "::1"):
            continue
        stanzas.append(
            f"Types: deb\nURIs: {source.uri}\nSuites: {codename}{dash}{pocket}\n"
            f"Components: main\nSigned-By: {_KEYRING}\n"
        )
    return "\n".join(stanzas)


def pip_settings(
    environ: Mapping[str, str] = os.environ, files: Iterable[str] = _PIP_FILES
) -> dict[str, str]:
    """PIP_INDEX_URL and the like, as far as a container can use them: addresses, no folders."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read(Path(name).expanduser() for name in files)
    settings = {}
    for key in ("index-url", "extra-index-url", "trusted-host"):
        variable = "PIP_" + key.upper().replace("-", "_")
        value = environ.get(variable) or parser.get("global", key, fallback="") or ""
        words = [
            word
            for word in value.split()
            if key == "trusted-host" or word.startswith(("http://", "https://"))
        ]
        if words:
            settings[variable] = " ".join(words)
    return settings


def proxies(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The proxy variables, which the builder knows and keeps out of an image's history."""
    found = {}
    for name in _PROXIES:
        if value := environ.get(name) or environ.get(name.lower()):
            found[name] = found[name.lower()] = value
    return found


def build_arguments(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    return pip_settings(environ) | proxies(environ)
