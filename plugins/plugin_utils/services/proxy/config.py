# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Caddy's configuration, as JSON: https://caddyserver.com/docs/json/. Pure.

A page has a name of its own below the domain, never a path: Uptime Kuma cannot live below one, and the others turn
links and redirects into loops. What a page must not hand out is refused before anybody is asked for a password.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.caddy import MARK, MARK_PATH
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import DOCS
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.passwords import hashed
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.portal import FOLDER

Json = dict[str, Any]
SOCKET = "admin.sock"
STATUS = "status"  # the name of the public status page below the domain
# Networks of proxies in front of ours: programs of the host, and Docker's containers on it.
_IN_FRONT = ("127.0.0.0/8", "::1/128", "172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8")
# What the status page of Uptime Kuma asks for: https://github.com/louislam/uptime-kuma/tree/2.0.0/server/routers
_OF_STATUS = ("/status/*", "/api/status-page/*", "/api/entry-page", "/assets/*", "/upload/*", "/icon*", "/favicon.ico")
# What no page of Prometheus and Alertmanager asks for; a foreign page could send a browser that has logged in there.
_INSIDE = ("/-/quit", "/-/reload", "/metrics", "/debug/*", "/api/v1/admin/*")
# The only thing that a page without a login of its own may change.
_SILENCES = ("/api/v2/silences", "/api/v2/silence/*")
_HEADERS = {
    "X-Content-Type-Options": ["nosniff"],
    "X-Frame-Options": ["SAMEORIGIN"],
    "Referrer-Policy": ["same-origin"],
}
# The portal has no script but its own, and nobody frames it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HSTS = {"Strict-Transport-Security": ["max-age=31536000"]}


def caddy_config(context: Context, planned: Planned) -> Json:
    """The whole configuration. Without passwords: it names the files of their hashes."""
    own = context.declaration.proxy_mode == "own"
    servers = {"inside": _inside(f"127.0.0.1:{planned.port}")}
    if own:
        servers["pages"] = {"listen": [":443"], "routes": list(_routes(context, {**_HEADERS, **_HSTS})), **_SERVER}
    else:
        front = {"source": "static", "ranges": list(_IN_FRONT)}
        # A proxy in a container finds the host there.
        servers["inside"]["listen"] += [f"{context.plan.bridge}:{planned.port}"] if context.plan.bridge else []
        servers["inside"]["routes"] += _routes(context, _HEADERS)
        servers["inside"] |= {"trusted_proxies": front, **_SERVER}
    issuer: Json = {"module": "internal"} if is_internal(context) else {"module": "acme"}
    tls = {"automation": {"policies": [{"issuers": [issuer]}]}}
    authority = {"certificate_authorities": {"local": {"install_trust": False}}}
    return {
        "admin": {"listen": f"unix/{DATA_IN_CONTAINER}/{SOCKET}", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": DATA_IN_CONTAINER},
        "logging": {"logs": {"default": {"level": "WARN", "exclude": [_ACCESS]}, "access": {"include": [_ACCESS]}}},
        "apps": {"http": {"metrics": {}, "servers": servers}, **({"tls": tls, "pki": authority} if own else {})},
    }


_ACCESS = "http.log.access.pages"
# HTTP/3 would need UDP; who may open which page is in the log by name.
_SERVER: Json = {"protocols": ["h1", "h2"], "logs": {"default_logger_name": "pages"}}


def _inside(address: str) -> Json:
    """Metrics for Prometheus, on loopback."""
    metrics = {"match": [{"host": ["127.0.0.1"], "path": ["/metrics"]}], "handle": [{"handler": "metrics"}]}
    return {"listen": [address], "automatic_https": {"disable": True}, "routes": [metrics | {"terminal": True}]}


def names(context: Context) -> dict[str, str]:
    """{name below the domain: the container whose page it is}."""
    return {context.definition(name).subdomain: name for name in context.services if context.definition(name).subdomain}


def host_names(context: Context) -> dict[str, bool]:
    """{name at which it answers: whether it asks for a login}, the portal's first."""
    domain = context.declaration.domain or ""
    pages = {f"{below}.{domain}": guarded(context, name) for below, name in names(context).items()}
    status = {f"{STATUS}.{domain}": False} if "uptime_kuma" in context.services else {}
    return {domain: True, **pages, **status}


def is_internal(context: Context) -> bool:
    """Whether the certificates are of an authority of Caddy's own."""
    return context.declaration.proxy_mode == "own" and context.declaration.certificates == "internal"


def guarded(context: Context, name: str) -> bool:
    """Whether the page of a container has no login of its own."""
    return context.definition(name).login is None


def _routes(context: Context, headers: Mapping[str, Sequence[str]]) -> Iterator[Json]:
    domain = context.declaration.domain or ""
    yield _route(domain, headers, _portal(context))
    for subdomain, name in names(context).items():
        handle = [*(_guarded(context) if guarded(context, name) else []), _hand_on(context.services[name])]
        yield _route(f"{subdomain}.{domain}", headers, handle)
    if "uptime_kuma" in context.services:
        yield _route(f"{STATUS}.{domain}", headers, _status(context, context.services["uptime_kuma"]))


def _portal(context: Context) -> list[Json]:
    """Its pages, and what they ask Prometheus and Alertmanager; what these do not answer is `null`."""
    prometheus, alertmanager = context.services["prometheus"], context.services["alertmanager"]
    root = f"{CONFIG_IN_CONTAINER}/{FOLDER}"
    routes = [
        _live("/live/query", "/api/v1/query", prometheus),
        _live("/live/alerts", "/api/v2/alerts", alertmanager),
        _live("/live/silences", "/api/v2/silences", alertmanager),
        _handed_on("/live/silences", "POST", "/api/v2/silences", alertmanager),
        _page("^/runbooks/$", "/runbooks.html"),
        _page(r"^/runbooks/(\w+)\.md$", "/runbook.html?name={http.regexp.page.1}"),
        {
            "match": [{"path_regexp": {"name": "page", "pattern": r"^/([\w-]+\.md)$"}}],
            "handle": [_moved(f"{DOCS}/{{http.regexp.page.1}}")],
            "terminal": True,
        },
        {"handle": [{"handler": "templates", "file_root": root}, {"handler": "file_server", "root": root}]},
    ]
    policy = {"handler": "headers", "response": {"set": {"Content-Security-Policy": [_POLICY]}}}
    return [authentication(context), policy, {"handler": "subroute", "routes": routes}]


def _live(path: str, api: str, upstream: Planned) -> Json:
    """To be shown in a page, which would fail with it."""
    nothing = [{"handle": [{"handler": "static_response", "status_code": 200, "body": "null"}]}]
    route = _handed_on(path, "GET", api, upstream)
    rewrite, hand_on = route["handle"]
    hand_on |= {"handle_response": [{"match": {"status_code": [4, 5]}, "routes": nothing}]}
    asked = {"handle": [rewrite, hand_on]}
    return route | {"handle": [{"handler": "subroute", "routes": [asked], "errors": {"routes": nothing}}]}


def _handed_on(path: str, method: str, api: str, upstream: Planned) -> Json:
    return {
        "match": [{"path": [path], "method": [method]}],
        "handle": [{"handler": "rewrite", "uri": f"{api}?{{http.request.uri.query}}"}, _hand_on(upstream)],
        "terminal": True,
    }


def _page(pattern: str, file: str) -> Json:
    return {
        "match": [{"path_regexp": {"name": "page", "pattern": pattern}}],
        "handle": [{"handler": "rewrite", "uri": file}],
    }


def _moved(address: str) -> Json:
    return {"handler": "static_response", "status_code": 302, "headers": {"Location": [address]}}


def _route(host: str, headers: Mapping[str, Sequence[str]], handle: Sequence[Json]) -> Json:
    """Headers are set at once, for answers of our own such as 401, and in place of what a service says of them."""
    response = {"set": dict(headers), "delete": ["Server"]}
    first = [{"handler": "headers", "response": response | {"deferred": later}} for later in (False, True)]
    mark = {
        "match": [{"path": [MARK_PATH]}],
        "handle": [{"handler": "static_response", "status_code": 200, "body": f"{MARK}\n"}],
        "terminal": True,
    }
    routes = [mark, *({"handle": [each]} for each in (*first, *handle))]
    return {"match": [{"host": [host]}], "handle": [{"handler": "subroute", "routes": routes}], "terminal": True}


def _hand_on(upstream: Planned) -> Json:
    """The password for our door is nothing for who is behind it: Grafana would take it for one of its own."""
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{upstream.port}"}],
        "headers": {"request": {"delete": ["Authorization"]}},
    }


