"""The amounts of payments: the smallest one of each currency, and the last digit of a currency with three decimals.

The largest one (twelve digits) is a limit of the parameter itself, and is checked with the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.rules.currencies import THREE_DECIMALS, smallest_charge, write_amount
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.rules.situation import Situation


def check_payment_amount(create: Situation) -> None:
    """Refuse a payment below the smallest charge of its currency."""
    amount, currency = create.value("amount"), create.value("currency")
    check_positive(amount, "amount")
    if amount < smallest_charge(currency):
        raise too_small("Amount must be at least", currency, param="amount")
    check_last_digit(amount, currency)


def check_positive(amount: int, param: str) -> None:
    """Refuse zero and negative numbers."""
    if amount < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=param,
        )


def check_last_digit(amount: int, currency: str) -> None:
    """Refuse a last digit other than 0 in a currency with three decimals.

    Source: https://docs.stripe.com/currencies#three-decimal, which holds for payments and refunds.
    """
    if currency in THREE_DECIMALS and amount % 10:
        raise invalid_request(
            f"Invalid amount: {amount}. The last digit of an amount in {currency.upper()} must be 0, "
            "because it is a three-decimal currency.",
            code="parameter_invalid_integer",
            param="amount",
        )


def too_small(must: str, currency: str, *, param: str | None = None) -> StripeError:
    smallest = write_amount(smallest_charge(currency), currency)
    return invalid_request(f"{must} {smallest} {currency}", code="amount_too_small", param=param)
