#!/usr/bin/env python3
"""Customers of the shop: about three requests a second. Standard library only, so that it needs little memory.

One visit: front page, some products, at times an order; few payments are declined, few addresses wrong.
Environment: SHOP_URL (http://web:8000).
"""

import http.cookiejar
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

URL = os.environ.get("SHOP_URL", "http://web:8000")
REGIONS = ("seoul", "gyeonggi", "incheon", "busan", "daegu", "jeju", "japan", "overseas")
CATEGORIES = ("Albums", "Light sticks", "Photo cards", "Fashion", "Posters", "Living")
METHODS = ("card", "kakaopay", "naverpay", "tosspay")
PRODUCTS = 240
PAUSE_SECONDS = (0.15, 0.5)
ORDER_SHARE, DECLINED_SHARE, WRONG_ADDRESS_SHARE, NEW_CUSTOMER_SHARE = 0.04, 0.03, 0.03, 0.2
ALIVE = Path("/tmp/alive")  # its age tells the health check that requests are still made
HANDLERS = (
    urllib.request.HTTPHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
)


class Visitor:
    """One browser: cookies, the CSRF token among them."""

    def __init__(self) -> None:
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.OpenerDirector()  # build_opener() would load all CA certificates each time
        self.opener.add_handler(urllib.request.HTTPCookieProcessor(self.cookies))
        for handler in HANDLERS:
            self.opener.add_handler(handler())

    def request(self, path: str, form: dict[str, str] | None = None) -> int:
        """Make one request, then pause; return the status, 0 when the shop does not answer in 20 s."""
        token = next((cookie.value for cookie in self.cookies if cookie.name == "csrftoken"), "") or ""
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(URL + path, data, {"X-CSRFToken": token})
        try:
            with self.opener.open(request, timeout=20) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(1)
            return 0
        finally:
            ALIVE.touch()
            time.sleep(random.uniform(*PAUSE_SECONDS))


def visit() -> None:
    """One customer's way through the shop."""
    visitor = Visitor()
    visitor.request("/")
    if random.random() < 0.5:
        visitor.request("/?" + urllib.parse.urlencode({"category": random.choice(CATEGORIES)}))
    product = random.randint(1, PRODUCTS)
    for product in random.sample(range(1, PRODUCTS + 1), random.randint(1, 4)):
        visitor.request(f"/products/{product}/")
    if random.random() < WRONG_ADDRESS_SHARE:
        visitor.request(random.choice(("/products/99999/", "/wp-login.php", "/old-campaign/")))
    if random.random() < ORDER_SHARE:
        order(visitor, product)


def order(visitor: Visitor, product: int) -> None:
    """Sign in, fill the cart, pay. The page / sets the CSRF cookie for visitors who are not signed in."""
    number = random.randint(0, 2999)
    name = f"new{int(time.time())}" if random.random() < NEW_CUSTOMER_SHARE else f"fan{number:05}"
    visitor.request("/signup/", {"email": f"{name}@example.com", "region": random.choice(REGIONS)})
    visitor.request("/cart/", {"product": str(product)})
    card = "4000000000000002" if random.random() < DECLINED_SHARE else "4242424242424242"
    visitor.request("/checkout/", {"method": random.choice(METHODS), "card": card})


if __name__ == "__main__":
    while True:
        visit()
