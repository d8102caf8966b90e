"""`python -m bot ctl`, and where its answer goes: to any encoding, into a closed pipe, onto a full disk."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.robot import ROOT

CODE = {"ok": True, "exit": 0, "result": {"code": "ABCD1234", "expires_in": 180}}


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Path]:
    """A socket on which somebody answers to one command, as a bot that was asked for a pairing code."""
    path = tmp_path / "ctl.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(4096)
                line.sendall(json.dumps(CODE).encode() + b"\n")

        threading.Thread(target=answer, daemon=True).start()
        yield path


def pair(path: Path, redirected: str = "", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """In Turkish, which has letters that other encodings lack."""
    command = f'"$@" pair 905321234567 {redirected}'
    return subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-m", "bot", "ctl", "--socket", str(path)],
        cwd=ROOT, env=os.environ | {"OTURUM_LANG": "tr"} | environ, capture_output=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(("encoding", "said"), [("ascii", "Bağlı".encode()), ("latin-1", b"Ba?l?")])
def test_an_encoding_that_lacks_letters(bot: Path, encoding: str, said: bytes) -> None:
    ran = pair(bot, PYTHONIOENCODING=encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert said in ran.stdout


def test_a_full_disk(bot: Path) -> None:
    ran = pair(bot, ">/dev/full")
    assert (ran.returncode, ran.stderr.decode()) == (1, "Çıktı yazılamadı: No space left on device.\n")


def test_no_output_at_all(bot: Path) -> None:
    ran = pair(bot, ">&-")
    assert (ran.returncode, ran.stderr) == (0, b"")
