# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase's settings as variables of its container: pure functions of the plan and the declaration.

What is set here is fixed: Metabase shows it to its administrators, but nobody can change it.
Names: https://www.metabase.com/docs/latest/configuring-metabase/environment-variables
"""

from __future__ import annotations

from collections import Counter
from email.utils import parseaddr

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    SMTP_TLS_PORT,
    first_email_receiver,
    first_slack_bot,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK, host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    ENVIRONMENT_FILE,
    environment_text,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import METABASE_CONNECTIONS


def admin(declared: Declaration, password: str) -> dict[str, str]:
    """The first account, as the module `metabase` takes it."""
    return {
        "email": declared.metabase_admin_email,
        "first_name": "crowsnest",
        "last_name": "admin",
        "password": password,
    }


def metabase_secrets(context: Context) -> dict[str, str]:
    """{relative path: text} of Metabase's secret files."""
    declared, key = context.declaration, context.secret("metabase_encryption_key")
    variables = {**_settings(context), **_database(context), **_mail(declared)}
    variables["MB_ENCRYPTION_SECRET_KEY"] = key
    if token := declared.metabase_slack_token or first_slack_bot(declared.receivers):
        variables["MB_SLACK_APP_TOKEN"] = token.get_secret_value()
    return {
        ENVIRONMENT_FILE: environment_text(variables),
        "secrets/admin_password": context.secret("metabase_admin_password"),
        # No program reads it there; a second person finds it there.
        "secrets/encryption_key": key,
    }


def _settings(context: Context) -> dict[str, str]:
    declared = context.declaration
    return {
        "MB_SITE_NAME": declared.metabase_site_name,
        "MB_SITE_URL": context.services["metabase"].external_url,
        "MB_SITE_LOCALE": declared.language,
        "MB_ADMIN_EMAIL": declared.metabase_admin_email,
        "MB_REPORT_TIMEZONE": declared.timezone,
        "MB_START_OF_WEEK": "monday",
        "MB_PASSWORD_LENGTH": "12",
        "MB_ENABLE_PUBLIC_SHARING": "false",
        "MB_LOAD_SAMPLE_CONTENT": "false",
        "MB_JDBC_DATA_WAREHOUSE_MAX_CONNECTION_POOL_SIZE": str(_pool(declared)),
        # No part of it calls home.
        "MB_ANON_TRACKING_ENABLED": "false",
        "MB_CHECK_FOR_UPDATES": "false",
    }


def _pool(declared: Declaration) -> int:
    """Connections for each app; the role's limit is for all apps with a database on one server together."""
    servers = Counter(LOOPBACK.sub("127.0.0.1", app.database.address) for app in declared.apps if app.database)
    return max(1, METABASE_CONNECTIONS // max(servers.values(), default=1))


def _database(context: Context) -> dict[str, str]:
    """Where Metabase keeps its own data: a declared server, else the container next to it."""
    declared = context.declaration.metabase_database
    if declared:
        host, port = host_and_port(declared.address)
        name, user, password = declared.name, declared.user, declared.password.get_secret_value()
    else:
        host, port = "127.0.0.1", context.services["metabase_database"].port
        name, user, password = "metabase", "metabase", context.secret("metabase_database_password")
    return {
        "MB_DB_TYPE": "postgres",
        "MB_DB_HOST": host,
        "MB_DB_PORT": str(port),
        "MB_DB_DBNAME": name,
        "MB_DB_USER": user,
        "MB_DB_PASS": password,
    }


def _mail(declared: Declaration) -> dict[str, str]:
    """The first e-mail receiver's server, for invitations and subscriptions."""
    receiver = first_email_receiver(declared.receivers)
    if receiver is None:
        return {}
    name, address = parseaddr(receiver.sender)
    host, port = host_and_port(receiver.smarthost)
    tls = "ssl" if port == SMTP_TLS_PORT else "starttls"
    login = {"MB_EMAIL_SMTP_USERNAME": receiver.username} if receiver.username else {}
    password = {"MB_EMAIL_SMTP_PASSWORD": receiver.password.get_secret_value()} if receiver.password else {}
    return {
        "MB_EMAIL_SMTP_HOST": host,
        "MB_EMAIL_SMTP_PORT": str(port),
        "MB_EMAIL_SMTP_SECURITY": tls if receiver.require_tls else "none",
        **login,
        **password,
        "MB_EMAIL_FROM_ADDRESS": address,
        "MB_EMAIL_FROM_NAME": name or "crowsnest",
    }
