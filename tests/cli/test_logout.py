"""`logout` erases a session: it is asked for, or it does not happen."""

from __future__ import annotations

import pytest

from manager.exits import Exit
from tests.cli.conftest import Cli


@pytest.mark.parametrize(("language", "word"), [("en", "no terminal"), ("tr", "terminal yok")])
def test_without_a_terminal_it_wants_a_yes(cli: Cli, language: str, word: str) -> None:
    """No engine answers here: nothing was even looked for."""
    cli.bots("nobody", "sales")
    cli.environ["DOCKER_HOST"] = f"unix://{cli.folder}/no.sock"
    refused = cli("logout", "sales", OTURUM_LANG=language)
    assert refused.code == Exit.USAGE
    assert word in refused.err
    assert "python -m manager logout sales --yes" in refused.err
    assert cli("logout", "sales", "--yes").code == Exit.ENGINE
