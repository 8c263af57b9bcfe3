# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Grafana's HTTP API answers, as far as crowsnest, its tests and the preview ask.

https://grafana.com/docs/grafana/latest/developers/http_api/ and pkg/api/*.go of https://github.com/grafana/grafana.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from double import pages
from double.provisioning import NOBODY, Dashboard, Library, provision_data_sources, slug
from double.settings import VERSION, StartError, log
from double.state import State

COOKIE = "grafana_session"
BUILD = {"version": VERSION, "commit": "double"}
_STARTED = time.time()
# What a browser may send by POST through the proxy of a Prometheus (routes in the plugin's plugin.json).
_POSTS = re.compile(r"api/v1/(query|query_range|query_exemplars|series|labels)")
_PASSED_ON = ("accept", "content-type", "user-agent")


class ApiError(Exception):
    """An answer with a message, as Grafana's API gives it; one with a `messageId` has more."""

    def __init__(self, status: int, message: str, /, **more: Any) -> None:
        super().__init__(message)
        extra = {"extra": None, "statusCode": status, "traceID": ""} if "messageId" in more else {}
        self.status, self.body = status, {"message": message, **extra, **more}


@dataclass(frozen=True)
class Request:
    """What a handler gets: `target` as it was sent, `path` decoded; `login` is empty when nobody is logged in."""

    method: str
    target: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes
    login: str


