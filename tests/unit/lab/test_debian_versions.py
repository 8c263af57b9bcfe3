# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""On which suite an image is built, so that the laboratory runs the major versions that production runs."""

import re
from pathlib import Path

import pytest
import yaml
from lab import apt_sources, debian_versions
from lab.debian_versions import Program
from lab.progress import LabError

PROMETHEUS = Program("prometheus", (3, 5))
LINE = " prometheus | {} | http://mirror.example/debian {}/main amd64 Packages\n"
IMAGES = Path(__file__).resolve().parents[3] / "files" / "images.yml"


def madison(**versions: str) -> str:
    """Lines as `apt-cache madison` writes them, the newest version first."""
    return "".join(LINE.format(version, suite) for suite, version in sorted(versions.items(), key=lambda it: it[1]))


CHOICES: list[tuple[dict[str, str], str]] = [
    ({"trixie": "2.53.3+ds1-2", "testing": "3.5.3+ds1-6", "sid": "3.5.3+ds1-6"}, "testing"),
    ({"trixie": "2.53.3+ds1-2", "testing": "3.5.3+ds1-6", "sid": "3.11.0-1"}, "sid"),
    ({"trixie": "3.5.3-1", "testing": "3.5.3-1", "sid": "3.5.3-1"}, "trixie"),
    ({"trixie": "2.53.3+ds1-2", "testing": "3.5-1", "sid": "4.0.0-1"}, "testing"),
    ({"trixie": "3.4.9-1", "sid": "1:3.10.0~rc.1-1"}, "sid"),
]


@pytest.mark.parametrize(("versions", "suite"), CHOICES)
def test_the_newest_version_of_the_major_wins_and_among_equals_the_steadiest_suite(
    versions: dict[str, str], suite: str
) -> None:
    assert debian_versions.newest(madison(**versions), PROMETHEUS) == suite


@pytest.mark.parametrize("versions", [{}, {"trixie": "2.53.3+ds1-2"}, {"trixie": "3.4.9-1", "sid": "4.0.0-1"}])
def test_an_older_or_another_major_is_refused_and_never_taken_instead(versions: dict[str, str]) -> None:
    with pytest.raises(
        LabError, match=r"has prometheus 3\.5 or a newer 3\.x.*the mirror has: .*sources\.list\.d"
    ) as caught:
        debian_versions.newest(madison(**versions), PROMETHEUS)
    for suite, version in versions.items():
        assert f"{re.split(r'[+-]', version)[0]} in {suite}" in str(caught.value)


def test_a_package_with_a_similar_name_is_another_one() -> None:
    assert (
        debian_versions.newest(
            madison(testing="3.5.3-1") + LINE.format("3.9.0-1", "sid").replace("prometheus |", "prometheus-x |"),
            PROMETHEUS,
        )
        == "testing"
    )


def test_the_oldest_version_taken_has_the_major_that_production_runs() -> None:
    pinned = yaml.safe_load(IMAGES.read_text(encoding="utf-8"))
    for name, program in debian_versions.PROGRAMS.items():
        major = re.search(r":v?(\d+)", pinned[name])
        assert major, pinned[name]
        assert program.at_least[0] == int(major[1]), name


def test_suites_that_are_not_released_have_no_further_archives() -> None:
    mirror = apt_sources.Mirror("http://m/debian", "http://m/security")
    assert mirror.lines("sid") == [("http://m/debian", "sid")]
    assert len(mirror.lines("trixie")) == 3
