"""Plausible data for a new shop: products, customers, campaigns, and orders with a daily and weekly pattern."""

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, product

from django.db import transaction
from django.utils import timezone

from shop.models import Campaign, Customer, EnrichmentRun, Order, OrderItem, Payment, Product, Refund, Region
from shop.ordering import METHODS
from shop.tasks import REFUND_REASONS, SCOPES

ARTISTS = (
    "LUMEN9", "Velvet Hour", "HAEDAL", "NEON TIDE", "Mirae Boys", "Sora & Co", "POLARIS", "Café Noir", "BORA", "K-SIG",
)  # fmt: skip
GOODS = {  # category → (name, lowest and highest price in KRW)
    "Albums": (("1st Mini Album", "Full Album", "Repackage", "Live Album", "Digipack"), (15_000, 36_000)),
    "Light sticks": (("Light Stick", "Mini Light Stick", "Light Stick Strap"), (12_000, 49_000)),
    "Photo cards": (("Photo Card Set", "Binder", "Holder"), (6_000, 19_000)),
    "Fashion": (("Hoodie", "Ball Cap", "Varsity Jacket", "T-Shirt", "Eco Bag", "Beanie"), (19_000, 129_000)),
    "Posters": (("Poster", "Tapestry", "Calendar"), (9_000, 28_000)),
    "Living": (("Mug", "Blanket", "Diary", "Phone Case"), (11_000, 39_000)),
}
REGION_WEIGHTS = (30, 22, 8, 10, 6, 2, 12, 10)  # in the order of Region
CAMPAIGN_NAMES = ("Comeback Week", "Seollal Sale", "Fan Day", "Winter Warm-Up", "Summer Stage", "Chuseok Gifts")
FAILED_SHARE, REFUNDED_SHARE = 0.02, 0.015
BATCH = 2000  # rows a statement


def seed(days: int = 90, orders_per_day: int = 400, customers: int = 3000) -> None:
    """Fill an empty database. The same data for the same day: the random numbers have a fixed seed."""
    rng, now = random.Random(42), timezone.now()
    with transaction.atomic():
        Product.objects.bulk_create(_products(rng, now))
        Customer.objects.bulk_create(_customers(rng, now, days, customers), batch_size=BATCH)
        Campaign.objects.bulk_create(_campaigns(rng, now, days))
        EnrichmentRun.objects.bulk_create(_enrichment_runs(rng, now))
        moments = _order_moments(rng, now, days, orders_per_day)
        while batch := list(islice(moments, BATCH)):
            _create_orders(rng, batch)


def _products(rng: random.Random, now: datetime) -> list[Product]:
    found = []
    for artist, (category, (names, (low, high))) in product(ARTISTS, GOODS.items()):
        for name in names:
            stock = rng.choices((0, rng.randint(1, 5), rng.randint(20, 400)), (2, 5, 93))[0]
            found.append(
                Product(
                    sku=f"{category[:2].upper()}-{len(found) + 1:04}",
                    name=f"{artist} {name}",
                    artist=artist,
                    category=category,
                    price_krw=rng.randrange(low, high, 100),
                    stock=stock,
                    created_at=now - timedelta(days=rng.uniform(0, 200)),
                )
            )
    return found


def _customers(rng: random.Random, now: datetime, days: int, count: int) -> list[Customer]:
    """Half of them come again every few days, the others were last seen some time after they signed up."""
    found = []
    for number in range(count):
        signed_up = now - timedelta(days=rng.uniform(0, days * 2))
        seen = signed_up + (now - signed_up) * rng.random()
        if number % 2:
            seen = max(signed_up, now - timedelta(days=rng.expovariate(1 / 4)))
        found.append(
            Customer(
                email=f"fan{number:05}@example.com",
                region=rng.choices(Region.values, REGION_WEIGHTS)[0],
                signed_up_at=signed_up,
                last_seen_at=seen,
            )
        )
    return found


