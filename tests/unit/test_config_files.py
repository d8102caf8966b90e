"""bots.yaml as a file: broken, hostile, huge or not to be read, and the variables in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from manager import config
from manager.config import ConfigErrors
from manager.yamlsource import MAX_BYTES
from tests.fleets import errors, load, one_error, read
from tests.hostile import HOSTILE


class TestBrokenFiles:
    def test_tabs_are_each_told(self) -> None:
        lines = errors("bots:\n\t- clientId: a\n \t  memory: 1g\n")
        assert lines == [
            "bots.yaml:2:1: indented with a tab; YAML wants spaces",
            "bots.yaml:3:2: indented with a tab; YAML wants spaces",
        ]

    @pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~", "null\n"])
    def test_empty(self, text: str) -> None:
        assert one_error(text) == "bots.yaml: the file is empty; at least `bots: []` must stand in it"

    def test_not_utf8(self, tmp_path: Path) -> None:
        for content, place in [
            (b"bots:\n- clientId: \xfc\n", "2:13"),
            ("bots: []".encode("utf-16"), "1:1"),
            (b"\x7fELF\x02\x01\x01\x00\xff", "1:9"),
        ]:
            with pytest.raises(ConfigErrors, match=f"bots.yaml:{place}: not UTF-8 text"):
                load(tmp_path, content)

    def test_a_control_character(self) -> None:
        assert one_error("bots:\n- clientId: a\x00b\n").startswith("bots.yaml:2:14: the character U+0000")

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("bots: [\n", "2:1"), ("bots: {a: b\n", "2:1"), ("a: b\n  c: d\n", "2:4"), ('a: "x\n', "2:1"),
            ("a: @b", "1:4"), ("a: %b", "1:4"), ("bots:\n- a\nb\n", "4:1"), ("a: 'x", "1:6"),
        ],
    )  # fmt: skip
    def test_syntax(self, text: str, place: str) -> None:
        line = errors(text)[-1]
        assert "not valid YAML" in line
        assert line.split(": ")[0].count(":") == 2

    def test_a_second_document(self) -> None:
        assert one_error("bots: []\n---\nbots: []\n").startswith("bots.yaml:2:1: a second document")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("bots: *x", "names no anchor"),
            ("bots: &x [*x]", "contains itself"),
            ("bots: &x [{<<: *x}]", "contains itself"),
            ("bots: !!python/object:os.system {}", "tag"),
            ("bots: !include x", "tag !include"),
            ("bots: !!binary eA==", "tag !!binary"),
            ("? [a]\n: b", "single word"),
            ("bots: [{<<: [1]}]", "`<<` takes a mapping"),
            ("bots: [{<<: x}]", "`<<` takes a mapping"),
        ],
    )
    def test_what_yaml_can_do_and_bots_yaml_cannot(self, text: str, said: str) -> None:
        assert said in errors(text)[0]


class Calls:
    """Counts calls and returns, of Python and of C, and ends what makes more of them than `most`."""

    def __init__(self, most: int) -> None:
        self.count, self.most = 0, most

    def __enter__(self) -> None:
        sys.setprofile(self._one)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _one(self, *_: object) -> None:
        self.count += 1
        assert self.count <= self.most, "the work grows faster than the file"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_for_little_work(name: str, tmp_path: Path) -> None:
    """Some calls for each byte that is looked at, and no more (`make bench` has the seconds)."""
    (tmp_path / "bots.yaml").write_text(HOSTILE[name])
    with pytest.raises(ConfigErrors) as caught, Calls(6 * MAX_BYTES):
        config.load(tmp_path / "bots.yaml", {})
    text = str(caught.value)
    assert "bots.yaml" in text
    assert max(len(line) for line in text.splitlines()) < 1000 or name == "one long unknown key"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bots.yaml"]


class TestFiles:
    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigErrors, match=r"bots\.yaml: there is no such file"):
            config.load(tmp_path / "bots.yaml", {})

    def test_a_folder_and_a_device_and_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, Path("/dev/zero"), tmp_path / "pipe"):
            with pytest.raises(ConfigErrors, match="not a regular file"):
                config.load(path, {})

    def test_a_file_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigErrors):
            config.load(tmp_path / "file" / "bots.yaml", {})

    def test_a_name_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigErrors):
            config.load(tmp_path / ("x" * 300), {})

    def test_an_endless_link(self, tmp_path: Path) -> None:
        (tmp_path / "bots.yaml").symlink_to("bots.yaml")
        with pytest.raises(ConfigErrors):
            config.load(tmp_path / "bots.yaml", {})

    def test_the_file_is_named_as_it_was_given(self, tmp_path: Path) -> None:
        (tmp_path / "other.yaml").write_text("bots: 1")
        with pytest.raises(ConfigErrors, match=r"other\.yaml:1:7: bots: list expected"):
            config.load(tmp_path / "other.yaml", {})


class TestVariables:
    def test_from_the_environment_and_from_the_file_beside(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("A=file\nB=file\n")
        text = "bots: [{clientId: a, env: {A: '${A}', B: \"x${B}y\", C: '${C:-d}', D: '$${B} $B $$'}}]"
        (bot,) = load(tmp_path, text, A="environment").bots
        assert bot.env == {"A": "environment", "B": "xfiley", "C": "d", "D": "${B} $B $$"}

    def test_every_missing_one_has_its_place(self) -> None:
        lines = errors("bots:\n- clientId: a\n  url: ${ONE}\n  env:\n    A: ${TWO} ${THREE}\n")
        said = "is not set, neither in the environment nor in .env"
        assert lines == [
            f"bots.yaml:3:8: bots[0].url: the variable ONE {said}",
            f"bots.yaml:5:8: bots[0].env.A: the variable TWO {said}",
            f"bots.yaml:5:8: bots[0].env.A: the variable THREE {said}",
        ]

    @pytest.mark.parametrize("text", ["${}", "${1A}", "${A", "${A-b}", "${A:?b}", "${A B}", "${A.B}"])
    def test_a_placeholder_that_is_none(self, text: str) -> None:
        line = one_error(f"bots:\n- clientId: a\n  env: {{A: '{text}'}}\n", A="geheim")
        assert line.startswith("bots.yaml:3:12: bots[0].env.A: ")
        assert "is no placeholder" in line

    def test_a_filled_in_value_means_what_it_would_mean_if_written(self) -> None:
        fleet = read(
            "bots:\n- clientId: a\n  enabled: ${E}\n  reconnect:\n    networkWait: ${W}\n", E="false", W="7.5"
        )
        assert (fleet.bots[0].enabled, fleet.bots[0].reconnect.network_wait) == (False, 7.5)

    def test_a_value_never_stands_in_an_error(self) -> None:
        keys = "".join(f"  {key}: ${{S}}\n" for key in ("memory", "timezone", "url"))
        text = f"bots:\n- clientId: ${{S}}\n  proxy: http://u:${{S}}@h:99999\n{keys}"
        lines = errors(text, S="Geheim_1 2")
        assert len(lines) == 5
        assert not any("Geheim" in line for line in lines)
        assert "`${S}` is no clientId" in lines[0]

    @pytest.mark.parametrize(
        "text",
        [
            "project: ${S}\nbots: []", "image: ${S}\nbots: []", "bots: [{clientId: a, browser: {args: ['${S}']}}]",
            "bots: [{clientId: a, browser: {args: [--a, '${S}']}}]", "bots: [{clientId: a, locale: '${L}'}]",
            "bots: [{clientId: a, language: '${S}'}]", "bots: [{clientId: a, proxy: '${S}'}]",
        ],
    )  # fmt: skip
    def test_nor_in_what_may_have_been_meant(self, text: str) -> None:
        line = one_error(text, S="Geheim 1", L="GE_HE")
        assert "geheim" not in line.lower()
        assert "ge-he" not in line.lower()

    def test_nor_in_one_about_two_bots_of_one_name(self) -> None:
        for text, said in (("${S}", "is taken by"), ("${T}", "only in upper and lower case")):
            line = one_error(f"bots:\n- clientId: ${{S}}\n- clientId: {text}\n", S="geheim", T="GEHEIM")
            assert said in line
            assert f"`{text}`" in line
            assert "geheim" not in line.lower()

    def test_no_value_is_read_as_yaml(self) -> None:
        assert read("bots: [{clientId: a, env: {A: '${V}'}}]", V="{x: [1, &a").bots[0].env == {
            "A": "{x: [1, &a"
        }

    def test_bytes_that_are_no_text(self) -> None:
        assert "V is not UTF-8" in one_error("bots: [{clientId: a, env: {A: '${V}'}}]", V="\udcff")

    def test_an_env_file_is_read_only_when_needed(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("this is a shell script, not ours\n")
        assert load(tmp_path, "bots: []").bots == ()
        with pytest.raises(ConfigErrors) as caught:
            load(tmp_path, "bots: [{clientId: '${X}'}]")
        assert ".env:1:1: not a line of the form NAME=value" in str(caught.value)

    @pytest.mark.parametrize("text", ["x\n" * 400_000, "A='x\n" + "B=\n" * 50_000])
    def test_a_hostile_env_file_is_read_once(self, text: str, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text(text)
        bots = "".join(f"- {{clientId: b{n}, url: '${{X}}'}}\n" for n in range(1_000))
        with pytest.raises(ConfigErrors) as caught, Calls(6 * MAX_BYTES):
            load(tmp_path, "bots:\n" + bots)
        assert ".env:1:1: not a line of the form NAME=value" in str(caught.value)

    def test_an_optional_variable_may_be_empty(self) -> None:
        text = "bots:\n- clientId: a\n  proxy: ${P:-}\n  env:\n    A: ${U:-}\n    B: ${N}\n    C: ~\n"
        assert one_error(text, N="null").startswith("bots.yaml:7:8: bots[0].env.C: text expected")
        (bot,) = read(text.replace("    C: ~\n", ""), N="null").bots
        assert (bot.proxy, bot.env) == (None, {"A": "", "B": "null"})

    def test_a_variable_that_yaml_would_take_for_something_else(self) -> None:
        line = one_error("bots:\n- clientId: ${N}\n", N="12")
        assert line.startswith("bots.yaml:2:13: bots[0].clientId: text expected (")
        assert line.endswith('put it in quotes: "${N}")')
        assert read('bots: [{clientId: "${N}"}]', N="12").client_ids == {"12"}
        line = one_error("bots:\n- clientId: a\n  enabled: ${N}\n", N="")
        assert line.startswith("bots.yaml:3:12: bots[0].enabled: true or false expected (`${N}` stands for")

    def test_an_env_folder_is_no_env_file(self, tmp_path: Path) -> None:
        (tmp_path / ".env").mkdir()
        with pytest.raises(ConfigErrors, match="X is not set"):
            load(tmp_path, "bots: [{clientId: '${X}'}]")
