"""One JSON object per log line: level, time, logger, message, request, user, exception."""

import json
import logging
from contextvars import ContextVar
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest

SEOUL = ZoneInfo("Asia/Seoul")
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


def customer_email(request: HttpRequest) -> str | None:
    """E-mail of who is signed in; None for a visitor."""
    return getattr(request, "session", {}).get("email")


class JsonFormatter(logging.Formatter):
    """Format a record; `extra={"request_log": {...}}` adds to the field `request`."""

    def format(self, record: logging.LogRecord) -> str:
        request = current_request.get() or getattr(record, "request", None)  # Django logs some after the middleware
        line = {
            "time": datetime.fromtimestamp(record.created, SEOUL).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if isinstance(request, HttpRequest):
            line["request"] = {"id": getattr(request, "log_id", None), "method": request.method, "path": request.path}
            line["request"] |= getattr(record, "request_log", {})
            line["user"] = customer_email(request)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
