"""`up`, `down` and `rm` as a person at a terminal sees them: what is under way, questions, Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable

import docker
import pytest

from tests.cli.conftest import Cli
from tests.cli.test_fleet import containers, states, volumes

pytestmark = pytest.mark.engine

Fleet = Callable[..., None]

# It hears no SIGTERM, so that a stop is under way until the test itself ends it.
STUBBORN = """CMD ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]"""


def test_up_ticks_off_what_it_did(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("sales")
    ran = cli.terminal("up").end()
    assert ran.code == 0
    assert f"✓ sales: start {project}-bot-sales (new): " in ran.out
    assert "4 step(s) done in " in ran.lines[-2]
    assert states(sdk, project) == {"sales": "running"}
    again = cli.terminal("up").end()
    assert (again.code, again.out) == (0, "Nothing to do.\n")


def test_up_shows_what_is_under_way(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    fleet("sales", image=image_with(STUBBORN))
    cli("up")
    terminal = cli.terminal("down")
    for seconds in (1, 2):
        terminal.expect(f"sales: stop {project}-bot-sales (down) {seconds} s")
    sdk.kill(f"{project}-bot-sales", "SIGKILL")
    ran = terminal.end()
    assert ran.code == 0
    assert f"✓ sales: remove {project}-bot-sales (down): " in ran.out
    assert states(sdk, project) == {}


def test_up_asks_before_it_interrupts_a_running_bot(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    assert cli.terminal("up").end().code == 0, "nothing runs yet: nothing to ask about"
    before = containers(sdk, project)
    fleet("sales, memory: 512m", "night")

    for answer in ("", "what?"):
        terminal = cli.terminal("up")
        terminal.expect("This interrupts 2 running bot(s): sales, support. Go on? [y/N]")
        terminal.type(answer)
        ran = terminal.end()
        assert ran.code == 1
        assert ran.lines[-1] == "Nothing was changed."
        assert "recreate sales: memory 384m -> 512m" in ran.lines
        assert containers(sdk, project) == before

    terminal = cli.terminal("up")
    terminal.expect("[y/N]")
    terminal.type("y")
    assert terminal.end().code == 0
    assert set(containers(sdk, project)) == {"sales", "night"}


def test_up_with_yes_asks_nothing(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("sales")
    cli("up")
    fleet("sales, memory: 512m")
    ran = cli.terminal("up", "--yes").end()
    assert ran.code == 0
    assert "[y/N]" not in ran.out
    assert states(sdk, project) == {"sales": "running"}


def test_a_question_that_nobody_answers_holds_up_no_other_manager(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales")
    cli("up")
    fleet("sales, memory: 512m")
    terminal = cli.terminal("up")
    terminal.expect("[y/N]")
    assert cli("up").code == 0, "it does not wait, and does what is asked about"
    terminal.type("y")
    ran = terminal.end()
    assert ran.code == 0
    assert ran.lines[-1] == "Nothing to do."


def test_the_question_in_turkish(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("satis")
    cli("up")
    fleet("satis, memory: 512m")
    terminal = cli.terminal("up", OTURUM_LANG="tr")
    terminal.expect("[e/H]")
    terminal.type("evet")
    ran = terminal.end()
    assert ran.code == 0
    assert "satis botunu" not in ran.out
    assert "çalışan 1 botu kesintiye uğratacak: satis." in ran.out


@pytest.mark.parametrize("how", ["Ctrl-C", "end of input"])
def test_a_question_that_is_left(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, how: str
) -> None:
    fleet("sales")
    cli("up")
    before = containers(sdk, project)
    fleet("sales, memory: 512m")
    terminal = cli.terminal("up")
    terminal.expect("[y/N]")
    if how == "Ctrl-C":
        terminal.interrupt_question()
    else:
        terminal.end_of_input()
    ran = terminal.end()
    assert ran.code == 130
    assert ran.lines[-1] == "Nothing was changed."
    assert "Interrupted" not in ran.out
    assert containers(sdk, project) == before


def test_ctrl_c_during_up_finishes_the_running_steps_and_begins_no_other(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    image = image_with(STUBBORN)
    fleet("sales", "support", image=image)
    cli("up")
    before = containers(sdk, project)
    fleet("sales, memory: 512m", "support, memory: 512m", image=image)
    terminal = cli.terminal("up", "--yes")
    terminal.expect(f"stop {project}-bot-support (memory 384m -> 512m)")
    terminal.interrupt()
    terminal.expect("Interrupted: the steps under way are finished, no other is begun.")
    for client in ("sales", "support"):
        sdk.kill(f"{project}-bot-{client}", "SIGKILL")
    ran = terminal.end()
    assert ran.code == 130
    for client in ("sales", "support"):
        assert f"✓ {client}: stop {project}-bot-{client} (memory 384m -> 512m): " in ran.out
    assert "left out" not in ran.out
    assert "Traceback" not in ran.out
    assert containers(sdk, project) == before
    assert states(sdk, project) == {"sales": "exited", "support": "exited"}

    assert cli("up").code == 0
    assert states(sdk, project) == {"sales": "running", "support": "running"}


def test_a_second_ctrl_c_ends_at_once(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    fleet("sales", image=image_with(STUBBORN))
    cli("up")
    terminal = cli.terminal("down")
    terminal.expect(f"stop {project}-bot-sales")
    terminal.interrupt()
    terminal.expect("Interrupted")
    terminal.interrupt()
    ran = terminal.end()
    assert ran.code == 130
    assert "Traceback" not in ran.out
    assert states(sdk, project) == {"sales": "running"}
    sdk.kill(f"{project}-bot-sales", "SIGKILL")


def test_an_interrupt_without_a_terminal(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    fleet("sales", image=image_with(STUBBORN))
    cli("up")
    stops = sdk.events(decode=True, filters={"container": f"{project}-bot-sales", "event": "kill"})
    going = cli.start("down")
    next(stops)
    going.send_signal(signal.SIGINT)
    assert going.stderr is not None
    assert going.stderr.readline().startswith("Interrupted: ")
    sdk.kill(f"{project}-bot-sales", "SIGKILL")
    out, err = going.communicate()
    assert going.returncode == 130
    assert out.startswith(f"sales: stop {project}-bot-sales (down): ")
    assert (len(out.splitlines()), err) == (1, "")
    assert states(sdk, project) == {"sales": "exited"}


def test_a_second_manager_waits_and_says_for_whom(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    fleet("sales", image=image_with(STUBBORN))
    cli("up")
    first = cli.terminal("down")
    first.expect(f"stop {project}-bot-sales")
    second = cli.terminal("down")
    second.expect(f"Another manager is at work on this project (pid {first.pid}); waiting for it.")
    sdk.kill(f"{project}-bot-sales", "SIGKILL")
    assert first.end().code == 0
    ran = second.end()
    assert (ran.code, ran.lines[-1]) == (0, "Nothing to do.")


# ---- rm


def test_rm_without_volume_removes_the_container_alone(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    ran = cli("rm", "sales")
    assert (ran.code, ran.err) == (0, "")
    assert f"The volume {project}-session-sales of sales stays." in ran.out
    assert "sales stands in bots.yaml still" in ran.out
    assert states(sdk, project) == {"support": "running"}
    assert f"{project}-session-sales" in volumes(sdk, project)


def test_rm_volume_wants_the_name_typed(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("sales", "support")
    cli("up")
    for answer in ("", "y"):
        terminal = cli.terminal("rm", "sales", "--volume")
        terminal.expect(f"deletes the session of sales for good (volume {project}-session-sales)")
        terminal.expect("Type the clientId to delete it, or nothing to leave it:")
        terminal.type(answer)
        ran = terminal.end()
        assert (ran.code, ran.lines[-1]) == (1, "Nothing was changed.")
        assert states(sdk, project)["sales"] == "running"

    terminal = cli.terminal("rm", "sales", "--volume")
    terminal.expect("to leave it:")
    terminal.type("sales")
    ran = terminal.end()
    assert ran.code == 0
    assert f"The session of sales is deleted (volume {project}-session-sales)." in ran.lines
    assert states(sdk, project) == {"support": "running"}
    assert volumes(sdk, project) == {f"{project}-session-support"}

    again = cli.terminal("rm", "sales", "--volume").end()
    assert (again.code, again.out) == (0, "Nothing to do.\n")


def test_rm_volume_without_a_terminal_wants_yes(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales")
    cli("up")
    refused = cli("rm", "sales", "--volume", stdin="sales\n")
    assert (refused.code, refused.out) == (2, "")
    assert "python -m manager rm sales --volume --yes" in refused.err
    assert states(sdk, project) == {"sales": "running"}
    done = cli("rm", "sales", "--volume", "--yes")
    assert (done.code, done.err) == (0, "")
    assert volumes(sdk, project) == set()


def test_rm_of_a_bot_that_was_taken_out_of_the_file(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    fleet("sales")
    cli("up")
    assert cli("rm", "suport", "--volume", "--yes").err.endswith("Did you mean support?\n")
    ran = cli("rm", "support", "--volume", "--yes")
    assert (ran.code, ran.out) == (
        0,
        f"The session of support is deleted (volume {project}-session-support).\n",
    )
    assert volumes(sdk, project) == {f"{project}-session-sales"}
    assert cli("rm", "support", "--volume", "--yes").code == 6


def test_rm_leaves_a_session_that_somebody_else_has_in_use(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    fleet("sales")
    cli("up")
    name = f"{project}-session-sales"
    config = sdk.create_host_config(binds=[f"{name}:/elsewhere"])
    stranger = sdk.create_container(trivial_image, host_config=config)["Id"]
    try:
        ran = cli("rm", "sales", "--volume", "--yes")
        assert ran.code == 1
        assert f"docker ps -a --filter volume={name}" in ran.err
        assert volumes(sdk, project) == {name}
    finally:
        sdk.remove_container(stranger, force=True)
