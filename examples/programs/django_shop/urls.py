"""One view, which asks for a payment when the order is committed."""

import os

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from paydispatch import new_payment_intent


@csrf_exempt
def place_order(_: HttpRequest, order: str) -> JsonResponse:
    with transaction.atomic():
        # Order.objects.create(number=order) stands here.
        transaction.on_commit(lambda: pay(order))
    return JsonResponse({"order": order}, status=202)


def pay(order: str) -> None:
    """Ask for the payment of an order that is committed. A rollback must not leave a payment without an order."""
    intent = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
    intent.create_async(
        "payment-worker-1", order, os.environ["STRIPE_SECRET"], idempotency_key=f"pay-{order}"
    )


urlpatterns = [path("orders/<str:order>", place_order)]
