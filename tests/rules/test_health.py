"""A detailed health answer is understood in one way: by the real blackbox exporter, and by the JSONata of Uptime Kuma.

Each case is an answer and what it says of a component: up, down, or unknown where nobody can tell.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jsonata
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import answering, running

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import health
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import (
    Probe,
    blackbox_config,
    probes,
)

COMPONENTS = ("database", "Cache-1", "status", "info", "details", "postgres:connections", "결제")
DOES_NOT_MATTER = "redis"

Form = Callable[[str, Any], Any]


def _entry(name: str, status: Any) -> dict[str, Any]:
    return {"service": name, "status": status, "responseTime": 1.2}


# Where frameworks write that a component has a status; another component is always there, and well.
FORMS: dict[str, Form] = {
    "services": lambda name, status: {
        "status": "ok",
        "services": {name: {"status": status, "response_time_ms": 1.2}, DOES_NOT_MATTER: {"status": "ok"}},
    },
    "a list of services": lambda name, status: {
        "status": "ok",
        "services": [_entry("redis", "ok"), _entry(name, status)],
    },
    "a list of one service": lambda name, status: {"services": [_entry(name, status)]},
    "a list of checks with names (Quarkus)": lambda name, status: {
        "status": "UP",
        "checks": [{"name": name, "status": status, "data": {"status": "x"}}, {"name": "redis", "status": "UP"}],
    },
    "the top": lambda name, status: {name: {"status": status}, "redis": {"status": "ok"}, "uptime": 17, "at": None},
    "a list at the top": lambda name, status: [{"component": name, "status": status}, {"component": "redis"}],
    "terminus": lambda name, status: {
        "status": "error",
        "info": {"redis": {"status": "up"}},
        "error": {name: {"status": status, "message": "refused"}},
        "details": {"redis": {"status": "up"}, name: {"status": status, "message": "refused"}},
    },
    "Spring Boot": lambda name, status: {
        "status": "UP",
        "components": {
            name: {"status": status, "details": {"database": "PostgreSQL", "validationQuery": "isValid()"}},
            "redis": {"status": "UP", "details": {"version": "7"}},
        },
        "groups": ["liveness"],
    },
    "ASP.NET": lambda name, status: {"Status": "Healthy", "Entries": {name: {"Status": status, "Tags": []}}},
    "plain words below services": lambda name, status: {"services": {name: status, "redis": "ok"}},
    "plain words at the top": lambda name, status: {name: status, "redis": "ok"},
}
# What stands as the status: what it says of the component.
STATUSES: dict[str, tuple[Any, ...]] = {
    "up": ("healthy", "UP", "Ok", "passing", True),
    "down": ("down", "UNHEALTHY", "Degraded", "error", False),
    "unknown": ("", "fine, thanks", "okidoki", "not ok", " up", 1, 0, 200, None),
}


def cases() -> Iterator[tuple[str, str, Any, str]]:
    """(name of the case, component that is asked for, answer, what it says)."""
    for form, make in FORMS.items():
        for component in COMPONENTS:
            # The status of everything, and not of a component that happens to have this name.
            said = "unknown" if component == "status" and form.startswith("plain") else ""
            yield f"{form}, {component}, well", component, make(component, "ok"), said or "up"
            yield f"{form}, {component}, sick", component, make(component, "down"), said or "down"
            yield f"{form}, {component} missing", component, make("mail", "ok"), "unknown"
            yield f"{form}, {component} in capitals", component, make(component.upper(), "OK"), said or "up"
            yield f"{form}, {component} as a part of a name", component, make(f"{component}-2", "down"), "unknown"
        for expected, statuses in STATUSES.items():
            for status in statuses:
                yield f"{form}, status {status!r}", "database", make("database", status), expected
    yield from others()


def others() -> Iterator[tuple[str, str, Any, str]]:
    """Answers that are not of one of these forms, or of two at once."""
    sick, well = {"status": "down"}, {"status": "ok"}
    for name, answer, expected in (
        ("the status of all only", {"status": "down"}, "unknown"),
        ("a status that is a mapping", {"database": {"status": {"code": "down"}}}, "unknown"),
        ("a status in a list", {"database": {"status": ["down"]}}, "unknown"),
        ("a component without a status", {"services": {"database": {"error": "refused"}}}, "unknown"),
        ("a component that is null", {"services": {"database": None}}, "unknown"),
        ("a component that is a list", {"services": {"database": ["down"]}}, "unknown"),
        ("an unknown group", {"parts": {"database": sick}}, "unknown"),
        ("a group that is a text", {"services": "database"}, "unknown"),
        ("a list of texts", {"services": ["database", 1, None, ["database"]]}, "unknown"),
        ("an entry whose name is a number", {"services": [{"name": 1, "status": "down"}]}, "unknown"),
        ("sick in one place", {"info": {"database": well}, "details": {"database": sick}}, "down"),
        ("sick in one entry", {"services": [{"name": "database", **well}, {"name": "database", **sick}]}, "down"),
        ("sick in one spelling", {"Database": well, "database": sick}, "down"),
        ("well in two places", {"info": {"database": well}, "details": {"database": well}}, "up"),
        ("both lists", {"services": [{"name": "database", **well}], "checks": [{"name": "database", **well}]}, "up"),
        ("well and a word nobody knows", {"services": {"database": well}, "checks": {"database": "?"}}, "up"),
        ("deeper than anybody looks", {"data": {"services": {"database": sick}}}, "unknown"),
        ("empty", {}, "unknown"),
        ("an empty list", [], "unknown"),
        ("a text", "down", "unknown"),
        ("true", True, "unknown"),
        ("null", None, "unknown"),
    ):
        yield name, "database", answer, expected


CASES = {name: (component, json.dumps(answer), expected) for name, component, answer, expected in cases()}
CASES["the status of all is no component"] = ("status", '{"status": "down", "services": {"redis": "ok"}}', "unknown")
CASES["not JSON"] = ("database", "database: down", "unknown")
CASES["a page"] = ("database", "<html><title>Sign in</title>down</html>", "unknown")
CASES["cut off"] = ("database", '{"database": {"status": "down"}', "unknown")
CASES["no content"] = ("database", "", "unknown")


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., bool]]:
    """Asks blackbox exporter whether a module succeeds with this answer."""
    answer: dict[str, Any] = {}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer["body"].encode()
            self.send_response(answer["status"])
            self.send_header("Content-Type", answer.get("type", "application/json"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    modules: dict[str, Any] = {f"component {name}": health.component_judged(name) for name in COMPONENTS}
    modules |= {f"answer {name}": health.answer_judged([name]) for name in COMPONENTS}
    modules["component redis"] = health.component_judged("redis")
    modules["answer of two"] = health.answer_judged(["database", "redis"])
    config = {"modules": {name: {"prober": "http", "timeout": "5s", "http": it} for name, it in modules.items()}}
    folder = tmp_path_factory.mktemp("blackbox")
    (folder / "blackbox.yml").write_text(yaml.safe_dump(config))
    with answering(Answer) as port, running("blackbox_exporter", folder, "--config.file=blackbox.yml") as url:

        def ask(module: str, body: str, status: int = 200) -> bool:
            answer.update(body=body, status=status)
            words = urllib.parse.urlencode({"module": module, "target": f"http://127.0.0.1:{port}/"})
            with urllib.request.urlopen(f"{url}/probe?{words}", timeout=30) as page:  # noqa: S310 - loopback
                (value,) = re.findall(r"(?m)^probe_success ([01])$", page.read().decode())
            return bool(int(value))

        yield ask


def told_by_blackbox(probe: Callable[..., bool], component: str, body: str, status: int = 200) -> str:
    """What the rules make of the probes: one of a component counts while the answer can be read."""
    if not probe(f"answer {component}", body, status):
        return "unknown"
    return "up" if probe(f"component {component}", body, status) else "down"


def told_by_kuma(monitor: Mapping[str, Any], body: str) -> str:
    """As evaluateJsonQuery of Uptime Kuma 2 does: a text that is not JSON is judged as a text.

    https://github.com/louislam/uptime-kuma/blob/master/src/util.ts
    """
    try:
        answer = json.loads(body)
    except ValueError:
        answer = body
    return str(jsonata.Jsonata(monitor["jsonPath"]).evaluate(answer))


@pytest.mark.parametrize("name", CASES)
def test_both_programs_understand_an_answer_in_the_same_way(probe: Callable[..., bool], name: str) -> None:
    component, body, expected = CASES[name]
    monitor = health.component_in_kuma(component)
    assert (told_by_blackbox(probe, component, body), told_by_kuma(monitor, body)) == (expected, expected)


def test_each_component_has_its_state_and_time_in_every_form(tmp_path: Path) -> None:
    """As the exporter is configured for apps whose database is down; the time is that of the request."""
    said = {f"/{number}": json.dumps(make("database", "DOWN")).encode() for number, make in enumerate(FORMS.values())}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.03)
            self.send_response(503)
            self.end_headers()
            self.wfile.write(said[self.path])

        def log_message(self, *words: Any) -> None:
            pass

    with answering(Answer) as port:
        apps = [
            App.model_validate(
                {
                    "name": f"form{path[1:]}",
                    "health": {"detailed": f"http://127.0.0.1:{port}{path}", "components": ["Database", "redis"]},
                }
            )
            for path in said
        ]
        (tmp_path / "blackbox.yml").write_text(yaml.safe_dump(blackbox_config(apps)))
        with running("blackbox_exporter", tmp_path, "--config.file=blackbox.yml") as url:
            found = {(app.name, each.name): probed(url, each) for app in apps for each in probes(app)}
    assert [where for where, numbers in found.items() if numbers["probe_duration_seconds"] < 0.03] == []
    states = {where: numbers["probe_success"] for where, numbers in found.items() if where[1] != "answer"}
    assert states == {where: float(where[1] == "redis") for where in states} and len(states) == 2 * len(FORMS)


def probed(url: str, each: Probe) -> dict[str, float]:
    words = urllib.parse.urlencode({"module": each.module, "target": each.url})
    with urllib.request.urlopen(f"{url}/probe?{words}", timeout=30) as page:  # noqa: S310 - loopback
        return {name: float(value) for name, value in re.findall(r"(?m)^(probe_\w+) (\S+)$", page.read().decode())}


@pytest.mark.parametrize("status", [200, 500, 503])
def test_the_page_may_fail_because_of_a_component(probe: Callable[..., bool], status: int) -> None:
    body = json.dumps(FORMS["terminus"]("database", "down"))
    assert told_by_blackbox(probe, "database", body, status) == "down"
    assert probe("component database", json.dumps(FORMS["terminus"]("database", "up")), status)


@pytest.mark.parametrize("status", [401, 404, 502])
def test_an_error_of_somebody_else_is_no_answer(probe: Callable[..., bool], status: int) -> None:
    assert told_by_blackbox(probe, "database", '{"database": "down"}', status) == "unknown"


@pytest.mark.parametrize("missing", ["database", "redis"])
def test_an_answer_has_to_tell_of_every_component(probe: Callable[..., bool], missing: str) -> None:
    said = {"database": "down", "redis": "ok"}
    assert probe("answer of two", json.dumps(said))
    assert not probe("answer of two", json.dumps({name: it for name, it in said.items() if name != missing}))


def test_what_is_said_of_one_component_counts_whatever_is_said_of_another(probe: Callable[..., bool]) -> None:
    body = json.dumps({"database": "down", "redis": "starting"})
    assert (probe("component database", body), probe("component redis", body)) == (False, True)
    assert not probe("answer of two", body)


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "", "{", "\ufeff{}"])
def test_when_an_answer_cannot_be_read_everything_fails(probe: Callable[..., bool], body: str) -> None:
    assert not any(probe(module, body) for module in ("component database", "component redis", "answer of two"))


def test_kuma_is_down_on_the_word_down_and_where_blackbox_takes_no_answer() -> None:
    monitor = health.component_in_kuma("database")
    assert (monitor["type"], monitor["jsonPathOperator"], monitor["expectedValue"]) == ("json-query", "!=", "down")
    assert monitor["accepted_statuscodes"] == ["200", "500", "503"]


def test_no_word_means_both() -> None:
    assert not set(health.WELL) & set(health.SICK)
    assert [
        word for word in (*health.WELL, *health.SICK, *health.GROUPS, *health.NAME_KEYS) if word != word.lower()
    ] == []


RUNBOOK = (Path(__file__).resolve().parents[2] / "docs/runbooks/ProbeAnswerNotUnderstood.md").read_text()


@pytest.mark.parametrize("answer", re.findall(r"(?m)^\{.+\}$", RUNBOOK))
def test_the_forms_that_the_runbook_shows_are_understood(probe: Callable[..., bool], answer: str) -> None:
    assert told_by_blackbox(probe, "database", answer) == "up"
    assert told_by_kuma(health.component_in_kuma("database"), answer) == "up"


def test_the_runbook_lists_the_words_that_are_understood() -> None:
    well, sick = (re.findall(r"`(\w+)`", part) for part in RUNBOOK.split("- Healthy:")[1].split("- Unhealthy:"))
    assert (well, sick[: len(health.SICK)]) == (list(health.WELL), list(health.SICK))
    assert set(health.GROUPS) | set(health.NAME_KEYS) <= set(re.findall(r"`(\w+)`", RUNBOOK.split("- Healthy:")[0]))


WORDS = st.sampled_from(
    ["database", "Database", "services", "info", "status", "name", "service", "x", "ok", "DOWN", ""]
)
LEAVES = st.one_of(WORDS, st.booleans(), st.none(), st.integers(-1, 2), st.text(max_size=3))
ANSWERS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWERS, component=st.sampled_from(["database", "status", "info"]))
def test_they_agree_on_whatever_an_app_answers(probe: Callable[..., bool], answer: Any, component: str) -> None:
    body = json.dumps(answer)
    assert told_by_blackbox(probe, component, body) == told_by_kuma(health.component_in_kuma(component), body)
