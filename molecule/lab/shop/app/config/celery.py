"""The Celery app. The worker serves its own metrics on port 8001: it lives in another container than the web."""

import os

from celery import Celery
from celery.signals import worker_ready
from prometheus_client import start_http_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["shop"])


@worker_ready.connect
def serve_metrics(**_: object) -> None:
    """Serve /metrics of the worker once it takes tasks."""
    start_http_server(8001)
