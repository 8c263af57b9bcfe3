# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""With a real Alertmanager."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crowsnest_backup import silences
from crowsnest_backup.errors import BackupError
from programs import free_port, running, until

CONFIGURATION = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
NOW = datetime.now(UTC)


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """The URL of one that keeps its silences in this folder."""
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(CONFIGURATION)
    words = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with running("alertmanager", folder, *words) as url:
        yield url


def asked(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


def silence(app: str, starts: timedelta, ends: timedelta) -> dict[str, Any]:
    return {
        "matchers": [
            {"name": "app", "value": app, "isRegex": False, "isEqual": True},
            {"name": "alertname", "value": "Slow|Down", "isRegex": True, "isEqual": True},
        ],
        "startsAt": (NOW + starts).isoformat(),
        "endsAt": (NOW + ends).isoformat(),
        "createdBy": "김영희",
        "comment": 'planned "work" 계획된 작업',
    }


def suppressed(url: str, app: str) -> bool:
    """Whether an alert of this app is held back."""
    asked(url, "/api/v2/alerts", [{"labels": {"app": app, "alertname": "Down"}}])
    (alert,) = until(lambda: asked(url, f'/api/v2/alerts?filter=app="{app}"'), 10)
    return bool(alert["status"]["silencedBy"])


def test_lost_silences_are_in_force_again(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    with alertmanager(tmp_path / "first") as url:
        asked(url, "/api/v2/silences", silence("shop", -hour, hour))
        asked(url, "/api/v2/silences", silence("later", hour, 2 * hour))
        asked(url, "/api/v2/silences", silence("short", -hour, 2 * hour))
        ended = asked(url, "/api/v2/silences", silence("ended", -hour, hour))["silenceID"]
        delete = urllib.request.Request(f"{url}/api/v2/silence/{ended}", method="DELETE")  # noqa: S310
        urllib.request.urlopen(delete, timeout=10).close()  # noqa: S310
        archived = json.loads(json.dumps(silences.read(url)))
        assert suppressed(url, "shop")
    assert len(archived) == 3  # the one that was ended by hand is left out
    assert not any({"id", "status", "updatedAt"} & set(each) for each in archived)

    with alertmanager(tmp_path / "second") as url:
        assert not suppressed(url, "shop")
        # As if the one of `short` had ended since.
        (short,) = [each for each in archived if "short" in json.dumps(each)]
        short["endsAt"] = (NOW - timedelta(minutes=1)).isoformat()
        lacking = silences.lacking(archived, silences.read(url), NOW)
        assert len(lacking) == 2
        for each in lacking:
            silences.post(url, each)
        until(lambda: suppressed(url, "shop"), 10)
        assert not suppressed(url, "later")
        assert not suppressed(url, "short")
        # A second restore finds them.
        assert silences.lacking(archived, silences.read(url), NOW) == []


def test_a_silence_that_differs_is_another_one(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    with alertmanager(tmp_path / "one") as url:
        asked(url, "/api/v2/silences", silence("shop", -hour, hour))
        present = silences.read(url)
        longer = silence("shop", -hour, 2 * hour)
        assert silences.lacking([longer, silence("web", -hour, hour), *present], present, NOW) == [
            longer,
            silence("web", -hour, hour),
        ]


def test_a_refusal_is_told_with_alertmanagers_reason(tmp_path: Path) -> None:
    with alertmanager(tmp_path / "one") as url, pytest.raises(BackupError, match=r"HTTP 4\d\d .*matchers"):
        silences.post(url, {**silence("shop", timedelta(), timedelta(hours=1)), "matchers": []})


def test_an_alertmanager_that_does_not_run_is_told() -> None:
    with pytest.raises(BackupError, match="Alertmanager does not answer"):
        silences.read(f"http://127.0.0.1:{free_port()}")
