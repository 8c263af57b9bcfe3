"""What the shop remembers. All sums are whole KRW."""

from django.db import models


class Region(models.TextChoices):
    SEOUL = "seoul", "Seoul"
    GYEONGGI = "gyeonggi", "Gyeonggi"
    INCHEON = "incheon", "Incheon"
    BUSAN = "busan", "Busan"
    DAEGU = "daegu", "Daegu"
    JEJU = "jeju", "Jeju"
    JAPAN = "japan", "Japan"
    OVERSEAS = "overseas", "Overseas"


class Product(models.Model):
    """Something on sale; `stock` never falls below 0."""

    sku = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=120)
    artist = models.CharField(max_length=60)
    category = models.CharField(max_length=30, db_index=True)
    price_krw = models.PositiveIntegerField()
    stock = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    @property
    def hue(self) -> int:
        """Colour of its cover: degrees."""
        return sum(self.artist.encode()) * 97 % 360


class Customer(models.Model):
    """Who signed up."""

    email = models.EmailField(unique=True)
    region = models.CharField(max_length=12, choices=Region.choices)
    signed_up_at = models.DateTimeField(db_index=True)
    last_seen_at = models.DateTimeField(db_index=True)


class Campaign(models.Model):
    """A discount for one region and period. `expired` is set by a task, a little after `ends_at`."""

    name = models.CharField(max_length=80)
    region = models.CharField(max_length=12, choices=Region.choices)
    discount_percent = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    expired = models.BooleanField(default=False)


class Order(models.Model):
    """One checkout: paid, payment_failed or refunded."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.SET_NULL)
    region = models.CharField(max_length=12, choices=Region.choices)
    status = models.CharField(max_length=16, db_index=True)
    total_krw = models.PositiveIntegerField()
    placed_at = models.DateTimeField(db_index=True)
    confirmed_at = models.DateTimeField(null=True)


class OrderItem(models.Model):
    """One product of an order, at the price of that day."""

    order = models.ForeignKey(Order, related_name="items", on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveSmallIntegerField()
    unit_price_krw = models.PositiveIntegerField()


class Payment(models.Model):
    """One attempt to pay an order: paid or failed; `failure_reason` is empty when paid."""

    order = models.ForeignKey(Order, related_name="payments", on_delete=models.CASCADE)
    method = models.CharField(max_length=16)
    status = models.CharField(max_length=8, db_index=True)
    amount_krw = models.PositiveIntegerField()
    failure_reason = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_index=True)


class Refund(models.Model):
    """Money given back for a payment."""

    payment = models.ForeignKey(Payment, on_delete=models.CASCADE)
    amount_krw = models.PositiveIntegerField()
    reason = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_index=True)


class EnrichmentRun(models.Model):
    """One run that completes product data from another company's service."""

    scope = models.CharField(max_length=16)
    status = models.CharField(max_length=8)
    products = models.PositiveIntegerField()
    duration_seconds = models.FloatField()
    started_at = models.DateTimeField(db_index=True)
