"""Settings of the tests: the same app on SQLite and in memory, no network."""

import tempfile
from pathlib import Path

from config.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django_prometheus.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django_prometheus.cache.backends.locmem.LocMemCache"}}
CELERY_TASK_ALWAYS_EAGER = True
FAULT_FILE = Path(tempfile.mkdtemp()) / "fault.json"
DISK_FILL_FILE = FAULT_FILE.with_name("fill.bin")
