"""A refund that waits for its customer is canceled, so that the charge is refunded less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived.charges import add_refunded
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change

_CANCELABLE = "requires_action"


def cancel(change: Change) -> None:
    """Cancel a refund. Only one with the status `requires_action` can be canceled."""
    refund = change.target
    if refund["status"] != _CANCELABLE:
        raise invalid_request(
            f"You cannot cancel this refund because it has a status of {refund['status']}. "
            f"Only a refund with a status of {_CANCELABLE} may be canceled."
        )
    refund["status"] = "canceled"
    add_refunded(refund, -refund["amount"], change.context)
