"""Settings of the sample shop. A throw-away lab: the key and the password protect nothing."""

import os
from pathlib import Path

import sentry_sdk

# The rest it reads from the environment itself.
sentry_sdk.init(traces_sample_rate=float(os.environ.get("SENTRY_TRACES_SAMPLE_RATE", "0")))

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "lab-only-protects-nothing"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = ["django_prometheus", "shop"]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "shop.middleware.RequestLogMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.environ.get("SHOP_TEMPLATES", "/srv/templates")],  # those of the host come first
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "HOST": os.environ.get("SHOP_DB_HOST", "db"),
        "NAME": "shop",
        "USER": "shop",
        "PASSWORD": os.environ.get("SHOP_DB_PASSWORD", ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 2, "options": "-c statement_timeout=5000"},  # seconds, milliseconds
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("SHOP_REDIS_URL", "redis://redis:6379")
CACHES = {
    "default": {
        "BACKEND": "django_prometheus.cache.backends.redis.RedisCache",
        "LOCATION": f"{REDIS_URL}/1",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},  # seconds
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

CELERY_BROKER_URL = f"{REDIS_URL}/0"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False  # an order must not wait for a broker that is away
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 1}  # seconds
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "expire-campaigns": {"task": "shop.tasks.expire_campaigns", "schedule": 60.0},  # seconds, all of them
    "enrich-products": {"task": "shop.tasks.enrich", "schedule": 30.0},
    "restock": {"task": "shop.tasks.restock", "schedule": 600.0},
    "refund": {"task": "shop.tasks.refund", "schedule": 900.0},
}

TIME_ZONE = "Asia/Seoul"
USE_TZ = True
LANGUAGE_CODE = "en"
USE_THOUSAND_SEPARATOR = True

PROMETHEUS_EXPORT_MIGRATIONS = False  # it would ask the database at import, in each process
FAULT_FILE = Path(os.environ.get("SHOP_FAULT_FILE", "/run/shop/fault.json"))
DISK_FILL_FILE = Path(os.environ.get("SHOP_DISK_FILL_FILE", "/data/fault-fill.bin"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "shop.logs.JsonFormatter"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("django.server", "gunicorn.error")},
}
