# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Bugsink as the laboratory and the tests run it: it reports nothing to its makers, and takes no event it cannot read.

https://www.bugsink.com/docs/settings/
"""

# ruff: noqa: F403, F405 - as Bugsink's documentation begins such a file
import os

from bugsink.settings.default import *

SECRET_KEY = "a-made-up-key-of-more-than-fifty-characters-for-tests-only"
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "Asia/Seoul"
DATABASES["default"]["NAME"] = "db.sqlite3"
DATABASES["snappea"]["NAME"] = "snappea.sqlite3"
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {
    "BASE_URL": os.environ.get("BASE_URL", "http://127.0.0.1:8000"),
    "PHONEHOME": False,
    "VALIDATE_ON_DIGEST": os.environ.get("VALIDATE_ON_DIGEST", "strict"),
    "INGEST_STORE_BASE_DIR": "ingestion",
}
