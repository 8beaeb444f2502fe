"""The rules across fields that Stripe enforces, and that its OpenAPI document has only in prose.

Each rule has its source. A doubtful rule is left to Stripe, because a false refusal is worse than a late error. The
limits of a single field are in the schemas.
"""

from collections.abc import Mapping, Sequence

from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.path import Path, bracket_path
from paydispatch.domain.parameters.rules import (
    EACH,
    Params,
    Place,
    Rule,
    at_least_one,
    at_most_one,
    exactly_one,
    integer_of,
    is_sent,
    needs,
    unless,
)

LARGEST_AMOUNT = 999_999_999_999
"""In minor units: twelve digits. The network and the currency may allow fewer, and Stripe decides about them
(https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


def _find_wrong_amount(params: Params, path: Path) -> ParamError | None:
    amount = integer_of(params.get("amount"))
    if amount is None or 0 <= amount <= LARGEST_AMOUNT:
        return None
    param = bracket_path((*path, "amount"))
    if amount < 0:
        return ParamError(
            param,
            "parameter_invalid_integer",
            f"Invalid {param}: must be 0 or more, in minor units.",
        )
    return ParamError(
        param,
        "amount_too_large",
        f"Invalid {param}: must be at most {LARGEST_AMOUNT} minor units (twelve digits).",
    )


def _is_tiered(params: Params) -> bool:
    """Return whether the price has tiers, or a scheme of another version, about which nothing is known."""
    return params.get("billing_scheme") not in (None, "per_unit")


def _find_tiers_without_scheme(params: Params, path: Path) -> ParamError | None:
    if not is_sent(params, "tiers") or _is_tiered(params):
        return None
    return ParamError(
        bracket_path((*path, "billing_scheme")),
        "parameter_missing",
        "Missing required param: billing_scheme must be tiered, because tiers is given.",
    )


def _find_wrong_months(params: Params, path: Path) -> ParamError | None:
    """Require `duration_in_months` exactly when `duration` is `repeating`."""
    name = "duration_in_months"
    param = bracket_path((*path, name))
    duration = params.get("duration")
    repeating = duration == "repeating"
    if repeating == is_sent(params, name) or duration not in _DURATIONS:
        return None
    if repeating:
        return ParamError(
            param,
            "parameter_missing",
            f"Missing required param: {param}, because duration is repeating.",
        )
    return ParamError(
        param, "parameter_unknown", f"{param} may only be given when duration is repeating."
    )


_DURATIONS = (None, "forever", "once", "repeating")
"""Another version of Stripe's API may have others. Nothing is known about the months of those."""

_TIERED = {"properties": {"billing_scheme": {"const": "tiered"}}, "required": ["billing_scheme"]}
_REPEATING = {"properties": {"duration": {"const": "repeating"}}, "required": ["duration"]}
_MONTHS = {"required": ["duration_in_months"]}

_AMOUNT = Rule(
    _find_wrong_amount, {"properties": {"amount": {"minimum": 0, "maximum": LARGEST_AMOUNT}}}
)
_TIERS_NEED_SCHEME = Rule(
    _find_tiers_without_scheme, {"anyOf": [{"not": {"required": ["tiers"]}}, _TIERED]}
)
_MONTHS_WHEN_REPEATING = Rule(
    _find_wrong_months,
    {"anyOf": [{"allOf": [_REPEATING, _MONTHS]}, {"not": {"anyOf": [_REPEATING, _MONTHS]}}]},
)
_PAYMENT_TO_REFUND = unless(
    lambda params: is_sent(params, "origin"),  # a refund of a customer's cash balance
    {"required": ["origin"]},
    at_least_one("payment_intent", "charge"),
)

# The typed parameters of the official library describe these fields: unit_amount, unit_amount_decimal, product, price.
_UNIT = ("unit_amount", "unit_amount_decimal")
_FLAT = ("flat_amount", "flat_amount_decimal")
_ONE_AMOUNT = exactly_one(*_UNIT)
_ONE_PRODUCT = exactly_one("product", "product_data")
_ONE_PRICE = exactly_one("price", "price_data")
_ONE_DISCOUNT = exactly_one("coupon", "discount", "promotion_code")
_ANY_AMOUNT = at_least_one(*_UNIT, "custom_unit_amount")
_TIER = (at_most_one(*_UNIT), at_most_one(*_FLAT), at_least_one(*_UNIT, *_FLAT))

