"""The ids of payment methods and of payment sources. A token is neither, although both can be made from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.rules.situation import in_brackets
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.twin.rules.situation import Situation

PAYMENT_METHODS = ("pm_", "card_", "src_", "ba_")
"""Stripe takes the cards, sources and bank accounts of its older API as payment methods, too."""

SOURCES = ("card_", "src_", "ba_")
TOKENS = ("tok_", "btok_", "src_")


def check_payment_method(path: str) -> Callable[[Situation], None]:
    """Return the rule that a parameter names a payment method, and no token."""
    return _check_prefix(path, PAYMENT_METHODS, "PaymentMethod")


def check_source(path: str) -> Callable[[Situation], None]:
    """Return the rule that a parameter names a payment source, and no payment method."""
    return _check_prefix(path, SOURCES, "source")


def check_token(path: str) -> Callable[[Situation], None]:
    """Return the rule that a parameter names a token or a source, and no payment method."""
    return _check_prefix(path, TOKENS, "token")


def _check_prefix(path: str, prefixes: tuple[str, ...], kind: str) -> Callable[[Situation], None]:
    def check(create: Situation) -> None:
        named = create.value(path)
        if isinstance(named, str) and not named.startswith(prefixes):
            raise invalid_request(
                f"No such {kind}: '{named}'", code="resource_missing", param=in_brackets(path)
            )

    return check
