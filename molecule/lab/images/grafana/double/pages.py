# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTML pages, each of which says at the top that this is not Grafana."""

from __future__ import annotations

from html import escape
from pathlib import Path

from double.provisioning import Dashboard, Library

STATIC = Path(__file__).parent / "static"
CHARTS = Path("/usr/share/javascript/chart.js/chart.min.js")


def login() -> str:
    """The form for name and password."""
    form = """<form id="login"><h1>Log in</h1>
<label>Username<input name="user" autocomplete="username" autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password"></label>
<button>Log in</button><p role="alert"></p></form><script src="/public/double/login.js"></script>"""
    return _page("Log in", form)


def home(library: Library) -> str:
    """All folders with their dashboards."""
    parts = ""
    for uid, title in sorted(library.folders.items(), key=lambda folder: folder[1]):
        rows = "".join(_row(each) for each in library.listing() if each.provider.folder_uid == uid)
        parts += f"<section><h2>{escape(title)}</h2><ul>{rows or '<li>No dashboards</li>'}</ul></section>"
    return _page("Dashboards", f"<main class='home'><h1>Dashboards</h1>{parts}</main>")


def _row(dashboard: Dashboard) -> str:
    tags = "".join(f"<span class='tag'>{escape(tag)}</span>" for tag in dashboard.model["tags"])
    words = escape(str(dashboard.model.get("description") or ""))
    return f"<li><a href='{escape(dashboard.url)}'>{escape(dashboard.title)}</a>{tags}<p>{words}</p></li>"


def preview(dashboard: Dashboard | None) -> str:
    """The page that draws a dashboard in the browser."""
    if dashboard is None:
        return _page("Dashboard not found", "<main class='home'><h1>Dashboard not found</h1></main>")
    folder, title = escape(dashboard.provider.folder), escape(dashboard.title)
    body = f"""<nav id="bar"><span class="crumbs"><a href='/'>Dashboards</a> / {folder} / <b>{title}</b></span>
<span id="range"></span></nav>
<div id="controls"><span id="variables"></span><span id="links"></span></div>
<main id="grid" data-uid="{escape(dashboard.uid)}"></main>
<script src="/public/double/chart.min.js"></script>
<script src="/public/double/looks.js"></script>
<script src="/public/double/preview.js"></script>"""
    return _page(dashboard.title, body, " · preview drawn from live queries; the real panels look different")


def _page(title: str, body: str, note: str = "") -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/public/double/style.css"></head><body>
<header role="note">This is a contract double of Grafana, not Grafana{note}</header>{body}</body></html>"""