@dataclass(frozen=True)
class Answer:
    """What goes back: bytes or text as they are, anything else as JSON."""

    body: Any
    status: int = 200
    type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Grafana:
    """The running double; `sessions` is {cookie: login}, `counts` {(route, method, status): answers so far}."""

    provisioning: Path
    state: State
    library: Library
    sessions: dict[str, str] = field(default_factory=dict)
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def provision(self, kind: str) -> None:
        """Apply the files of the `datasources` or of the `dashboards`. StartError when they are wrong."""
        if kind == "datasources":
            provision_data_sources(self.provisioning / kind, self.state)
        if kind == "dashboards":
            self.library.provision()

    def login(self, login: str, password: str) -> str:
        """The login. ApiError 401, in the same words whatever is wrong: user, password or the number of attempts."""
        if reason := self.state.login(login, password):
            log("authn.service", "info", "Failed to authenticate request", error=f"[password-auth.failed] {reason}")
            raise ApiError(401, "Invalid username or password", messageId="password-auth.failed")
        return login

    def source(self, key: str, value: str) -> dict[str, Any]:
        """The data source whose `key` (uid, name) is this. ApiError 404."""
        for source in self.state.data_sources().values():
            if source[key] == value:
                return source
        raise ApiError(404, "Data source not found")

    def dashboard(self, uid: str) -> Dashboard:
        """ApiError 404 without such a dashboard."""
        if uid not in self.library.dashboards:
            raise ApiError(404, "Dashboard not found")
        return self.library.dashboards[uid]

    def answer(self, request: Request) -> tuple[str, Answer]:
        """(route, answer). ApiError. A browser without a login is sent to the page for it."""
        api = request.path.startswith("/api/")
        for method, route, needs_login, handler in ROUTES:
            match = re.fullmatch(re.sub(r":\w+", "([^/]+)", route).replace("*", "(.*)"), request.path)
            if not match or method not in (request.method, "*"):
                continue
            if request.login or not needs_login:
                return route, handler(self, request, *match.groups())
            if api:
                raise ApiError(401, "Unauthorized", messageId="auth.unauthorized")
        if api or request.login:
            raise ApiError(404, "Not found", statusCode=404)
        return "", Answer("", 302, headers={"Location": "/login"})

    def health(self, request: Request) -> Answer:
        self.state.data_sources()  # an error, and so status 500, without a database
        return Answer({"database": "ok", **BUILD})

    def metrics(self, request: Request) -> Answer:
        """A few metrics under Grafana's names, all true of this process."""
        resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        cpu = os.times()
        lines = {
            f'grafana_build_info{{edition="double",version="{VERSION}-double",revision="double"}}': 1,
            "process_resident_memory_bytes": resident_pages * os.sysconf("SC_PAGESIZE"),
            "process_cpu_seconds_total": round(cpu.user + cpu.system, 2),
            "process_start_time_seconds": round(_STARTED, 3),
            "grafana_stat_totals_dashboard": len(self.library.dashboards),
            "grafana_stat_totals_folder": len(self.library.folders),
        }
        for (route, method, status), count in sorted(self.counts.copy().items()):
            labels = f'handler="{route}",method="{method}",slo_group="high-fast",status_code="{status}"'
            labels += ',status_source="server"'
            lines[f"grafana_http_request_duration_seconds_count{{{labels}}}"] = count
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        return Answer(text, type="text/plain; version=0.0.4; charset=utf-8")

    def log_in(self, request: Request) -> Answer:
        given = json.loads(request.body)
        login = self.login(str(given["user"]), str(given["password"]))
        token = secrets.token_hex(16)
        self.sessions[token] = login
        cookie = f"{COOKIE}={token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        return Answer({"message": "Logged in", "redirectUrl": "/"}, headers={"Set-Cookie": cookie})

    def user(self, request: Request) -> Answer:
        number = self.state.user_id(request.login)
        own = {"id": number, "login": request.login, "isGrafanaAdmin": number == 1}
        return Answer({**own, "email": "", "name": "", "orgId": 1})

    def create_user(self, request: Request) -> Answer:
        if self.state.user_id(request.login) != 1:
            words = "You'll need additional permissions to perform this action. Permissions needed: users:create"
            raise ApiError(403, words, accessErrorId="", title="Access denied")
        given = json.loads(request.body)
        try:
            self.state.add_user(given["login"], given["password"])
        except LookupError:
            words = f"User with email '{given.get('email', '')}' or username '{given['login']}' already exists"
            raise ApiError(412, words) from None
        return Answer({"id": self.state.user_id(given["login"]), "message": "User created"})

    def reload(self, request: Request, kind: str) -> Answer:
        try:
            self.provision(kind)
        except StartError as refused:
            log("context", "error", "Request Completed", path=request.path, error=refused)
            raise ApiError(500, "") from None
        return Answer({"message": f"{kind.capitalize()} config reloaded"})

    def source_health(self, request: Request, uid: str) -> Answer:
        """What the plugin of the data source says about it; only Prometheus has one that can."""
        source = self.source("uid", uid)
        if source["type"] != "prometheus":
            raise ApiError(500, "Plugin unavailable", messageId="plugin.unavailable")
        status, _, body = ask(source, "GET", "api/v1/query?query=1%2B1")
        if status == 200:
            return Answer({"status": "OK", "message": "Successfully queried the Prometheus API."})
        words = f"{status} {body.decode(errors='replace')} - There was an error returned querying the Prometheus API."
        return Answer({"status": "ERROR", "message": words}, 400)

    def source_proxy(self, request: Request, uid: str, path: str) -> Answer:
        """The data source's own answer. The caller's login and cookies are not passed on."""
        source = self.source("uid", uid)
        posts = request.method == "POST" and _POSTS.fullmatch(path)
        if source["type"] == "prometheus" and request.method != "GET" and not posts:
            raise ApiError(403, f"non allow-listed {request.method}s not allowed on proxied Prometheus datasource")
        headers = {key: request.headers[key] for key in _PASSED_ON if key in request.headers}
        target = request.target.partition("/proxy/uid/")[2].partition("/")[2]
        status, kind, body = ask(source, request.method, target, request.body, headers)
        if status == 401:  # else the browser would think that its own login is wrong
            raise ApiError(400, "Authentication to data source failed")
        return Answer(body, status, kind)

    def change_source(self, request: Request, uid: str) -> Answer:
        read_only = self.source("uid", uid)["readOnly"]
        raise ApiError(403, "Cannot update read-only data source" if read_only else "The double changes nothing")

    def plugins(self, request: Request) -> Answer:
        """Those of data sources only, which it brings along: the double installs none."""
        types = sorted({source["type"] for source in self.state.data_sources().values()})
        return Answer([{"id": each, "type": "datasource", "info": {"version": VERSION}} for each in types])

    def folders(self, request: Request) -> Answer:
        return Answer([{"uid": uid, "title": title} for uid, title in self.library.folders.items()])

    def folder(self, request: Request, uid: str) -> Answer:
        if uid not in self.library.folders:
            raise ApiError(404, "folder not found", status="not-found")
        return Answer({"uid": uid, "title": self.library.folders[uid]})

    def rename_folder(self, request: Request, uid: str) -> Answer:
        self.folder(request, uid)
        self.library.folders[uid] = str(json.loads(request.body)["title"])
        return self.folder(request, uid)

    def search(self, request: Request) -> Answer:
        """Folders first, then dashboards, by title; all given conditions hold, any of several values does."""
        words, kind = (request.query.get(name, [""])[0] for name in ("query", "type"))
        tags, uids, inside = (request.query.get(name, []) for name in ("tag", "dashboardUIDs", "folderUIDs"))
        found: list[dict[str, Any]] = []
        if kind != "dash-db" and not (tags or uids or inside):
            titles = self.library.folders.items()
            found += [{"uid": uid, "title": title, "type": "dash-folder", "tags": []} for uid, title in titles]
        for each in self.library.listing() if kind != "dash-folder" else []:
            place = {"folderUid": each.provider.folder_uid, "folderTitle": each.provider.folder}
            if each.provider is NOBODY:
                place = {}
            fits = set(tags) <= set(each.model["tags"]) and (not uids or each.uid in uids)
            if fits and (not inside or each.provider.folder_uid in inside):
                hit = {
                    "id": each.number,
                    "uid": each.uid,
                    "title": each.title,
                    "url": each.url,
                    "tags": each.model["tags"],
                }
                found.append({**hit, **place, "type": "dash-db"})
        return Answer([hit for hit in found if words.lower() in hit["title"].lower()])

    def show_dashboard(self, request: Request, uid: str) -> Answer:
        found = self.dashboard(uid)
        provider, by_hand = found.provider, found.provider is NOBODY
        file = "" if by_hand else os.path.relpath(found.path, Path(provider.path).resolve())
        meta = {"slug": slug(found.title), "url": found.url, "version": found.version, "folderUid": provider.folder_uid}
        meta |= {"folderTitle": provider.folder or "General", "provisioned": not by_hand, "provisionedExternalId": file}
        own = {"id": found.number, "uid": found.uid, "version": found.version}
        return Answer({"dashboard": {**found.model, **own}, "meta": meta})

    def save_dashboard(self, request: Request) -> Answer:
        model = json.loads(request.body)["dashboard"]
        known = self.library.dashboards.get(model.get("uid") or "")
        if known and known.provider is not NOBODY:
            raise ApiError(400, "Cannot save provisioned dashboard")
        saved = self.library.save_own(model)
        own = {"id": saved.number, "uid": saved.uid, "version": saved.version, "url": saved.url}
        return Answer({**own, "slug": slug(saved.title), "status": "success", "folderUid": ""})

    def delete_dashboard(self, request: Request, uid: str) -> Answer:
        if self.dashboard(uid).provider is NOBODY:
            raise ApiError(403, "The double deletes nothing")
        raise ApiError(400, "provisioned dashboard cannot be deleted")

    def dashboard_page(self, request: Request, uid: str, *_: str) -> Answer:
        found = self.library.dashboards.get(uid)
        return Answer(pages.preview(found), 200 if found else 404)

    def static(self, request: Request, name: str) -> Answer:
        path = pages.CHARTS if name == pages.CHARTS.name else pages.STATIC / name
        if not path.is_file():
            raise ApiError(404, "Not found")
        return Answer(path.read_bytes(), type="text/css" if path.suffix == ".css" else "text/javascript")


