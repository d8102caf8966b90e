"""Who caused a QR: each verdict by example, with what decided it first among the evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.contract import Ending, Verdict
from bot.verdict import Circumstances, judge

MIB = 1024**2
WELL = Circumstances(
    stage="ready",
    last_ready="2026-11-25T03:12:00+00:00",
    browser="156.0.8078.79",
    browser_before="156.0.8078.79",
    free_bytes=900 * MIB,
    needed_bytes=16 * MIB,
    clean_stop=True,
)
ASKING = ("socket=UNPAIRED", "session_keys=False", "screen=qr")


def known(**changes: object) -> Circumstances:
    return Circumstances(**{name: getattr(WELL, name) for name in WELL.__slots__} | changes)  # type: ignore[arg-type]


def test_the_phone_unlinked_it() -> None:
    ruling = judge(Ending.PHONE, ("post_logout=phone", "socket=UNPAIRED"), WELL)
    assert ruling.verdict is Verdict.PHONE
    assert ruling.evidence[0] == "post_logout=phone"


def test_our_own_logout() -> None:
    assert judge(Ending.OWN_COMMAND, ASKING, WELL).verdict is Verdict.OWN_COMMAND


def test_the_account_is_banned() -> None:
    assert judge(Ending.ACCOUNT, ("socket=TOS_BLOCK",), WELL).verdict is Verdict.ACCOUNT


@pytest.mark.parametrize(
    ("changes", "signals", "decided"),
    [
        ({}, ("post_logout=storage_failed",), "post_logout=storage_failed"),
        ({"refusals": ("mirror.json: ENOSPC",)}, ASKING, "refused=mirror.json: ENOSPC"),
        ({"read_only": True}, ASKING, "file_system=read-only"),
        ({"free_bytes": 3 * MIB}, ASKING, "free=3MiB"),
        ({"memory_kills": 2}, ASKING, "memory_kills=2"),
    ],
)
def test_our_storage(changes: dict[str, object], signals: tuple[str, ...], decided: str) -> None:
    ruling = judge(Ending.LOST, signals, known(**changes))
    assert ruling.verdict is Verdict.STORAGE
    assert ruling.evidence[0] == decided


def test_an_older_browser_than_the_one_that_wrote_the_profile() -> None:
    ruling = judge(Ending.LOST, ASKING, known(browser="150.0.1.1"))
    assert ruling.verdict is Verdict.DOWNGRADE
    assert ruling.evidence[:2] == ("browser=150.0.1.1", "browser_before=156.0.8078.79")


def test_a_browser_of_unknown_version_is_no_older_one() -> None:
    assert judge(Ending.LOST, ASKING, known(browser=None)).verdict is Verdict.UNKNOWN
    assert judge(Ending.LOST, ASKING, known(browser_before=None)).verdict is Verdict.UNKNOWN


def test_what_nothing_explains_is_unknown_and_still_has_evidence() -> None:
    ruling = judge(Ending.LOST, ASKING, known(clean_stop=False, browser_ends=("the browser ended",)))
    assert ruling.verdict is Verdict.UNKNOWN
    for line in (
        *ASKING,
        "stop_before=not clean",
        "browser_end=the browser ended",
        "marker=ready",
        "free=900MiB",
    ):
        assert line in ruling.evidence


texts = st.text(alphabet="abc=: ", max_size=12)
circumstances = st.builds(
    Circumstances,
    stage=st.none() | texts,
    browser=st.none() | st.from_regex(r"[0-9]{1,3}\.0", fullmatch=True),
    browser_before=st.none() | st.from_regex(r"[0-9]{1,3}\.0", fullmatch=True),
    free_bytes=st.none() | st.integers(0, 2**40),
    needed_bytes=st.none() | st.integers(0, 2**30),
    read_only=st.booleans(),
    refusals=st.lists(texts, max_size=3).map(tuple),
    browser_ends=st.lists(texts, max_size=3).map(tuple),
    memory_kills=st.integers(0, 3),
    clean_stop=st.none() | st.booleans(),
)


@given(st.sampled_from(Ending), st.lists(texts, max_size=5), circumstances)
def test_no_signal_is_kept_back_and_only_a_loss_is_ours(
    ending: Ending, signals: list[str], circumstances: Circumstances
) -> None:
    ruling = judge(ending, signals, circumstances)
    assert set(signals) <= set(ruling.evidence)
    ours = ruling.verdict in (Verdict.STORAGE, Verdict.DOWNGRADE, Verdict.UNKNOWN)
    assert ours == (ending is Ending.LOST)
