# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in KPIs, and in what Metabase's questions, subscriptions and users refer to: databases, receivers, SQL.

The raw variables are read, so that references are checked even when single values are wrong.
How Metabase reads {{tag}} and [[…]]: https://www.metabase.com/docs/latest/questions/native-editor/sql-parameters
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    HIDDEN,
    entries,
    entry,
    is_name,
    key,
    mapping,
    names,
    nearest,
    shown,
    yes,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import sql_tokens, starter

_COMMENT = re.compile(r"/\*.*?(\*/|\Z)|--[^\n]*", re.DOTALL)
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def business_mistakes(
    variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]], inventory_dir: str
) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`. Files are read from the inventory's folder."""
    for index, app in enumerate(_mappings(variables.get("crowsnest_apps"))):
        path = entry("crowsnest_apps", index, app, "name")
        yield from _database_mistakes(path, app, groups)
        business = mapping(app.get("business"))
        if app.get("business") and not app.get("database"):
            yield f"{path}.business: the app has no `database` to query. Needs `database` in the same app."
        kpis = _mappings(app.get("kpis"))
        yield from _kpi_mistakes(f"{path}.kpis", kpis, Path(inventory_dir))
        yield from _question_mistakes(f"{path}.business", business, kpis, Path(inventory_dir))
        yield from _subscription_mistakes(f"{path}.business", business, variables)
    yield from _user_mistakes(variables)
    yield from _secret_mistakes(variables)


def _database_mistakes(path: str, app: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    database, host = mapping(app.get("database")), app.get("host")
    address = database.get("address", "127.0.0.1:5432")
    elsewhere = host in groups.get("monitored", ()) and host not in groups.get("server", ())
    if database and elsewhere and LOOPBACK.match(str(address)):
        yield (
            f"{path}.database.address: {shown(address)} cannot be reached from the server, as the app runs on {host}. "
            f"Allowed: an address of {host} that the server reaches, with `admin_user` and `admin_password`."
        )


def _kpi_mistakes(path: str, kpis: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    for index, kpi in enumerate(kpis):
        where = entry(path, index, kpi, "name")
        sql, problem = _text(kpi, folder)
        if problem:
            yield f"{where}.file: {problem}"
        if sql is not None:
            code = _COMMENT.sub(" ", sql).strip()
            wrong = list(_reading_mistakes(where, "KPI", code))
            yield from wrong or _answer_mistakes(where, sql, ["value", *names(entries(kpi.get("labels")))])
            if _TAG.search(code):
                yield f"{where}: nobody fills in {{{{…}}}} of a KPI. Write its SQL without them."


def _answer_mistakes(where: str, sql: str, columns: Sequence[str]) -> Iterator[str]:
    """Columns that it cannot answer with, as it never names them; a `*` that is no COUNT(*) may be any column."""
    words = [token.strip('"') if token.startswith('"') else token.lower() for token in sql_tokens(sql)]
    all_columns = any(word == "*" and before in ("select", "distinct", ",", ".") for before, word in pairwise(words))
    if ";" in words:
        yield f"{where}: the SQL of a KPI is one statement. Remove the semicolon in the middle, and what follows it."
    for column in columns:
        if column not in words and not all_columns:
            yield f"{where}: the SQL has no column `{column}`. Name it, as in `SELECT COUNT(*) AS {column}`."


# --- questions --------------------------------------------------------------------------------------------------------


def _question_mistakes(
    path: str, business: Mapping[str, Any], kpis: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[str]:
    questions = _mappings(business.get("questions"))
    counts = Counter(str(question.get("name")) for question in questions)
    starters = starter() if yes(business.get("starter", True)) else {}
    for index, question in enumerate(questions):
        if not isinstance(name := question.get("name"), str):
            continue  # the model refuses it
        where = entry(f"{path}.questions", index, question, "name")
        if counts[name] > 1:
            times = f"{shown(name)} is declared {counts[name]} times"
            yield f"{where}.name: {times}. Allowed: each name once within an app."
        if question.get("chart") is None and name not in starters:
            known = ", ".join(starters) or "none, as `starter` is off"
            yield (
                f"{where}.chart: is missing. Only a question that replaces a starter question takes over its chart."
                f"{nearest(name, list(starters))} Starter questions: {known}."
            )
        if question.get("kpi") is not None:
            yield from _mistakes_of_its_kpi(where, question["kpi"], kpis, folder)
        sql, problem = _text(question, folder)
        if problem:
            yield f"{where}.file: {problem}"
        if sql is not None:
            yield from _sql_mistakes(where, sql, mapping(question.get("filters")))


def _mistakes_of_its_kpi(where: str, name: Any, kpis: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    known = {str(kpi["name"]): kpi for kpi in kpis if is_name(kpi.get("name"))}
    if name not in known:
        allowed = ", ".join(known) or "none, as the app has no `kpis`"
        yield f"{where}.kpi: {shown(name)} is not a KPI of the app.{nearest(name, list(known))} Allowed: {allowed}."
    elif sql := _text(known[name], folder)[0]:
        yield from _bracket_mistakes(where, _COMMENT.sub(" ", sql))


def _text(asked: Mapping[str, Any], folder: Path) -> tuple[str | None, str]:
    """(SQL, "") of a question or a KPI, or (None, what is wrong with its file); (None, "") where it has none."""
    sql, file = asked.get("sql"), asked.get("file")
    if isinstance(sql, str) or not isinstance(file, str) or sql is not None:
        return (sql if isinstance(sql, str) else None), ""
    content, problem = _content(file, folder)
    return content, f"{shown(file)} {problem}." if problem else ""


def _content(name: str, folder: Path) -> tuple[str | None, str]:
    """(text, "") of a file, or (None, what is wrong with it)."""
    full = folder / name
    where = f" ({full})" if shown(name) != HIDDEN else ""
    try:
        text = full.read_text(encoding="utf-8")
    except OSError as error:
        return None, f"cannot be read: {error.strerror}{where}. Relative paths start at the inventory's folder"
    except ValueError:  # not UTF-8, or a zero byte in the name
        return None, f"is not text in UTF-8{where}"
    return (text, "") if text.strip() else (None, f"is empty{where}. Allowed: a file with SQL in it")


def _sql_mistakes(where: str, sql: str, filters: Mapping[str, Any]) -> Iterator[str]:
    code = _COMMENT.sub(" ", sql).strip()
    yield from _reading_mistakes(where, "question", code)
    tags = list(dict.fromkeys(tag.strip() for tag in _TAG.findall(code)))
    for tag in tags:
        if tag not in filters:
            close = nearest(tag, names(filters))
            yield (
                f"{where}.filters: the SQL uses {{{{{key(tag)}}}}}, but `filters` names no column for it.{close} "
                "Add its column, as in {period: public.shop_order.placed_at}."
            )
    for tag in filters:
        if tag not in tags:
            name = key(tag)
            use = f"Write `[[AND {{{{{name}}}}}]]` into it, or remove the filter."
            yield f"{where}.filters.{name}: the SQL does not use {{{{{name}}}}}. {use}"
    yield from _bracket_mistakes(where, code)


def _reading_mistakes(where: str, kind: str, code: str) -> Iterator[str]:
    first = re.match(r"\(*\s*(\w*)", code)
    keyword = first[1] if first else ""
    if keyword.lower() not in ("select", "with"):
        found = f"the SQL begins with {shown(keyword)}" if keyword else "the SQL has no first word"
        yield f"{where}: a {kind} may only read, but {found}. Allowed: SQL that begins with SELECT or WITH."


def _bracket_mistakes(where: str, code: str) -> Iterator[str]:
    """Metabase refuses what is not closed, and [[…]] without a filter, even where [[ begins an array of arrays."""
    rest = _OPTIONAL.sub("", code)
    if "[[" in rest or "{{" in _TAG.sub("", code) or not all("{{" in part for part in _OPTIONAL.findall(code)):
        yield (
            f"{where}: Metabase reads {{{{…}}}} as a filter and [[…]] as a part with a filter in it, "
            "and something here is neither. Close each of them, and put a space between the brackets of nested arrays."
        )


# --- subscriptions and users ------------------------------------------------------------------------------------------


def _subscription_mistakes(path: str, business: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[str]:
    subscriptions = _mappings(business.get("subscriptions"))
    if subscriptions and not yes(business.get("starter", True)) and not business.get("questions"):
        yield f"{path}.subscriptions: there is no question to send. Needs `questions`, or `starter: true`."
    for index, subscription in enumerate(subscriptions):
        where = f"{path}.subscriptions[{index}]"
        if subscription.get("to") and not _mails(variables):
            yield f"{where}.to: no mail server is known. Needs a receiver of type email, which names one."
        slacks = [each for each in _mappings(variables.get("crowsnest_receivers")) if each.get("type") == "slack"]
        known = variables.get("crowsnest_metabase_slack_token") or any(each.get("bot_token") for each in slacks)
        if subscription.get("channel") and not known:
            yield (
                f"{where}.channel: Metabase needs the token of a bot for Slack, as a webhook cannot choose a channel. "
                "Needs `crowsnest_metabase_slack_token`, or a receiver with `bot_token`."
            )


def _user_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    users = _mappings(variables.get("crowsnest_metabase_users"))
    admin = str(variables.get("crowsnest_metabase_admin_email", "")).lower()
    if users and not _mails(variables):
        yield (
            "crowsnest_metabase_users: Metabase e-mails people the link to their first password, and no mail "
            "server is known. Needs a receiver of type email, which names one."
        )
    emails = Counter(str(user.get("email")).lower() for user in users)
    for index, user in enumerate(users):
        email = str(user.get("email")).lower()
        if user.get("email") and emails[email] > 1:
            yield (
                f"crowsnest_metabase_users[{index}].email: {shown(email)} is declared {emails[email]} times. "
                "Allowed: each address once."
            )
        elif user.get("email") and email == admin:
            yield (
                f"crowsnest_metabase_users[{index}].email: {shown(email)} is already the first account "
                "(`crowsnest_metabase_admin_email`). Give that account another address, or remove this entry."
            )


def _secret_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """Secrets become variables of Metabase's container, in a file with one line for each."""
    mails = {
        f"crowsnest_receivers[{index}].password": mail.get("password") for index, mail in _mails(variables).items()
    }
    secrets = {
        **(mails if any(app.get("database") for app in _mappings(variables.get("crowsnest_apps"))) else {}),
        "crowsnest_metabase_database.password": mapping(variables.get("crowsnest_metabase_database")).get("password"),
        "crowsnest_metabase_slack_token": variables.get("crowsnest_metabase_slack_token"),
    }
    for path, value in secrets.items():
        if isinstance(value, str) and re.search(r"[\r\n]", value):
            yield f"{path}: {HIDDEN} cannot be passed to Metabase. Allowed: one line."


def _mails(variables: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """{position: receiver} of the receivers of type email."""
    receivers = enumerate(_mappings(variables.get("crowsnest_receivers")))
    return {index: receiver for index, receiver in receivers if receiver.get("type") == "email"}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [mapping(item) for item in entries(value)]
