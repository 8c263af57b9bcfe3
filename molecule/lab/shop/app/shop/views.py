"""The pages. The cart and the customer live in a signed cookie."""

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from shop import ordering
from shop.metrics import SIGNUPS
from shop.models import Customer, Product, Region

PER_PAGE = 24
CACHED_SECONDS = 10


def home(request: HttpRequest) -> HttpResponse:
    """The shop front: the campaign of the visitor's region and the newest products, all or of one category."""
    region = request.session.get("region", Region.SEOUL.value)
    categories = cache.get_or_set("categories", _categories, 300)
    category = request.GET.get("category", "")
    if category not in categories:
        category = ""
    products = cache.get_or_set(f"front:{category.replace(' ', '-')}", lambda: _newest(category), CACHED_SECONDS)
    campaign = ordering.active_campaign(region)
    context = {"products": products, "categories": categories, "category": category, "campaign": campaign}
    return render(request, "shop/home.html", context | {"regions": Region.choices})


def _categories() -> list[str]:
    return sorted(Product.objects.values_list("category", flat=True).distinct())


def _newest(category: str) -> list[Product]:
    products = Product.objects.order_by("-created_at", "pk")
    return list((products.filter(category=category) if category else products)[:PER_PAGE])


def product(request: HttpRequest, product_id: int) -> HttpResponse:
    """One product and others of the same artist."""
    found = get_object_or_404(Product, pk=product_id)
    others = Product.objects.filter(artist=found.artist).exclude(pk=found.pk)[:4]
    return render(request, "shop/product.html", {"product": found, "others": others, "methods": ordering.METHODS})


@require_POST
def cart(request: HttpRequest) -> HttpResponse:
    """Put one piece of a product into the cart."""
    found = get_object_or_404(Product, pk=_number(request.POST.get("product")))
    basket = request.session.get("cart", {})
    request.session["cart"] = basket | {str(found.pk): min(basket.get(str(found.pk), 0) + 1, 5)}
    return redirect("product", product_id=found.pk)


@require_POST
def signup(request: HttpRequest) -> HttpResponse:
    """Register an e-mail address with a region, or sign in who has one already."""
    email, region = request.POST.get("email", "").lower(), request.POST.get("region", "")
    if "@" not in email or region not in Region.values:
        return render(request, "shop/message.html", {"title": "E-mail or region missing"}, status=400)
    now = timezone.now()
    defaults = {"region": region, "signed_up_at": now, "last_seen_at": now}
    customer, created = Customer.objects.get_or_create(email=email, defaults=defaults)
    if created:
        SIGNUPS.labels(region).inc()
    else:
        Customer.objects.filter(pk=customer.pk).update(last_seen_at=now)
    request.session.update({"customer": customer.pk, "email": email, "region": customer.region})
    return redirect("home")


@require_POST
def checkout(request: HttpRequest) -> HttpResponse:
    """Order and pay what is in the cart: 200 paid, 402 payment failed, 409 sold out, 400 nothing to order."""
    customer = Customer.objects.filter(pk=request.session.get("customer")).first()
    basket, method = request.session.get("cart"), request.POST.get("method")
    if not (customer and basket and method in ordering.METHODS):
        return render(request, "shop/message.html", {"title": "Sign in and fill the cart first"}, status=400)
    try:
        order = ordering.place_order(customer, basket, method, request.POST.get("card", ""))
    except ordering.OutOfStockError as error:
        request.session["cart"] = {}
        return render(request, "shop/message.html", {"title": f"Sold out: {error}"}, status=409)
    if order.status != "paid":
        return render(request, "shop/message.html", {"title": "The payment failed", "order": order}, status=402)
    request.session["cart"] = {}
    Customer.objects.filter(pk=customer.pk).update(last_seen_at=timezone.now())
    return render(request, "shop/message.html", {"title": "Thank you!", "order": order})


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
