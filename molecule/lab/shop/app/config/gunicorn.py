"""gunicorn's settings: two processes with threads, metrics shared through files in PROMETHEUS_MULTIPROC_DIR."""

from django.conf import settings
from prometheus_client import multiprocess

bind = "0.0.0.0:8000"
workers = 2
threads = 6
preload_app = True
timeout = 60  # seconds
graceful_timeout = 5
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
logconfig_dict = settings.LOGGING


def child_exit(server, worker):
    """Drop the live gauges of a worker that ended."""
    multiprocess.mark_process_dead(worker.pid)
