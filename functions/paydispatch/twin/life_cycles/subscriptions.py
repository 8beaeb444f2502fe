"""A subscription is updated, paused, resumed and canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.life_cycles.change import without
from paydispatch.twin.objects.factory import make
from paydispatch.twin.wire.errors import invalid_request, missing_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

_AFTER_THE_END = {"cancellation_details", "metadata", "expand"}
_HANDLED = ("items", "trial_end", "cancel_at_period_end", "discounts")


def update(change: Change) -> None:
    """Change the fields and the items. A canceled subscription takes almost no change."""
    subscription = change.target
    if subscription["status"] == "canceled" and change.params.keys() - _AFTER_THE_END:
        raise invalid_request(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    change.merge(*_HANDLED)
    for given in change.params.get("items") or ():
        _change_item(given, change)
    _end_trial(change)
    if "cancel_at_period_end" in change.params:
        _cancel_at_period_end(change)


def cancel(change: Change) -> None:
    """Cancel a subscription at once. One that is canceled already counts as missing."""
    subscription = change.target
    if subscription["status"] == "canceled":
        raise missing_object("subscription", subscription["id"], param="id", status=404)
    end(subscription, change)
    details = without(change.params.get("cancellation_details") or {}, ())
    subscription["cancellation_details"] = {
        "comment": None,
        "feedback": None,
        **details,
        "reason": "cancellation_requested",
    }


def end(subscription: StripeObject, change: Change) -> None:
    """Give a subscription the state after its end."""
    subscription.update(status="canceled", canceled_at=change.now, ended_at=change.now)


def pause(change: Change) -> None:
    change.target["status"] = "paused"


def resume(change: Change) -> None:
    """Resume a paused subscription."""
    subscription = change.target
    if subscription["status"] != "paused":
        raise invalid_request(
            "You cannot resume this subscription because it has a status of "
            f"{subscription['status']}. Only a subscription with a status of paused may be resumed."
        )
    subscription["status"] = "active"
    if change.params.get("billing_cycle_anchor") != "unchanged":
        subscription["billing_cycle_anchor"] = change.now


def _cancel_at_period_end(change: Change) -> None:
    subscription = change.target
    ends = bool(change.params["cancel_at_period_end"])
    subscription["cancel_at_period_end"] = ends
    items = subscription["items"]["data"]
    subscription["cancel_at"] = items[0]["current_period_end"] if ends and items else None
    subscription["canceled_at"] = change.now if ends else None


def _end_trial(change: Change) -> None:
    subscription, trial_end = change.target, change.params.get("trial_end")
    if trial_end == "now":
        subscription["trial_end"] = change.now
        if subscription["status"] == "trialing":
            subscription["status"] = "active"
    elif trial_end:
        subscription.update(status="trialing", trial_end=trial_end)


def _change_item(given: Mapping[str, Any], change: Change) -> None:
    """Delete, change or add an item. An item without an id is a new one."""
    items = change.target["items"]["data"]
    item_id = given.get("id")
    found = next((item for item in items if item["id"] == item_id), None)
    if item_id and found is None:
        raise missing_object("subscription_item", item_id, param="items[0][id]", status=400)
    if found is None:
        made = make(
            "subscription_item", given, change.context, {"subscription": change.target["id"]}
        )
        change.save(made)
        items.append(made)
    elif given.get("deleted"):
        items.remove(found)
    else:
        _set_item(found, given, change)


def _set_item(item: StripeObject, given: Mapping[str, Any], change: Change) -> None:
    if given.get("price"):
        item["price"] = change.find(given["price"]) or item["price"]
    if given.get("quantity") is not None:
        item["quantity"] = given["quantity"]
    change.save(item)
