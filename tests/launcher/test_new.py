"""`./crowsnest new`: what it asks, refuses and writes."""

import os
import pty
import stat
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

WEBHOOK = "https://hooks.slack.com/services/T0/B0/secret"
PUBLIC_KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SHOP = ("--app-name", "shop", "--app-url", "https://shop.test/", "--framework", "fastapi", "--metrics", ":8000,:8001/m")


@pytest.fixture
def new(real_launcher):
    """Runs `new` with a name that no other test uses; knows the name and the inventory's folder."""
    name = f"inv-{uuid4().hex[:8]}"

    def run(*flags: str, name: str = name, **more: str) -> subprocess.CompletedProcess[str]:
        return real_launcher.run("new", name, *flags, **more)

    run.name, run.folder = name, real_launcher.folder / "inventories" / name
    return run


def written(folder) -> dict[str, Any]:
    """All variables of the inventory."""
    return {
        key: value
        for file in sorted((folder / "group_vars/all").glob("*.yml"))
        for key, value in yaml.safe_load(file.read_text()).items()
    }


def hosts(folder) -> dict[str, Any]:
    return yaml.safe_load((folder / "hosts.yml").read_text())


def test_flags_answer_every_question(new):
    done = new("--yes", "--host", "192.0.2.7", "--user", "admin", "--environment", "staging", *SHOP, "--language", "ko")
    assert done.returncode == 0, done.stderr
    assert hosts(new.folder)["server"]["hosts"]["web1"] == {"ansible_host": "192.0.2.7", "ansible_user": "admin"}
    assert "server" in hosts(new.folder)["monitored"]["children"]
    assert written(new.folder) == {
        "crowsnest_environment": "staging",
        "crowsnest_timezone": "Asia/Seoul",
        "crowsnest_language": "ko",
        "crowsnest_retention": "92d",
        "crowsnest_open_ports": [22, 80, 443],
        "crowsnest_firewall": False,
        "crowsnest_apps": [
            {"name": "shop", "framework": "fastapi", "url": "https://shop.test/", "metrics": [":8000", ":8001/m"]}
        ],
        "crowsnest_receivers": [],
    }


def test_the_next_commands_are_printed(new):
    lines = [line.split("#")[0].strip() for line in new("--yes", "--host", "a.test").stdout.splitlines()]
    start = f"./crowsnest site -i inventories/{new.name}"
    assert lines[-3:] == [f"./crowsnest found -i inventories/{new.name}", f"{start} --check", start]


def test_a_host_alone_is_enough(new):
    done = new("--yes", "--host", "a.test")
    assert done.returncode == 0, done.stderr
    variables = written(new.folder)
    assert variables["crowsnest_apps"] == variables["crowsnest_receivers"] == []
    assert variables["crowsnest_environment"] == new.name
    assert "Alerts go nowhere yet" in done.stdout
    assert "#   - name: shop" in (new.folder / "group_vars/all/apps.yml").read_text()


