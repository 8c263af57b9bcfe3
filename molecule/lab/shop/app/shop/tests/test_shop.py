"""The shop through Django's test client, on SQLite: pages, orders, health, metrics, faults, logs."""

import json
import logging
import time
from datetime import timedelta
from io import StringIO
from unittest import mock

from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import RequestFactory, TestCase
from django.utils import timezone

from shop import external_api, faults, health, logs, ordering
from shop.models import Campaign, Customer, EnrichmentRun, Order, Payment, Product, Refund
from shop.seeding import hourly_share, seed
from shop.tasks import enrich, expire_campaigns, refund

GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"


def fault(*arguments: str) -> str:
    """Run `manage.py fault`; return what it prints."""
    out = StringIO()
    call_command("fault", *arguments, stdout=out)
    return out.getvalue().strip()


class ShopCase(TestCase):
    """A small seeded shop, no fault in force, other companies' services that never refuse."""

    @classmethod
    def setUpTestData(cls) -> None:
        seed(days=3, orders_per_day=20, customers=20)

    def setUp(self) -> None:
        cache.clear()
        self.enterContext(mock.patch.object(external_api, "RATE_LIMITED_SHARE", 0))
        self.addCleanup(fault, "off")

    def buy(self, card: str = GOOD_CARD, stock: int = 3) -> tuple[HttpResponse, Product]:
        product = Product.objects.first()
        Product.objects.filter(pk=product.pk).update(stock=stock)
        self.client.post("/signup/", {"email": "minji@example.com", "region": "busan"})
        self.client.post("/cart/", {"product": product.pk})
        answer = self.client.post("/checkout/", {"method": "card", "card": card})
        product.refresh_from_db()
        return answer, product


class PagesTest(ShopCase):
    def test_front_page_shows_products_with_prices(self) -> None:
        page = self.client.get("/").content.decode()
        newest = Product.objects.order_by("-created_at").first()
        self.assertIn(f"₩{newest.price_krw:,}", page)
        self.assertEqual(page.count('class="card"'), 24)

    def test_category_narrows_the_front_page(self) -> None:
        page = self.client.get("/", {"category": "Fashion"}).content.decode()
        self.assertNotIn("Album</", page)

    def test_unknown_product_is_404(self) -> None:
        self.assertEqual(self.client.get("/products/99999/").status_code, 404)

    def test_running_campaign_is_announced(self) -> None:
        now, hour = timezone.now(), timedelta(hours=1)
        Campaign.objects.create(
            name="Fan Day X", region="seoul", discount_percent=50, starts_at=now - hour, ends_at=now + hour
        )
        self.assertContains(self.client.get("/"), "Fan Day X")


class OrderTest(ShopCase):
    def test_paid_order_takes_stock_and_is_confirmed(self) -> None:
        answer, product = self.buy()
        order = Order.objects.latest("pk")
        self.assertEqual((answer.status_code, order.status, product.stock), (200, "paid", 2))
        self.assertEqual(order.payments.get().amount_krw, order.total_krw)
        self.assertIsNotNone(order.confirmed_at)

    def test_declined_payment_gives_the_stock_back(self) -> None:
        answer, product = self.buy(DECLINED_CARD)
        order = Order.objects.latest("pk")
        self.assertEqual((answer.status_code, order.status, product.stock), (402, "payment_failed", 3))
        self.assertEqual(order.payments.get().failure_reason, "card_declined")

    def test_sold_out_changes_nothing(self) -> None:
        before = Order.objects.count()
        answer, product = self.buy(stock=0)
        self.assertEqual((answer.status_code, product.stock, Order.objects.count()), (409, 0, before))

    def test_missing_queue_does_not_lose_the_order(self) -> None:
        with (
            mock.patch.object(ordering.tasks.send_confirmation, "delay", side_effect=ordering.OperationalError),
            self.assertLogs("shop.ordering", logging.ERROR),
        ):
            answer, _ = self.buy()
        self.assertEqual(answer.status_code, 200)

    def test_checkout_needs_customer_and_cart(self) -> None:
        self.assertEqual(self.client.post("/checkout/", {"method": "card"}).status_code, 400)


class TasksTest(ShopCase):
    def test_campaign_expires_after_its_end(self) -> None:
        now = timezone.now()
        Campaign.objects.update(expired=False, ends_at=now)
        expire_campaigns()
        self.assertFalse(Campaign.objects.filter(expired=False).exists())

    def test_refund_is_recorded(self) -> None:
        before = Refund.objects.count()
        refund()
        self.assertEqual(Refund.objects.count(), before + 1)

    def test_enrichment_is_recorded(self) -> None:
        newest = EnrichmentRun.objects.latest("started_at")
        enrich()
        self.assertGreater(EnrichmentRun.objects.latest("started_at").pk, newest.pk)


class HealthTest(ShopCase):
    def check(self, **checks: object) -> tuple[int, dict]:
        with mock.patch.dict(health.CHECKS, checks, clear=True):
            answer = self.client.get("/health/detailed/")
        return answer.status_code, answer.json()

    def test_basic(self) -> None:
        self.assertEqual(self.client.get("/health/").json(), {"status": "healthy"})

    def test_all_well(self) -> None:
        status, body = self.check(database=lambda: None, redis=lambda: None)
        self.assertEqual((status, body["status"], body["services"]["redis"]["status"]), (200, "healthy", "healthy"))
        self.assertIsInstance(body["services"]["redis"]["response_time_ms"], float)

    def test_one_component_down(self) -> None:
        status, body = self.check(database=lambda: None, redis=mock.Mock(side_effect=ConnectionError))
        self.assertEqual((status, body["status"]), (503, "unhealthy"))
        self.assertEqual(body["services"]["database"]["status"], "healthy")
        self.assertEqual(body["services"]["redis"]["error"], "ConnectionError")

    def test_hanging_component_does_not_hold_the_answer(self) -> None:
        began = time.perf_counter()
        status, body = self.check(database=lambda: time.sleep(3))
        self.assertLess(time.perf_counter() - began, 2)
        self.assertEqual((status, body["services"]["database"]["error"]), (503, "TimeoutError"))


