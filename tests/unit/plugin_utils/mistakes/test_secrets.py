"""No refusal shows a secret, wherever it was put by mistake. The places come from the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import may_be_secret, shown

GROUPS = {"server": ["web1"], "monitored": ["web1", "web2"]}
HUSH = "hush-4f1c9e"
Step = str | int


def mistakes(declared: dict[str, Any], folder: str = "/nowhere") -> str:
    variables = {f"crowsnest_{name}": value for name, value in declared.items()}
    return "\n".join(filters.declaration_mistakes(variables, GROUPS, folder))


def secrets(annotation: Any) -> Iterator[tuple[Step, ...]]:
    """The way to each SecretStr below an annotation: names of fields, 0 for a list, `X-Any` for a mapping."""
    if annotation is SecretStr:
        yield ()
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from ((name, *way) for way in secrets(field.annotation))
    else:
        step = {list: (0,), dict: ("X-Any",)}.get(getattr(annotation, "__origin__", None), ())  # type: ignore[call-overload]
        for argument in get_args(annotation):
            yield from ((*step, *way) for way in secrets(argument))


WAYS = sorted(set(secrets(Declaration)), key=str)


@cache
def types_of(setting: str) -> list[str]:
    """What `type` may be in the entries of `receivers` or `monitors`."""
    items = Declaration.model_json_schema()["properties"][setting]["items"]
    return list(items.get("discriminator", {}).get("mapping", {}))


def declared_with(way: tuple[Step, ...], value: Any, kind: str = "") -> dict[str, Any]:
    """A declaration with a value at the end of a way; what the way leads through has a name and a type."""
    made: Any = value
    for position in range(len(way) - 1, 0, -1):
        step = way[position]
        inside = way[position - 1] == 0
        about = {"name": "shop", **({"type": kind} if kind and position == 2 else {})} if inside else {}
        made = [made] if step == 0 else {**about, step: made}
    return {str(way[0]): made}


# The ways a value may be of the wrong type, or right and refused.
WRONG: dict[str, Any] = {
    "text": HUSH,
    "a number": 41_975_326,
    "a list": [HUSH],
    "a mapping": {HUSH: HUSH},
    "a list in a list": [[HUSH]],
    "a mapping in a list": [{"key": HUSH}],
    "text of many lines": f"{HUSH}\n{HUSH}",
    "a URL": f"https://{HUSH}.example.com/{HUSH}",
}


# Text in its place is an address, which is shown unless it looks like a secret.
ADDRESS = ("apps", 0, "metrics", 0)


def is_address(way: tuple[Step, ...], value: Any) -> bool:
    """Whether a value at this way is such a text, or a list with one."""
    items = [value] if way == ADDRESS else value if way == ADDRESS[:-1] and isinstance(value, list) else []
    return any(isinstance(item, str) for item in items)


def test_the_model_has_secrets_at_many_places() -> None:
    assert {("apps", 0, "database", "admin_password"), ("monitors", 0, "headers", "X-Any")} <= set(WAYS)
    assert {("metabase_database", "password"), ("apps", 0, "headers", "X-Any"), ("heartbeat_url",)} <= set(WAYS)
    assert ("receivers", 0, "webhook_url") in WAYS


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_stands_in_the_place_of_a_secret_or_of_what_holds_it_is_not_shown(
    way: tuple[Step, ...], kind: str
) -> None:
    refused = 0
    for length in (it for it in range(1, len(way) + 1) if not is_address(way[:it], WRONG[kind])):
        for type_ in ["", *types_of(str(way[0]))] if way[1:2] == (0,) else [""]:
            lines = mistakes(declared_with(way[:length], WRONG[kind], type_))
            refused += bool(lines)
            assert HUSH not in lines
            assert "41975326" not in lines
            assert "41_975_326" not in lines
    assert refused or (way[1:] == () and isinstance(WRONG[kind], str)), "this way is not judged at all"


LOGIN = "kim:hush-4f1c9e@10.0.0.1"
# A value with a login in it at places that hold no secret, as the first pass and as the second one would show it.
LOGINS: list[dict[str, Any]] = [
    *({"environment": text} for text in (f"postgres://{LOGIN}/shop", LOGIN, f"x {LOGIN}:80", "https://kim:hush-4f1c9e%40h/")),
    {"apps": [{"name": f"https://{LOGIN}/"}] * 2},
    {"apps": [{"name": "shop", "host": f"ssh://{LOGIN}"}]},
    {"apps": [{"name": "shop", "host": "web2", "metrics": [f"localhost:80/{LOGIN}"]}]},
    {"apps": [{"name": "shop", "host": "web2", "url": f"http://localhost/?to=https://{LOGIN}"}]},
    {"apps": [{"name": "shop", "host": "web2", "tcp": {f"https://{LOGIN}/": "localhost:5"}}]},
    {"apps": [{"name": "shop", "host": "web2", "jobs": [{"name": LOGIN, "every": "1d"}]}]},
    {"apps": [{"name": "shop", f"https://{LOGIN}/": 1}]},
    {f"https://{LOGIN}/": 1},
    {"images": {f"https://{LOGIN}/": "x:1"}, "ports": {LOGIN: 9000}},
    {"disabled_alerts": [f"https://{LOGIN}/"], "rule_files": [f"https://{LOGIN}/"]},
    {"receivers": [{"type": f"https://{LOGIN}/"}, {"type": "slack", "name": LOGIN}, {"type": "slack", "name": LOGIN}]},
    {"monitors": [{"name": f"https://{LOGIN}/", "type": "ping", "hostname": LOGIN, "group": LOGIN}] * 2},
    {"monitors": [{"name": "a", "type": "ping", "id": LOGIN, "tags": {f"monitor_{LOGIN}": ""}}] * 2},
    {"monitors": [{"name": LOGIN, "type": "group"}, {"name": "x", "type": "group", "group": "y"}]},
    {"monitors": [{"name": "a", "type": "push", "notifications": [f"https://{LOGIN}/"]}]},
    {"receivers": [{"type": "slack", "name": LOGIN}], "monitors": [{"name": "a", "notifications": ["b"]}]},
    {"maintenance": [{"title": LOGIN, "apps": [LOGIN]}] * 2},
    {"status_pages": [{"slug": LOGIN, "domains": [LOGIN], "groups": [{"name": "a", "monitors": [LOGIN]}]}] * 2},
    {"status_pages": [{"slug": "a", "groups": [{"name": "a", "monitors": ["b"]}]}], "monitors": [{"name": LOGIN}]},
    {"apps": [{"name": "shop", "business": {"questions": [{"name": LOGIN, "file": f"https://{LOGIN}/"}] * 2}}]},
    {"apps": [{"name": "shop", "business": {"questions": [{"name": "a", "sql": f"{{{{{LOGIN}}}}}"}]}}]},
    {"apps": [{"name": "shop", "business": {"questions": [{"name": "a", "sql": "a", "filters": {LOGIN: "b"}}]}}]},
    {"metabase_users": [{"email": f"https://{LOGIN}/"}] * 2},
]  # fmt: skip


@pytest.mark.parametrize("declared", LOGINS, ids=str)
def test_a_login_at_any_other_place_is_not_shown_either(declared: dict[str, Any]) -> None:
    lines = mistakes(declared)
    assert lines
    assert "hush" not in lines


SECRETS = [
    "127.0.0.1:8000/metrics?token=hunter2",
    "127.0.0.1:8000/metrics?hunter2",
    "127.0.0.1:8000#hunter2",
    "shop.example.com/?token=hunter2",
    "shop.example.com?x\nhunter2",
    "https://shop.example.com/a\nhunter2 x",
    "https://shop.example.com hunter2",
    "hooks.slack.com/services/TABCDEF/BABCDEF/hunter2",
    "hooks.slack.com:443/services/TABCDEF/BABCDEF/hunter2",
    "see hooks.slack.com/services/TABCDEF/hunter2",
    "//hooks.slack.com/services/TABCDEF/BABCDEF/hunter2",
    "https:/hooks.slack.com/services/TABCDEF/BABCDEF/hunter2",
    "https:hooks.slack.com/services/TABCDEF/BABCDEF/hunter2",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYhunter2",
    "hunter2+wJalrXUtnFEMI+MDENGbPxRfiCY",
    "host=db user=kim password=hunter2 ?",
    "passwd: hunter2",
    "PWD = hunter2",
    '{"api_key": "hunter2"}',
    "secret_key_base=hunter2",
    "a%26token%3Dhunter2",
    "비밀번호: hunter2",
    "kim/hunter2@db:5432/x",
]


@pytest.mark.parametrize("text", SECRETS)
def test_of_a_refused_text_no_part_that_may_be_a_secret_is_shown(text: str) -> None:
    lines = mistakes({"language": text, "apps": [{"name": text, "url": text, "tcp": {"db": text}, text: 1}]})
    assert lines.count("crowsnest_apps") >= 3
    assert "hunter2" not in lines


@pytest.mark.parametrize(
    "place", [lambda it: {"apps": [it]}, lambda it: {"monitors": [{**it, "type": "http", "url": "https://h/"}]}]
)
def test_a_password_behind_the_user_is_not_shown_and_told_where_it_goes(
    place: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    lines = mistakes(place({"name": "shop", "username": "kim:hunter2", "password": "x"}))
    assert "username: the given value (not shown: it may hold a secret) has a colon in it. " in lines
    assert "put the password into `password`." in lines
    assert "hunter2" not in lines


TOKENS = ("xoxb-1234567890-9f8e7d6c5b4aXYZ", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_in_the_place_of_a_key_or_a_name_is_not_shown(token: str) -> None:
    lines = mistakes({token: 1, "apps": [{"name": token, token: 1, "database": {token: 1}}, {"name": token}]})
    assert lines
    assert token not in lines


def test_a_rule_file_that_is_a_secret_shows_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "webhook").write_text("https: //hooks\n  hush: [\n")
    lines = mistakes({"rule_files": ["webhook"]}, str(tmp_path))
    assert lines.startswith("crowsnest_rule_files[0]: 'webhook' is not YAML: line 2, column 7: ")
    assert "hush" not in lines


# What a person must see to find a slip of the pen.
SEEN: dict[str, Callable[[], dict[str, Any]]] = {
    "framwork": lambda: {"apps": [{"name": "shop", "framwork": "django"}]},
    "healthz": lambda: {"apps": [{"name": "shop", "healthz": "/up"}]},
    "'kr'": lambda: {"language": "kr"},
    "'http://10.0.0.1:99999/…'": lambda: {"apps": [{"name": "shop", "url": "http://10.0.0.1:99999/health"}]},
    "(결제 서버)": lambda: {"monitors": [{"name": "결제 서버", "type": "ping", "hostname": "a b"}]},
}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        *(
            (text, text)
            for text in (
                *("rules/own.yml", "rules.d/own.yml", "../sql/own.sql", "/srv/Shop/metrics", "#two words"),
                *("127.0.0.1:8000/metrics", "America/Argentina/Nowhere", "keycloak:26", "monkey", "shop.example.com"),
            )
        ),
        ("hooks.slack.com/services/x", "hooks.slack.com/…"),
        ("https://h/?a", "https://h/…"),
        ("https://h/", "https://h/"),
        (":8000/m?a=b", ":8000/m?…"),
    ],
)
def test_what_shows_the_slip_stays_readable(text: str, seen: str) -> None:
    assert shown(text) == repr(seen)


@pytest.mark.parametrize("words", SEEN)
def test_what_cannot_be_a_secret_is_shown(words: str) -> None:
    assert words in mistakes(SEEN[words]())


@given(user=st.text("abcXYZ019.%-", min_size=1), password=st.text("abcXYZ019!$%&*-_/#?", min_size=1))
@settings(max_examples=200, deadline=None)
def test_a_url_with_a_login_is_never_shown(user: str, password: str) -> None:
    for text in (f"https://{user}:{password}@10.0.0.1/x", f"{user}:{password}@10.0.0.1:80", f"x://{user}@h"):
        assert may_be_secret(text)
        assert text not in shown(text)
