"""A file with an authority's certificate is judged before anything is written, as what is in it is shown in diffs."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import self_signed

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.authorities import authority_mistakes


def mistakes(folder: Path, name: str = "ca.pem") -> list[str]:
    page = {"address": "127.0.0.1:8443", "scheme": "https", "ca_file": name}
    return list(authority_mistakes([{"name": "shop", "metrics": [":8000", page]}], str(folder)))


def test_certificates_are_taken(tmp_path: Path) -> None:
    self_signed(tmp_path)
    certificate = (tmp_path / "public.pem").read_text()
    (tmp_path / "ca.pem").write_text(certificate * 2)
    assert mistakes(tmp_path) == []


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == [
        "crowsnest_apps[0] (shop).metrics[1].ca_file: 'ca.pem': No such file or directory. "
        "Relative paths start at the inventory's folder."
    ]


@pytest.mark.parametrize("content", [b"", b"hush", b"\xff\xfe"], ids=str)
def test_what_is_no_certificate_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    (line,) = mistakes(tmp_path)
    assert line.endswith("holds something else. Allowed: certificates as PEM only, from BEGIN to END CERTIFICATE.")
    assert "hush" not in line


def test_a_private_key_beside_its_certificate_is_refused(tmp_path: Path) -> None:
    path = self_signed(tmp_path)
    assert "PRIVATE KEY" in path.read_text()
    assert len(mistakes(tmp_path, path.name)) == 1


def test_the_file_of_a_redis_is_judged_alike(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hush")
    (line,) = authority_mistakes([{"name": "shop", "redis": {"tls": True, "ca_file": "ca.pem"}}], str(tmp_path))
    assert line.startswith("crowsnest_apps[0] (shop).redis.ca_file: 'ca.pem' holds something else.")
