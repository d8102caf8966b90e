"""The doctor's decisions by example, and that each of them can be said with a command to type."""

from __future__ import annotations

import socket
import string
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.contract import BOT_UID
from bot.text import LANGUAGES
from manager.doctor import decide, examine
from manager.doctor.facts import USERNS_APPARMOR, USERNS_CLONE, USERNS_MAX, Attempt, VolumeLook, read_look
from manager.doctor.finding import Verdict
from manager.doctor.look import from_here, socket_refused
from manager.text import LOCALES, catalogue

GIB = 1024**3
MIB = 1024**2
WORKS = Attempt(works=True)
REFUSED = Attempt(works=False, detail="unshare: unshare failed: Operation not permitted")
USED_UP = Attempt(works=False, detail="unshare: unshare failed: No space left on device")
MINE = VolumeLook(uid=BOT_UID, empty=False)
NOON = 1_800_000_000.0
NOON_TEXT = "2027-01-15T08:00:00.123456789Z"


def volume(look: VolumeLook | None) -> Verdict:
    seen = {} if look is None else {"p-session-a": look}
    (verdict,) = decide.volumes({"p-session-a": "a"}, seen, "image:1")
    return verdict


def disk(free: int | None, **changes: int) -> Verdict:
    values = {"image_missing": False, "bots": 10, "new": 0, **changes}
    return decide.disk(free, **values)  # type: ignore[arg-type]


def limits(**changes: bool) -> Verdict:
    return decide.limits(
        **{"memory_limit": True, "swap_limit": True, "pids_limit": True, "rootless": False, **changes}
    )


def namespaces(sysctls: Mapping[str, int], attempt: Attempt | None, **changes: int) -> Verdict:
    return decide.namespaces(sysctls, attempt, **{"bots": 2, "wanted": True, **changes})  # type: ignore[arg-type]


def image(**changes: object) -> Verdict:
    return decide.image("bot:1", **{"given": False, "exists": True, "behind": (), **changes})  # type: ignore[arg-type]


