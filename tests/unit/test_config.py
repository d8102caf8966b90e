"""bots.yaml: what it means, and that everything wrong with it is said at once, with its place."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest

from manager.config import ConfigErrors
from manager.fleet import Fleet, Proxy
from manager.text import LOCALES, catalogue
from tests.fleets import errors, load, one_error, read


class TestMeaning:
    def test_a_bot_has_every_default(self) -> None:
        (bot,) = read("bots: [{clientId: a}]").bots
        assert (bot.client_id, bot.enabled, bot.memory) == ("a", True, 768 * 1024**2)
        assert (bot.url, bot.language, bot.timezone, bot.locale, bot.proxy) == (
            "https://web.whatsapp.com/", "en", None, None, None,
        )  # fmt: skip
        assert bot.reconnect.network_wait == 20
        assert bot.browser.sandbox
        assert bot.env == {}

    def test_an_empty_fleet_is_a_fleet(self) -> None:
        assert read("bots: []") == Fleet("oturum", None, ())

    def test_defaults_hold_unless_the_bot_says_otherwise(self) -> None:
        fleet = read(
            """
            defaults:
              memory: 1g
              proxy: http://one:80
              reconnect: {networkWait: 3, logoutWait: 4}
              browser: {args: [--lang=tr], sandbox: false}
              env: {A: "1", B: "1"}
            bots:
              - clientId: plain
              - clientId: own
                memory: 512m
                proxy:
                reconnect: {networkWait: 30}
                browser: {args: [--lang=de]}
                env: {B: "2", C: "2"}
            """
        )
        plain, own = fleet.bots
        assert (plain.memory, plain.proxy) == (1024**3, Proxy("http://one:80"))
        assert (plain.reconnect.network_wait, plain.reconnect.logout_wait) == (3, 4)
        assert (own.memory, own.proxy) == (512 * 1024**2, None)
        assert (own.reconnect.network_wait, own.reconnect.logout_wait) == (30, 4)
        assert (own.browser.args, own.browser.sandbox) == (("--lang=de",), False)
        assert own.env == {"A": "1", "B": "2", "C": "2"}

    def test_groups_may_be_left_empty(self) -> None:
        (bot,) = read("defaults:\nbots:\n- clientId: a\n  env:\n  reconnect:\n  browser:\n").bots
        assert bot.reconnect.network_wait == 20

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("512m", 512 * 1024**2), ("1g", 1024**3), ("1G", 1024**3), ("1.5g", 1536 * 1024**2),
            ("1GiB", 1024**3), ("600MB", 600 * 1024**2), ("524288k", 512 * 1024**2),
            ("536870912", 512 * 1024**2),
        ],
    )  # fmt: skip
    def test_memory(self, text: str, expected: int) -> None:
        assert read(f"bots: [{{clientId: a, memory: {text}}}]").bots[0].memory == expected

    def test_env_values_are_text_as_they_stand(self) -> None:
        (bot,) = read(
            "bots:\n- clientId: a\n  env: {P: 08080, D: yes, N: 1e3, T: 12:30, Q: 'on', NO: no}"
        ).bots
        assert bot.env == {"P": "08080", "D": "yes", "N": "1e3", "T": "12:30", "Q": "on", "NO": "no"}

    def test_anchors_and_merge_keys(self) -> None:
        fleet = read(
            "defaults: &d {memory: 1g}\nbots:\n- {<<: *d, clientId: a}\n- {clientId: b, <<: [*d], memory: 2g}"
        )
        assert [bot.memory for bot in fleet.bots] == [1024**3, 2 * 1024**3]

    def test_json_is_yaml(self) -> None:
        assert read('{"project": "x", "bots": [{"clientId": "007", "enabled": false}]}').disabled == {"007"}

    def test_a_byte_order_mark_and_windows_line_ends(self, tmp_path: Path) -> None:
        assert load(tmp_path, b"\xef\xbb\xbfbots:\r\n- clientId: a\r\n").client_ids == {"a"}

    def test_core_tags_are_understood(self) -> None:
        assert read("bots: [{clientId: !!str 007}]").client_ids == {"007"}


class TestProxy:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("http://h:8080", Proxy("http://h:8080")),
            ("socks5://10.0.0.1:1080/", Proxy("socks5://10.0.0.1:1080")),
            ("http://u:p@h:1", Proxy("http://h:1", "u", "p")),
            ("https://u%40x:p%3Aw%2F@h", Proxy("https://h", "u@x", "p:w/")),
            ("http://u@h:1", Proxy("http://h:1", "u", "")),
            ("http://[::1]:3128", Proxy("http://[::1]:3128")),
        ],
    )
    def test_address_and_credentials_apart(self, text: str, expected: Proxy) -> None:
        assert read(f"bots: [{{clientId: a, proxy: '{text}'}}]").bots[0].proxy == expected

    @pytest.mark.parametrize(
        "text",
        [
            "ftp://geheim:geheim@h:1", "geheim", "http://u:geheim@", "http://u:geheim@h:99999",
            "http://u:ge heim@h:1",
            "http://u:geheim@h:1/geheim", "http://u:ge#heim@h:1", "socks5://u:geheim@h:1", "http://:geheim@h:1",
            "http://u:geheim@[h:1", "http://u:geheim@h:0", "http://u:geheim@h,direct:1", "http://u:geheim@h;x:1",
            'http://u:geheim@"h":1', "http://u:geheim@h\\x:1", "http://u:geheim@*:1", "http://u:geheim@.:1",
            "http://u:geheim@höst:1", "http://u:geheim@[fe80::1%25eth0]:1", "http://u:geheim@[1.2.3.4]:1",
        ],
    )  # fmt: skip
    def test_a_bad_one_is_told_without_its_text(self, text: str) -> None:
        line = one_error(f"bots:\n- clientId: a\n  proxy: '{text}'")
        assert line.startswith("bots.yaml:3:10: bots[0].proxy: ")
        assert "heim" not in line

    def test_repr_of_a_fleet_holds_no_secret(self) -> None:
        fleet = read("bots: [{clientId: a, proxy: 'http://u:geheim@h:1', env: {K: verborgen}}]")
        assert "geheim" not in repr(fleet)
        assert "verborgen" not in repr(fleet)


class TestAllErrorsAtOnce:
    def test_every_mistake_has_its_own_line_with_its_place(self) -> None:
        text = """\