def ask(
    source: dict[str, Any], method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str, bytes]:
    """(status, content type, body); 502 when the data source does not answer."""
    url = urlsplit(source["url"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        connection.request(method, f"{url.path.rstrip('/')}/{target}", body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", "text/plain"), answer.read()
    except (OSError, http.client.HTTPException) as error:
        log("data-proxy-log", "error", "Proxy request failed", err=error)
        return 502, "text/plain", b""
    finally:
        connection.close()


# (method, path, whether a login is needed, handler)
ROUTES: list[tuple[str, str, bool, Callable[..., Answer]]] = [
    ("GET", "/api/health", False, Grafana.health),
    ("GET", "/metrics", False, Grafana.metrics),
    ("GET", "/login", False, lambda self, request: Answer(pages.login())),
    ("POST", "/login", False, Grafana.log_in),
    ("GET", "/public/double/:name", False, Grafana.static),
    ("GET", "/api/frontend/settings", True, lambda self, request: Answer({"buildInfo": BUILD})),
    ("GET", "/api/user", True, Grafana.user),
    ("POST", "/api/admin/users", True, Grafana.create_user),
    ("GET", "/api/plugins", True, Grafana.plugins),
    ("GET", "/api/datasources", True, lambda self, request: Answer([*self.state.data_sources().values()])),
    ("GET", "/api/datasources/uid/:uid", True, lambda self, request, uid: Answer(self.source("uid", uid))),
    ("GET", "/api/datasources/name/:name", True, lambda self, request, name: Answer(self.source("name", name))),
    ("GET", "/api/datasources/uid/:uid/health", True, Grafana.source_health),
    ("*", "/api/datasources/proxy/uid/:uid/*", True, Grafana.source_proxy),
    ("PUT", "/api/datasources/uid/:uid", True, Grafana.change_source),
    ("GET", "/api/folders", True, Grafana.folders),
    ("GET", "/api/folders/:uid", True, Grafana.folder),
    ("PUT", "/api/folders/:uid", True, Grafana.rename_folder),
    ("GET", "/api/search", True, Grafana.search),
    ("GET", "/api/dashboards/uid/:uid", True, Grafana.show_dashboard),
    ("DELETE", "/api/dashboards/uid/:uid", True, Grafana.delete_dashboard),
    ("POST", "/api/dashboards/db", True, Grafana.save_dashboard),
    ("POST", "/api/admin/provisioning/:kind/reload", True, Grafana.reload),
    ("GET", "/", True, lambda self, request: Answer(pages.home(self.library))),
    ("GET", "/d/:uid", True, Grafana.dashboard_page),
    ("GET", "/d/:uid/*", True, Grafana.dashboard_page),
]
