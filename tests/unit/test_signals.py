"""What one look at the page means: the table of signals row by row, and each signal away by itself."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signals import Belief, DomSign, Kind, LogoutReason, Snapshot, believe, logout_in

HOME = "https://web.whatsapp.com/"
OUT = HOME + "?post_logout=1"

READY = Snapshot(
    HOME,
    session_keys=True,
    socket_state="CONNECTED",
    has_synced=True,
    stream_mode="MAIN",
    online=True,
    wid="905321234567:3@c.us",
    modules_ready=True,
    dom=frozenset({DomSign.CHAT_LIST}),
)
ASKING = Snapshot(
    HOME,
    session_keys=False,
    socket_state="UNPAIRED",
    has_synced=False,
    stream_mode="QR",
    online=True,
    qr_text="ref,noise,identity,secret,1",
    qr_source="modules",
    modules_ready=True,
    dom=frozenset({DomSign.QR}),
)


def seen(shot: Snapshot = READY, **other: object) -> Belief:
    return believe(replace(shot, **other))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["OPENING", "TIMEOUT", "PAIRING"])
def test_a_socket_under_way_is_the_networks_affair(state: str) -> None:
    belief = seen(socket_state=state)
    assert (belief.kind, belief.certain) == (Kind.CONNECTING, True)


@pytest.mark.parametrize("state", ["OPENING", "TIMEOUT"])
def test_a_code_left_on_screen_while_the_socket_is_away_is_not_offered(state: str) -> None:
    belief = seen(ASKING, socket_state=state)
    assert (belief.kind, belief.qr_text) == (Kind.CONNECTING, None)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("CONFLICT", Kind.CONFLICT),
        ("TOS_BLOCK", Kind.BANNED),
        ("SMB_TOS_BLOCK", Kind.BANNED),
        ("PROXYBLOCK", Kind.PROXY_BLOCKED),
        ("DEPRECATED_VERSION", Kind.OUTDATED),
    ],
)
def test_what_needs_a_person(state: str, kind: Kind) -> None:
    belief = seen(socket_state=state)
    assert (belief.kind, belief.certain) == (kind, True)


@pytest.mark.parametrize("state", ["TOS_BLOCK", "PROXYBLOCK", "DEPRECATED_VERSION", "CONFLICT"])
def test_a_socket_that_is_stopped_keeps_the_files_whatever_the_address_says(state: str) -> None:
    belief = seen(ASKING, url=OUT, socket_state=state, qr_text=None, dom=frozenset())
    assert belief.kind not in (Kind.UNLINKED, Kind.CLIENT_LOGOUT, Kind.NEEDS_QR)


@pytest.mark.parametrize("state", ["UNPAIRED", "UNPAIRED_IDLE"])
@pytest.mark.parametrize("keys", [True, False, None])
def test_unpaired_without_a_proof_is_no_logout(state: str, keys: bool | None) -> None:
    belief = seen(ASKING, socket_state=state, session_keys=keys)
    assert (belief.kind, belief.certain) == (Kind.NEEDS_QR, True)
    assert belief.logout_reason is None


def test_unpaired_alone_is_believed_with_doubt() -> None:
    alone = Snapshot(HOME, socket_state="UNPAIRED")
    assert (believe(alone).kind, believe(alone).certain) == (Kind.NEEDS_QR, False)
    assert seen(alone, session_keys=False).certain


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?post_logout=1", LogoutReason.PHONE),
        ("?post_logout=1&logout_reason=", LogoutReason.PHONE),
        ("?post_logout=1&logout_reason=0", LogoutReason.STORAGE),
        ("?post_logout=1&logout_reason=1", LogoutReason.SYNC),
        ("?post_logout=1&logout_reason=2", LogoutReason.SYNC_TIMEOUT),
        ("?post_logout=1&logout_reason=3", LogoutReason.LOCKED),
        ("?post_logout=1&logout_reason=77", LogoutReason.OTHER),
        ("?post_logout=1&logout_reason=-1", LogoutReason.OTHER),
        ("?post_logout=1&logout_reason=--1", LogoutReason.PHONE),
        ("?post_logout=1&logout_reason=%C2%B2", LogoutReason.PHONE),
        ("?logout_reason=0&post_logout=1", LogoutReason.STORAGE),
        ("?post_logout=0", None),
        ("?post_logout=", None),
        ("?post_logoutx=1", None),
        ("#post_logout=1", None),
        ("", None),
    ],
)
def test_the_address_tells_of_a_logout(query: str, reason: LogoutReason | None) -> None:
    assert logout_in(HOME + query) is reason


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("", Kind.UNLINKED),
        ("&logout_reason=0", Kind.CLIENT_LOGOUT),
        ("&logout_reason=1", Kind.CLIENT_LOGOUT),
        ("&logout_reason=2", Kind.CLIENT_LOGOUT),
        ("&logout_reason=3", Kind.BANNED),
        ("&logout_reason=9", Kind.CLIENT_LOGOUT),
    ],
)
def test_the_logout_address_and_a_second_signal_are_a_proof(number: str, kind: Kind) -> None:
    assert seen(ASKING, url=OUT + number).kind is kind
    bare = Snapshot(OUT + number, session_keys=False)
    assert (believe(bare).kind, believe(bare).certain) == (kind, True)


@pytest.mark.parametrize(
    "second",
    [
        {"session_keys": False},
        {"socket_state": "UNPAIRED"},
        {"socket_state": "UNPAIRED_IDLE"},
        {"qr_text": "ref,a,b,c,1"},
        {"dom": frozenset({DomSign.QR})},
    ],
)
def test_any_second_signal_makes_the_proof(second: dict[str, object]) -> None:
    assert believe(Snapshot(OUT)).kind is Kind.UNKNOWN
    assert seen(Snapshot(OUT), **second).kind is Kind.UNLINKED


def test_the_number_of_a_logout_is_evidence_also_where_its_meaning_is_not_known() -> None:
    assert seen(ASKING, url=OUT + "&logout_reason=9").evidence[:2] == ("post_logout=other", "logout_reason=9")
    assert not any("logout_reason" in line for line in seen(ASKING, url=OUT).evidence)


def test_a_logout_address_is_no_proof_while_the_keys_stand_in_storage() -> None:
    """An address may be left over. The next login, refused or not, tells more."""
    assert seen(url=OUT).kind is Kind.CONNECTED
    assert seen(url=OUT, socket_state="OPENING").kind is Kind.CONNECTING
    belief = seen(ASKING, url=OUT, session_keys=True)
    assert (belief.kind, belief.certain) == (Kind.NEEDS_QR, True)


def test_the_code_is_offered_after_a_logout_too() -> None:
    assert seen(ASKING, url=OUT).qr_text == ASKING.qr_text
    assert seen(ASKING, url=OUT + "&logout_reason=1").qr_text == ASKING.qr_text


def test_refs_used_up() -> None:
    assert seen(ASKING, socket_state="UNPAIRED_IDLE").refs_used_up
    assert not seen(ASKING).refs_used_up
    reload = frozenset({DomSign.QR_RELOAD})
    assert seen(ASKING, socket_state=None, dom=reload).refs_used_up
    assert not seen(ASKING, socket_state="UNPAIRED", dom=reload).refs_used_up


def test_a_first_sync_is_not_ready() -> None:
    belief = seen(has_synced=False, dom=frozenset())
    assert (belief.kind, belief.certain) == (Kind.AUTHENTICATED, True)


def test_hassynced_that_is_unset_at_logout_is_no_ready() -> None:
    belief = seen(has_synced=False, dom=frozenset(), session_keys=False, socket_state="CONNECTED")
    assert belief.kind is Kind.AUTHENTICATED
    assert seen(ASKING, has_synced=True, url=OUT).kind is Kind.UNLINKED


def test_a_stale_chat_list_does_not_hide_an_outage() -> None:
    assert seen(socket_state="OPENING").kind is Kind.CONNECTING
    banner = frozenset({DomSign.CHAT_LIST, DomSign.OFFLINE_BANNER})
    belief = seen(socket_state=None, has_synced=None, stream_mode=None, dom=banner)
    assert (belief.kind, belief.offline) == (Kind.CONNECTING, True)
    assert seen(socket_state=None, has_synced=None, stream_mode=None, online=False).kind is Kind.CONNECTING


@pytest.mark.parametrize(
    ("sign", "kind"),
    [
        (DomSign.BANNED, Kind.BANNED),
        (DomSign.UPDATE_BROWSER, Kind.OUTDATED),
        (DomSign.USE_HERE, Kind.CONFLICT),
    ],
)
def test_the_screen_alone_can_ask_for_a_person(sign: DomSign, kind: Kind) -> None:
    shot = Snapshot(HOME, session_keys=True, dom=frozenset({sign}))
    assert believe(shot).kind is kind
    assert seen(shot, dom=frozenset({sign, DomSign.QR})).kind is Kind.NEEDS_QR
    assert seen(shot, socket_state="CONNECTED", has_synced=True).kind is Kind.CONNECTED


def test_a_passkey_is_told() -> None:
    assert seen(ASKING, dom=frozenset({DomSign.PASSKEY, DomSign.QR})).passkey
    assert not seen(ASKING).passkey


# --- signals that vanished -------------------------------------------------------------------------------

OPTIONAL = [
    each.name for each in fields(Snapshot) if each.name not in ("url", "dom", "missing", "modules_ready")
]


@pytest.mark.parametrize("name", OPTIONAL)
def test_ready_without_one_signal(name: str) -> None:
    assert seen(**{name: None}).kind is Kind.CONNECTED


@pytest.mark.parametrize("name", OPTIONAL)
def test_asking_without_one_signal(name: str) -> None:
    belief = seen(ASKING, **{name: None})
    assert (belief.kind, belief.certain) == (Kind.NEEDS_QR, True)


@pytest.mark.parametrize("name", OPTIONAL)
def test_unlinked_without_one_signal(name: str) -> None:
    assert seen(ASKING, url=OUT, **{name: None}).kind is Kind.UNLINKED


@pytest.mark.parametrize("shot", [READY, ASKING])
def test_nothing_to_see_on_screen(shot: Snapshot) -> None:
    assert seen(shot, dom=frozenset()).kind is believe(shot).kind


def test_every_module_gone() -> None:
    blind = Snapshot(HOME, missing=("WAWebConnModel", "WAWebSocketModel", "WAWebStreamModel"))
    assert (believe(blind).kind, believe(blind).certain) == (Kind.UNKNOWN, False)
    assert seen(blind, session_keys=True, dom=frozenset({DomSign.CHAT_LIST})).kind is Kind.CONNECTED
    assert seen(blind, session_keys=False, dom=frozenset({DomSign.QR})).kind is Kind.NEEDS_QR
    assert seen(blind, url=OUT, session_keys=False).kind is Kind.UNLINKED
    assert believe(blind).missing == blind.missing


def test_an_unheard_of_socket_state_counts_as_away() -> None:
    belief = seen(socket_state="CONNECTED_ISH")
    assert belief.kind is Kind.CONNECTED
    assert "socket=CONNECTED_ISH" in belief.evidence


def test_a_pairing_that_has_begun_keeps_the_code_until_the_keys_are_there() -> None:
    assert seen(ASKING, socket_state="PAIRING").kind is Kind.NEEDS_QR
    assert seen(ASKING, socket_state="PAIRING", session_keys=True).kind is Kind.CONNECTING


# --- for every look --------------------------------------------------------------------------------------

SHOTS = st.builds(
    Snapshot,
    url=st.sampled_from([HOME, OUT, *(f"{OUT}&logout_reason={n}" for n in range(5)), "about:blank"]),
    session_keys=st.sampled_from([None, True, False]),
    socket_state=st.sampled_from(
        [None, "OPENING", "PAIRING", "UNPAIRED", "UNPAIRED_IDLE", "CONNECTED", "TIMEOUT", "CONFLICT", "UNLAUNCHED",
         "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION", "NEVER_HEARD_OF"]
    ),
    has_synced=st.sampled_from([None, True, False]),
    stream_mode=st.sampled_from([None, "QR", "MAIN", "SYNCING"]),
    online=st.sampled_from([None, True, False]),
    qr_text=st.sampled_from([None, "2@secret-ref,noise,identity,adv,1"]),
    wid=st.sampled_from([None, "905321234567:3@c.us"]),
    dom=st.frozensets(st.sampled_from(list(DomSign))),
    missing=st.sampled_from([(), ("WAWebConnModel",)]),
)  # fmt: skip


@given(SHOTS)
def test_no_secret_stands_in_the_evidence_or_in_what_is_printed(shot: Snapshot) -> None:
    told = str(believe(shot).evidence) + repr(believe(shot)) + repr(shot)
    assert "secret-ref" not in told
    assert "905321234567" not in told


@given(SHOTS)
def test_a_destructive_belief_needs_the_address_and_a_second_signal(shot: Snapshot) -> None:
    kind = believe(shot).kind
    if kind in (Kind.UNLINKED, Kind.CLIENT_LOGOUT):
        assert logout_in(shot.url) is not None
        assert not shot.session_keys
        assert shot.session_keys is False or shot.socket_state or shot.qr_text or DomSign.QR in shot.dom


@given(SHOTS)
def test_a_code_is_offered_only_where_a_scan_is_asked_for(shot: Snapshot) -> None:
    belief = believe(shot)
    assert belief.qr_text is None or belief.kind in (Kind.NEEDS_QR, Kind.UNLINKED, Kind.CLIENT_LOGOUT)


@given(SHOTS)
def test_a_socket_that_is_under_way_or_stopped_never_asks_for_a_scan(shot: Snapshot) -> None:
    if (
        shot.socket_state in ("OPENING", "TIMEOUT", "CONFLICT", "TOS_BLOCK", "PROXYBLOCK")
        and logout_in(shot.url) is None
    ):
        assert believe(shot).kind is not Kind.NEEDS_QR