def _campaigns(rng: random.Random, now: datetime, days: int) -> list[Campaign]:
    """Two over and one running or coming campaign for each region."""
    found = []
    for region in Region.values:
        for start in (-days + rng.randint(0, 20), -days // 2 + rng.randint(0, 20), rng.randint(-6, 1)):
            begin = now + timedelta(days=start)
            end = begin + timedelta(days=rng.randint(7, 14))
            name = rng.choice(CAMPAIGN_NAMES)
            discount = rng.choice((5, 10, 15, 20))
            found.append(Campaign(name=name, region=region, discount_percent=discount, starts_at=begin, ends_at=end))
    return found


def _enrichment_runs(rng: random.Random, now: datetime) -> list[EnrichmentRun]:
    """One each 10 minutes of the last day."""
    return [
        EnrichmentRun(
            scope=rng.choice(SCOPES),
            status=rng.choices(("ok", "partial"), (19, 1))[0],
            products=5,
            duration_seconds=rng.uniform(0.1, 0.4),
            started_at=now - timedelta(minutes=10 * number),
        )
        for number in range(1, 144)
    ]


def hourly_share(moment: datetime) -> float:
    """How busy the shop is compared with the average: quiet at 4 h, busiest at 21 h in Seoul, more on weekends."""
    local = timezone.localtime(moment)
    daily = 1 + 0.8 * math.cos((local.hour + local.minute / 60 - 21) / 24 * 2 * math.pi)
    return daily * (1.3 if local.weekday() >= 5 else 0.9)


def _order_moments(rng: random.Random, now: datetime, days: int, per_day: int) -> Iterator[datetime]:
    """Times of orders, oldest first, growing from 70 % to 130 % of `per_day`."""
    for hour in range(days * 24, 0, -1):
        start = now - timedelta(hours=hour)
        growth = 1.3 - 0.6 * hour / (days * 24)
        expected = per_day / 24 * growth * hourly_share(start)
        count = int(expected + rng.random())
        yield from sorted(start + timedelta(hours=rng.random()) for _ in range(count))


def _create_orders(rng: random.Random, moments: list[datetime]) -> None:
    """Orders with one to three items, one payment, and now and then a refund."""
    products, customers = list(Product.objects.all()), list(Customer.objects.all())
    weights = [1 / (1 + number % 37) for number in range(len(products))]  # some sell far better than others
    orders, items, payments = [], [], []
    for moment in moments:
        customer, failed = rng.choice(customers), rng.random() < FAILED_SHARE
        order = Order(customer=customer, region=customer.region, placed_at=moment, status="paid", confirmed_at=moment)
        chosen = rng.choices(products, weights, k=rng.choices((1, 2, 3), (6, 3, 1))[0])
        own = [OrderItem(order=order, product=one, quantity=1, unit_price_krw=one.price_krw) for one in chosen]
        order.total_krw = sum(item.unit_price_krw for item in own)
        payment = Payment(order=order, method=rng.choice(METHODS), amount_krw=order.total_krw, created_at=moment)
        payment.status = "failed" if failed else "paid"
        if failed:
            order.status, order.confirmed_at, payment.failure_reason = "payment_failed", None, "card_declined"
        orders.append(order)
        items += own
        payments.append(payment)
    refunded = [one for one in payments if one.status == "paid" and rng.random() < REFUNDED_SHARE]
    for payment in refunded:
        payment.order.status = "refunded"
    for model, rows in ((Order, orders), (OrderItem, items), (Payment, payments)):
        model.objects.bulk_create(rows, batch_size=BATCH)
    Refund.objects.bulk_create(_refunds(rng, refunded))
    for order in orders:  # whoever orders is there; the oldest order comes first
        order.customer.last_seen_at = max(order.customer.last_seen_at, order.placed_at)
    Customer.objects.bulk_update({order.customer for order in orders}, ["last_seen_at"], batch_size=BATCH)


def _refunds(rng: random.Random, payments: list[Payment]) -> list[Refund]:
    """A refund one to a few hours after each payment, none in the future."""
    now = timezone.now()
    return [
        Refund(
            payment=payment,
            amount_krw=payment.amount_krw,
            reason=rng.choice(REFUND_REASONS),
            created_at=min(now, payment.created_at + timedelta(hours=rng.uniform(1, 72))),
        )
        for payment in payments
    ]
