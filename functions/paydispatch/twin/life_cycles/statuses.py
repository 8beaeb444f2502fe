"""The acts that only give an object another status. The twin allows them in every status."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.life_cycles.change import Change

STATUSES: Mapping[str, str] = {
    "accept_quote": "accepted",
    "activate_billing_alert": "active",
    "approve_issuing_authorization": "pending",
    "archive_billing_alert": "archived",
    "archive_invoice_rendering_template": "archived",
    "cancel_climate_order": "canceled",
    "cancel_identity_verification_session": "canceled",
    "cancel_payout": "canceled",
    "cancel_quote": "canceled",
    "cancel_subscription_schedule": "canceled",
    "cancel_topup": "canceled",
    "cancel_treasury_inbound_transfer": "canceled",
    "cancel_treasury_outbound_payment": "canceled",
    "cancel_treasury_outbound_transfer": "canceled",
    "close_dispute": "lost",
    "close_treasury_financial_account": "closed",
    "deactivate_billing_alert": "inactive",
    "deactivate_billing_meter": "inactive",
    "disconnect_financial_connections_account": "disconnected",
    "disconnect_linked_account": "disconnected",
    "expire_checkout_session": "expired",
    "finalize_quote": "open",
    "reactivate_billing_meter": "active",
    "release_subscription_schedule": "released",
    "submit_issuing_dispute": "submitted",
    "unarchive_invoice_rendering_template": "active",
    "void_credit_note": "void",
}


def set_status(status: str) -> Callable[[Change], None]:
    """Return the life cycle that merges the parameters and sets a status."""

    def act(change: Change) -> None:
        change.merge()
        change.target["status"] = status

    return act
