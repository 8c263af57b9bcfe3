# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: which server it is, what differs, and what is done. Python 3.9, standard library."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import Options, refuse
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.bugsink import Bugsink
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client, SilentError
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import is_of_sentry_io
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.options import mistakes
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.sentry import Sentry


def run(options: Options, check_mode: bool) -> dict[str, Any]:
    """Does or predicts the work. A server that does not answer is a warning: it stops no run. Raises ReconcileError."""
    subject = f"Sentry at {options['url']}"
    refuse(subject, mistakes(options))
    client = Client(options["url"], options["token"], options["timeout"])
    try:
        return _reconciled(subject, client, options, check_mode)
    except SilentError as error:
        changes = [client.last] if client.last else []
        return {
            "changed": bool(changes),
            "changes": changes,
            "projects": [],
            "warnings": [f"{error} Until it answers, apps keep the DSNs they have."],
            "diff": texts([]),
        }


def _reconciled(subject: str, client: Client, options: Options, check_mode: bool) -> dict[str, Any]:
    server: Bugsink | Sentry
    if is_bugsink(client):
        server = Bugsink(client, options["projects"])
    else:
        refuse(subject, [] if options["organization"] else ["organization: is missing"])
        server = Sentry(client, options["organization"], options["projects"])
    changes = server.plan()
    if not check_mode:
        server.apply(changes)
    return {
        "changed": bool(changes),
        "changes": [str(change) for change in changes],
        "projects": [_returned(project, options["dsns"]) for project in server.projects()],
        "warnings": server.warnings(),
        "diff": texts(changes),
    }


def _returned(project: dict[str, Any], with_dsn: bool) -> dict[str, Any]:
    """A project with the digest of its DSN, by which a new one shows; with the DSN only where it is asked for."""
    dsn = project.pop("dsn")
    digest = hashlib.sha256(dsn.encode()).hexdigest() if dsn else ""
    return {**project, "dsn_digest": digest, **({"dsn": dsn} if with_dsn else {})}


def is_bugsink(client: Client) -> bool:
    """Only Bugsink has this path; Sentry answers 404, or one of its pages."""
    if is_of_sentry_io(urlsplit(client.url).hostname or ""):
        return False
    answer = client.probe("/api/canonical/0/teams/")
    return answer.status in (200, 401, 403) and isinstance(answer.content, dict)
