"""What an alert says of a deploy of its app: asked of promtool, and of a real Prometheus up to the message.

promtool's clock begins at 0: minute 60 is 3600.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import yaml
from generated import alertmanager, hurry, prometheus, write
from programs import REPOSITORY, Tool, answering, free_port, tool, until
from smtp_catcher import relay

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import CHANGED, DEPLOYED

WEB, WORKER = ({"container": f"shop-{name}-1", "project": "shop", "service": name} for name in ("web", "worker"))
SOLO = {"container": "solo", "project": "", "service": ""}
CAMPAIGNS = {"name": "shop_campaigns", "labels": ["region"], "description": "x", "alert": {"below": 1, "for": "1s"}}
DECLARED: dict[str, Any] = {
    "apps": [
        {"name": "shop", "container": "shop-web-1", "metrics": [":8000"], "custom_metrics": [CAMPAIGNS]},
        {"name": "solo", "container": "solo", "metrics": [":8001"]},
        {"name": "plain", "metrics": [":8002"]},
        {"name": "far", "container": "far", "host": "web2", "metrics": [":8003"]},
    ]
}
BEGAN, ASKED = 60, 72


@pytest.fixture(scope="module")
def promtool() -> Tool:
    return tool("promtool")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{language: a folder with the rules}; of the texts of alerts only the one that is judged here is left."""
    found = {}
    for language in ("en", "ko"):
        folder = write(tmp_path_factory.mktemp(language), {**DECLARED, "language": language}) / "rules"
        for path in folder.glob("*.yml"):
            rules = yaml.safe_load(path.read_text())
            for rule in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
                rule["annotations"] = {k: v for k, v in rule["annotations"].items() if k == "deployed"}
            path.write_text(yaml.safe_dump(rules))
        found[language] = folder
    return found


def series(name: str, labels: Mapping[str, str], values: Mapping[float, float | str]) -> dict[str, str]:
    """A series with these values from these minutes on, until ASKED."""
    pairs = {"environment": "production", "host": "web1", "instance": "127.0.0.1:9100", "job": "node", **labels}
    words, value = [], "_"
    for minute in range(ASKED + 1):
        value = str(values.get(minute, "_" if value == "stale" else value))
        words.append(value)
    selector = ", ".join(f"{key}={json.dumps(text, ensure_ascii=False)}" for key, text in pairs.items())
    return {"series": f"{name}{{{selector}}}", "values": " ".join(words)}


def down(app: str, since: int = BEGAN) -> dict[str, str]:
    return series("up", {"job": "app", "app": app, "instance": f"{app}:8000"}, {0: 1, since: 0})


def runs(container: Mapping[str, str], values: Mapping[float, float | str] | None = None) -> dict[str, str]:
    return series("container_running", container, values or {0: 1})


def changed(container: Mapping[str, str], minute: float, image: str = "x", **more: Any) -> dict[str, str]:
    """The image changed at this minute, which is known from the next one on."""
    return series(
        CHANGED,
        {**container, "image": image, **more},
        {int(minute) + 1: minute * 60},
    )


def judged(app: str, says: str | None, **labels: str) -> dict[str, Any]:
    """An alert on the app that promtool shall see, with this annotation; None: without it."""
    always = {"app": app, "severity": "critical", "environment": "production", "host": "web1"}
    return {"exp_labels": {**always, **labels}, "exp_annotations": {} if says is None else {"deployed": says}}


def judge(promtool: Tool, folder: Path, given: list[dict[str, str]], *expected: dict[str, Any]) -> None:
    """Fails unless these are the alerts AppDown at minute ASKED."""
    case = {"alertname": "AppDown", "eval_time": f"{ASKED}m", "exp_alerts": list(expected)}
    promised(promtool, folder, given, case)


