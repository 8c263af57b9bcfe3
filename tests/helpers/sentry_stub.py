# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A stub of Sentry: the part of its API that crowsnest uses, and the endpoint that takes events, with their faults.

What an endpoint takes, answers and needs is recorded in sentry_api.json, of Sentry's published description. By itself:
`python sentry_stub.py PORT`; then `POST /stub` with a JSON object sets attributes of `Stub`, such as
`{"envelope": "429"}`, and `GET /stub` says what was asked.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("sentry_api.json").read_text())
ENDPOINTS: dict[str, Any] = RECORDED["endpoints"]
TOKEN = "sntryu_a-made-up-token"
SCOPES = ("org:read", "team:write", "project:read", "project:write", "alerts:read", "alerts:write", "event:read")
CREATED = "2026-11-28T12:00:00Z"
# What the endpoint for events may answer besides 200 (by RFC 9110 and https://develop.sentry.dev/sdk/expected-features/
# rate-limiting/); `lost`: 200, and the event is never there.
ENVELOPE_FAULTS = ("429", "413", "500", "hang", "lost")
Row = dict[str, Any]


class Reply(NamedTuple):
    """An answer to one request."""

    status: int
    content: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


class Stub:
    """What it holds. `replies` {endpoint: answers} are given first; `asked` are requests as (endpoint, path, body).

    `dropped` {id of a project: errors in this hour that were more than its quota}. `page`: rows of a page.
    `envelope`: "ok" or one of ENVELOPE_FAULTS. `visible_after`: seconds until an event can be asked for.
    `loses_detectors`: it accepts them and forgets them. `creator_joins`: a person's token
    makes that person a member of a new team. `seats`: of cron monitors; `check_ins`
    are (monitor, status, environment).
    """

    def __init__(self, url: str = "", organization: str = "acme") -> None:
        self.url, self.organization = url, organization
        self.scopes: list[str] = list(SCOPES)
        self.teams: list[Row] = []
        self.projects: list[Row] = []
        self.keys: list[Row] = []
        self.detectors: list[Row] = []
        self.workflows: list[Row] = []
        self.integrations: list[Row] = []
        self.monitors: list[Row] = []
        self.check_ins: list[tuple[str, str, str]] = []
        self.seats = 1
        self.environments: list[str] = []
        self.events: dict[str, tuple[float, Row]] = {}
        self.dropped: dict[str, int] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.replies: dict[str, list[Reply]] = {}
        self.page, self.envelope, self.visible_after = 100, "ok", 0.0
        self.loses_detectors = self.creator_joins = False
        self.over = Event()
        self.numbers = itertools.count(1001)
        self.lock = Lock()

    # --- what people do in its pages ---

    def install_slack(self, name: str = "Acme", status: str = "active") -> Row:
        number = self.number()
        provider = {"key": "slack", "slug": "slack", "name": "Slack"}
        row = {"id": number, "name": name, "domainName": f"{name.lower()}.slack.com", "provider": provider}
        self.integrations.append({**row, "status": "active", "organizationIntegrationStatus": status})
        return row

    def add_team(self, slug: str, members: int = 1) -> Row:
        row = {"id": self.number(), "slug": slug, "name": slug, "dateCreated": CREATED, "memberCount": members}
        self.teams.append(row)
        return row

    def add_project(self, slug: str, team: str, name: str = "", platform: str | None = None) -> Row:
        (found,) = [row for row in self.teams if row["slug"] == team]
        short = {name: found[name] for name in ("id", "slug", "name")}
        row = {"id": self.number(), "slug": slug, "name": name or slug, "platform": platform, "dateCreated": CREATED}
        row |= {"team": short, "teams": [short], "features": ["rate-limits"]}
        self.projects.append(row)
        for kind in ("error", "issue_stream"):
            detector = {"id": self.number(), "projectId": row["id"], "name": kind, "type": kind, "enabled": True}
            self.detectors.append({**detector, "workflowIds": []})
        self.add_key(row, "Default")
        return row

    def add_key(self, project: Row, name: str) -> Row:
        public = f"{int(self.number()):032x}"
        address = urlsplit(self.url)
        dsn = {"public": f"{address.scheme}://{public}@{address.netloc}/{project['id']}"}
        row = {"id": public, "name": name, "label": name, "public": public, "projectId": int(project["id"])}
        row |= {"isActive": True, "rateLimit": None, "dsn": dsn, "dateCreated": CREATED}
        self.keys.append(row)
        return row

    def number(self) -> str:
        return str(next(self.numbers))

    # --- the API ---

    def answer(self, method: str, address: str, token: str, sent: bytes) -> Reply:
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        if found := re.fullmatch(r"/api/(\d+)/envelope/", path):
            return self.take(found[1], token, sent)
        if found := re.fullmatch(r"/api/(\d+)/cron/([^/]+)/(\w+)/", path):
            return self.check_in(*found.groups(), query)
        body = json.loads(sent) if sent else None
        if path == "/stub":
            return self.control(body)
        endpoint, names = _endpoint(method, path)
        self.asked.append((endpoint or f"{method} {path}", address, body))
        if (planned := self.replies.get(endpoint)) and planned:
            return planned.pop(0)
        if token != f"Bearer {TOKEN}":
            return Reply(401, {"detail": "Invalid token"})
        if not endpoint:
            return Reply(404, {"detail": "The requested resource does not exist"})
        if names[0] != self.organization:
            return Reply(404, {"detail": "The requested resource does not exist"})
        if not set(ENDPOINTS[endpoint]["scopes"]) & set(self.scopes):
            return Reply(403, {"detail": "You do not have permission to perform this action."})
        if wrong := _wrong(ENDPOINTS[endpoint], query, body):
            return Reply(400, wrong)
        with self.lock:
            reply = _ANSWERS[endpoint](self, names[1:], query, body)
        if method == "GET" and isinstance(reply.content, list):
            return self.paged(reply.content, path, query)
        return reply

    def paged(self, rows: list[Any], path: str, query: dict[str, list[str]]) -> Reply:
        """https://docs.sentry.io/api/pagination/"""
        begin = int(query.get("cursor", ["0:0:0"])[0].split(":")[1])
        end = begin + min(self.page, int(query.get("per_page", ["100"])[0]))
        rest = "".join(f"&{name}={value}" for name, values in query.items() for value in values if name != "cursor")
        links = []
        for relation, offset, more in (
            ("previous", max(0, begin - self.page), begin > 0),
            ("next", end, end < len(rows)),
        ):
            cursor = f"0:{offset}:{int(relation == 'previous')}"
            address = f"{self.url}{path}?cursor={cursor}{rest}"
            links.append(f'<{address}>; rel="{relation}"; results="{str(more).lower()}"; cursor="{cursor}"')
        return Reply(200, rows[begin:end], {"Link": ", ".join(links)})

    def control(self, body: Row | None) -> Reply:
        for name, value in (body or {}).items():
            setattr(self, name, value)
        return Reply(200, {"asked": len(self.asked), "events": [event for _, event in self.events.values()]})

    def project(self, slug: str) -> Row:
        """Raises StopIteration when there is none."""
        return next(row for row in self.projects if row["slug"] == slug or row["id"] == slug)

    def new_team(self, _: list[str], __: Any, body: Row) -> Reply:
        if any(row["slug"] == body["slug"] for row in self.teams):
            return Reply(404, {"detail": "A team with this slug already exists."})
        return Reply(201, self.add_team(body["slug"], int(self.creator_joins)))

    def new_project(self, names: list[str], _: Any, body: Row) -> Reply:
        if any(row["slug"] == body["slug"] for row in self.projects):
            return Reply(409, {"detail": "A project with this slug already exists."})
        row = self.add_project(body["slug"], names[0], body["name"], body.get("platform"))
        if body.get("default_rules", True):
            self.workflows.append({"id": self.number(), "name": "Send a notification for high priority issues"})
        return Reply(201, row)

    def keys_of(self, names: list[str], query: dict[str, list[str]], _: Any) -> Reply:
        number, active = int(self.project(names[0])["id"]), query.get("status") == ["active"]
        return Reply(200, [row for row in self.keys if row["projectId"] == number and (row["isActive"] or not active)])

    def detectors_of(self, _: list[str], query: dict[str, list[str]], __: Any) -> Reply:
        projects = [self.project(name)["id"] for name in query.get("project", [])]
        return Reply(200, [row for row in self.detectors if not projects or row["projectId"] in projects])

    def written_workflow(self, names: list[str], _: Any, body: Row) -> Reply:
        """Lists without ids replace what there was, https://docs.sentry.io/api/monitors/update-an-alert-by-id/."""
        known = {row["id"] for row in self.detectors}
        numbers = [str(number) for number in body.get("detectorIds", [])]
        if not set(numbers) <= known:
            return Reply(400, {"detectorIds": ["Some detectors do not exist"]})
        if body.get("environment") not in (None, *self.environments):
            return Reply(400, {"environment": [f"Environment '{body['environment']}' does not exist"]})
        old = next((row for row in self.workflows if names and row["id"] == names[0]), None)
        row = old if old is not None else {"id": self.number(), "organizationId": "1", "dateCreated": CREATED}
        row |= {"name": body["name"], "enabled": body.get("enabled", True), "environment": body.get("environment")}
        row |= {"config": body["config"], "detectorIds": [] if self.loses_detectors else numbers}
        row["triggers"] = self.group(body["triggers"])
        row["actionFilters"] = [self.group(each) for each in body["actionFilters"]]
        if old is None:
            self.workflows.append(row)
        return Reply(200 if old is not None else 201, row)

    def group(self, sent: Row) -> Row:
        """Conditions and actions with their ids. Sentry looks a channel of Slack up and writes it with its #."""
        actions = []
        for action in sent.get("actions", []):
            config = dict(action["config"])
            if action["type"] == "slack":
                config |= {
                    "targetDisplay": f"#{config['targetDisplay'].lstrip('#')}",
                    "targetIdentifier": "C0123456789",
                }
            actions.append({**action, "id": self.number(), "config": config})
        conditions = [{**condition, "id": self.number()} for condition in sent.get("conditions", [])]
        made = {"id": self.number(), "organizationId": "1", "logicType": sent["logicType"]}
        return {**made, "conditions": conditions, "actions": actions}

    def monitors_of(self, _: list[str], query: dict[str, list[str]], __: Any) -> Reply:
        projects = [self.project(name)["id"] for name in query.get("project", [])]
        return Reply(200, [row for row in self.monitors if not projects or row["project"]["id"] in projects])

    def written_monitor(self, names: list[str], _: Any, body: Row) -> Reply:
        """Without a seat a new one is disabled."""
        old = next((row for row in self.monitors if names and row["slug"] == names[0]), None)
        if old is None and any(row["slug"] == body["slug"] for row in self.monitors):
            return Reply(400, {"slug": [f'The slug "{body["slug"]}" is already in use.']})
        project = self.project(body["project"])
        row = old if old is not None else {"id": self.number(), "dateCreated": CREATED, "isMuted": False}
        taken = len([each for each in self.monitors if each["status"] == "active" and each is not old])
        row |= {"slug": body["slug"], "name": body["name"], "project": {key: project[key] for key in ("id", "slug")}}
        row |= {"status": body["status"] if taken < self.seats else "disabled", "config": dict(body["config"])}
        if old is None:
            self.monitors.append(row)
        return Reply(200 if old is not None else 201, row)

    def outcomes(self, _: list[str], query: dict[str, list[str]], __: Any) -> Reply:
        """Of the query that the product asks. Sentry has no group for what did not happen."""
        wanted = {"field": "sum(quantity)", "groupBy": "outcome", "category": "error", "outcome": "rate_limited"}
        if wrong := {name: [value] for name, value in wanted.items() if query.get(name) != [value]}:
            return Reply(400, wrong)
        number = sum(self.dropped.get(self.project(name)["id"], 0) for name in query["project"])
        count, hour = {"sum(quantity)": number}, "2026-11-28T12:00:00Z"
        group = {"by": {"outcome": "rate_limited"}, "totals": count, "series": {"sum(quantity)": [number]}}
        groups = [group] if number else []
        return Reply(200, {"start": hour, "end": "2026-11-28T13:00:00Z", "intervals": [hour], "groups": groups})

    def event(self, names: list[str], *_: Any) -> Reply:
        received, event = self.events.get(names[1], (0.0, {}))
        if not event or time.monotonic() < received + self.visible_after:
            return Reply(404, {"detail": "Event not found"})
        return Reply(200, {"id": names[1], "eventID": names[1], "title": event.get("message", "")})

    # --- events ---

    def check_in(self, project: str, monitor: str, key: str, query: dict[str, list[str]]) -> Reply:
        """202 without a body: https://docs.sentry.io/product/crons/legacy-endpoint-migration/."""
        if self.envelope == "hang":
            self.over.wait(60)
        if not any(row["public"] == key and str(row["projectId"]) == project for row in self.keys):
            return Reply(403, {"detail": "event submission rejected with_reason: ProjectId"})
        self.check_ins.append((monitor, query["status"][0], query["environment"][0]))
        return Reply(202, "")

    def take(self, project: str, header: str, sent: bytes) -> Reply:
        """An envelope: https://develop.sentry.dev/sdk/data-model/envelopes/. Limits do not count reports of SDKs."""
        lines = [json.loads(line) for line in sent.splitlines() if line]
        is_event = lines[1]["type"] == "event"
        if self.envelope == "hang":
            self.over.wait(60)
        if self.envelope == "429" and is_event:
            limits = {"Retry-After": "60", "X-Sentry-Rate-Limits": "60:error:organization"}
            return Reply(
                429, {"detail": "Sentry dropped data due to a quota or internal rate limit being reached."}, limits
            )
        if self.envelope in ("413", "500"):
            return Reply(int(self.envelope), {"detail": "envelope exceeded size limits"})
        key = re.search(r"sentry_key=(\w+)", header)
        if not any(row["public"] == (key and key[1]) and str(row["projectId"]) == project for row in self.keys):
            return Reply(403, {"detail": "event submission rejected with_reason: ProjectId"})
        if not is_event:
            return Reply(200, {})
        number = lines[0]["event_id"]
        if self.envelope != "lost":
            event = lines[2]
            self.events[number] = (time.monotonic(), event)
            self.environments = sorted({*self.environments, event.get("environment", "production")})
        return Reply(200, {"id": number})


