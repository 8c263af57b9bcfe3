"""The shop's own metrics, prefix `shop_`, and the page /metrics.

Sums are KRW, durations seconds. The gauges are read from the database with each scrape of the web.
"""

import logging
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import Counter, Gauge, Histogram

from shop import faults
from shop.models import Campaign, Customer, EnrichmentRun, Order, Payment, Product

ORDERS = Counter("shop_orders", "Orders placed", ["region"])
REVENUE = Counter("shop_revenue_krw", "Paid sums in KRW", ["region"])
PAYMENTS = Counter("shop_payments", "Payments by result", ["status", "method"])
REFUNDS = Counter("shop_refunds", "Refunds", ["reason"])
SIGNUPS = Counter("shop_signups", "New customers", ["region"])
API_CALLS = Counter("shop_external_api_calls", "Calls to other companies' services", ["endpoint", "status"])
API_LIMITS = Counter("shop_external_api_rate_limit_hits", "Calls refused for their number", ["endpoint"])
API_SECONDS = Histogram("shop_external_api_duration_seconds", "Duration of such calls", ["endpoint", "status"])
ENRICHMENT_RUNS = Counter("shop_enrichment_runs", "Runs that complete product data", ["scope", "status"])
ENRICHMENT_SECONDS = Histogram("shop_enrichment_duration_seconds", "Duration of such runs", ["scope", "status"])
ROWS_DELETED = Counter("shop_cleanup_rows_deleted", "Rows removed by clean-up", ["table"])

CAMPAIGNS = Gauge("shop_campaigns", "Campaigns", ["region", "state"], multiprocess_mode="mostrecent")
STOCK = Gauge("shop_products", "Products by stock", ["state"], multiprocess_mode="mostrecent")
TABLE_ROWS = Gauge("shop_table_rows", "Rows", ["table"], multiprocess_mode="mostrecent")
TABLE_BYTES = Gauge("shop_table_bytes", "Bytes with indexes", ["table"], multiprocess_mode="mostrecent")
SERVICE_UP = Gauge("shop_service_up", "1 while a part works", ["service"], multiprocess_mode="mostrecent")

TABLES = (Product, Customer, Order, Payment, EnrichmentRun)
SCRAPER_SILENT = timedelta(minutes=10)  # without a run it is down

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
    for model in TABLES:
        TABLE_ROWS.labels(model._meta.db_table).set(model.objects.count())
    _refresh_sizes()
    recent = EnrichmentRun.objects.filter(started_at__gt=now - SCRAPER_SILENT)
    SERVICE_UP.labels("scraper").set(recent.exists())


def _refresh_sizes() -> None:
    """Bytes of each table with its indexes; https://www.postgresql.org/docs/17/functions-admin.html."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for model in TABLES:
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            TABLE_BYTES.labels(model._meta.db_table).set(cursor.fetchone()[0])


def refresh_services(database: bool) -> None:
    """Set which parts work. A real shop would ask the payment company for its state."""
    SERVICE_UP.labels("app").set(1)
    SERVICE_UP.labels("database").set(database)
    SERVICE_UP.labels("payment").set(faults.read().get("payments", 0) < 1)


def export(request: HttpRequest) -> HttpResponse:
    """/metrics of all web processes. It answers without the database as well, then with the last known gauges."""
    try:
        refresh_gauges()
        refresh_services(database=True)
    except DatabaseError:
        logger.warning("the gauges keep their last values: the database does not answer")
        refresh_services(database=False)
    return ExportToDjangoView(request)
