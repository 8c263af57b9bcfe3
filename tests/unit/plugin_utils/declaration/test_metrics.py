"""What a page of metrics may be, and the words of each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.metrics import MetricsSource


def declared(item: Any) -> MetricsSource:
    return App.model_validate({"name": "shop", "metrics": [item]}).metrics[0]


def test_text_is_the_address_of_a_page_without_options() -> None:
    assert declared(":8000/m") == declared({"address": ":8000/m"})
    assert declared(":8000/m").as_usual


def test_a_path_may_stand_by_itself() -> None:
    assert declared({"address": ":8000", "path": "/m"}).page == MetricsPage("", 8000, "/m") == declared(":8000/m").page


OPTIONS: dict[str, dict[str, Any]] = {
    "scheme": {"scheme": "https"},
    "login": {"username": "kim", "password": "hush"},
    "token": {"bearer_token": "hush"},
    "header": {"headers": {"X-Own": "hush"}},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_makes_a_page_of_its_own(name: str) -> None:
    assert not declared({"address": ":8000", **OPTIONS[name]}).as_usual


@pytest.mark.parametrize("name", ["Host", "host"])
def test_the_header_host_is_known_in_any_case(name: str) -> None:
    assert declared({"address": ":8000", "headers": {name: "shop.example.com:80"}}).host_header == "shop.example.com:80"


SENT_BY_PROMETHEUS = "Prometheus sets it itself. A login has keys of its own: `username` and `password`"
# (keys beside the address, words of the refusal)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"username": "kim"}, "Set `username` and `password` together"),
    ({"username": "kim", "password": "hush", "bearer_token": "hush"}, "or `bearer_token`, not both"),
    ({"address": ":8000/a", "path": "/b"}, "Set the path in `address` or in `path`, not in both"),
    ({"path": "m"}, "String should match pattern"),
    ({"path": "/m?token=hush"}, "String should match pattern"),
    ({"headers": {"Authorization": "Bearer hush"}}, SENT_BY_PROMETHEUS),
    ({"headers": {"user-agent": "hush"}}, SENT_BY_PROMETHEUS),
    ({"headers": {"Content-Type": "hush"}}, SENT_BY_PROMETHEUS),
    ({"headers": {"X-Own": "a", "x-own": "b"}}, "List each name in `headers` once"),
    ({"headers": {"Host": "shop.example.com"}, "scheme": "https"}, "over https write that name in `address`"),
    ({"headers": {"Host": "http://hush/"}}, "must be a name, such as shop.example.com"),
    ({"verify_tls": False}, "`verify_tls` and `ca_file` need `scheme: https`"),
    ({"ca_file": "ca.pem"}, "`verify_tls` and `ca_file` need `scheme: https`"),
    ({"ca_file": "ca.pem", "verify_tls": False, "scheme": "https"}, "Set `ca_file` or `verify_tls: false`, not both"),
    ({"ca_file": "", "scheme": "https"}, "at least 1 character"),
    ({"scheme": "ftp"}, "Input should be 'http' or 'https'"),
]


@pytest.mark.parametrize(("keys", "words"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        declared({"address": ":8000", **keys})
    assert words in str(refused.value)
