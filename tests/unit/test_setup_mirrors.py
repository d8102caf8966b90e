"""Where packages come from on this host, said again for the images built on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup import mirrors
from setup.mirrors import Source

STANZAS = """\
# A comment that names http://commented.test/debian
Types: deb deb-src
URIs: http://mirror.test/debian
Suites: trixie trixie-updates
Components: main non-free
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.test/debian-security
Suites: trixie-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.test/debian
Suites: trixie
Components: main

Types: deb-src
URIs: http://source.test/debian
Suites: trixie
Components: main
"""


def test_stanzas_are_read_as_apt_reads_them() -> None:
    assert mirrors.parse_deb822(STANZAS) == [
        Source("http://mirror.test/debian", "trixie", ("main", "non-free")),
        Source("http://mirror.test/debian", "trixie-updates", ("main", "non-free")),
        Source("https://mirror.test/debian-security", "trixie-security", ("main",)),
    ]


def test_a_stanza_may_go_on_in_the_next_line() -> None:
    text = "Types: deb\nURIs: http://a.test/debian\n http://b.test/debian\nSuites: trixie\nComponents: main\n"
    assert [source.uri for source in mirrors.parse_deb822(text)] == [
        "http://a.test/debian",
        "http://b.test/debian",
    ]


def test_lines_are_read_with_and_without_options() -> None:
    text = (
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # ours\n"
        "# deb http://commented.test/debian bookworm main\n"
        "deb-src http://source.test/debian bookworm main\n"
        "deb\thttp://other.test/debian  bookworm-updates\tmain\n"
    )
    assert mirrors.parse_list(text) == [
        Source("http://mirror.test/debian", "bookworm", ("main", "contrib")),
        Source("http://other.test/debian", "bookworm-updates", ("main",)),
    ]


def test_the_mirror_of_another_release_is_used_for_ours() -> None:
    text = mirrors.debian_sources(mirrors.parse_deb822(STANZAS), "trixie", "bookworm")
    assert [(source.uri, source.suite) for source in mirrors.parse_deb822(text)] == [
        ("http://mirror.test/debian", "bookworm"),
        ("http://mirror.test/debian", "bookworm-updates"),
        ("https://mirror.test/debian-security", "bookworm-security"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        Source("http://foreign.test/apt", "nodistro", ("main",)),
        Source("http://mirror.test/debian", "trixie-backports", ("main",)),
        Source("http://mirror.test/debian", "trixie", ("contrib",)),
        Source("file:/srv/mirror", "trixie", ("main",)),
        Source("http://localhost:3142/debian", "trixie", ("main",)),
    ],
)
def test_what_is_not_a_mirror_for_a_container_is_left_out(source: Source) -> None:
    assert mirrors.debian_sources([source], "trixie", "bookworm") == ""


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
_SUITE = st.builds(lambda pocket: "trixie" + pocket, st.sampled_from(["", "-updates", "-security"]))
_SOURCE = st.builds(Source, st.builds("http://{}.test/debian".format, _WORD), _SUITE, st.just(("main",)))


@given(st.lists(_SOURCE, unique=True))
def test_written_sources_are_read_back_and_name_only_our_release(sources: list[Source]) -> None:
    found = mirrors.parse_deb822(mirrors.debian_sources(sources, "trixie", "bookworm"))
    assert [(each.uri, each.suite.replace("bookworm", "trixie")) for each in found] == [
        (each.uri, each.suite) for each in sources
    ]
    assert all(each.suite.startswith("bookworm") for each in found)


def test_pip_settings_come_from_the_environment_before_the_files(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://file.test/simple\ntrusted-host = file.test\n", encoding="utf-8"
    )
    assert mirrors.pip_settings({"PIP_INDEX_URL": "https://env.test/simple"}, [str(file)]) == {
        "PIP_INDEX_URL": "https://env.test/simple",
        "PIP_TRUSTED_HOST": "file.test",
    }


def test_folders_of_this_host_mean_nothing_in_a_container() -> None:
    environ = {"PIP_EXTRA_INDEX_URL": "file:///srv/simple https://extra.test/simple /srv/wheels"}
    assert mirrors.pip_settings(environ, []) == {"PIP_EXTRA_INDEX_URL": "https://extra.test/simple"}


def test_a_proxy_is_handed_on_in_both_spellings() -> None:
    found = mirrors.proxies({"https_proxy": "http://proxy.test:8080", "HOME": "/root"})
    assert found == {"HTTPS_PROXY": "http://proxy.test:8080", "https_proxy": "http://proxy.test:8080"}
