"""One log line per request."""

import logging
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from shop.logs import current_request

logger = logging.getLogger("shop.request")
QUIET = ("/metrics", "/health/")  # asked every few seconds by machines


class RequestLogMiddleware:
    """Give each request an id, make it known to the log formatter, and log its status and duration."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.log_id = uuid.uuid4().hex[:12]
        token = current_request.set(request)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            if not request.path.startswith(QUIET):
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                details = {"status": response.status_code, "duration_ms": milliseconds}
                logger.info("%s %s", request.method, request.path, extra={"request_log": details})
            return response
        finally:
            current_request.reset(token)
