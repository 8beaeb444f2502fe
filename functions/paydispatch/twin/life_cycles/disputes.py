"""The dispute of a charge, which an older path of Stripe names by its charge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.twin.objects.factory import complete
from paydispatch.twin.wire.errors import missing_object

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject


def update(change: Change) -> StripeObject:
    """Change the dispute of a charge. Raises `StripeError` (404) if it has none."""
    charge_id = change.target["id"]
    found = (each for each in change.objects.of_kind("dispute") if each["charge"] == charge_id)
    dispute = next(found, None)
    if dispute is None:
        if change.strict:
            raise missing_object("dispute", charge_id, param="charge", status=404)
        dispute_id = f"dp_{change.context.naming.letters(24)}"
        dispute = complete("dispute", {"id": dispute_id, "charge": charge_id}, change.context)
    replace(change, target=dispute).merge()
    change.save(dispute)
    return dispute


def close(change: Change) -> StripeObject:
    """Accept that the dispute is lost."""
    dispute = update(change)
    dispute["status"] = "lost"
    change.save(dispute)
    return dispute
