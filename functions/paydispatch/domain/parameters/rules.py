"""The rules across fields that Stripe enforces, and that its OpenAPI document has only in prose.

Each rule has its source. A doubtful rule is left to Stripe, because a false refusal is worse than a late error. The
limits of a single field are in the schemas.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from paydispatch.domain.errors import ParamError

Params = Mapping[str, Any]
Rule = Callable[[Params], ParamError | None]

LARGEST_AMOUNT = 99_999_999
"""In minor units. Stripe "supports up to eight digits" (https://docs.stripe.com/api/payment_intents/create)."""

LARGEST_AMOUNT_IDR = 999_999_999_999
"""In minor units. Only amounts in rupiah may have twelve digits (https://docs.stripe.com/currencies)."""


def broken_rules(object_name: str, params: Params) -> tuple[ParamError, ...]:
    """Return the errors of the rules that `params` break. The schema refuses values of a wrong type."""
    broken = (rule(params) for rule in _RULES.get(object_name, ()))
    return tuple(error for error in broken if error)


def _amount_fits(params: Params) -> ParamError | None:
    """Check that `amount` is not negative and has at most eight digits."""
    amount = params.get("amount")
    if type(amount) is not int or 0 <= amount <= LARGEST_AMOUNT:
        return None
    if amount < 0:
        return ParamError(
            "amount",
            "parameter_invalid_integer",
            "Invalid amount: must be 0 or more, in minor units.",
        )
    if params.get("currency") == "idr" and amount <= LARGEST_AMOUNT_IDR:
        return None
    return ParamError(
        "amount",
        "amount_too_large",
        f"Invalid amount: must be at most {LARGEST_AMOUNT} minor units (eight digits).",
    )


def _not_both(one: str, other: str, params: Params) -> ParamError | None:
    if not (_is_sent(params, one) and _is_sent(params, other)):
        return None
    return ParamError(
        other,
        "parameters_exclusive",
        f"You may only specify one of these parameters: {one}, {other}.",
    )


def _one_of(names: tuple[str, ...], params: Params) -> ParamError | None:
    if any(_is_sent(params, name) for name in names):
        return None
    return ParamError(
        names[0], "parameter_missing", f"Missing required param: one of {', '.join(names)}."
    )


def _needs(name: str, needed: str, params: Params) -> ParamError | None:
    if not _is_sent(params, name) or _is_sent(params, needed):
        return None
    return ParamError(
        needed, "parameter_missing", f"Missing required param: {needed}, because {name} is given."
    )


def _has_price(params: Params) -> ParamError | None:
    """Check that a price has an amount, unless it is tiered."""
    if params.get("billing_scheme") == "tiered":
        return None
    return _one_of(("unit_amount", "unit_amount_decimal", "custom_unit_amount"), params)


def _months_when_repeating(params: Params) -> ParamError | None:
    """Check that `duration_in_months` is sent with `duration=repeating`, and only with it."""
    name = "duration_in_months"
    duration = params.get("duration")
    repeating = duration == "repeating"
    if repeating == _is_sent(params, name) or duration not in _DURATIONS:
        return None
    if repeating:
        return ParamError(
            name,
            "parameter_missing",
            f"Missing required param: {name}, because duration is repeating.",
        )
    return ParamError(
        name, "parameter_unknown", f"{name} may only be given when duration is repeating."
    )


def _is_sent(params: Params, name: str) -> bool:
    """Return whether the form body holds the field. `None` and empty containers send nothing."""
    return params.get(name) not in (None, [], {}, ())


_DURATIONS = (None, "forever", "once", "repeating")
"""Another version of Stripe's API may have others. Nothing is known about the months of those."""

_RULES: Mapping[str, tuple[Rule, ...]] = {
    "payment_intent": (_amount_fits,),
    # https://docs.stripe.com/api/prices/create, under product_data and unit_amount
    "price": (
        partial(_one_of, ("product", "product_data")),
        partial(_not_both, "product", "product_data"),
        _has_price,
        partial(_not_both, "unit_amount", "unit_amount_decimal"),
    ),
    # https://docs.stripe.com/api/coupons/create, under amount_off and duration_in_months
    "coupon": (
        partial(_one_of, ("percent_off", "amount_off")),
        partial(_not_both, "percent_off", "amount_off"),
        partial(_needs, "amount_off", "currency"),
        _months_when_repeating,
    ),
}
