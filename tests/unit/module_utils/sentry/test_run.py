"""Which server it is."""

from __future__ import annotations

import json
from email.message import Message

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Answer, Client
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.run import is_bugsink


class Probed(Client):
    """One whose server gives this answer."""

    def __init__(self, url: str, status: int, text: str) -> None:
        super().__init__(url, "token", 1)
        content = json.loads(text) if text.startswith("{") else None
        self.given, self.probed = Answer(status, Message(), text, content), 0

    def probe(self, path: str) -> Answer:
        self.probed += 1
        return self.given


@pytest.mark.parametrize(
    "status, text, bugsink",
    [
        (200, '{"next": null, "results": []}', True),
        (401, '{"detail": "Invalid Bearer token."}', True),
        (403, '{"detail": "This token lacks teams:read"}', True),
        (404, '{"detail": "The requested resource does not exist"}', False),
        (200, "<!DOCTYPE html><title>Sentry</title>", False),
        (302, "", False),
    ],
)
def test_bugsink_is_known_by_its_api(status: int, text: str, bugsink: bool) -> None:
    assert is_bugsink(Probed("https://errors.example.com", status, text)) is bugsink


@pytest.mark.parametrize("url", ["https://sentry.io", "https://de.sentry.io"])
def test_sentry_io_is_not_asked(url: str) -> None:
    client = Probed(url, 200, "{}")
    assert is_bugsink(client) is False and client.probed == 0


def test_a_name_that_only_ends_alike_is_asked() -> None:
    assert is_bugsink(Probed("https://notsentry.io", 200, "{}")) is True
