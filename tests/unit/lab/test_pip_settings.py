# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from lab import pip_settings

INDEX = "https://mirror.example/simple"
PROXY = "http://proxy.example:3128"
# (pip.conf, variables): the settings that are carried over
CASES: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("", {}, {}),
    ("", {"PIP_INDEX_URL": INDEX, "PIP_FIND_LINKS": "/wheels", "PIP_CERT": ""}, {"index-url": INDEX}),
    ("[global]\nindex-url = https://old.example\ntimeout = 3\n", {"PIP_INDEX_URL": INDEX}, {"index-url": INDEX}),
    ("[install]\nindex_url = " + INDEX + "\n[global]\nindex-url = x\n[list]\nproxy = y\n", {}, {"index-url": INDEX}),
    ("[global]\nindex-url = https://u:100%25@m.example\n", {}, {"index-url": "https://u:100%25@m.example"}),
    ("", {"SSL_CERT_FILE": "/ca.pem", "REQUESTS_CA_BUNDLE": "/other.pem"}, {"cert": "/ca.pem"}),
    ("", {"REQUESTS_CA_BUNDLE": "/other.pem"}, {"cert": "/other.pem"}),
    ("[global]\ncert = /pip.pem\n", {"SSL_CERT_FILE": "/ca.pem"}, {"cert": "/pip.pem"}),
    ("", {"HTTPS_PROXY": PROXY}, {"proxy": PROXY}),
    ("", {"HTTPS_PROXY": "http://big.example", "https_proxy": PROXY, "http_proxy": "x"}, {"proxy": PROXY}),
    ("", {"HTTP_PROXY": PROXY, "NO_PROXY": "mirror.example"}, {"proxy": PROXY}),
    ("", {"https_proxy": PROXY, "no_proxy": ".example", "PIP_INDEX_URL": INDEX}, {"index-url": INDEX}),
    ("[global]\nproxy = http://own.example\n", {"https_proxy": PROXY}, {"proxy": "http://own.example"}),
]


@pytest.mark.parametrize(("text", "environment", "expected"), CASES)
def test_only_what_leads_to_the_index_is_carried_over(
    tmp_path: Path, text: str, environment: dict[str, str], expected: dict[str, str]
) -> None:
    (tmp_path / "pip.conf").write_text(text)
    assert pip_settings.read_settings([tmp_path / "pip.conf", tmp_path / "none"], environment) == expected


def test_a_later_file_wins_and_the_users_own_come_after_the_systems(tmp_path: Path) -> None:
    for name, value in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text(f"[global]\nindex-url = {value}\n")
    assert pip_settings.read_settings([tmp_path / "a", tmp_path / "b"], {}) == {"index-url": "2"}
    found = pip_settings.config_files({"PIP_CONFIG_FILE": "/given"}, Path("/home/me"))
    assert [str(path) for path in found] == [
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        "/home/me/.pip/pip.conf",
        "/home/me/.config/pip/pip.conf",
        "/given",
    ]
    assert pip_settings.config_files({"PIP_CONFIG_FILE": "/dev/null"}, Path("/home/me")) == []


def test_what_a_host_gets_says_the_same_to_pip_and_brings_the_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "pip.conf").write_text("[global]\nextra-index-url =\n    https://a.example\n    https://b.example\n")
    environment = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_CERT": str(tmp_path / "ca.pem")}
    environment |= {"XDG_CONFIG_DIRS": str(tmp_path), "PIP_INDEX_URL": INDEX}
    files = pip_settings.host_files(environment, tmp_path)
    assert files["etc/crowsnest-lab/ca-bundle.crt"] == ("-----BEGIN CERTIFICATE-----\n", 0o644)
    text, mode = files["etc/pip.conf"]
    (tmp_path / "made.conf").write_text(text)
    assert mode == 0o644
    assert pip_settings.read_settings([tmp_path / "made.conf"], {}) == {
        "index-url": INDEX,
        "extra-index-url": "\nhttps://a.example\nhttps://b.example".strip(),
        "cert": "/etc/crowsnest-lab/ca-bundle.crt",
    }


def test_a_machine_with_nothing_special_leaves_the_host_as_it_is(tmp_path: Path) -> None:
    environment = {"PIP_CONFIG_FILE": "/dev/null"}
    assert pip_settings.host_files(environment, tmp_path) == {}
    assert pip_settings.host_files(environment | {"SSL_CERT_FILE": "/nowhere.pem"}, tmp_path) == {}
