"""crowsnest's own files, release after release, in a Grafana that knows a dashboard by its resolved path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contexts import context_of
from grafana_double import PASSWORD, SECOND, Double, running, upstream

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import make_release
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.service import GRAFANA

ROOT = next(path for path in Path(__file__).parents if (path / "roles").is_dir())
SHOP = {"name": "shop", "framework": "django", "metrics": [":8000"]}
BLOG = {"name": "blog", "framework": "generic", "metrics": [":9000"]}
SECRETS = {"secrets/admin_password": PASSWORD, "secrets/secret_key": "k" * 32}


def release(folder: Path, prometheus: str, **declared: Any) -> None:
    """Do what the role grafana does: `folder` stands for /etc/crowsnest in the container."""
    context = context_of(declared, secrets={"grafana_secret_key": "k" * 32}, total_mib=8000)
    replaced = {"/etc/crowsnest": str(folder), "http://127.0.0.1:9090": prometheus, "http_port = 3000": "http_port = 0"}
    files = service_files(context, "grafana")
    for old, new in replaced.items():
        files = {name: text.replace(old, new) for name, text in files.items()}
    apply(folder, make_release(files, SECRETS, "", "", "0640", "0750", GRAFANA.stable), 3, None)


def start(folder: Path) -> dict[str, str]:
    """The variables that its compose fragment sets, and the line for which the helper waits."""
    current = f"{folder}/current"
    return {
        "GF_PATHS_CONFIG": f"{current}/grafana.ini",
        "GF_PATHS_PROVISIONING": f"{current}/provisioning",
        "GF_LOG_FILTERS": "authn.service:info http.server:info",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "crowsnest"


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(SECOND)
    return True


def identities(double: Double) -> dict[str, int]:
    return {hit["uid"]: hit["id"] for hit in double.get("search?type=dash-db").json()}


def version(double: Double, uid: str) -> int:
    return int(double.get(f"dashboards/uid/{uid}").json()["dashboard"]["version"])


def test_a_start_with_our_files_complains_of_nothing(folder: Path) -> None:
    with upstream() as prometheus:
        release(folder, prometheus.url, apps=[SHOP])
        with running(folder.parent, **start(folder)) as double:
            assert sorted(identities(double)) == [
                *("alerts", "app-shop", "backups", "batch-jobs", "containers", "host", "overview", "stack", "uptime")
            ]
    (line,) = double.log().splitlines()
    assert "HTTP Server Listen" in line


def test_a_new_release_changes_dashboards_and_keeps_what_they_are(folder: Path) -> None:
    """Their ids stay, on which stars and annotations hang; nobody meets a page that is not there."""
    with upstream() as prometheus:
        release(folder, prometheus.url, apps=[SHOP, BLOG])
        with running(folder.parent, **start(folder)) as double:
            before, statuses, over = identities(double), set(), threading.Event()

            def visit() -> None:
                while not over.wait(SECOND / 2):
                    statuses.add(double.get("dashboards/uid/host").status_code)

            visitor = threading.Thread(target=visit)
            visitor.start()
            release(folder, prometheus.url, apps=[SHOP], timezone="Europe/Berlin")
            assert eventually(lambda: "app-blog" not in identities(double))
            assert eventually(lambda: version(double, "host") == 2)
            over.set()
            visitor.join()
            after = identities(double)
            assert after == {uid: number for uid, number in before.items() if uid != "app-blog"}
            assert statuses == {200}
            assert double.get("dashboards/uid/host").json()["dashboard"]["timezone"] == "Europe/Berlin"


def test_plugins_that_cannot_be_fetched_do_not_keep_grafana_from_starting(folder: Path) -> None:
    with upstream() as prometheus:
        release(folder, prometheus.url, grafana_plugins={"grafana-clock-panel": "2.1.8"})
        with running(folder.parent, **start(folder)) as double:
            assert "Failed to install plugin" in double.log()
            assert identities(double)


def test_a_locked_user_is_found_in_the_log_as_verify_says(folder: Path) -> None:
    with upstream() as prometheus:
        release(folder, prometheus.url)
        with running(folder.parent, **start(folder)) as double:
            stranger = Double(double.url, password="wrong")
            for _ in range(6):
                assert stranger.get("user").status_code == 401
            double.waits_for("temporarily blocked")


def test_the_double_has_the_version_of_the_image() -> None:
    settings = (ROOT / "molecule/lab/images/grafana/double/settings.py").read_text(encoding="utf-8")
    assert f'VERSION = "{images()["grafana"].partition(":")[2].partition("@")[0]}"' in settings
