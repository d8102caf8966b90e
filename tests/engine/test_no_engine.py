"""Addresses that are none, and what answers there without being an engine."""

from __future__ import annotations

import socketserver
import threading

import pytest

from manager.engine import Engine
from manager.problems import EngineProblem
from tests.engine.test_engine import problem_of_call


@pytest.mark.parametrize(
    "address", ["htp://nonsense", "tcp://127.0.0.1:22x", "tcp://127.0.0.1:99999", "tcp://[::1"]
)
def test_an_address_that_is_none(address: str) -> None:
    assert problem_of_call(lambda: Engine(address)) is EngineProblem.BAD_HOST


@pytest.mark.parametrize(
    "answer",
    [
        "200 OK\r\n\r\n<html>", "200 OK\r\n\r\n{}", "200 OK\r\n\r\nnull", '200 OK\r\n\r\n["x"]',
        "404 Not Found\r\n\r\nnothing here", "301 Moved\r\nLocation: /\r\n\r\n",
    ],
)  # fmt: skip
def test_what_answers_is_no_engine(answer: str) -> None:
    with Answering(answer) as server:
        assert problem_of_call(lambda: Engine(server).observe("p", (), ())) is EngineProblem.NOT_AN_ENGINE


class Answering(socketserver.ThreadingTCPServer):
    """A web server that has one answer for everybody."""

    daemon_threads = True

    def __init__(self, answer: str) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(f"HTTP/1.0 {answer}".encode())

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self) -> str:  # type: ignore[override]
        return f"tcp://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