def _guarded(context: Context) -> list[Json]:
    reading = {"not": [{"method": ["GET", "HEAD", "OPTIONS"]}, {"path": list(_SILENCES)}]}
    refused = {
        "match": [{"path": list(_INSIDE)}, reading],
        "handle": [{"handler": "static_response", "status_code": 403}],
    }
    return [{"handler": "subroute", "routes": [refused | {"terminal": True}]}, authentication(context)]


def authentication(context: Context) -> Json:
    """Who may come in. A password that was right once is known for as long as Caddy runs."""
    accounts = [
        {"username": user.name, "password": f"{{file.{CONFIG_IN_CONTAINER}/{path}}}"}
        for user, path in zip(context.declaration.users, password_files(context), strict=True)
    ]
    basic = {"accounts": accounts, "hash": {"algorithm": "bcrypt"}, "hash_cache": {}, "realm": "crowsnest"}
    return {"handler": "authentication", "providers": {"http_basic": basic}}


def password_files(context: Context) -> dict[str, str]:
    """{path: hash} of each user, in their order; another password makes another path, so that Caddy reads it."""
    files = {}
    for user in context.declaration.users:
        password = context.secret(f"proxy_password_{user.name}")
        text = hashed(user.name, password, context.secret("proxy_key")) if password else ""
        files[f"secrets/{user.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"] = text
    return files


def _status(context: Context, upstream: Planned) -> list[Json]:
    first = next((page.slug for page in context.declaration.status_pages), "")
    root: Json = {
        "match": [{"path": ["/"]}],
        "handle": [_moved(f"/status/{first}")],
        "terminal": True,
    }
    page = {"match": [{"path": list(_OF_STATUS)}], "handle": [_hand_on(upstream)], "terminal": True}
    nothing = {"handle": [{"handler": "static_response", "status_code": 404}]}
    return [{"handler": "subroute", "routes": [root, page, nothing]}]