def test_this_machine_is_managed_without_ssh_and_with_the_system_s_python(new):
    new("--yes", "--host", "localhost")
    assert hosts(new.folder)["server"]["hosts"]["web1"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


WAYS = [
    (("--host", "a.test", "--port", "22"), {"ansible_host": "a.test"}),
    (("--host", "a.test", "--port", "2222"), {"ansible_host": "a.test", "ansible_port": 2222}),
    (("--host", "2001:db8::1"), {"ansible_host": "2001:db8::1"}),
    (("--host", "fe80::1%eth0", "--port", "23"), {"ansible_host": "fe80::1%eth0", "ansible_port": 23}),
    (("--host", "localhost", "--port", "2222"), {"ansible_host": "localhost", "ansible_port": 2222}),
    (
        ("--host", "10.0.0.3", "--jump-host", "admin@bastion.test:2200,b"),
        {"ansible_host": "10.0.0.3", "ansible_ssh_common_args": "-J admin@bastion.test:2200,b"},
    ),
    (
        ("--host", "10.0.0.3", "--jump-host", "ssh://admin@bastion:22"),
        {"ansible_host": "10.0.0.3", "ansible_ssh_common_args": "-J ssh://admin@bastion:22"},
    ),
    (("--host", "example.com."), {"ansible_host": "example.com."}),
    *(
        (("--host", "a.test", "--user", user), {"ansible_host": "a.test", "ansible_user": user})
        for user in ("kim@corp.example.com", "CORP\\kim", "1kim", "_svc")
    ),
]


@pytest.mark.parametrize(("flags", "way"), WAYS, ids=str)
def test_the_way_over_ssh_is_written_as_ansible_takes_it(new, flags, way):
    done = new("--yes", *flags)
    assert done.returncode == 0, done.stderr
    assert hosts(new.folder)["server"]["hosts"]["web1"] == {"ansible_user": "ubuntu"} | way


@pytest.mark.parametrize(
    "flags",
    [
        ("--host", "a.test:2222"),
        ("--host", "203.0.113.7:2222"),
        ("--host", "[2001:db8::1]:2222"),
        ("--host", "[::1]"),
        ("--host", "2001:db8::1::2"),
        ("--host", "a b"),
        ("--host", "a.test", "--port", "0"),
        ("--host", "a.test", "--port", "65536"),
        ("--host", "a.test", "--port", "ssh"),
        ("--host", "a.test", "--jump-host", "@b"),
        ("--host", "a.test", "--jump-host", "a b"),
    ],
    ids=str,
)
def test_a_way_that_ssh_would_not_take_is_refused_with_the_flag_to_use(new, flags):
    done = new("--yes", *flags)
    assert done.returncode == 2
    assert f"{flags[-2]}: {flags[-1]!r} does not fit. Allowed: " in done.stderr
    if flags[-2] == "--host":
        assert "a port to --port" in done.stderr
    assert not new.folder.exists()


@pytest.mark.parametrize("way", ["file", "variable"])
def test_the_token_of_a_bot_goes_into_a_private_file_only(new, way, tmp_path):
    (tmp_path / "token").write_text("xoxb-1-hunter2\n")
    flags = ("--slack-bot-token-file", str(tmp_path / "token")) if way == "file" else ()
    more = {"CROWSNEST_SLACK_BOT_TOKEN": "xoxb-1-hunter2"} if way == "variable" else {}
    done = new("--yes", "--host", "a.test", "--slack-channel", "#ops", *flags, **more)
    assert done.returncode == 0, done.stderr
    secret = new.folder / "secrets/slack_bot_token"
    assert secret.read_text() == "xoxb-1-hunter2\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not (new.folder / "secrets/slack_webhook_url").exists()
    (receiver,) = written(new.folder)["crowsnest_receivers"]
    assert set(receiver) == {"type", "bot_token", "channel"} and receiver["channel"] == "#ops"
    assert "secrets/slack_bot_token" in receiver["bot_token"]
    assert "hunter2" not in done.stdout + done.stderr
    assert "Alerts go nowhere" not in done.stdout


WRONG_WAYS = [
    ({"CROWSNEST_SLACK_BOT_TOKEN": "xoxp-1-hunter2"}, "--slack-bot-token-file or CROWSNEST_SLACK_BOT_TOKEN: "),
    (
        {"CROWSNEST_SLACK_BOT_TOKEN": "xoxb-1-hunter2", "CROWSNEST_SLACK_WEBHOOK": WEBHOOK},
        "Set either `webhook_url`, or `bot_token` with `channel`.",
    ),
]


@pytest.mark.parametrize(("variables", "told"), WRONG_WAYS, ids=lambda each: "")
def test_a_token_that_does_not_fit_is_refused(new, variables, told):
    done = new("--yes", "--host", "a.test", **variables)
    assert done.returncode == 2 and told in done.stderr
    assert "hunter2" not in done.stderr and not new.folder.exists()


def test_before_the_token_is_asked_for_its_app_is_shown_ready_to_paste(new):
    done = new(stdin="\n".join(["a.test", *[""] * 8, "xoxb-1-hunter2", "#ops", "", ""]))
    assert done.returncode == 0, done.stderr
    head, _, tail = done.stdout.partition("\ndisplay_information:")
    manifest = yaml.safe_load("display_information:" + tail.partition("\n\n")[0])
    assert manifest["oauth_config"]["scopes"]["bot"] == ["chat:write", "chat:write.public"]
    assert manifest["settings"]["token_rotation_enabled"] is False
    assert "https://api.slack.com/apps" in head and "Bot User OAuth Token" in tail
    shown = "display_information:" + tail.partition("\n\n")[0]
    assert f"```yaml\n{shown}\n```" in (Path(__file__).resolve().parents[2] / "docs/operating.md").read_text()
    assert written(new.folder)["crowsnest_receivers"][0]["channel"] == "#ops"


@pytest.mark.parametrize("way", ["file", "variable"])
def test_the_webhook_goes_into_a_private_file_only(new, way, tmp_path):
    (tmp_path / "hook").write_text(WEBHOOK + "\n")
    flags = ("--slack-webhook-file", str(tmp_path / "hook")) if way == "file" else ()
    more = {"CROWSNEST_SLACK_WEBHOOK": WEBHOOK} if way == "variable" else {}
    done = new("--yes", "--host", "a.test", "--slack-channel", "#ops", *flags, **more)
    secret = new.folder / "secrets/slack_webhook_url"
    assert secret.read_text().strip() == WEBHOOK
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert written(new.folder)["crowsnest_receivers"][0]["channel"] == "#ops"
    others = [path.read_text() for path in new.folder.rglob("*.yml")]
    assert "secret" not in done.stdout + done.stderr
    assert not any(WEBHOOK in other for other in others)


BUCKET = ("--database", "shop", "--backup-bucket", "our-backups", "--backup-region", "eu-central-1")


def test_a_bucket_gets_the_copies_and_its_secret_goes_into_a_private_file_only(new, tmp_path):
    (tmp_path / "key").write_text("hunter2\n")
    flags = ("--backup-access-key", "AKIA1", "--backup-secret-key-file", tmp_path / "key")
    done = new("--yes", "--host", "a.test", *SHOP, *BUCKET, *flags, "--backup-encrypt-to", PUBLIC_KEY)
    assert done.returncode == 0, done.stderr
    variables = written(new.folder)
    assert variables["crowsnest_backup_remotes"]["offsite"].pop("secret_key").startswith("{{ lookup(")
    assert variables["crowsnest_backup_remotes"] == {
        "offsite": {
            "bucket": "our-backups",
            "region": "eu-central-1",
            "access_key": "AKIA1",
            "encrypt_to": [PUBLIC_KEY],
        }
    }
    assert variables["crowsnest_backup_stack"] == variables["crowsnest_apps"][0]["backup"] == {"remote": "offsite"}
    secret = new.folder / "secrets/offsite_secret_key"
    assert secret.read_text() == "hunter2\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "hunter2" not in done.stdout + done.stderr + "".join(path.read_text() for path in new.folder.rglob("*.yml"))


def test_a_bucket_alone_is_enough_where_the_server_has_access(new):
    done = new("--yes", "--host", "a.test", *BUCKET[2:])
    assert done.returncode == 0, done.stderr
    assert written(new.folder)["crowsnest_backup_remotes"] == {
        "offsite": {"bucket": "our-backups", "region": "eu-central-1"}
    }
    assert "Backups stay on the server" not in done.stdout


DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
FILE, PAGE = "/srv/shop/.env", "/srv/shop/templates/base.html"


def test_a_dsn_goes_into_a_private_file_only(new):
    words = ("--env-file", FILE, "--measurement-id", "G-ABCDE12345", "--analytics-template", PAGE)
    done = new("--yes", "--host", "a.test", *SHOP, *words, CROWSNEST_SENTRY_DSN=DSN)
    assert done.returncode == 0, done.stderr
    (app,) = written(new.folder)["crowsnest_apps"]
    assert (app["env_file"], list(app["sentry"])) == (FILE, ["dsn"])
    assert "inventory_dir ~ '/secrets/sentry_dsn'" in app["sentry"]["dsn"]
    assert app["analytics"] == {"measurement_id": "G-ABCDE12345", "templates": [PAGE]}
    secret = new.folder / "secrets/sentry_dsn"
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == (f"{DSN}\n", 0o600)
    assert not [file for file in new.folder.rglob("*.yml") if DSN in file.read_text()]


def test_an_env_file_alone_waits_for_what_comes(new):
    assert new("--yes", "--host", "a.test", *SHOP, "--env-file", FILE).returncode == 0
    (app,) = written(new.folder)["crowsnest_apps"]
    assert app["env_file"] == FILE
    assert not {"sentry", "analytics"} & set(app)


def test_wrong_answers_about_sentry_and_analytics_are_refused_at_once(new):
    words = ("--env-file", ".env", "--measurement-id", "UA-1234-1")
    done = new("--yes", "--host", "a.test", *SHOP, *words, CROWSNEST_SENTRY_DSN="sntrys_0123456789abcdef")
    assert done.returncode == 2
    for told in (
        "--env-file: '.env' does not fit. Allowed: an absolute path",
        "--sentry-dsn-file or CROWSNEST_SENTRY_DSN: ",
        "is a token of Sentry's API",
        "--measurement-id: ",
        "Universal Analytics",
        "--analytics-template: is missing.",
    ):
        assert told in done.stderr
    assert "sntrys_" not in done.stderr
    assert not new.folder.exists()


def test_without_a_bucket_it_says_where_backups_stay(new):
    assert "Backups stay on the server and are lost with it" in new("--yes", "--host", "a.test").stdout
    assert "crowsnest_backup_remotes" not in written(new.folder)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--backup-region", "eu-west-1"), "--backup-region: has nothing to apply to. Give --backup-bucket too."),
        (("--backup-bucket", "b-1", "--backup-access-key", "AKIA1"), "--backup-secret-key-file or CROWSNEST_BACKUP_"),
        (("--backup-secret-key", "hunter2"), "process list"),
        (("--backup-bucket", "b-1", "--backup-encrypt-to", "AGE-SECRET-KEY-1HUNTER2"), "is a secret key"),
    ],
    ids=str,
)
def test_half_a_remote_is_refused(new, flags, told):
    done = new("--yes", "--host", "a.test", *flags)
    assert done.returncode == 2
    assert told in done.stderr
    assert "hunter2" not in done.stderr.lower()
    assert not new.folder.exists()


