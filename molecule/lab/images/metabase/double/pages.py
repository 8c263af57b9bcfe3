# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTML pages, each of which says at the top that this is not Metabase. The scripts draw from the API."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from double.settings import Settings
from double.web import Answer, ApiError, Request

STATIC = Path(__file__).parent / "static"
CHARTS = Path(os.environ.get("METABASE_DOUBLE_CHARTS", "/usr/share/javascript/chart.js/chart.min.js"))
HTML = "text/html; charset=utf-8"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_LOGIN = """<form id="login"><h1>Sign in</h1>
<label>Email address<input name="username" type="email" autocomplete="username" autofocus required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button><p role="alert"></p></form><script src="/app/double/login.js"></script>"""
_BOARD = """<main id="board"></main><script src="/app/double/chart.min.js"></script>
<script src="/app/double/format.js"></script><script src="/app/double/dashboard.js"></script>"""
_LIST = """<main id="list"></main><script src="/app/double/list.js"></script>"""


def routes(settings: Settings) -> list[tuple[str, str, int, Callable[..., Any]]]:
    """As those of the API; 0 is anyone, 1 who is logged in."""

    def page(title: str, body: str) -> Callable[..., Answer]:
        return lambda request, *_: _page(settings, title, body)

    listing, board = page("Collections", _LIST), page("Dashboard", _BOARD)
    places = [("GET", path, 1, listing) for path in ("/", "/collection/root", "/collection/:any")]
    boards = [("GET", path, 1, board) for path in ("/dashboard/:any", "/question/:any")]
    login = ("GET", "/auth/login", 0, page("Login", _LOGIN))
    return [login, *places, *boards, ("GET", "/app/double/:any", 0, _static)]


def to_login(request: Request) -> ApiError:
    """Where a browser without a login goes."""
    return ApiError(302, f"/auth/login?redirect={quote(request.path)}")


def missing() -> Answer:
    return Answer("<!doctype html><title>Contract double</title>Contract double: no such page.", 404, HTML)


def _static(request: Request, name: str) -> Answer:
    path = CHARTS if name == "chart.min.js" else STATIC / name
    if not path.is_file() or path.suffix not in _TYPES:
        return missing()
    return Answer(path.read_bytes(), type=_TYPES[path.suffix])


def _page(settings: Settings, title: str, body: str) -> Answer:
    site = escape(str(settings.value("site-name")))
    text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · {site}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/app/double/style.css"></head><body data-zone="{escape(settings.zone())}">
<div role="note">Contract double: this is not Metabase. Drawn from live queries; the real pages look different.</div>
<header><a href="/">{site}</a><a href="#" id="logout">Sign out</a></header>{body}</body></html>"""
    return Answer(text, type=HTML)
