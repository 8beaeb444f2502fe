"""The texts on a customer's bank statement.

Source: https://docs.stripe.com/get-started/account/statement-descriptors. The limit of 22 characters is in the schema.
A suffix may be shorter than five characters, because the account's prefix stands before it.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from paydispatch.twin.rules.situation import in_brackets
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.twin.rules.situation import Situation

FORBIDDEN = "<>\\'\"*"
FORBIDDEN_OF_PRODUCTS = "<>\\'\""
SHORTEST = 5
"""Of a descriptor that replaces the account's own."""


def check_descriptors(inside: str = "") -> Callable[[Situation], None]:
    """Return the rule of the descriptor and the suffix of a payment. `inside` is a path such as `a.`."""

    def check(create: Situation) -> None:
        _check_text(create, f"{inside}statement_descriptor", FORBIDDEN, SHORTEST)
        _check_text(create, f"{inside}statement_descriptor_suffix", FORBIDDEN)

    return check


def check_descriptor(create: Situation) -> None:
    """Check the descriptor of a product or an invoice, which may be short and may have a `*`."""
    _check_text(create, "statement_descriptor", FORBIDDEN_OF_PRODUCTS)


def check_descriptor_of_card(create: Situation) -> None:
    """Refuse a descriptor for a card that is charged at once. A card has a suffix only."""
    if create.value("statement_descriptor") and create.value("confirm") and _is_card(create):
        raise _wrong(
            "`statement_descriptor` is not supported for card charges. Use "
            "`statement_descriptor_suffix` instead.",
            "statement_descriptor",
        )


def _is_card(create: Situation) -> bool:
    named = str(create.value("payment_method"))
    return (
        named.startswith(("pm_card_", "card_"))
        or create.value("payment_method_data.type") == "card"
    )


def _check_text(create: Situation, path: str, forbidden: str, shortest: int = 0) -> None:
    text = create.value(path)
    if not isinstance(text, str):
        return
    param = in_brackets(path)
    if any(character in forbidden for character in text):
        listed = ", ".join(forbidden)
        raise _wrong(f"The statement descriptor cannot contain any of {listed}.", param)
    if not any(unicodedata.name(character, "").startswith("LATIN ") for character in text):
        raise _wrong("The statement descriptor must contain at least one Latin character.", param)
    if len(text) < shortest:
        raise _wrong(f"The statement descriptor must be at least {shortest} characters.", param)


def _wrong(message: str, param: str) -> StripeError:
    return invalid_request(message, param=param)
