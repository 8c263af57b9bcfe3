# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""grafana.ini and the provisioning of Grafana as pure functions of the plan and the declaration."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from email.utils import parseaddr
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import first_email_receiver
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    MOUNT_IN_CONTAINER,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import (
    ALERTMANAGER_UID,
    PROMETHEUS_UID,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import FOLDERS, Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.texts import PAGES

USER = "admin"
SECRETS = f"{CONFIG_IN_CONTAINER}/secrets"
# The directory of the release with all dashboards. For Grafana the resolved path of a file is the dashboard's identity,
# so it gets paths that stay the same in each release; else stars, annotations and versions would go with each one:
# https://github.com/grafana/grafana/issues/80055
DASHBOARDS = "dashboards"
_STABLE_DASHBOARDS = f"{MOUNT_IN_CONTAINER}/{DASHBOARDS}"
# How long a changed dashboard takes to appear at most, in seconds. With 10 or less Grafana does not poll but watches
# the directory, and never sees that the links in it lead to other files: https://github.com/grafana/grafana/issues/115416
DASHBOARD_POLL_SECONDS = 15
# Kinds of provisioning without a file of crowsnest's; each missing folder is an error in the log at every start.
NOT_PROVISIONED = ("alerting", "plugins")

Ini = Mapping[str, Mapping[str, str]]


def grafana_ini(context: Context) -> dict[str, dict[str, str]]:
    """{section: {key: value}}: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/

    A password is named by its file; Grafana reads and strips it.
    """
    service = context.services["grafana"]
    secret_key = f"$__file{{{SECRETS}/secret_key}}"
    return {
        "server": {
            "http_addr": "127.0.0.1",
            "http_port": str(service.port),
            "root_url": service.external_url,
            # Compression lost memory with each HEAD: https://github.com/grafana/grafana/issues/130649
            "enable_gzip": "false",
        },
        "security": {
            "admin_user": USER,
            "admin_password": f"$__file{{{SECRETS}/admin_password}}",
            "secret_key": secret_key,
            "disable_gravatar": "true",
            "cookie_secure": str(service.external_url.startswith("https:")).lower(),
        },
        # Of stored secrets of Grafana's newer parts; its default is the same everywhere.
        "secrets_manager.encryption.secret_key.v1": {"secret_key": secret_key},
        "users": {"allow_sign_up": "false", "allow_org_create": "false", "default_theme": "dark"},
        "auth.anonymous": {"enabled": "false"},
        "database": {"type": "sqlite3", "wal": "true"},
        "dashboards": {"default_home_dashboard_path": f"{_STABLE_DASHBOARDS}/overview/overview.json"},
        # Rules live in Prometheus: Grafana evaluates none of its own, and its pages for rules, alerts and silences show
        # those of Prometheus and Alertmanager.
        "unified_alerting": {"enabled": "true", "execute_alerts": "false"},
        # No part of it calls home.
        "analytics": {
            "reporting_enabled": "false",
            "check_for_updates": "false",
            "check_for_plugin_updates": "false",
            "feedback_links_enabled": "false",
        },
        "news": {"news_feed_enabled": "false"},
        "snapshots": {"external_enabled": "false"},
        "public_dashboards": {"enabled": "false"},
        "cloud_migration": {"enabled": "false"},
        "plugins": _plugins(context.declaration.grafana_plugins),
        # Grafana logs the lock of a user only at level info.
        "log": {"mode": "console", "level": "warn", "filters": "authn.service:info"},
        "metrics": {"enabled": "true"},
        **_smtp(context.declaration),
    }


# Grafana fetches these apps from grafana.com at its start unless switched off; with declared plugins they cannot be
# switched off all at once: https://github.com/grafana/grafana/blob/main/pkg/setting/setting_plugins.go
_FETCHED_BY_ITSELF = (
    "grafana-advisor-app",
    "grafana-exploretraces-app",
    "grafana-lokiexplore-app",
    "grafana-metricsdrilldown-app",
    "grafana-pyroscope-app",
)


def _plugins(declared: Mapping[str, str]) -> dict[str, str]:
    """Without declared plugins grafana.com is not contacted, not even for the keys of their signatures.

    Declared ones are fetched in the background: with `preinstall_sync` Grafana ends when grafana.com does not answer.
    """
    common = {"plugin_admin_enabled": "false", "preinstall_auto_update": "false"}
    if not declared:
        return {**common, "preinstall_disabled": "true", "public_key_retrieval_disabled": "true"}
    unwanted = [name for name in _FETCHED_BY_ITSELF if name not in declared]
    wanted = [f"{name}@{version}" for name, version in sorted(declared.items())]
    return {**common, "disable_plugins": ",".join(unwanted), "preinstall": ",".join(wanted)}


def _smtp(declared: Declaration) -> dict[str, dict[str, str]]:
    """The first e-mail receiver's server, for invitations and shared dashboards."""
    receiver = first_email_receiver(declared.receivers)
    if receiver is None:
        return {}
    name, address = parseaddr(receiver.sender)
    login = {"user": receiver.username} if receiver.username else {}
    password = {"password": f"$__file{{{SECRETS}/smtp_password}}"} if receiver.password else {}
    return {
        "smtp": {
            "enabled": "true",
            "host": receiver.smarthost,
            **login,
            **password,
            "from_address": address,
            "from_name": name or "crowsnest",
            "startTLS_policy": "MandatoryStartTLS" if receiver.require_tls else "NoStartTLS",
        }
    }


def grafana_secrets(declared: Declaration, admin_password: str, secret_key: str) -> dict[str, str]:
    """{relative path: secret}; never part of a plan, a diff or a log."""
    mail = first_email_receiver(declared.receivers)
    smtp = {"secrets/smtp_password": mail.password.get_secret_value()} if mail and mail.password else {}
    return {"secrets/admin_password": admin_password, "secrets/secret_key": secret_key, **smtp}


def ini_text(ini: Ini) -> str:
    """The text of grafana.ini. Without the backquotes, # and ; would begin a comment in the middle of a value.

    https://ini.unknwon.io/docs/howto/work_with_values
    """
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {_quoted(value)}\n" for key, value in values.items())
        for section, values in ini.items()
    )