def test_ansible_reads_the_webhook_from_the_file(new, real_launcher):
    new("--yes", "--host", "a.test", CROWSNEST_SLACK_WEBHOOK=WEBHOOK)
    done = subprocess.run(
        [
            "ansible",
            "web1",
            "-i",
            new.folder,
            "-c",
            "local",
            "-m",
            "ansible.builtin.debug",
            "-a",
            "var=crowsnest_receivers",
        ],
        cwd=real_launcher.folder,
        env=os.environ | {"ANSIBLE_CONFIG": str(real_launcher.folder / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"webhook_url: {WEBHOOK}" in done.stdout, done.stdout + done.stderr


def test_secrets_are_ignored_by_git(new, real_launcher):
    new("--yes", "--host", "a.test", CROWSNEST_SLACK_WEBHOOK=WEBHOOK)
    subprocess.run(["git", "init", "-q"], cwd=real_launcher.folder, check=True)
    ignored = ["git", "check-ignore", "-q", f"inventories/{new.name}/secrets/slack_webhook_url"]
    assert subprocess.run(ignored, cwd=real_launcher.folder, check=False).returncode == 0


def test_a_secret_on_the_command_line_is_refused(new):
    done = new("--yes", "--host", "a.test", "--slack-webhook", WEBHOOK)
    assert done.returncode == 2
    assert "process list" in done.stderr
    assert "--slack-webhook-file" in done.stderr
    assert WEBHOOK not in done.stdout + done.stderr
    assert not new.folder.exists()


def test_all_malformed_values_are_refused_at_once(new):
    wrong = {
        "--host": "admin@a.test",
        "--user": "a b",
        "--port": "ssh",
        "--jump-host": "a b",
        "--app-name": "My Shop",
        "--app-url": "shop.test",
        "--framework": "djang",
        "--metrics": "localhost",
        "--timezone": "Seoul",
        "--language": "fr",
        "--environment": "Prod 1",
        "--backup-bucket": "My_Bucket",
        "--backup-region": "Seoul 2",
        "--backup-encrypt-to": "age1short",
        "--slack-channel": "two words",
        "--domain": "https://watch.example.com",
        "--proxy": "nginx",
        "--certificates": "self-signed",
        "--firewall": "maybe",
    }
    flags = [word for pair in wrong.items() for word in pair]
    done = new("--yes", *flags, CROWSNEST_SLACK_WEBHOOK="not-a-url")
    assert done.returncode == 2
    told = [line.split(":")[0].strip() for line in done.stderr.splitlines()[1:]]
    assert sorted(told) == sorted([*wrong, "--slack-webhook-file or CROWSNEST_SLACK_WEBHOOK"])
    assert all("Allowed: " in line for line in done.stderr.splitlines()[1:])
    assert "not-a-url" not in done.stderr
    assert not new.folder.exists()


def test_an_app_s_answers_without_an_app_are_refused(new):
    done = new("--yes", "--host", "a.test", "--app-url", "shop.test")
    assert done.returncode == 2
    assert "Give --app-name" in done.stderr
    assert "'shop.test' does not fit" in done.stderr, "and what is wrong with them is said as well"


@pytest.mark.parametrize("name", ["Prod", "1st", "a/b", "../x", "a b", "", "x" * 41])
def test_a_bad_name_is_refused(new, name):
    done = new("--yes", "--host", "a.test", name=name)
    assert done.returncode == 2
    assert "not a valid name" in done.stderr


@pytest.mark.parametrize("name", ["example", "lab"])
def test_an_existing_inventory_is_left_alone(new, name):
    done = new("--yes", "--host", "a.test", name=name)
    assert done.returncode == 2
    assert "already exists" in done.stderr


def test_a_second_time_changes_nothing(new):
    new("--yes", "--host", "a.test")
    before = (new.folder / "hosts.yml").read_text()
    assert new("--yes", "--host", "b.test").returncode == 2
    assert (new.folder / "hosts.yml").read_text() == before


def test_an_unreadable_webhook_file_is_refused(new):
    done = new("--yes", "--host", "a.test", "--slack-webhook-file", "/no/such/file")
    assert done.returncode == 2
    assert "--slack-webhook-file" in done.stderr
    assert "Traceback" not in done.stderr


def test_questions_can_be_answered_from_a_pipe(new):
    answers = ["192.0.2.9", "", "2222", "", "Europe/Berlin", "", "shop", "https://shop.test/", "django", ":8000"]
    reports = ["shop", "shop-db-1", "", ""]  # no env file, no measurement id
    backup = ["our-backups", "", "", ""]  # no access key, no public key
    done = new(stdin="\n".join([*answers, *reports, *backup, *[""] * 4]))
    assert done.returncode == 0, done.stderr
    assert written(new.folder)["crowsnest_timezone"] == "Europe/Berlin"
    (shop,) = written(new.folder)["crowsnest_apps"]
    assert shop["framework"] == "django"
    assert shop["database"] == {"name": "shop", "container": "shop-db-1"}
    assert shop["backup"] == {"remote": "offsite"}
    assert written(new.folder)["crowsnest_backup_remotes"]["offsite"]["bucket"] == "our-backups"
    assert hosts(new.folder)["server"]["hosts"]["web1"]["ansible_port"] == 2222


def test_a_flag_saves_its_question(new):
    done = new("--host", "a.test", "--app-name", "", stdin="\n" * 10)
    assert done.returncode == 0, done.stderr
    assert "Address of the server" not in done.stdout
    assert "Public address" not in done.stdout, "no app, no questions about it"


def test_an_end_of_input_writes_nothing(new):
    done = new(stdin="192.0.2.9\n")
    assert done.returncode == 2
    assert "nothing was written" in done.stderr
    assert not new.folder.exists()


def on_a_terminal(launcher, name: str, answers: list[str], *flags: str) -> str:
    """What a person sees who types these answers, each once its question is there."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(launcher.command()[0], launcher.command("new", name, *flags), launcher.environment())  # noqa: S606
    screen, asked = "", 0
    while True:
        try:
            screen += os.read(terminal, 4096).decode()
        except OSError:  # the program has ended
            break
        if screen.endswith(": ") and screen.count(": ") > asked and answers:
            asked = screen.count(": ")
            os.write(terminal, f"{answers.pop(0)}\n".encode())
    os.waitpid(child, 0)
    return screen


def test_on_a_terminal_a_wrong_answer_is_asked_again_and_the_secret_not_shown(new, real_launcher):
    first = ["a.test", "", "", "", "Korea", "", "", "", WEBHOOK, "#ops", ""]
    screen = on_a_terminal(real_launcher, new.name, [*first, "Asia/Tokyo", "no"])
    assert "--timezone: 'Korea' does not fit" in screen
    assert "secret" not in screen
    assert written(new.folder)["crowsnest_timezone"] == "Asia/Tokyo"
    assert (new.folder / "secrets/slack_webhook_url").read_text().strip() == WEBHOOK


@pytest.mark.parametrize("flag", ["--environment", "--timezone", "--language", "--user", "--port", "--framework"])
def test_an_empty_flag_means_the_default(new, flag):
    done = new("--yes", "--host", "a.test", flag, "")
    assert done.returncode == 0, done.stderr
    variables = written(new.folder)
    settings = [variables[f"crowsnest_{key}"] for key in ("environment", "timezone", "language")]
    assert settings == [new.name, "Asia/Seoul", "en"]


@pytest.mark.parametrize("name", ["my: app", "my (a): b", "a: (b"])
def test_a_colon_in_an_app_s_name_is_a_mistake_of_its_question(new, name):
    done = new("--yes", "--host", "a.test", "--app-name", name)
    assert done.returncode == 2
    assert [line.split(":")[0].strip() for line in done.stderr.splitlines()[1:]] == ["--app-name"]
    assert f"--app-name: {name!r} does not fit. Allowed: " in done.stderr


def test_how_to_log_in_does_not_matter_where_nobody_does(new):
    done = new("--yes", "--host", "localhost", "--user", "two words")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ("--host", "kim:hunter2@a.test"),
        ("--host", "a.test", "--user", "kim:hunter2"),
        ("--host", "a.test", "--jump-host", "kim:hunter2@bastion"),
        ("--host", "a.test", "--slack-webhook-file", "https://hooks.slack.com/services/hunter2"),
    ],
    ids=str,
)
def test_a_refused_value_that_may_hold_a_secret_is_not_shown(new, flags):
    done = new("--yes", *flags)
    assert done.returncode == 2
    assert f"{flags[-2]}: " in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_on_a_terminal_a_refusal_that_no_answer_can_mend_ends_it(new, real_launcher):
    flags = [word for q in ("host", "user", "port") for word in (f"--{q}", {"port": "22"}.get(q, "a.test"))]
    screen = on_a_terminal(real_launcher, new.name, [""] * 10, *flags, "--slack-channel", "#x")
    assert screen.count("nothing was written") == 1
    assert "--slack-channel: has nothing to apply to." in screen
    assert not new.folder.exists()
