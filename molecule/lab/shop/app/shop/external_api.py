"""Stand-ins for other companies' services (payment gateway, artist catalogue): they take time, limit and decline."""

import random
import time

from shop import faults
from shop.metrics import API_CALLS, API_LIMITS, API_SECONDS

RATE_LIMITED_SHARE = 0.01
ENDPOINTS = ("payment_gateway", "artist_catalogue")
DECLINED_CARD_END = "0002"  # as with the test cards of payment companies

for _endpoint in ENDPOINTS:
    API_LIMITS.labels(_endpoint)  # 0 from the start, so that the first hit is a rise


def call(endpoint: str) -> bool:
    """Call a service that answers in 10-60 ms; False when it refuses for the number of calls."""
    began = time.perf_counter()
    time.sleep(random.uniform(0.01, 0.06))
    limited = random.random() < RATE_LIMITED_SHARE
    status = "429" if limited else "200"
    API_SECONDS.labels(endpoint, status).observe(time.perf_counter() - began)
    API_CALLS.labels(endpoint, status).inc()
    if limited:
        API_LIMITS.labels(endpoint).inc()
    return not limited


def charge(card: str) -> str:
    """Charge a card; return the reason of a failure, or "" when it was paid."""
    if not call("payment_gateway"):
        return "gateway_rate_limited"
    if card.endswith(DECLINED_CARD_END):
        return "card_declined"
    return "gateway_error" if faults.happens("payments") else ""
