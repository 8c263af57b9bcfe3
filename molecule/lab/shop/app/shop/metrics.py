"""The shop's own metrics, prefix `shop_`, and the page /metrics.

Sums are KRW, durations seconds. The gauges are read from the database with each scrape of the web.
"""

import logging

from django.db import DatabaseError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import Counter, Gauge, Histogram

from shop.models import Campaign, Customer, Order, Payment, Product

ORDERS = Counter("shop_orders", "Orders placed", ["region"])
REVENUE = Counter("shop_revenue_krw", "Paid sums in KRW", ["region"])
PAYMENTS = Counter("shop_payments", "Payments by result", ["status", "method"])
REFUNDS = Counter("shop_refunds", "Refunds", ["reason"])
SIGNUPS = Counter("shop_signups", "New customers", ["region"])
API_CALLS = Counter("shop_external_api_calls", "Calls to other companies' services", ["endpoint", "status"])
API_LIMITS = Counter("shop_external_api_rate_limit_hits", "Calls refused for their number", ["endpoint"])
API_SECONDS = Histogram("shop_external_api_duration_seconds", "Duration of such calls", ["endpoint"])
ENRICHMENT_RUNS = Counter("shop_enrichment_runs", "Runs that complete product data", ["scope", "status"])
ENRICHMENT_SECONDS = Histogram("shop_enrichment_duration_seconds", "Duration of such runs", ["scope"])
ROWS_DELETED = Counter("shop_cleanup_rows_deleted", "Rows removed by clean-up", ["table"])

CAMPAIGNS = Gauge("shop_campaigns", "Campaigns", ["region", "state"], multiprocess_mode="mostrecent")
STOCK = Gauge("shop_products", "Products by stock", ["state"], multiprocess_mode="mostrecent")
TABLE_ROWS = Gauge("shop_table_rows", "Rows", ["table"], multiprocess_mode="mostrecent")

logger = logging.getLogger(__name__)


def refresh_gauges() -> None:
    """Set the gauges from the database."""
    now = timezone.now()
    active, expired = (
        Count("pk", filter=Q(starts_at__lte=now, ends_at__gt=now)),
        Count("pk", filter=Q(ends_at__lte=now)),
    )
    for row in Campaign.objects.values("region").annotate(active=active, expired=expired):
        CAMPAIGNS.labels(row["region"], "active").set(row["active"])
        CAMPAIGNS.labels(row["region"], "expired").set(row["expired"])
    STOCK.labels("out_of_stock").set(Product.objects.filter(stock=0).count())
    STOCK.labels("low").set(Product.objects.filter(stock__range=(1, 5)).count())
    STOCK.labels("available").set(Product.objects.filter(stock__gt=5).count())
    for model in (Product, Customer, Order, Payment):
        TABLE_ROWS.labels(model._meta.db_table).set(model.objects.count())


def export(request: HttpRequest) -> HttpResponse:
    """/metrics of all web processes. It answers without the database as well, then with the last known gauges."""
    try:
        refresh_gauges()
    except DatabaseError:
        logger.warning("the gauges keep their last values: the database does not answer")
    return ExportToDjangoView(request)
