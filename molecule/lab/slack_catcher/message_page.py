"""The catcher's page: messages as Slack shows them."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from message_store import strings

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Slack catcher</title><style>
body{margin:0;font:15px/1.46 Lato,"Noto Sans CJK KR","Noto Sans",sans-serif;color:#1d1c1d;display:flex;min-height:100vh}
nav{background:#3f0e40;color:#cfc3cf;width:230px;padding:16px;box-sizing:border-box;flex:none} nav b{color:#fff}
nav code{display:block;color:#fff;margin:2px 0 8px;background:none} main{flex:1;min-width:0}
a{color:#1264a3;text-decoration:none} article{display:flex;gap:10px;padding:10px 20px;border-bottom:1px solid #f3f3f3}
.notice{background:#fff4d6;border-bottom:1px solid #e8c46a;padding:8px 20px;font-size:13px}
.icon{width:36px;height:36px;border-radius:6px;background:#e6522c;color:#fff;display:grid;place-items:center;flex:none}
.app{background:#e8e8e8;font-size:10px;padding:1px 4px;border-radius:3px;color:#616061}
time,.channel,.footer,.edited,summary{color:#616061;font-size:12px}
dt{font-weight:700;font-size:13px} dd{margin:0} .wide{grid-column:1/3}
.attachment{border-left:4px solid #ddd;padding:2px 0 2px 12px;margin:6px 0;max-width:760px;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:1fr 1fr;gap:6px 16px;margin:6px 0}
main code{background:#f6f6f6;padding:1px 3px;color:#c01343}
</style>"""
COLORS = {"good": "#2eb886", "warning": "#daa038", "danger": "#a30200"}


def mrkdwn(text: Any) -> str:
    """Turn Slack's text (bold, code, <url|label>, line breaks) into safe HTML. What is escaped in it is no markup."""
    safe = html.escape(str(text or ""))
    safe = re.sub(r"&lt;(https?://[^|\s]+?)\|(.+?)&gt;", r'<a href="\1">\2</a>', safe)
    safe = re.sub(r"&lt;(https?://[^|\s]+?)&gt;", r'<a href="\1">\1</a>', safe)
    safe = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", safe)
    safe = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", safe).replace("\n", "<br>")
    return re.sub("&amp;(amp|lt|gt);", r"&\1;", safe)


def render_attachment(part: dict[str, Any]) -> str:
    """One attachment: pretext, colour bar, title with link, text, fields, actions, footer."""
    color = COLORS.get(str(part.get("color")), str(part.get("color") or "#ddd"))
    title = f"<{part['title_link']}|{part.get('title')}>" if part.get("title_link") else part.get("title")
    fields = "".join(
        f"<div{'' if field.get('short') else ' class=wide'}><dt>{mrkdwn(field.get('title'))}</dt>"
        f"<dd>{mrkdwn(field.get('value'))}</dd></div>"
        for field in part.get("fields") or []
    )
    buttons = [action for action in part.get("actions") or [] if str(action.get("url")).startswith("http")]
    actions = " · ".join(mrkdwn(f"<{button['url']}|{button.get('text')}>") for button in buttons)  # others Slack omits
    return (
        f'<div>{mrkdwn(part.get("pretext"))}</div><div class="attachment" style="border-color:{html.escape(color)}">'
        f"<b>{mrkdwn(title)}</b><div>{mrkdwn(part.get('text'))}</div><dl>{fields}</dl><div>{actions}</div>"
        f'<div class="footer">{mrkdwn(part.get("footer"))}</div></div>'
    )


def render_content(payload: dict[str, Any], edited: bool = False) -> str:
    """What a message says: text, blocks, attachments."""
    blocks = "".join(f"<p>{mrkdwn(' '.join(strings(block)))}</p>" for block in payload.get("blocks") or [])
    mark = ' <span class="edited">(edited)</span>' if edited else ""
    attachments = "".join(map(render_attachment, payload.get("attachments") or []))
    return f"<div>{mrkdwn(payload.get('text'))}{mark}</div>{blocks}{attachments}"


def render_message(message: dict[str, Any]) -> str:
    """One message as Slack shows it: who, when, where, what. Folded: earlier versions, which Slack shows to nobody."""
    payload, edits = message["payload"], message["edits"]
    who, channel = str(payload.get("username") or "incoming-webhook"), payload.get("channel") or message["webhook"]
    versions = [(message["time"], message.get("posted")), *((edit["time"], edit["payload"]) for edit in edits)][:-1]
    earlier = "".join(f"<time>{clock(when)}</time>{render_content(version)}" for when, version in versions)
    return (
        f'<article><div class="icon">{html.escape(who[:1].upper())}</div><div><b>{html.escape(who)}</b> '
        f'<span class="app">APP</span> <time>{clock(message["time"])}</time> '
        f'<span class="channel">{html.escape(str(channel))}</span>{render_content(payload, bool(edits))}'
        f"{f'<details><summary>Earlier: {len(edits)}</summary>{earlier}</details>' if edits else ''}</div></article>"
    )


def clock(stamp: str) -> str:
    """A time to the second."""
    return stamp[:19].replace("T", " ")


def render_page(messages: list[dict[str, Any]], heartbeats: dict[str, Any], fault: dict[str, Any]) -> str:
    """The page at /: newest message first; it reloads itself every 5 s."""
    beats = "".join(
        f"{name}<code>{beat['count']}, {beat['last_time'][11:19]}</code>" for name, beat in heartbeats.items()
    )
    shown = "".join(map(render_message, reversed(messages))) or "<article>No message has arrived yet.</article>"
    return (
        f"{PAGE}<nav><b>crowsnest laboratory</b><p>Messages<code>{len(messages)}</code>"
        f"Fault<code>{html.escape(json.dumps(fault))}</code></p><b>Heartbeats</b><p>{beats or 'none yet'}</p></nav>"
        '<main><div class="notice"><b>This is a catcher, not Slack.</b> It shows what would have been posted. '
        f'Times are Asia/Seoul. <a href="/messages">As JSON</a></div>{shown}</main></html>'
    )
