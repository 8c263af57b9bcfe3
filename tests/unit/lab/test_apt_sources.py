# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from lab import apt_sources
from lab.apt_sources import Mirror, Source
from lab.progress import LabError

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components:
 main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie
Components: main
"""

ONE_LINE: list[tuple[str, list[Source]]] = [
    ("deb http://m/debian trixie main", [Source("http://m/debian", "trixie", ("main",))]),
    (
        "deb [arch=amd64 signed-by=/k.gpg] http://m/ sid main contrib # x",
        [Source("http://m/", "sid", ("main", "contrib"))],
    ),
    ("# deb http://m/debian trixie main", []),
    ("deb-src http://m/debian trixie main", []),
    ("", []),
]


@pytest.mark.parametrize(("line", "expected"), ONE_LINE)
def test_one_line_form(line: str, expected: list[Source]) -> None:
    assert list(apt_sources.parse_one_line(line)) == expected


def test_deb822_form_lists_each_address_and_suite_and_leaves_out_disabled_ones() -> None:
    found = list(apt_sources.parse_deb822(DEB822))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://second.example/debian", "bookworm"),
        ("http://second.example/debian", "bookworm-updates"),
        ("http://mirror.example/debian-security", "bookworm-security"),
    ]
    assert found[-1].components == ("main",)


def test_the_mirror_is_debians_and_not_a_third_partys() -> None:
    sources = [
        Source("https://download.example/docker", "bookworm", ("stable",)),
        Source("https://apt.example/pgdg", "bookworm-pgdg", ("main",)),
        Source("https://node.example", "nodistro", ("main",)),
        Source("http://mirror.example/debian/", "bookworm", ("main",)),
        Source("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    ]
    assert apt_sources.find_mirror(sources) == Mirror(
        "http://mirror.example/debian", "http://mirror.example/debian-security"
    )


def test_without_a_debian_mirror_the_way_out_is_named() -> None:
    with pytest.raises(LabError, match=r"name no Debian mirror .*sources\.list\.d"):
        apt_sources.find_mirror([Source("http://archive.example/ubuntu", "noble", ("main",))])


def test_both_forms_are_read_and_a_mirror_list_of_a_cloud_image_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mirror.list").write_text("http://cloud.example/debian\nhttp://other.example/debian\n")
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        f"Types: deb\nURIs: mirror+file://{tmp_path}/mirror.list\nSuites: bookworm\nComponents: main\n"
    )
    (tmp_path / "sources.list").write_text("deb http://security.example/ bookworm-security main\n")
    assert apt_sources.read_mirror(tmp_path) == Mirror("http://cloud.example/debian", "http://security.example")


def test_the_sources_of_another_suite_are_read_back_as_written() -> None:
    mirror = Mirror("http://m/debian", "http://m/security")
    text = apt_sources.render_deb822(mirror, "trixie")
    assert [(source.uri, source.suite) for source in apt_sources.parse_deb822(text)] == mirror.lines("trixie")
    assert text.count(f"Signed-By: {apt_sources.KEYRING}") == 3


def test_only_settings_for_reaching_the_mirror_are_carried_over() -> None:
    dump = 'APT "";\nAcquire::http::Proxy "http://p:3128";\nAcquire::https::Verify-Peer "false";\n'
    assert apt_sources.carried_settings(dump) == 'Acquire::http::Proxy "http://p:3128";\n'
