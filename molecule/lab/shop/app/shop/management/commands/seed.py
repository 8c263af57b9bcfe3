"""manage.py seed: fill an empty database once."""

from django.core.management.base import BaseCommand
from shop.models import Order, Product
from shop.seeding import seed


class Command(BaseCommand):
    help = "Fill an empty database with products, customers and 90 days of orders; does nothing when it holds products."

    def handle(self, **_: object) -> None:
        """Seed once."""
        if not Product.objects.exists():
            seed()
            self.stdout.write(f"{Product.objects.count()} products, {Order.objects.count()} orders")
