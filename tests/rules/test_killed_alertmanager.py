"""What Alertmanager tells again after SIGKILL, as when the host loses its power: what it had not written down."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from generated import alertmanager, hurry, write
from posted import posted
from programs import until

ALERT = {
    "labels": {"alertname": "AppDown", "severity": "critical", "app": "shop", "host": "web1"},
    "annotations": {"summary": "shop is down"},
}


@pytest.mark.parametrize("written", [True, False])
def test_an_end_is_told_again_only_where_it_was_not_written_down(tmp_path: Path, written: bool) -> None:
    def look() -> Path:
        time.sleep(2)  # it writes every second
        return shutil.copytree(folder / "data", tmp_path / f"killed{len(discord.bodies)}")

    with posted() as discord:
        receiver = {"type": "discord", "webhook_url": f"{discord.url}/api/webhooks/1/x"}
        folder = write(tmp_path, {"receivers": [receiver]})
        hurry(folder)
        words = ["--data.maintenance-interval=1s"]
        with alertmanager(folder, words=words) as running:
            running.post([ALERT])
            until(lambda: len(discord.bodies) == 1, 20)
            left = look()
            over = {**ALERT, "endsAt": datetime.now(UTC).isoformat()}
            running.post([over])
            until(lambda: len(discord.bodies) == 2, 20)
            left = look() if written else left
        shutil.rmtree(folder / "data")
        left.rename(folder / "data")
        with alertmanager(folder, words=words) as running:
            running.post([over])  # as Prometheus does for 15 minutes
            if not written:
                until(lambda: len(discord.bodies) == 3, 20)
            time.sleep(4)
            assert len(discord.bodies) == (2 if written else 3)
