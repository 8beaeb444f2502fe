"""The currencies: the smallest charge, the number of decimals, and the form of an amount in a message.

Source: https://docs.stripe.com/currencies. The smallest charge holds for an account that settles in the same currency.
A currency that is not in the table has no smallest charge here, because Stripe converts it at the rate of the day.
"""

from __future__ import annotations

SMALLEST_CHARGES = {
    "aed": 200,
    "aud": 50,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17_500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
    "usd": 50,
}
"""In minor units."""

THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
NO_DECIMALS = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)  # fmt: skip
"""The Ugandan shilling (`ugx`) has no decimals either, but the API counts it in hundredths."""

_SIGNS = {"aud": "$", "cad": "$", "eur": "€", "gbp": "£", "hkd": "$", "jpy": "¥", "nzd": "$"}
_SIGNS |= {"inr": "₹", "sgd": "$", "usd": "$"}


def smallest_charge(currency: str) -> int:
    """Return the smallest amount that Stripe charges, in minor units."""
    return SMALLEST_CHARGES.get(currency.lower(), 1)


def write_amount(amount: int, currency: str) -> str:
    """Return an amount as Stripe's messages have it, such as `$0.50` or `2.00`."""
    decimals = 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
    return f"{_SIGNS.get(currency, '')}{amount / 10**decimals:.{decimals}f}"
