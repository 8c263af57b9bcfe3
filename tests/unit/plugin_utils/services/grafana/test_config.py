"""grafana.ini and provisioning: what Grafana is told, and that no secret is told with it."""

from __future__ import annotations

from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana import config as grafana
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.service import GRAFANA

MakeContext = Callable[..., Context]
ROOT = next(path for path in Path(__file__).parents if (path / "roles").is_dir())
PLUGINS = {"grafana-clock-panel": "2.1.8", "grafana-lokiexplore-app": "1.0.0"}
MAIL = {
    "type": "email",
    "to": ["ops@example.com"],
    "sender": "crowsnest@example.com",
    "smarthost": "smtp.example.com:587",
    "username": "mailer",
    "password": "m4il-secret",
}


def ini(context: MakeContext, **declared: Any) -> dict[str, dict[str, str]]:
    return grafana.grafana_ini(context(declared))


def test_people_need_a_login_and_cannot_make_one(context: MakeContext) -> None:
    made = ini(context)
    assert made["auth.anonymous"]["enabled"] == "false"
    assert made["users"]["allow_sign_up"] == "false"
    assert made["server"]["http_addr"] == "127.0.0.1"
    assert made["public_dashboards"]["enabled"] == made["snapshots"]["external_enabled"] == "false"


def test_grafana_calls_nobody(context: MakeContext) -> None:
    made = ini(context)
    assert set(made["analytics"].values()) == {"false"}
    assert made["security"]["disable_gravatar"] == "true"
    assert made["news"]["news_feed_enabled"] == "false"
    assert made["plugins"]["preinstall_disabled"] == "true"
    assert made["plugins"]["public_key_retrieval_disabled"] == "true"
    assert made["plugins"]["plugin_admin_enabled"] == "false"
    assert made["cloud_migration"]["enabled"] == "false"


def test_nothing_stored_is_encrypted_with_a_key_that_everybody_knows(context: MakeContext) -> None:
    made = ini(context)
    keys = {name: section["secret_key"] for name, section in made.items() if "secret_key" in section}
    assert set(keys) == {"security", "secrets_manager.encryption.secret_key.v1"}
    assert set(keys.values()) == {"$__file{/etc/crowsnest/current/secrets/secret_key}"}


def test_grafana_does_not_compress(context: MakeContext) -> None:
    assert ini(context)["server"]["enable_gzip"] == "false"


def test_the_image_is_one_that_does_not_lose_memory() -> None:
    name, _, tag = images()["grafana"].partition(":")
    assert name == "grafana/grafana"
    assert (13, 1, 5) <= tuple(int(part) for part in tag.split("@")[0].split(".")) < (13, 2)


def test_that_a_user_is_locked_stands_in_the_log(context: MakeContext) -> None:
    """verify sends people there."""
    assert ini(context)["log"] == {"mode": "console", "level": "warn", "filters": "authn.service:info"}


def test_declared_plugins_come_in_their_exact_version_and_no_others(context: MakeContext) -> None:
    """In the background: Grafana starts when grafana.com does not answer. Their signatures need the newest keys."""
    made = ini(context, grafana_plugins=PLUGINS)["plugins"]
    assert made["preinstall"] == "grafana-clock-panel@2.1.8,grafana-lokiexplore-app@1.0.0"
    assert not {"preinstall_sync", "preinstall_disabled", "public_key_retrieval_disabled"} & set(made)
    assert "grafana-lokiexplore-app" not in made["disable_plugins"].split(",")
    assert "grafana-pyroscope-app" in made["disable_plugins"].split(",")


@pytest.mark.parametrize(
    ("url", "secure"), [("https://grafana.example.com/", "true"), ("http://127.0.0.1:3000", "false")]
)
def test_cookies_go_over_https_only_when_people_come_that_way(context: MakeContext, url: str, secure: str) -> None:
    made = ini(context, external_urls={"grafana": url})
    assert (made["server"]["root_url"], made["security"]["cookie_secure"]) == (url, secure)


def test_the_first_mail_receiver_gives_the_mail_server(context: MakeContext) -> None:
    assert ini(context, receivers=[MAIL])["smtp"] == {
        "enabled": "true",
        "host": "smtp.example.com:587",
        "user": "mailer",
        "password": "$__file{/etc/crowsnest/current/secrets/smtp_password}",
        "from_address": "crowsnest@example.com",
        "from_name": "crowsnest",
        "startTLS_policy": "MandatoryStartTLS",
    }
    assert "smtp" not in ini(context)


