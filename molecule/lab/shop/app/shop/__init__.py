"""The shop: pages, orders, payments, health, metrics and the switches that make it fail."""