project: My Bots
bots:
  - clientId: a
    memory: 1g

  - clientId: b
    memroy: 1g
    memory: lots
    reconnect: {netwrkWait: 3, logoutWait: x, backoffMax: 0}
  - clientId: A
  - enabled: maybe
    clientId: ü
  - memory: 1g
timezone: Europe/Istanbul
"""
        lines = errors(text)
        assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in lines] == [
            "bots.yaml:1:10: project",
            "bots.yaml:7:5: bots[1].memroy",
            "bots.yaml:8:13: bots[1].memory",
            "bots.yaml:9:17: bots[1].reconnect.netwrkWait",
            "bots.yaml:9:44: bots[1].reconnect.logoutWait",
            "bots.yaml:9:59: bots[1].reconnect.backoffMax",
            "bots.yaml:10:15: bots[2].clientId",
            "bots.yaml:11:14: bots[3].enabled",
            "bots.yaml:12:15: bots[3].clientId",
            "bots.yaml:13:5: bots[4].clientId",
            "bots.yaml:14:1: timezone",
        ]
        assert lines[1] == "bots.yaml:7:5: bots[1].memroy: unknown key (did you mean memory?)"

    def test_duplicate_keys_do_not_hide_the_rest(self) -> None:
        lines = errors("bots:\n- clientId: a\n  memory: 1g\n  memory: 2g\n  colour: red\n")
        assert (
            lines[0] == "bots.yaml:4:3: bots[0].memory: the key `memory` stands here twice (first in line 3)"
        )
        assert lines[1].startswith(
            "bots.yaml:5:3: bots[0].colour: unknown key (known here: browser, clientId,"
        )

    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("memroy", "memory"), ("clientid", "clientId"), ("client_id", "clientId"), ("Memory", "memory"),
            ("id", "clientId"), ("environment", "env"), ("tz", "timezone"), ("time_zone", "timezone"),
            ("reconect", "reconnect"), ("enable", "enabled"),
        ],
    )  # fmt: skip
    def test_did_you_mean(self, key: str, meant: str) -> None:
        assert f"(did you mean {meant}?)" in errors(f"bots: [{{clientId: a, {key}: 1}}]")[0]

    def test_a_key_in_the_wrong_place(self) -> None:
        assert "belongs under defaults" in one_error("memory: 1g\nbots: []")
        assert "top of the file" in one_error("bots: [{clientId: a, project: x}]")

    def test_a_mistake_behind_an_alias_is_one_mistake(self) -> None:
        line = one_error("defaults: &d {tz: x}\nbots:\n- {<<: *d, clientId: a}\n- {<<: *d, clientId: b}")
        assert line == "bots.yaml:1:15: defaults.tz: unknown key (did you mean timezone?)"

    def test_duplicates(self) -> None:
        lines = errors("bots:\n- clientId: a\n- clientId: a\n- clientId: A\n")
        assert lines == [
            "bots.yaml:3:13: bots[1].clientId: the clientId `a` is taken by bots[0] (line 2)",
            "bots.yaml:4:13: bots[2].clientId: the clientId `A` differs from that of bots[0] (line 2) "
            "only in upper and lower case",
        ]

    @pytest.mark.parametrize(
        "text",
        ["007", "1e3", "on", "no", "yes", "off", "true", "123", "0x1f", "1_000", "2026-01-31", "null", "0o7"],
    )
    def test_a_client_id_that_yaml_takes_for_something_else(self, text: str) -> None:
        line = one_error(f"bots:\n- clientId: {text}\n")
        assert line.startswith("bots.yaml:2:13: bots[0].clientId: text expected (")
        if text != "null":
            assert f'put it in quotes: "{text}"' in line
            assert read(f'bots: [{{clientId: "{text}"}}]').client_ids == {text}

    @pytest.mark.parametrize("text", ["", "a b", "a.b", "ç", "a/b", "x" * 64, "a\nb", "a\n"])
    def test_a_bad_client_id(self, text: str) -> None:
        quoted = text.replace("\n", "\\n")
        assert "no clientId" in one_error(f'bots: [{{clientId: "{quoted}"}}]')

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("bots: 3", "bots: list expected (this is text)"),
            ("bots:", "bots: list expected (nothing stands here)"),
            ("bots: {clientId: a}", "bots: list expected (this is a mapping)"),
            ("project: x", "bots: is missing"),
            ("bots: [a]", "bots[0]: mapping expected"),
            ("bots: [{clientId: [a]}]", "clientId: text expected (this is a list)"),
            ("bots: [{clientId: a, enabled: 1}]", "enabled: true or false expected"),
            ("bots: [{clientId: a, enabled: 'true'}]", "enabled: true or false expected (this is text)"),
            ("bots: [{clientId: a, memory: true}]", "no amount of memory"),
            ("bots: [{clientId: a, memory: 512}]", "a unit is missing, as in 512m"),
            ("bots: [{clientId: a, memory: 9999t}]", "at most 1t"),
            ("bots: [{clientId: a, memory: -1g}]", "no amount of memory"),
            ("bots: [{clientId: a, timezone: Europe/Istambul}]", "(did you mean Europe/Istanbul?)"),
            ("bots: [{clientId: a, timezone: new york}]", "(did you mean America/New_York?)"),
            ("bots: [{clientId: a, timezone: ../../etc/passwd}]", "unknown time zone"),
            ("bots: [{clientId: a, timezone: localtime}]", "unknown time zone"),
            ("bots: [{clientId: a, timezone: Europe}]", "unknown time zone"),
            ("bots: [{clientId: a, locale: tr_TR.UTF-8}]", "(did you mean tr-TR?)"),
            ("bots: [{clientId: a, locale: 12}]", "locale: text expected"),
            ("bots: [{clientId: a, language: de}]", "'en' or 'tr' expected, not `de`"),
            ("bots: [{clientId: a, url: web.whatsapp.com}]", "no http:// or https:// address"),
            ("bots: [{clientId: a, url: 'https://u:p@x/'}]", "user name or password"),
            ("bots: [{clientId: a, reconnect: {networkWait: '5'}}]", "number expected (this is text)"),
            ("bots: [{clientId: a, reconnect: {networkWait: 010}}]", "plain decimal number"),
            ("bots: [{clientId: a, reconnect: {networkWait: 0}}]", "must be at least 0.1"),
            ("bots: [{clientId: a, reconnect: {logoutWait: 1e9}}]", "must be at most 86400"),
            ("bots: [{clientId: a, reconnect: {logoutWait: .inf}}]", "plain decimal number"),
            ("bots: [{clientId: a, reconnect: {network_wait: 5}}]", "(did you mean networkWait?)"),
            ("bots: [{clientId: a, reconnect: 5}]", "reconnect: mapping expected"),
            ("bots: [{clientId: a, browser: {args: --x}}]", "args: list expected"),
            ("bots: [{clientId: a, browser: {args: [x]}}]", "`x` is no command line switch"),
            ("bots: [{clientId: a, browser: {args: [--no-sandbox]}}]", "sandbox: false"),
            ("bots: [{clientId: a, browser: {args: [--user-data-dir=/x]}}]", "set by the bot itself"),
            ("bots: [{clientId: a, browser: {args: [-no-sandbox]}}]", "sandbox: false"),
            ("bots: [{clientId: a, browser: {args: [--single-process]}}]", "sandbox: false"),
            ("bots: [{clientId: a, browser: {args: [-user-data-dir=/x]}}]", "set by the bot itself"),
            ("bots: [{clientId: a, browser: {args: [\"--a=\\0\"]}}]", "U+0000"),
            ("bots: [{clientId: a, browser: {executable: \"/a\\0\"}}]", "U+0000"),
            ("bots: [{clientId: a, env: {A: \"\\0\"}}]", "U+0000"),
            ("bots: [{clientId: a, env: {\"A\\nB\": x}}]", "bots[0].env.A B: not a name"),
            ("bots: [{clientId: a, url: 'https://h:99999/'}]", "no http:// or https:// address"),
            ("bots: [{clientId: a, browser: {sandbox: 'no'}}]", "true or false expected"),
            ("bots: [{clientId: a, env: {1A: x}}]", "not a name of an environment variable"),
            ("bots: [{clientId: a, env: {BOT_SETTINGS: x}}]", "Oturum's own"),
            ("bots: [{clientId: a, env: {A: }}]", "env.A: text expected (nothing stands here)"),
            ("bots: [{clientId: a, env: {A: [1]}}]", "env.A: text expected (this is a list)"),
            ("bots: [{clientId: a, env: [A=1]}]", "env: mapping expected"),
            ("project: -x\nbots: []", "beginning with a letter or a digit"),
            ("project: Satış\nbots: []", "(did you mean satis?)"),
            ("image: 'a b'\nbots: []", "no name of an image"),
            ("- a\n- b", "mapping expected, as in `key: value` (this is a list)"),
            ("hello", "mapping expected, as in `key: value` (this is text)"),
        ],
    )  # fmt: skip
    def test_wrong_values(self, text: str, said: str) -> None:
        assert said in one_error(text)

    def test_turkish(self) -> None:
        with pytest.raises(ConfigErrors) as caught:
            read("bots: [{clientId: a, memroy: 1}]")
        (line,) = caught.value.lines(catalogue("tr"))
        assert line == "bots.yaml:1:22: bots[0].memroy: bilinmeyen anahtar (memory mi demek istediniz?)"


def test_both_catalogues_have_every_text() -> None:
    english, turkish = (
        tomllib.loads((LOCALES / f"{language}.toml").read_text()) for language in ("en", "tr")
    )
    for section in ("config", "edit", "plan"):
        assert english[section].keys() == turkish[section].keys()
        for key, text in english[section].items():
            places = [
                {place for _, place, _, _ in string.Formatter().parse(each) if place}
                for each in (text, turkish[section][key])
            ]
            assert places[0] == places[1], f"{section}.{key}"
            assert not re.search(r"\s$", text)