def _rows(name: str) -> Callable[..., Reply]:
    return lambda stub, *_: Reply(200, getattr(stub, name))


def _one(name: str, field: str) -> Callable[..., Reply]:
    def answer(stub: Stub, names: list[str], *_: Any) -> Reply:
        found = [row for row in getattr(stub, name) if row[field] == names[0]]
        return Reply(200, found[0]) if found else Reply(404, {"detail": "The requested resource does not exist"})

    return answer


_ANSWERS: dict[str, Callable[..., Reply]] = {
    "GET /api/0/organizations/{}/": lambda stub, *_: Reply(200, {"id": "1", "slug": stub.organization, "name": "Acme"}),
    "GET /api/0/organizations/{}/teams/": _rows("teams"),
    "POST /api/0/organizations/{}/teams/": Stub.new_team,
    "POST /api/0/teams/{}/{}/projects/": Stub.new_project,
    "GET /api/0/projects/{}/{}/": _one("projects", "slug"),
    "GET /api/0/projects/{}/{}/keys/": Stub.keys_of,
    "POST /api/0/projects/{}/{}/keys/": lambda stub, names, _, body: Reply(
        201, stub.add_key(stub.project(names[0]), body["name"])
    ),
    "GET /api/0/projects/{}/{}/events/{}/": Stub.event,
    "GET /api/0/organizations/{}/detectors/": Stub.detectors_of,
    "GET /api/0/organizations/{}/stats_v2/": Stub.outcomes,
    "GET /api/0/organizations/{}/workflows/": _rows("workflows"),
    "POST /api/0/organizations/{}/workflows/": Stub.written_workflow,
    "GET /api/0/organizations/{}/workflows/{}/": _one("workflows", "id"),
    "PUT /api/0/organizations/{}/workflows/{}/": Stub.written_workflow,
    "GET /api/0/organizations/{}/monitors/": Stub.monitors_of,
    "POST /api/0/organizations/{}/monitors/": Stub.written_monitor,
    "GET /api/0/organizations/{}/monitors/{}/": _one("monitors", "slug"),
    "PUT /api/0/organizations/{}/monitors/{}/": Stub.written_monitor,
    "GET /api/0/organizations/{}/environments/": lambda stub, *_: Reply(
        200, [{"id": str(number), "name": name} for number, name in enumerate(stub.environments, 1)]
    ),
    "GET /api/0/organizations/{}/integrations/": _rows("integrations"),
}


