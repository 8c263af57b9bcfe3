# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import DsnError, parse

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "envelope", "place"),
    [
        (
            f"https://{KEY}@o1.ingest.us.sentry.io/42",
            "https://o1.ingest.us.sentry.io/api/42/envelope/",
            ("o1.ingest.us.sentry.io", "42"),
        ),
        (f"https://{KEY}@o1.ingest.de.sentry.io/42", "https://o1.ingest.de.sentry.io/api/42/envelope/", None),
        (f"https://{KEY}@sentry.io/7", "https://sentry.io/api/7/envelope/", None),
        (f"https://{KEY}:{KEY}@sentry.io/7", "https://sentry.io/api/7/envelope/", None),
        (f"http://{KEY}@127.0.0.1:8000/1", "http://127.0.0.1:8000/api/1/envelope/", ("127.0.0.1:8000", "1")),
        (f"https://{KEY}@Errors.example.com/a/b/3", "https://Errors.example.com/a/b/api/3/envelope/", None),
        (f"https://{KEY}@Errors.example.com/a/b/3", "https://Errors.example.com/a/b/api/3/envelope/", None),
    ],
)
def test_what_sdks_understand(text: str, envelope: str, place: tuple[str, str] | None) -> None:
    dsn = parse(text)
    assert dsn.envelope == envelope
    assert dsn.key == KEY
    assert place in (None, dsn.project_place)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"sntryu_{KEY}", "is a token of Sentry's API"),
        (f"sntrys_{KEY}", "is a token of Sentry's API"),
        (f"https://o1.ingest.sentry.io/api/4/cron/nightly/{KEY}/", "is the address of a cron monitor"),
        (f"https://o1.ingest.sentry.io/api/4/security/?sentry_key={KEY}", "Content-Security-Policy"),
        (f"https://o1.ingest.sentry.io/api/4/minidump/?sentry_key={KEY}", "native programs"),
        (f"https://o1.ingest.sentry.io/api/4/envelope/?sentry_key={KEY}", "for one kind of data"),
        ("https://o1.ingest.sentry.io/api/4/integration/otlp/v1/traces", "for one kind of data"),
        (f"https://js.sentry-cdn.com/{KEY}.min.js", "is the loader script for browsers"),
        (f'<script src="https://js.sentry-cdn.com/{KEY}.min.js"></script>', "is the loader script for browsers"),
        ("https://o1.ingest.sentry.io/4", "has no key before the host"),
        (f"https://{KEY}@[::1]:9000/4", "has an IPv6 address"),
        (f" https://{KEY}@sentry.io/4", "has a space or a line end"),
        (f"https://{KEY}@sentry.io/4\n", "has a space or a line end"),
        (f"https://{KEY}@sentry.io/4?environment=a", "has parameters"),
        (f"https://{KEY}@sentry.io/4#a", "has parameters"),
        (f"https://{KEY}@sentry.io/4/", "is no DSN"),
        (f"https://{KEY}@sentry.io/shop", "is no DSN"),
        (f"https://{KEY}@sentry.io:bad/4", "is no DSN"),
        (f"https://{KEY}@sentry.io:65536/4", "is no DSN"),
        (f"https://{KEY}@sentry.io:0/4", "is no DSN"),
        (f"https://{KEY}@/4", "is no DSN"),
        (f"ftp://{KEY}@sentry.io/4", "is no DSN"),
        (f"https://{KEY}@sentry.io/٤", "is no DSN"),
        (KEY, "is no DSN"),
        ("", "is no DSN"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    with pytest.raises(DsnError) as refused:
        parse(text)
    assert told in str(refused.value)
    assert "Client Keys (DSN)" in str(refused.value)
    assert KEY not in str(refused.value)
