"""The times of a create: in the future or the past, and not too far away. Milliseconds are always too far away.

An object of a customer with a test clock is not judged, because the twin does not know the time of the test clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paydispatch.twin.rules.situation import in_brackets
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.rules.situation import Situation

Limit = Callable[[int, str, int], None]
"""Gets the time, the name of the parameter and the current time. Raises `StripeError`."""

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400
FIVE_YEARS_S = 5 * 366 * _DAY_S
LONGEST_TRIAL_DAYS = 730
LAST_S = 9_999_999_999
"""The largest time with ten digits. Later ones are milliseconds."""

SHORTEST_SESSION_S = 30 * _MINUTE_S
LONGEST_SESSION_S = 24 * _HOUR_S
SHORTEST_CHECKOUT_TRIAL_S = 48 * _HOUR_S


def check_times(**limits: Limit) -> Callable[[Situation], None]:
    """Return the rule that each parameter named in `limits` keeps its limit. A text such as `now` is no time."""

    def check(create: Situation) -> None:
        customer = create.find("customer", create.value("customer"))
        if customer is not None and customer.get("test_clock"):
            return
        for name, limit in limits.items():
            time = create.value(name)
            if isinstance(time, int):
                limit(time, name, create.now)

    return check


def in_future(time: int, param: str, now: int) -> None:
    if time <= now:
        raise _wrong("must be an integer Unix timestamp in the future", param)
    _check_seconds(time, param)


def in_five_years(time: int, param: str, now: int) -> None:
    """Require a future time of at most five years from now."""
    in_future(time, param, now)
    if time > now + FIVE_YEARS_S:
        raise _wrong("can be no more than five years in the future", param)


def in_past(time: int, param: str, now: int) -> None:
    _check_seconds(time, param)
    if time > now:
        raise _wrong("must be an integer Unix timestamp in the past", param)


def end_of_trial(time: int, param: str, now: int) -> None:
    """Require the end of a trial of at most two years."""
    in_five_years(time, param, now)
    if time > now + (LONGEST_TRIAL_DAYS + 1) * _DAY_S:
        raise _trial_too_long(param)


def end_of_session(time: int, param: str, now: int) -> None:
    """Require 30 minutes to 24 hours from now."""
    if time < now + SHORTEST_SESSION_S:
        raise _wrong_session("at least 30 minutes", param)
    if time > now + LONGEST_SESSION_S:
        raise _wrong_session("less than 24 hours", param)


def check_checkout_trial(create: Situation) -> None:
    """Require the end of a trial at least 48 hours from now."""
    path = "subscription_data.trial_end"
    time = create.value(path)
    if not isinstance(time, int):
        return
    end_of_trial(time, in_brackets(path), create.now)
    if time < create.now + SHORTEST_CHECKOUT_TRIAL_S:
        raise invalid_request(
            "The `trial_end` date has to be at least 2 days in the future.", param=in_brackets(path)
        )


def check_trial_days(path: str) -> Callable[[Situation], None]:
    """Return the rule that a trial has at most 730 days."""

    def check(create: Situation) -> None:
        days: Any = create.value(path)
        if isinstance(days, int) and days > LONGEST_TRIAL_DAYS:
            raise _trial_too_long(in_brackets(path))

    return check


def _check_seconds(time: int, param: str) -> None:
    if time > LAST_S:
        raise _wrong("can be no more than five years in the future", param)


def _wrong(fault: str, param: str) -> StripeError:
    return invalid_request(f"Invalid timestamp: {fault}.", param=param)


def _wrong_session(limit: str, param: str) -> StripeError:
    return invalid_request(
        f"The `expires_at` timestamp must be {limit} from Checkout Session creation.", param=param
    )


def _trial_too_long(param: str) -> StripeError:
    return invalid_request(
        f"The maximum number of trial period days is {LONGEST_TRIAL_DAYS} (2 years).", param=param
    )