class FaultTest(ShopCase):
    def test_errors_hit_pages_and_spare_health_and_metrics(self) -> None:
        self.assertEqual(fault("errors", "1"), "errors 1")
        self.client.raise_request_exception = False
        self.assertEqual(self.client.get("/").status_code, 500)
        self.assertEqual(self.client.get("/health/").status_code, 200)
        metrics = self.client.get("/metrics").content.decode()
        self.assertRegex(metrics, r'django_http_exceptions_total_by_type_total\{type="FaultOnPurposeError"\} [1-9]')
        self.assertEqual(fault("off"), "no fault in force")
        self.assertEqual(self.client.get("/").status_code, 200)

    def test_slow(self) -> None:
        fault("slow", "0.4")
        began = time.perf_counter()
        self.client.get("/")
        self.assertGreaterEqual(time.perf_counter() - began, 0.4)

    def test_payments(self) -> None:
        fault("payments", "1")
        answer, _ = self.buy()
        self.assertEqual((answer.status_code, Payment.objects.latest("pk").failure_reason), (402, "gateway_error"))

    def test_faults_add_up(self) -> None:
        fault("errors", "0.5")
        self.assertEqual(fault("slow", "3"), "errors 0.5, slow 3")

    def test_disk_is_filled_and_freed(self) -> None:
        self.assertEqual(fault("disk", "2"), "disk 2")
        self.assertGreaterEqual(settings.DISK_FILL_FILE.stat().st_blocks * 512, 2 * faults.MIB)
        fault("off")
        self.assertFalse(settings.DISK_FILL_FILE.exists())

    def test_disk_is_never_filled_to_the_last_byte(self) -> None:
        with self.assertRaisesRegex(CommandError, "1 % must stay free"):
            fault("disk", "999999999")

    def test_wrong_amount_is_refused(self) -> None:
        with self.assertRaisesRegex(CommandError, "errors: 0 to 1"):
            fault("errors", "50")


class MetricsTest(ShopCase):
    def test_shop_and_django_series(self) -> None:
        self.buy()
        text = self.client.get("/metrics").content.decode()
        for name in (
            'shop_orders_total{region="busan"}',
            'shop_payments_total{method="card",status="paid"}',
            'shop_signups_total{region="busan"}',
            'shop_external_api_calls_total{endpoint="payment_gateway",status="200"}',
            'shop_external_api_rate_limit_hits_total{endpoint="payment_gateway"} 0.0',
            'shop_refunds_total{reason="damaged"} 0.0',
            'shop_external_api_duration_seconds_count{endpoint="payment_gateway",status="200"}',
            'shop_products{state="out_of_stock"}',
            'shop_table_rows{table="shop_order"}',
            'shop_service_up{service="app"} 1.0',
            'shop_service_up{service="database"} 1.0',
            'shop_service_up{service="payment"} 1.0',
            'shop_service_up{service="scraper"} 0.0',
            'django_http_responses_total_by_status_total{status="200"}',
            "django_http_requests_latency_seconds_by_view_method_bucket",
            "django_db_execute_total",
            "django_cache_get_total",
        ):
            self.assertIn(name, text)

    def test_a_part_that_is_down_is_told(self) -> None:
        fault("payments", "1")
        enrich()
        text = self.client.get("/metrics").content.decode()
        self.assertIn('shop_service_up{service="payment"} 0.0', text)
        self.assertIn('shop_service_up{service="scraper"} 1.0', text)
        with mock.patch("shop.metrics.refresh_gauges", side_effect=DatabaseError):
            text = self.client.get("/metrics").content.decode()
        self.assertIn('shop_service_up{service="database"} 0.0', text)


class LogTest(ShopCase):
    def test_line_has_level_time_request_and_user(self) -> None:
        request = RequestFactory().get("/products/1/")
        request.log_id, request.session = "abc", {"email": "minji@example.com"}
        token = logs.current_request.set(request)
        self.addCleanup(logs.current_request.reset, token)
        record = logging.LogRecord("shop.request", logging.WARNING, "", 1, "bad %s", ("day",), None)
        line = json.loads(logs.JsonFormatter().format(record))
        self.assertEqual((line["level"], line["message"], line["user"]), ("WARNING", "bad day", "minji@example.com"))
        self.assertEqual(line["request"], {"id": "abc", "method": "GET", "path": "/products/1/"})
        self.assertTrue(line["time"].endswith("+09:00"))


class SeedTest(ShopCase):
    def test_seeded_data_is_plausible(self) -> None:
        self.assertEqual((Product.objects.count(), Customer.objects.count()), (240, 20))
        self.assertGreater(Order.objects.count(), 30)
        self.assertFalse(Order.objects.filter(placed_at__gt=timezone.now()).exists())
        self.assertGreater(Product.objects.filter(stock=0).count(), 0)

    def test_seeding_twice_changes_nothing(self) -> None:
        call_command("seed")
        self.assertEqual(Product.objects.count(), 240)

    def test_evening_is_busier_than_night(self) -> None:
        day = timezone.localtime().replace(minute=0)
        self.assertGreater(hourly_share(day.replace(hour=21)), 3 * hourly_share(day.replace(hour=5)))