def promised(promtool: Tool, folder: Path, given: list[dict[str, str]], case: dict[str, Any], *files: str) -> None:
    """Fails unless promtool sees the case, in files with rules beside those on containers."""
    test = {"interval": "1m", "input_series": given, "alert_rule_test": [case]}
    whole = {"rule_files": ["containers.yml", *(files or ["app.yml"])], "tests": [test]}
    (folder / "case.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True))
    done = promtool(folder, "test", "rules", "case.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


# What containers export, and what AppDown of shop, which began at minute 60, says at minute 72.
BOTH = [runs(WEB), runs(WORKER)]
CASES: dict[str, tuple[list[dict[str, str]], str]] = {
    "nothing is known of images": (BOTH, ""),
    "four minutes before": ([*BOTH, changed(WEB, 56)], "image of web changed 4 min before the fault began"),
    "almost an hour before": ([*BOTH, changed(WEB, 0.5)], "image of web changed 59 min before the fault began"),
    "an hour before": ([*BOTH, changed(WEB, 0)], ""),
    "half a minute before": ([*BOTH, changed(WEB, 59.5)], "image of web changed about when the fault began"),
    "the old container stopped first": (
        [*BOTH, changed(WEB, 61.5)],
        "image of web changed about when the fault began",
    ),
    "after it began": ([*BOTH, changed(WEB, 65)], ""),
    "the newest of two": (
        [*BOTH, changed(WEB, 50), changed(WORKER, 57)],
        "image of worker changed 3 min before the fault began",
    ),
    "made anew with a third one soon after": (
        [*BOTH, series(CHANGED, {**WEB, "image": "x"}, {57: 56 * 60, 63: 62.5 * 60})],
        "image of web changed 4 min before the fault began",
    ),
    "one before and one after": (
        [*BOTH, changed(WEB, 50), changed(WORKER, 66)],
        "image of web changed 10 min before the fault began",
    ),
    "mended by a deploy": (
        [*BOTH, series(CHANGED, {**WEB, "image": "x"}, {57: 56 * 60, 68: 67 * 60})],
        "image of web changed 4 min before the fault began",
    ),
    "mended by another tag": (
        [*BOTH, series(CHANGED, {**WEB, "image": "1"}, {57: 56 * 60, 68: "stale"}), changed(WEB, 67, "2")],
        "image of web changed 4 min before the fault began",
    ),
    "two replicas": (
        [*BOTH, changed(WEB, 56), changed({**WEB, "container": "shop-web-2"}, 56)],
        "image of web changed 4 min before the fault began",
    ),
    "the declared container is gone meanwhile": (
        [runs(WEB, {0: 1, 55: "stale"}), runs(WORKER), changed(WORKER, 56)],
        "image of worker changed 4 min before the fault began",
    ),
    "of another project": ([*BOTH, changed({**WEB, "container": "blog-web-1", "project": "blog"}, 56)], ""),
    "on another host": ([*BOTH, changed({**WEB, "container": "shop-web-2", "host": "web2"}, 56)], ""),
    "only started again": (
        [*BOTH, series("container_start_time_seconds", WEB, {57: 56 * 60})],
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_alert_tells_the_last_deploy_before_it_began(promtool: Tool, folders: dict[str, Path], name: str) -> None:
    given, says = CASES[name]
    judge(promtool, folders["en"], [down("shop"), *given], judged("shop", says))


KOREAN = {56: "web 이미지 변경(이상 시작 4분 전)", 60: "web 이미지 변경(이상 시작과 거의 동시)", 65: ""}


@pytest.mark.parametrize("minute", KOREAN)
def test_in_korean(promtool: Tool, folders: dict[str, Path], minute: int) -> None:
    judge(promtool, folders["ko"], [down("shop"), *BOTH, changed(WEB, minute)], judged("shop", KOREAN[minute]))


def test_a_container_without_a_project_is_named_and_an_app_without_known_containers_says_nothing(
    promtool: Tool, folders: dict[str, Path]
) -> None:
    """Those of an app on another host than the server are not known."""
    given = [*map(down, ("solo", "plain", "far")), runs(SOLO), changed(SOLO, 56)]
    given.append(changed({**SOLO, "container": "plain"}, 57))
    solo = judged("solo", "image of solo changed 4 min before the fault began")
    judge(promtool, folders["en"], given, solo, judged("plain", None), judged("far", None))


def test_each_alert_has_its_own_beginning_whatever_its_labels_hold(promtool: Tool, folders: dict[str, Path]) -> None:
    """Of one rule, on the same app: one began long before the deploy, the other after it."""
    regions = {'a"b\\c %d 서울 {{ x }}': 5, "busan": BEGAN}
    given = [
        series("shop_campaigns", {"job": "app", "app": "shop", "region": region}, {0: 1, since: 0})
        for region, since in regions.items()
    ]
    mine = {"severity": "medium", "metric": "shop_campaigns"}
    says = ["", "image of web changed 4 min before the fault began"]
    expected = [judged("shop", text, **mine, region=region) for region, text in zip(regions, says, strict=True)]
    case = {"alertname": "AppMetricOutOfRange", "eval_time": f"{ASKED}m", "exp_alerts": expected}
    promised(promtool, folders["en"], [*given, *BOTH, changed(WEB, 56)], case, "custom.yml")


def test_at_its_first_evaluation_an_alert_begins(promtool: Tool, folders: dict[str, Path]) -> None:
    """ALERTS_FOR_STATE has no sample of it yet. Without a `for`, it fires at once."""
    text = (folders["en"] / "app.yml").read_text()
    (folders["en"] / "now.yml").write_text(re.sub(r"for: \w+", "for: 0s", text))
    expected = [judged("shop", "image of web changed 4 min before the fault began")]
    case = {"alertname": "AppDown", "eval_time": f"{BEGAN}m", "exp_alerts": expected}
    promised(promtool, folders["en"], [down("shop"), *BOTH, changed(WEB, 56)], case, "now.yml")


# --- up to the message ------------------------------------------------------------------------------------------------


def load() -> ModuleType:
    path = REPOSITORY / "files/container_metrics/container_metrics.py"
    spec = importlib.util.spec_from_file_location("container_metrics", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


program = load()


class Server:
    """The metrics of the containers and of the app shop, which may be down."""

    def __init__(self) -> None:
        self.up, self.text = True, ""

    def container(self, changed: float) -> None:
        """From now on the image of web changed at this Unix time; 0: it never did. The file is the program's own."""
        seen = program.Seen("sha256:1", time.time(), changed or None)
        samples = [(WEB, {"container_running": 1}), ({**WEB, "image": "쇼핑"}, {CHANGED: changed} if changed else {})]
        self.text = program.exposition(samples, {("shop", "web", ""): seen})


@contextmanager
def exporting() -> Iterator[tuple[Server, int]]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            down = self.path == "/shop" and not server.up
            self.send_response(500 if down else 200)
            self.end_headers()
            self.wfile.write(b"" if self.path == "/shop" else server.text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with answering(Handler) as port:
        yield server, port


# Seconds before the app goes down that the image changed, and what the mails say; 0: never.
STORIES: dict[str, tuple[str, float, str]] = {
    "a deploy before": ("en", 245, "Deployed: image of web changed 4 min before the fault began\n"),
    "배포 후": ("ko", 245, "배포: web 이미지 변경(이상 시작 4분 전)\n"),
    "none before": ("en", 0, ""),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_message_and_the_one_that_it_is_over_tell_the_same_deploy(tmp_path: Path, name: str) -> None:
    """A deploy while it fires mends the app: it is no cause, and neither message tells it."""
    language, before, line = STORIES[name]
    alerts = free_port()
    with relay() as mails, exporting() as (server, port):
        app = {"name": "shop", "container": "shop-web-1", "metrics": [f"127.0.0.1:{port}/shop"]}
        mail = {"type": "email", "to": ["a@example.com"], "sender": "a@example.com", "smarthost": mails.address}
        declared = {
            "apps": [{**app, "thresholds": {"down_for": "5s"}}],
            "receivers": [{**mail, "require_tls": False}],
            "language": language,
            "scrape_interval": "1s",
            "ports": {"alertmanager": alerts, "node_exporter": port},
        }
        write(tmp_path, declared)
        hurry(tmp_path)
        rules = tmp_path / "rules/app.yml"
        rules.write_text(rules.read_text().replace("keep_firing_for: 2m", "keep_firing_for: 1s"))
        server.container(0)

        def told(count: int) -> list[str]:
            texts = [str(mail.get_body().get_content()).replace("\r\n", "\n") for mail in list(mails.messages)]
            found = [text for text in texts if "AppDown" in text]
            return found if len(found) >= count else []

        with alertmanager(tmp_path, alerts), prometheus(tmp_path) as url:
            until(lambda: asked(url, 'up{app="shop"} == 1 and on () container_running'), 60)
            if before:
                server.container(time.time() - before)
                until(lambda: asked(url, DEPLOYED), 30)
            server.up = False
            until(lambda: told(1), 90)
            server.container(time.time() + 150)  # as if it were so much later
            until(lambda: asked(url, f"{DEPLOYED} > time()"), 30)
            server.up = True
            until(lambda: told(2), 90)
        assert [re.findall("(?:Deployed|배포): .*\n", text) for text in told(2)] == [[line] if line else []] * 2


def asked(url: str, expr: str) -> Any:
    return requests.get(f"{url}/api/v1/query", params={"query": expr}, timeout=10).json()["data"]["result"]
