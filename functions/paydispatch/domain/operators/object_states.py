"""Read a fetched object as the proof of an operation. Pure: the object in, the result of the lookup out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.operators.lookup_results import (
    CLOCKS_APART_S,
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
)
from paydispatch.domain.stripe.repeats import gone_body, may_be_made_anew

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.domain.stripe.states import StateRule


@dataclass(frozen=True, slots=True)
class Fetched:
    """Stripe's answer to a `GET` of one object."""

    body: Mapping[str, Any] | None
    """None: Stripe has no object at this path (404, `resource_missing`)."""
    stripe_request_id: str | None = None
    answered_at: float | None = None
    """Unix seconds by Stripe's clock (the `Date` header)."""


NOT_OWN = "Stripe's answer is not the object of the request's path."
MISSING = "Stripe has no object at the request's path, so it shows no state."
MADE_ANEW = "Stripe has an object with this id, but it may have been made anew after the request."


def read_state(
    rule: StateRule, own_id: str, params: Mapping[str, Any], fetched: Fetched
) -> LookupResult:
    """Return the result for an operation that leads to a state. `params` are those that were sent."""
    body = fetched.body
    if body is None:
        return Inconclusive(MISSING)
    if body.get("id") != own_id or rule.field not in body:
        return Inconclusive(NOT_OWN)
    blurring = [name for name in rule.unless if params.get(name) is not None]
    if blurring:
        return Inconclusive(f"With {blurring[0]} the state of Stripe's object proves nothing.")
    state = body[rule.field]
    if _is_in(state, rule.done):
        doubt = _doubt_own_work(rule, params, body)
        return Inconclusive(doubt) if doubt else Found(body, fetched.stripe_request_id)
    if _is_in(state, rule.undone):
        return NotFound(fetched.answered_at)
    return Inconclusive(
        f"The {rule.field} of Stripe's object is {str(state)[:64]!r}, which proves nothing."
    )


def _doubt_own_work(
    rule: StateRule, params: Mapping[str, Any], body: Mapping[str, Any]
) -> str | None:
    """Return why the object's state may be the work of another request only. None: there is no reason."""
    more = rule.more_asked(params)
    if more is not None:
        return f"Stripe's object does not show the effect of {more}, which the request asked for."
    for name, member in rule.same:
        asked = params.get(name)
        if asked is not None and str(asked) != str(body.get(member)):
            return f"The {member} of Stripe's object is not the {name} of the request, so another one led to its state."
    return None


def read_absence(
    operation: Operation, ids: Mapping[str, str], first_sent_at: float | None, fetched: Fetched
) -> LookupResult:
    """Return the result for a DELETE of an id. The object is gone, or it is the one that stood there before.

    An id that Stripe chose is never given twice, so that an object which still stands was not deleted. A caller can
    choose the id of some objects, and make the name anew after the DELETE. Such an object has a later `created`, and
    proves nothing.
    """
    body = fetched.body
    if body is None:
        return Found(gone_body(operation, ids), fetched.stripe_request_id)
    if body.get("id") != ids[operation.path_names[-1]]:
        return Inconclusive(NOT_OWN)
    if body.get("deleted") is True:
        return Found(body, fetched.stripe_request_id)
    if may_be_made_anew(operation) and not _is_before(body.get("created"), first_sent_at):
        return Inconclusive(MADE_ANEW)
    return NotFound(fetched.answered_at)


def _is_in(state: object, states: tuple[Any, ...]) -> bool:
    """Return whether `state` is one of `states`, of the same type: the number 1 is not True."""
    return any(type(state) is type(one) and state == one for one in states)


def _is_before(created: object, first_sent_at: float | None) -> bool:
    """Return whether the object is certainly older than the first send, by any clock that agrees with ours."""
    if first_sent_at is None or not isinstance(created, int | float):
        return False
    return created < first_sent_at - CLOCKS_APART_S
