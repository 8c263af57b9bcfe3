# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What `./crowsnest new` asks. Standard library only: the launcher makes a flag of each question."""

from __future__ import annotations

from dataclasses import dataclass

SSH_PORT = "22"


@dataclass(frozen=True)
class Question:
    """One question; `key` is also the flag. `path` is where the answer stands in the declaration, without indexes.

    A secret is typed without echo, or read from a file or its environment variable.
    """

    key: str
    text: str
    default: str = ""
    path: str = ""
    needs: str = ""  # asked only when one of these, with a space between them, has an answer
    unless: str = ""  # asked only when this one has none
    before: str = ""  # what a person reads first
    asked: bool = True  # False: only a flag, for what few people need
    variable: str = ""  # of a secret: the environment variable that may hold it

    @property
    def flag(self) -> str:
        """`--app-url` for `app_url`."""
        return "--" + self.key.replace("_", "-")

    @property
    def file_key(self) -> str:
        """`slack_webhook_file`: key of the flag that names a file with the secret."""
        return f"{self.key}_file"

    @property
    def file_flag(self) -> str:
        """`--slack-webhook-file`."""
        return f"{self.flag}-file"


# The remote that is made of the answers.
REMOTE = "offsite"
_REMOTE = f"crowsnest_backup_remotes.{REMOTE}"

# https://docs.slack.dev/reference/app-manifest. With rotation the token would end every 12 hours.
SLACK_MANIFEST = """\
display_information:
  name: crowsnest
features:
  bot_user:
    display_name: crowsnest
oauth_config:
  scopes:
    bot: [chat:write, chat:write.public]
settings:
  token_rotation_enabled: false
"""
_SLACK_APP = f"""
The bot of a Slack app edits its message as the fault goes on, and when it is over. To make one:
1. At https://api.slack.com/apps choose Create New App, From a manifest, and your workspace. Choose YAML and paste:

{SLACK_MANIFEST}
2. Choose Create, then Install to Workspace, and copy the Bot User OAuth Token (OAuth & Permissions).
3. A private channel: invite the bot there, /invite @crowsnest.
"""

# Asked once the server was looked at, with what it would close.
FIREWALL = Question(
    "firewall",
    "Close all other ports? yes, no, or the numbers of more ports that stay open, such as 5432,8000",
    "no",
    asked=False,
)

QUESTIONS = (
    Question("host", "Address of the server (name or IP; localhost: this machine)"),
    Question("user", "User to log in as over SSH (may use sudo)", "ubuntu"),
    Question("port", "Port of SSH on the server", SSH_PORT),
    Question("jump_host", "Host that SSH goes through, such as admin@bastion.example.com", asked=False),
    Question("environment", "Environment, a label on everything (production, staging, …)", "", "crowsnest_environment"),
    Question("timezone", "Time zone", "Asia/Seoul", "crowsnest_timezone"),
    Question("language", "Language of alerts and dashboards (en, ko)", "en", "crowsnest_language"),
    Question("app_name", "Name of your app (empty: watch only the host)", "", "crowsnest_apps.name"),
    Question("app_url", "Public address of the app", "", "crowsnest_apps.url", "app_name"),
    Question(
        "framework",
        "Framework (django, fastapi, flask, express, nestjs, prom_client, generic)",
        "generic",
        "crowsnest_apps.framework",
        "app_name",
    ),
    Question(
        "metrics",
        "Where its metrics are on the host, such as 127.0.0.1:8000/metrics",
        "",
        "crowsnest_apps.metrics",
        "app_name",
    ),
    Question(
        "database",
        "Name of its PostgreSQL database, to back it up every night (empty: none)",
        "",
        "crowsnest_apps.database.name",
        "app_name",
    ),
    Question(
        "database_container",
        "Container of that database (empty: the one on port 5432, or PostgreSQL on the host itself)",
        "",
        "crowsnest_apps.database.container",
        "database",
    ),
    Question(
        "env_file",
        "File with its environment on the host, for Sentry's address, such as /srv/shop/.env (empty: none)",
        "",
        "crowsnest_apps.env_file",
        "app_name",
    ),
    Question(
        "sentry_dsn",
        "DSN of its project in Sentry (not shown; empty: no Sentry; docs/sentry.md)",
        "",
        "crowsnest_apps.sentry.dsn",
        "env_file",
        variable="CROWSNEST_SENTRY_DSN",
    ),
    Question(
        "measurement_id",
        "Measurement id of Google Analytics 4, G-… (empty: none; docs/analytics.md)",
        "",
        "crowsnest_apps.analytics.measurement_id",
        "app_name",
    ),
    Question(
        "analytics_template",
        "Template on the host that gets the Google tag, such as /srv/shop/templates/base.html",
        "",
        "crowsnest_apps.analytics.templates",
        "measurement_id",
    ),
    Question(
        "backup_bucket",
        "Bucket of S3 or Lightsail for copies of the backups (empty: they stay on the server)",
        "",
        f"{_REMOTE}.bucket",
    ),
    Question("backup_region", "Region of the bucket", "ap-northeast-2", f"{_REMOTE}.region", "backup_bucket"),
    Question(
        "backup_access_key",
        "Access key for the bucket (empty: the server itself was given access)",
        "",
        f"{_REMOTE}.access_key",
        "backup_bucket",
    ),
    Question(
        "backup_secret_key",
        "Secret of that access key (not shown)",
        "",
        f"{_REMOTE}.secret_key",
        "backup_access_key",
        variable="CROWSNEST_BACKUP_SECRET_KEY",
    ),
    Question(
        "backup_encrypt_to",
        "Public key of age that encrypts the copies, age1… (empty: none; docs/backup.md)",
        "",
        f"{_REMOTE}.encrypt_to",
        "backup_bucket",
    ),
    Question(
        "slack_webhook",
        "Slack webhook (not shown; empty: the bot of a Slack app, or no alerts yet)",
        "",
        "crowsnest_receivers.webhook_url",
        variable="CROWSNEST_SLACK_WEBHOOK",
    ),
    Question(
        "slack_bot_token",
        "Token of the bot, xoxb-… (not shown; empty: no alerts yet)",
        "",
        "crowsnest_receivers.bot_token",
        variable="CROWSNEST_SLACK_BOT_TOKEN",
        unless="slack_webhook",
        before=_SLACK_APP,
    ),
    Question(
        "slack_channel", "Slack channel", "#alerts", "crowsnest_receivers.channel", "slack_webhook slack_bot_token"
    ),
    Question(
        "domain",
        "Domain for the pages, such as watch.example.com (empty: through SSH tunnels; docs/pages.md)",
        "",
        "crowsnest_domain",
    ),
    Question(
        "proxy",
        "Who answers on port 443 there: crowsnest (own), or a web server of yours that hands on to it (behind)",
        "own",
        "crowsnest_proxy",
        "domain",
    ),
    Question(
        "certificates",
        "Whose certificates the pages show (letsencrypt, internal)",
        "letsencrypt",
        "crowsnest_certificates",
        "domain",
        asked=False,
    ),
    FIREWALL,
)