def _quoted(value: str) -> str:
    """Raises ValueError for what cannot be written so that Grafana reads it back as it is."""
    if "`" in value or "${" in value or "%(" in value:
        raise ValueError(f"grafana.ini cannot hold {value!r}: it has one of ` ${{ %( . Use another value.")
    return f"`{value}`" if set(value) & set("#;\"'\\") else value


def datasources(context: Context) -> dict[str, Any]:
    """https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources"""
    common = {"access": "proxy", "orgId": 1, "editable": False}
    prometheus, alertmanager = (
        f"http://127.0.0.1:{context.services[name].port}" for name in ("prometheus", "alertmanager")
    )
    return {
        "apiVersion": 1,
        "prune": True,  # a data source of crowsnest's that is no longer here disappears
        "datasources": [
            {
                "name": "Prometheus",
                "uid": PROMETHEUS_UID,
                "type": "prometheus",
                "url": prometheus,
                "isDefault": True,
                "jsonData": {
                    "httpMethod": "POST",
                    "timeInterval": context.declaration.scrape_interval,
                    "manageAlerts": True,  # its rules are listed on the page of alert rules
                },
                **common,
            },
            {
                "name": "Alertmanager",
                "uid": ALERTMANAGER_UID,
                "type": "alertmanager",
                "url": alertmanager,
                "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
                **common,
            },
        ],
    }


def dashboard_providers(dashboards: Iterable[Dashboard], language: str) -> dict[str, Any]:
    """One provider per folder: https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards"""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": folder,
                "folder": translated(folder, language, PAGES),
                "folderUid": folder_uid(folder),
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": DASHBOARD_POLL_SECONDS,
                "options": {"path": f"{_STABLE_DASHBOARDS}/{folder.lower()}"},
            }
            for folder in dict.fromkeys(dashboard.folder for dashboard in dashboards)
        ],
    }


def folder_titles(language: str) -> dict[str, str]:
    """{uid: title} of the folders there may be."""
    return {folder_uid(folder): translated(folder, language, PAGES) for folder in FOLDERS}


def folder_uid(folder: str) -> str:
    """Not a dashboard's uid: older versions of Grafana keep both in one table."""
    return f"folder-{folder.lower()}"


def dashboard_path(dashboard: Dashboard) -> str:
    """Path of a dashboard in the release."""
    return f"{DASHBOARDS}/{dashboard.folder.lower()}/{dashboard.uid}.json"


def start_digest(texts: Iterable[str], secrets: Mapping[str, str]) -> str:
    """A digest of everything that Grafana reads only at its start, keyed so that it reveals no password."""
    key = secrets["secrets/secret_key"].encode()
    content = "\0".join([*texts, *(f"{name}={secret}" for name, secret in sorted(secrets.items()))])
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()[:16]