EXAMPLES: dict[str, tuple[Verdict, str, str]] = {
    "api too old": (decide.api("1.40"), "error", "api_old"),
    "api just new enough": (decide.api("1.41"), "ok", "api"),
    "versions are no decimals": (decide.api("1.5"), "error", "api_old"),
    "api unknown": (decide.api(""), "error", "api_old"),
    "not in the socket's group": (
        decide.permission("/s", "ayşe", "docker", member=False),
        "error",
        "permission",
    ),
    "in the group, but since this login began": (
        decide.permission("/s", "ayşe", "docker", member=True),
        "error",
        "permission_login",
    ),
    "socket of root alone": (
        decide.permission("/s", "ayşe", "root", member=False),
        "error",
        "permission_no_group",
    ),
    "socket of nobody known": (
        decide.permission("/s", "ayşe", None, member=False),
        "error",
        "permission_no_group",
    ),
    "image": (image(), "ok", "image"),
    "image to be built by up": (image(exists=False), "warning", "image_missing"),
    "somebody's image": (image(given=True), "ok", "image_given"),
    "somebody's image, not there": (image(given=True, exists=False), "error", "image_given_missing"),
    "bots on an old image": (image(behind=["a"]), "warning", "image_behind"),
    "sources missing": (
        Verdict("image", "error", "image_no_sources", {"path": "x"}),
        "error",
        "image_no_sources",
    ),
    "no container": (
        Verdict("container", "error", "container", {"image": "i", "detail": "d"}, fix="refused"),
        "error",
        "container",
    ),
    "disk": (disk(100 * GIB), "ok", "disk"),
    "disk of an idle engine": (disk(0, bots=0), "ok", "disk"),
    "disk too small for what is to come": (disk(2 * GIB, new=10), "error", "disk_short"),
    "disk too small to build": (disk(GIB, bots=0, image_missing=True), "error", "disk_short"),
    "disk all but full": (disk(100 * MIB), "error", "disk_short"),
    "disk may run full": (disk(2 * GIB), "warning", "disk_tight"),
    "disk unseen": (disk(None), "warning", "disk_unknown"),
    "memory": (decide.memory(8 * GIB, dict.fromkeys("ab", 768 * MIB)), "ok", "memory"),
    "memory without a fleet": (decide.memory(8 * GIB, {}), "ok", "memory"),
    "memory promised twice": (
        decide.memory(2 * GIB, dict.fromkeys("abc", 768 * MIB)),
        "warning",
        "memory_tight",
    ),
    "memory short": (decide.memory(GIB, dict.fromkeys("abcdefgh", 768 * MIB)), "error", "memory_short"),
    "memory too little for a browser": (next(decide.cramped(["a", "b"])), "warning", "memory_cramped"),
    "no volumes": (next(decide.volumes({}, None, "image:1")), "ok", "volumes_none"),
    "volumes unseen": (next(decide.volumes({"v": "a"}, None, "image:1")), "warning", "volumes_unseen"),
    "volume not seen": (volume(None), "warning", "volume_unseen"),
    "volume": (volume(MINE), "ok", "volumes"),
    "volume of root": (volume(VolumeLook(0, empty=False)), "error", "volume_owner"),
    "new volume, no container yet": (volume(VolumeLook(0, empty=True)), "ok", "volumes"),
    "a file of root on the volume": (
        volume(VolumeLook(BOT_UID, False, "profile/Cookies", 0)),
        "error",
        "volume_stranger",
    ),
    "sandbox tried": (namespaces({USERNS_MAX: 50_000}, WORKS), "ok", "namespaces"),
    "sandbox tried under AppArmor's restriction": (
        namespaces({USERNS_MAX: 50_000, USERNS_APPARMOR: 1}, WORKS),
        "ok",
        "namespaces",
    ),
    "few namespaces": (namespaces({USERNS_MAX: 19}, WORKS), "warning", "namespaces_few"),
    "no namespaces for users": (
        namespaces({USERNS_CLONE: 0, USERNS_MAX: 9}, REFUSED),
        "error",
        "namespaces_clone",
    ),
    "the same, untried": (namespaces({USERNS_CLONE: 0, USERNS_MAX: 9}, None), "error", "namespaces_clone"),
    "no namespaces at all": (
        namespaces({USERNS_CLONE: 1, USERNS_MAX: 0}, USED_UP),
        "error",
        "namespaces_max",
    ),
    "namespaces used up": (namespaces({USERNS_MAX: 40}, USED_UP), "error", "namespaces_max"),
    "forbidden by AppArmor": (
        namespaces({USERNS_MAX: 50_000, USERNS_APPARMOR: 1}, REFUSED),
        "error",
        "namespaces_apparmor",
    ),
    "perhaps forbidden by AppArmor": (
        namespaces({USERNS_MAX: 50_000, USERNS_APPARMOR: 1}, None),
        "warning",
        "namespaces_perhaps",
    ),
    "forbidden by who knows what": (namespaces({USERNS_MAX: 50_000}, REFUSED), "error", "namespaces_refused"),
    "no bot wants the sandbox": (
        namespaces({USERNS_MAX: 50_000}, REFUSED, wanted=False),
        "warning",
        "namespaces_refused",
    ),
    "kernel as it should be, untried": (namespaces({USERNS_MAX: 50_000}, None), "ok", "namespaces_untried"),
    "kernel unseen": (namespaces({}, None), "warning", "namespaces_unknown"),
    "all limits": (limits(), "ok", "limits"),
    "no memory limit": (limits(memory_limit=False, swap_limit=False), "warning", "limits_memory"),
    "no swap limit": (limits(swap_limit=False), "warning", "limits_swap"),
    "no pids limit": (limits(pids_limit=False), "warning", "limits_pids"),
    "no limits without root": (limits(memory_limit=False, rootless=True), "warning", "limits_memory"),
    "clocks": (decide.clock(NOON_TEXT, NOON, NOON + 1), "ok", "clock"),
    "clocks over a slow line": (decide.clock(NOON_TEXT, NOON - 30, NOON + 30), "ok", "clock"),
    "engine ahead": (decide.clock(NOON_TEXT, NOON - 61, NOON - 60), "warning", "clock_ahead"),
    "engine behind": (decide.clock(NOON_TEXT, NOON + 60, NOON + 61), "warning", "clock_behind"),
    "engine in another time zone": (
        decide.clock("2027-01-15T11:00:00.123456789+03:00", NOON, NOON + 1),
        "ok",
        "clock",
    ),
    "engine without a clock": (decide.clock("", NOON, NOON), "warning", "clock_unknown"),
    "log driver": (decide.logs("journald", ["json-file", "journald"]), "ok", "logs"),
    "log drivers not told": (decide.logs("json-file", []), "ok", "logs"),
    "another maker's log drivers": (
        decide.logs("journald", ["k8s-file", "journald"]),
        "warning",
        "logs_other",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    verdict, level, key = EXAMPLES[name]
    assert (verdict.level, verdict.key) == (level, key)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_all_but_good_news_comes_with_a_command_to_type(name: str, language: str) -> None:
    verdict = EXAMPLES[name][0]
    finding = verdict.tell(catalogue(language))
    assert finding.message
    assert "None" not in finding.message + (finding.fix or "")
    if finding.level == "ok":
        assert finding.fix is None
    else:
        assert finding.fix is not None
        assert finding.fix.count("`") >= 2


def test_no_text_is_left_over() -> None:
    used = {"engine", "tls_fix", "config_fix", "sum"}  # the last two are told by the command itself
    used |= {"bots", "bots_none", "bots_absent", "bots_absent_fix"}  # as findings of the bots
    for verdict, _, _ in EXAMPLES.values():
        used |= {verdict.key} | ({f"{verdict.fix or verdict.key}_fix"} if verdict.level != "ok" else set())
    assert used == set(_texts("en"))


def test_both_languages_fill_in_the_same() -> None:
    english, turkish = _texts("en"), _texts("tr")
    assert {key: _places(text) for key, text in english.items()} == {
        key: _places(text) for key, text in turkish.items()
    }


def test_both_languages_type_the_same_commands() -> None:
    """Names that a person fills in are in that person's language."""
    english, turkish = _texts("en"), _texts("tr")
    for key in (key for key in english if key.endswith("_fix")):
        said = [
            sorted(text.replace("AD`", "NAME`").split("`")[1::2]) for text in (english[key], turkish[key])
        ]
        assert said[0] == said[1], key


def _texts(language: str) -> dict[str, str]:
    with (LOCALES / f"{language}.toml").open("rb") as file:
        found: dict[str, str] = tomllib.load(file)["doctor"]
    return found


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# ---- what the fixes say


def fix_of(verdict: Verdict) -> str:
    return verdict.tell(catalogue()).fix or ""


def test_the_way_into_the_group_is_ready_to_paste() -> None:
    fix = fix_of(decide.permission("/run/docker.sock", "o'neil", "docker", member=False))
    assert """sudo usermod -aG docker 'o'"'"'neil' && newgrp docker""" in fix
    assert "usermod" not in fix_of(decide.permission("/s", "a", "docker", member=True))


def test_bots_are_switched_off_from_the_end_until_the_others_fit() -> None:
    fix = fix_of(decide.memory(GIB, dict.fromkeys("abcdef", 768 * MIB)))
    assert "`python -m manager pause f && python -m manager pause e && python -m manager up`" in fix


def test_a_lower_limit_is_one_that_fits() -> None:
    verdict = decide.memory(2 * GIB, dict.fromkeys("abc", 768 * MIB))
    assert verdict.values["each"] == "672m"
    assert 3 * 672 * MIB <= 2 * GIB < 3 * 704 * MIB


def test_a_limit_below_what_a_bot_takes_counts_as_what_it_takes() -> None:
    assert decide.memory(GIB, dict.fromkeys("abcdefgh", 128 * MIB)).level == "ok"


def test_a_small_need_does_not_lower_the_number_of_namespaces() -> None:
    assert "user.max_user_namespaces=15000" in fix_of(namespaces({USERNS_MAX: 0}, None))
    assert "user.max_user_namespaces=20000" in fix_of(namespaces({USERNS_MAX: 0}, None, bots=2000))


def test_one_finding_for_each_volume_that_is_wrong_and_none_that_all_is_well() -> None:
    owners = {"v-a": "a", "v-b": "b", "v-c": "c"}
    seen = {"v-a": MINE, "v-b": VolumeLook(0, False), "v-c": VolumeLook(BOT_UID, False, "x y", 1000)}
    found = list(decide.volumes(owners, seen, "image:1"))
    assert [verdict.values["volume"] for verdict in found] == ["v-b", "v-c"]
    assert "-v v-b:/session image:1 -hR 10001:10001 /session && python -m manager restart b`" in fix_of(
        found[0]
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("client version 1.41 is too new. Maximum supported API version is 1.40", "1.40"),
        ("client version 1.41 is too new", ""),
    ],
)
def test_a_refusal_names_the_version(said: str, version: str) -> None:
    assert decide.most_api(said) == version


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 MiB"), (300 * MIB, "300 MiB"), (9 * GIB, "9216 MiB"), (77 * GIB + 1, "77 GiB")]
)
def test_sizes(count: int, said: str) -> None:
    assert decide.size(count) == said


