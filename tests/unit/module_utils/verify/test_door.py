# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the public names of the pages answer, as lines of a verification. With a real Caddy: tests/real/test_proxy.py"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.verify.door import Told, door_checks, judged
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Door

ROOT, ALERTS, GRAFANA = "watch.example.com", "alerts.watch.example.com", "grafana.watch.example.com"
GUARDED, OPEN = Told(ours=True, status=200, page=401), Told(ours=True, status=200, page=302)
WELL: dict[str, Told | Exception] = {ROOT: GUARDED, ALERTS: GUARDED, GRAFANA: OPEN}


def lines(behind: bool = False, soon: bool = False, **answers: Told | Exception) -> list[tuple[str, str, str]]:
    door: Door = {"names": {ROOT: True, ALERTS: True, GRAFANA: False}, "behind": behind, "authority": ""}
    found: Mapping[str, Told | Exception] = {**WELL, **{name + f".{ROOT}": it for name, it in answers.items()}}
    return [(check.status, check.detail, check.advice) for check in judged(door, found, soon=soon)]


def test_all_is_well() -> None:
    assert lines() == [("PASS", "3 of 3 answer at https://watch.example.com/ and below", "")]


def test_a_page_that_anybody_can_read_is_a_fault() -> None:
    (status, detail, _), passed = lines(alerts=Told(ours=True, status=200, page=200))
    assert (status, detail) == ("FAIL", "https://alerts.watch.example.com/ can be read without a login (HTTP 200)")
    assert passed[1].startswith("2 of 3")


def certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("answer", "behind", "why", "advice"),
    [
        (socket.gaierror(-2, "Name or service not known"), False, "have no address in the DNS", f"records .* *.{ROOT}"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            False,
            "do not answer at port 443 (Connection refused)",
            "Lightsail",
        ),
        (TimeoutError("timed out"), True, "do not answer at port 443 (nothing within 5 s)", "firewall"),
        (certificate(), True, "have no valid certificate (certificate has expired)", "Give your proxy a certificate"),
        (certificate(), False, "have no valid certificate (certificate has expired)", "logs"),
        (ssl.SSLError(1, "x"), False, "have no valid certificate (x)", "logs"),
        (Told(ours=False, status=502, page=502), True, "are not handed on (HTTP 502)", "does not reach crowsnest's"),
        (Told(ours=False, status=404, page=404), True, "are answered by something else (HTTP 404)", "block is missing"),
        (
            Told(ours=False, status=200, page=200),
            False,
            "are answered by something else (HTTP 200)",
            "Another web server",
        ),
    ],
)
def test_what_is_missing_on_the_way_is_said(answer: Told | Exception, behind: bool, why: str, advice: str) -> None:
    (status, detail, said), _ = lines(behind=behind, grafana=answer)
    assert (status, detail) == ("WARN", f"https://{GRAFANA}/ {why}")
    assert all(word in said for word in advice.split(" .* "))


def test_a_first_certificate_is_waited_for() -> None:
    door: Door = {"names": {ROOT: True}, "behind": False, "authority": ""}
    assert [judged(door, {ROOT: ssl.SSLError(1, "x")}, soon=soon)[0].soon for soon in (True, False)] == [True, False]


def test_without_a_door_nothing_is_said() -> None:
    assert door_checks({"names": {}, "behind": False, "authority": ""}, 0) == []
