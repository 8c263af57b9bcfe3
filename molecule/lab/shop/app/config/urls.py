"""Addresses. Only the shop's own pages obey faults; health and metrics keep telling the truth."""

from django.urls import path
from shop import health, views
from shop.faults import obeys_faults
from shop.metrics import export

urlpatterns = [
    path("", obeys_faults(views.home), name="home"),
    path("products/<int:product_id>/", obeys_faults(views.product), name="product"),
    path("cart/", obeys_faults(views.cart), name="cart"),
    path("checkout/", obeys_faults(views.checkout), name="checkout"),
    path("signup/", obeys_faults(views.signup), name="signup"),
    path("health/", health.basic, name="health"),
    path("health/detailed/", health.detailed, name="health-detailed"),
    path("metrics", export, name="metrics"),
]