NO_RULES: Mapping[Place, Sequence[Rule]] = {}

RULES: Mapping[str, Mapping[Place, Sequence[Rule]]] = {
    "create_payment_intent": {(): (_AMOUNT,)},
    "update_payment_intent": {(): (_AMOUNT,)},
    "increment_authorization_payment_intent": {(): (_AMOUNT,)},
    # https://docs.stripe.com/api/products/create, under default_price_data
    "create_product": {
        ("default_price_data",): (_ANY_AMOUNT, at_most_one(*_UNIT)),
        ("default_price_data", "currency_options", EACH): (at_most_one(*_UNIT),),
        ("default_price_data", "currency_options", EACH, "tiers", EACH): _TIER,
    },
    # https://docs.stripe.com/api/prices/create, under product_data, unit_amount, tiers and transform_quantity
    "create_price": {
        (): (
            *_ONE_PRODUCT,
            unless(_is_tiered, _TIERED, _ANY_AMOUNT),
            at_most_one(*_UNIT),
            at_most_one("tiers", "transform_quantity"),
            _TIERS_NEED_SCHEME,
        ),
        ("tiers", EACH): _TIER,
        ("currency_options", EACH): (at_most_one(*_UNIT),),
        ("currency_options", EACH, "tiers", EACH): _TIER,
    },
    # https://docs.stripe.com/api/subscriptions/create, under customer_account, billing_cycle_anchor_config and items
    "create_subscription": {
        (): (
            at_least_one("customer", "customer_account"),
            at_most_one("billing_cycle_anchor", "billing_cycle_anchor_config"),
        ),
        ("discounts", EACH): _ONE_DISCOUNT,
        ("items", EACH): (
            at_least_one("price", "price_data", "plan"),
            at_most_one("price", "price_data"),
        ),
        ("items", EACH, "price_data"): _ONE_AMOUNT,
        ("items", EACH, "discounts", EACH): _ONE_DISCOUNT,
        ("add_invoice_items", EACH): _ONE_PRICE,
        ("add_invoice_items", EACH, "price_data"): _ONE_AMOUNT,
        ("add_invoice_items", EACH, "discounts", EACH): _ONE_DISCOUNT,
    },
    # https://docs.stripe.com/api/subscriptions/update, under items, discounts and add_invoice_items
    "update_subscription": {
        ("discounts", EACH): _ONE_DISCOUNT,
        ("items", EACH): (at_most_one("price", "price_data"),),
        ("items", EACH, "price_data"): _ONE_AMOUNT,
        ("add_invoice_items", EACH): _ONE_PRICE,
        ("add_invoice_items", EACH, "price_data"): _ONE_AMOUNT,
    },
    # https://docs.stripe.com/api/coupons/create, under amount_off and duration_in_months
    "create_coupon": {
        (): (
            *exactly_one("percent_off", "amount_off"),
            needs("amount_off", "currency"),
            _MONTHS_WHEN_REPEATING,
        ),
    },
    # https://docs.stripe.com/api/refunds/create
    "create_refund": {(): (_PAYMENT_TO_REFUND,)},
    # https://docs.stripe.com/api/invoices/create, under discounts
    "create_invoice": {("discounts", EACH): _ONE_DISCOUNT},
    "update_invoice": {("discounts", EACH): _ONE_DISCOUNT},
    # https://docs.stripe.com/api/checkout/sessions/create, under line_items and discounts
    "create_checkout_session": {
        ("discounts", EACH): exactly_one("coupon", "promotion_code"),
        ("line_items", EACH): _ONE_PRICE,
        ("line_items", EACH, "price_data"): (*_ONE_PRODUCT, *_ONE_AMOUNT),
    },
    # https://docs.stripe.com/api/payment-link/create, under line_items
    "create_payment_link": {
        ("line_items", EACH): _ONE_PRICE,
        ("line_items", EACH, "price_data"): (*_ONE_PRODUCT, *_ONE_AMOUNT),
    },
}
"""The rules of each operation: at the parameters themselves, and at the places below that have rules of their own."""
