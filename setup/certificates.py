"""Authorities that this host trusts beyond its distribution's: a company's proxy, a private mirror."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def split(text: str) -> dict[str, str]:
    """The certificates of a PEM text, each under its base64 body without white space."""
    return {re.sub(r"\s", "", found[1]): found[0] + "\n" for found in _PEM.finditer(text)}


def bundles(environ: Mapping[str, str] = os.environ) -> list[Path]:
    named = [Path(environ[name]) for name in _VARIABLES if environ.get(name)]
    return list(dict.fromkeys([BUNDLE, *named]))


def extra(trusted: Iterable[Path], shipped: Path = Path("/usr/share/ca-certificates")) -> list[str]:
    """The certificates of the `trusted` bundles that the distribution (`shipped`) does not bring along."""
    known: set[str] = set()
    for path in shipped.rglob("*.crt"):
        known.update(split(_read(path)))
    found: dict[str, str] = {}
    for path in trusted:
        found.update(split(_read(path)))
    return [text for body, text in found.items() if body not in known]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
