"""What the Celery worker does."""

import logging
import random
import time
from datetime import timedelta

from celery import shared_task
from django.db.models import F
from django.utils import timezone

from shop import external_api, metrics
from shop.models import Campaign, EnrichmentRun, Order, Payment, Product, Refund

logger = logging.getLogger(__name__)
SCOPES = ("artists", "prices", "translations")
REFUND_REASONS = ("changed_mind", "damaged", "late")
KEPT = timedelta(days=1)  # enrichment runs
for _reason in REFUND_REASONS:
    metrics.REFUNDS.labels(_reason)  # 0 from the start, so that the first one is a rise


@shared_task
def send_confirmation(order_id: int) -> None:
    """Pretend to send the e-mail of a paid order, and note when."""
    Order.objects.filter(pk=order_id).update(confirmed_at=timezone.now())
    logger.info("confirmation of order %s sent", order_id)


@shared_task
def expire_campaigns() -> None:
    """Mark campaigns whose period is over."""
    count = Campaign.objects.filter(expired=False, ends_at__lte=timezone.now()).update(expired=True)
    if count:
        logger.info("%s campaigns expired", count)


@shared_task
def restock() -> None:
    """Refill what runs low. What is sold out stays sold out: there is always something for that alert."""
    Product.objects.filter(stock__range=(1, 10)).update(stock=F("stock") + 40)


@shared_task
def refund() -> None:
    """Give the money back for one order of the last day."""
    paid = Payment.objects.filter(
        status="paid", order__status="paid", created_at__gt=timezone.now() - timedelta(days=1)
    )
    payment = paid.order_by("?").first()
    if payment:
        reason = random.choice(REFUND_REASONS)
        Refund.objects.create(payment=payment, amount_krw=payment.amount_krw, reason=reason, created_at=timezone.now())
        Order.objects.filter(pk=payment.order_id).update(status="refunded")
        metrics.REFUNDS.labels(reason).inc()


@shared_task
def enrich() -> None:
    """Complete some product data from the artist catalogue, record the run, remove old records of runs."""
    scope, started, began = random.choice(SCOPES), timezone.now(), time.perf_counter()
    complete = all(external_api.call("artist_catalogue") for _ in range(5))
    status, seconds = "ok" if complete else "partial", time.perf_counter() - began
    EnrichmentRun.objects.create(scope=scope, status=status, products=5, duration_seconds=seconds, started_at=started)
    metrics.ENRICHMENT_RUNS.labels(scope, status).inc()
    metrics.ENRICHMENT_SECONDS.labels(scope, status).observe(seconds)
    deleted, _ = EnrichmentRun.objects.filter(started_at__lt=started - KEPT).delete()
    metrics.ROWS_DELETED.labels(EnrichmentRun._meta.db_table).inc(deleted)