def _endpoint(method: str, path: str) -> tuple[str, list[str]]:
    """("POST /api/0/teams/{}/{}/projects/", ["acme", "web"]), empty for a path that is not recorded."""
    for endpoint in ENDPOINTS:
        if found := re.fullmatch(endpoint.replace("{}", "([^/]+)"), f"{method} {path}"):
            return endpoint, list(found.groups())
    return "", []


def _wrong(recorded: Row, query: dict[str, list[str]], body: Row | None) -> Row:
    """{field: [what is wrong with it]} by what is recorded of the endpoint."""
    wrong = {name: ["unknown parameter"] for name in set(query) - {*recorded.get("query", []), "cursor", "per_page"}}
    fields = {_camel(name): field for name, field in recorded.get("body", {}).get("fields", {}).items()}
    types = {"string": str, "boolean": bool, "array": list, "object": dict, "integer": int}
    for name in recorded.get("body", {}).get("required", []):
        if name not in (body or {}):
            wrong[name] = ["This field is required."]
    for name, value in (body or {}).items():
        field = fields.get(_camel(name))
        if field is None:
            wrong[name] = ["unknown field"]
        elif value is None:
            wrong |= {} if field.get("nullable") else {name: ["This field may not be null."]}
        elif not isinstance(value, types[field.get("type", "object")]):
            wrong[name] = [f"is not a {field['type']}"]
        elif not re.search(field.get("pattern", ""), str(value)) or len(str(value)) > field.get("maxLength", 10**6):
            wrong[name] = ["Enter a valid slug"]
    return wrong


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.stub = Stub(f"http://127.0.0.1:{self.server_port}")

    def handle_error(self, *_: Any) -> None:
        """A caller that waited no longer is no error."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization") or self.headers.get("X-Sentry-Auth") or ""
        reply = self.server.stub.answer(self.command, self.path, token, sent)
        text = reply.content if isinstance(reply.content, str) else json.dumps(reply.content)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(text.encode())), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server asks for

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@contextmanager
def running() -> Iterator[Stub]:
    """One on a free port of loopback; it ends with the block."""
    server = Server()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.stub
    finally:
        server.stub.over.set()
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    Server(int(sys.argv[1])).serve_forever()
