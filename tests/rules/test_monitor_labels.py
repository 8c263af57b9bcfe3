"""Which labels Prometheus gives to the series of Uptime Kuma's monitors, by the relabelling that crowsnest writes."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml
from contexts import context_of
from programs import answering, running, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import (
    app_monitors,
    series_labels,
)

# Characters with a meaning in an expression or in what replaces it.
COMPONENTS = ["database", "a|b", "(x)", "cache.1", "$1", "$$", "결제"]
APPS: list[dict[str, Any]] = [
    {
        "name": "shop",
        "host": "web2",
        "url": "https://shop.example.com/",
        "health": {"basic": "/health/", "detailed": "/health/detailed/", "components": COMPONENTS},
        "tcp": {"database": "127.0.0.1:5432", "queue": "127.0.0.1:5672"},
        "jobs": [{"name": "nightly-backup", "every": "1d"}],
    },
    {"name": "shop-eu", "url": "https://eu.example.com/"},
    {"name": "idle", "metrics": [":9000"]},
]
# Not made by crowsnest, or by a declaration of the past.
STRANGERS = [
    "Payment partner",
    "Alerting path: heartbeat",
    "idle",
    "shop: websites",
    "shop: queue",
    "shop: cache-1",
    "shop-eu: health",
    "My shop: website",
    "blog: website",
]
PLACES = ("app", "host", "probe")


def kuma(names: list[str]) -> type[BaseHTTPRequestHandler]:
    """A page with the state of monitors of these names."""
    page = "".join(f'monitor_status{{monitor_name="{name}",monitor_type="http"}} 1\n' for name in names).encode()

    class Kuma(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *words: Any) -> None:
            pass

    return Kuma


def config(port: int) -> dict[str, Any]:
    """prometheus.yml with the job of Uptime Kuma only, which asks this port without its key."""
    whole = prometheus_config(context_of({"scrape_interval": "1s", "apps": APPS}, hosts=("web1", "web2")))
    (job,) = (job for job in whole["scrape_configs"] if job["job_name"] == "uptime_kuma")
    labels = job["static_configs"][0]["labels"]
    job |= {"scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}]}
    return {"global": whole["global"], "scrape_configs": [{name: job[name] for name in job if name != "basic_auth"}]}


def series(names: list[str], folder: Path) -> dict[str, dict[str, str]]:
    """{name of a monitor: its labels `app`, `host` and `probe` in a real Prometheus}."""
    with answering(kuma(names)) as port:
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config(port)))
        words = "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data"
        with running("prometheus", folder, *words) as url:

            def ask() -> list[dict[str, Any]]:
                query = urllib.parse.urlencode({"query": "monitor_status"})
                with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=30) as answer:  # noqa: S310 - loopback
                    return list(json.load(answer)["data"]["result"])

            found = [row["metric"] for row in until(ask, 30)]
    return {it["monitor_name"]: {name: it[name] for name in PLACES if name in it} for it in found}


def test_monitors_of_an_app_have_its_labels_and_no_others_have_them(tmp_path: Path) -> None:
    apps = [App.model_validate(app) for app in APPS]
    ours = [monitor["name"] for app in apps for monitor in app_monitors(app)]
    found = series([*ours, *STRANGERS], tmp_path)
    assert {name: found[name] for name in ours} == {
        name: {"host": "web1", **labels} for name, labels in series_labels(apps).items()
    }
    assert {name: found[name] for name in STRANGERS} == {name: {"host": "web1"} for name in STRANGERS}
    assert found["shop: database port"] == {"app": "shop", "host": "web2", "probe": "database"}
    assert found["shop: job nightly-backup"] == {"app": "shop", "host": "web2"}
    assert found["shop-eu: website"] == {"app": "shop-eu", "host": "web1", "probe": "url"}
    assert {found[f"shop: {name}"]["probe"] for name in COMPONENTS} == set(COMPONENTS)
