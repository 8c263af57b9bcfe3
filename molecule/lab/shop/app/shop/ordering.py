"""Placing an order: stock, campaign price, payment."""

import logging

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from shop import external_api, metrics, tasks
from shop.models import Campaign, Customer, Order, OrderItem, Product

logger = logging.getLogger(__name__)
METHODS = ("card", "kakaopay", "naverpay", "tosspay")
Cart = dict[str, int]  # product id as a string (JSON) → quantity
for _method in METHODS:
    for _status in ("paid", "failed"):
        metrics.PAYMENTS.labels(_status, _method)  # 0 from the start, so that the first one is a rise


class OutOfStockError(Exception):
    """A product of the cart is gone; the argument is its name."""


def active_campaign(region: str) -> Campaign | None:
    """The best campaign that runs now in a region."""
    now = timezone.now()
    running = Campaign.objects.filter(region=region, starts_at__lte=now, ends_at__gt=now)
    return running.order_by("-discount_percent").first()


def place_order(customer: Customer, cart: Cart, method: str, card: str) -> Order:
    """Create the order and its payment. Raises OutOfStockError; then nothing is changed."""
    with transaction.atomic():
        order = _create_order(customer, cart)
        reason = external_api.charge(card)
        status = "failed" if reason else "paid"
        order.payments.create(
            method=method, status=status, amount_krw=order.total_krw, failure_reason=reason, created_at=order.placed_at
        )
        order.status = "payment_failed" if reason else "paid"
        order.save(update_fields=["status"])
        if reason:
            _return_stock(cart)
    _count(order, status, method)
    if reason:
        logger.warning("payment of order %s failed: %s", order.pk, reason)
    else:
        _confirm_later(order)
    return order


def _create_order(customer: Customer, cart: Cart) -> Order:
    products = Product.objects.in_bulk(cart)
    campaign = active_campaign(customer.region)
    discount = campaign.discount_percent if campaign else 0
    items = []
    for product in products.values():
        quantity = cart[str(product.pk)]
        if not Product.objects.filter(pk=product.pk, stock__gte=quantity).update(stock=F("stock") - quantity):
            raise OutOfStockError(product.name)
        price = product.price_krw * (100 - discount) // 100
        items.append(OrderItem(product=product, quantity=quantity, unit_price_krw=price))
    order = Order.objects.create(
        customer=customer,
        campaign=campaign,
        region=customer.region,
        status="new",
        total_krw=sum(item.quantity * item.unit_price_krw for item in items),
        placed_at=timezone.now(),
    )
    for item in items:
        item.order = order
    OrderItem.objects.bulk_create(items)
    return order


def _return_stock(cart: Cart) -> None:
    for product_id, quantity in cart.items():
        Product.objects.filter(pk=product_id).update(stock=F("stock") + quantity)


def _count(order: Order, payment_status: str, method: str) -> None:
    metrics.ORDERS.labels(order.region).inc()
    metrics.PAYMENTS.labels(payment_status, method).inc()
    if payment_status == "paid":
        metrics.REVENUE.labels(order.region).inc(order.total_krw)


def _confirm_later(order: Order) -> None:
    """Queue the confirmation. The order stands without it: a missing broker is logged, not shown to the customer."""
    try:
        tasks.send_confirmation.delay(order.pk)
    except OperationalError:
        logger.exception("no confirmation for order %s: the queue is away", order.pk)