# ---- what a probe says


def test_the_lines_of_a_probe_are_read() -> None:
    lines = [
        "sysctl kernel/unprivileged_userns_clone ",
        "sysctl user/max_user_namespaces 96365",
        "sysctl kernel/apparmor_restrict_unprivileged_userns 1",
        "free 20290245 4096",
        "volume 0 10001 1 0 /sessions/0/a b/c  x y",
        "volume 1 0 0  ",
        "volume 2 10001 1",
        "volume 3 10001 1  /sessions/3/gone",
        "volume 9 0 0  ",
        "stat: something else",
        "",
    ]
    look = read_look(lines, ["a", "b", "c", "d"])
    assert look.sysctls == {USERNS_MAX: 96365, USERNS_APPARMOR: 1}
    assert look.free == 20290245 * 4096
    assert look.volumes == {
        "a": VolumeLook(BOT_UID, False, "a b/c  x y", 0),
        "b": VolumeLook(0, True),
        "c": VolumeLook(BOT_UID, False),
        "d": VolumeLook(BOT_UID, False),
    }


def test_an_image_that_cannot_answer_tells_nothing() -> None:
    look = read_look(["sh: not found"], ["a"])
    assert (look.sysctls, look.free, look.volumes) == ({}, None, {})


def test_another_machine_is_not_mistaken_for_this_one(tmp_path: Path) -> None:
    here = {"KernelVersion": _release(), "Name": _node(), "DockerRootDir": str(tmp_path)}
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "max_user_namespaces").write_text("7\n")
    near = from_here(here, proc=tmp_path)
    assert near.sysctls == {USERNS_MAX: 7}
    assert near.free is not None
    for other in ({"KernelVersion": "linuxkit"}, {"Name": "elsewhere"}, {"DockerRootDir": "/nowhere/at/all"}):
        assert from_here({**here, **other}, proc=tmp_path).free is None
    assert from_here({}, proc=tmp_path).free is None


def test_an_engine_too_old_to_talk_to_is_told_by_its_version(tmp_path: Path) -> None:
    said = b'{"message": "client version 1.41 is too new. Maximum supported API version is 1.40"}'
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer % (len(said), said))

        engine = threading.Thread(target=serve)
        engine.start()
        (finding,) = examine(None, {"DOCKER_HOST": f"unix://{tmp_path}/s"}, catalogue())
        engine.join()
    assert (finding.check, finding.level) == ("api", "error")
    assert "1.40" in finding.message


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "nonsense://x"])
def test_without_an_engine_there_is_one_finding(host: str) -> None:
    (finding,) = examine(None, {"DOCKER_HOST": host}, catalogue())
    assert (finding.check, finding.level) == ("engine", "error")
    assert "`" in (finding.fix or "")


def test_a_socket_that_is_not_there_has_no_group() -> None:
    assert socket_refused("/nowhere/docker.sock", {}).key == "permission_no_group"


def _release() -> str:
    return Path("/proc/sys/kernel/osrelease").read_text().strip()


def _node() -> str:
    return Path("/proc/sys/kernel/hostname").read_text().strip()