def test_a_relay_without_tls_is_used_without_it(context: MakeContext) -> None:
    relay = {**MAIL, "smarthost": "localhost:25", "require_tls": False}
    assert ini(context, receivers=[relay])["smtp"]["startTLS_policy"] == "NoStartTLS"


def test_no_secret_is_in_the_ini(context: MakeContext) -> None:
    made = context({"receivers": [MAIL], "grafana_admin_password": "adm1n-secret-long"})
    secrets = grafana.grafana_secrets(made.declaration, "adm1n-secret-long", "k3y-secret")
    text = grafana.ini_text(grafana.grafana_ini(made))
    assert secrets == {
        "secrets/admin_password": "adm1n-secret-long",
        "secrets/secret_key": "k3y-secret",
        "secrets/smtp_password": "m4il-secret",
    }
    assert not [secret for secret in secrets.values() if secret in text]


def test_a_sender_with_a_name_is_taken_apart(context: MakeContext) -> None:
    """Grafana refuses to start with a name in the address."""
    made = ini(context, receivers=[{**MAIL, "sender": "Shop Watch <watch@example.com>"}])["smtp"]
    assert (made["from_address"], made["from_name"]) == ("watch@example.com", "Shop Watch")


def test_a_value_does_not_end_at_a_comment_sign() -> None:
    assert (
        grafana.ini_text({"smtp": {"user": "a#b;c", "host": "smtp:587"}}) == "[smtp]\nuser = `a#b;c`\nhost = smtp:587\n"
    )


def test_the_text_is_an_ini_file_with_the_same_values(context: MakeContext) -> None:
    made = ini(context, receivers=[MAIL])
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(grafana.ini_text(made))
    assert {name: dict(parser[name]) for name in parser.sections()} == made


def test_the_data_sources_are_the_planned_services(context: MakeContext) -> None:
    made = grafana.datasources(context({"ports": {"prometheus": 19000}}))
    assert made["apiVersion"] == 1
    assert {it["uid"]: it["url"] for it in made["datasources"]} == {
        "prometheus": "http://127.0.0.1:19000",
        "alertmanager": "http://127.0.0.1:9093",
    }
    assert [it["uid"] for it in made["datasources"] if it.get("isDefault")] == ["prometheus"]
    assert not any(it["editable"] for it in made["datasources"])
    # Else the page of alert rules is empty.
    assert [it["jsonData"].get("manageAlerts") for it in made["datasources"]] == [True, None]


def test_each_folder_has_a_provider_that_finds_its_dashboards(context: MakeContext) -> None:
    shown = dashboards(context({"apps": [{"name": "shop", "framework": "django", "metrics": [":8000"]}]}))
    providers = grafana.dashboard_providers(shown, "en")["providers"]
    paths = {provider["options"]["path"] for provider in providers}
    assert {f"/etc/crowsnest/{grafana.dashboard_path(each).rpartition('/')[0]}" for each in shown} == paths
    assert len({provider["folderUid"] for provider in providers}) == len(providers)
    # Grafana watches instead of polling below that, and misses that the links lead elsewhere.
    assert all(provider["updateIntervalSeconds"] > 10 for provider in providers)
    assert not any(provider["allowUiUpdates"] or provider["disableDeletion"] for provider in providers)


def test_the_digest_changes_with_each_text_and_secret_and_tells_neither() -> None:
    secrets = {"secrets/secret_key": "k", "secrets/smtp_password": "p"}
    digests = {
        grafana.start_digest(["a"], secrets),
        grafana.start_digest(["b"], secrets),
        grafana.start_digest(["a"], {**secrets, "secrets/smtp_password": "q"}),
        grafana.start_digest(["a"], {**secrets, "secrets/secret_key": "l"}),
    }
    assert len(digests) == 4
    assert grafana.start_digest(["a"], secrets) == grafana.start_digest(["a"], secrets)


def test_dashboards_are_found_at_paths_that_stay_the_same(context: MakeContext) -> None:
    """The resolved path of a file is its identity for Grafana, so neither a release nor `current` is in it."""
    assert GRAFANA.stable == grafana.DASHBOARDS
    made = grafana.dashboard_providers(dashboards(context()), "en")["providers"]
    home = ini(context)["dashboards"]["default_home_dashboard_path"]
    for path in (home, *(provider["options"]["path"] for provider in made)):
        assert path.startswith(f"/etc/crowsnest/{grafana.DASHBOARDS}/")
