"""When an operation may be sent again. Stripe's idempotency key protects a POST, and it ignores the key of a DELETE.

A repeated POST with the same key has one effect (docs.stripe.com/api/idempotent_requests). A repeated DELETE acts on
the object that has the id at that time. It may be another object: a caller can choose the id of a coupon, a plan or a
product, and can give a customer a new discount.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.states import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation


CHOSEN_IDS = frozenset({"coupon", "plan", "product"})
"""The objects whose create takes an `id`. After a DELETE a caller can make an object with the same id anew.

Stripe chooses the id of any other object, and never gives it twice. Kept by hand, because a flow runner has no need to
load the schemas. `tests/unit/domain/test_proofs.py` holds it to them."""


class Repeat(StrEnum):
    """The rule for sends that follow the first one. The request's slot applies it too (`send.lua`)."""

    KEYED = "keyed"
    """A POST: a repeat within the horizon is harmless, whatever was told meanwhile."""
    UNTIL_TOLD = "until_told"
    """A DELETE of an id: it is repeated until an unknown outcome is published.

    Then its caller may make the name anew, and a repeat would delete the new object."""
    UNTIL_DOUBT = "until_doubt"
    """A DELETE of a place, such as a customer's discount: it is not repeated after a send that may have had an effect.

    The path names no id of its own, so that a repeat would delete whatever has come to the place since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """The repeats of one request."""

    rule: Repeat = Repeat.KEYED
    gone: Mapping[str, Any] | None = None
    """The body that stands for a lost answer if Stripe has no such object any more. None: a 404 proves nothing.

    It holds only the facts that the 404 proves: the id, and that the object is deleted (or its end state)."""
    sent: frozenset[str] = field(default_factory=frozenset)
    """The names of the parameters. A 404 that names one of them says nothing about the object of the path."""


def repeat_of(operation: Operation) -> Repeat:
    """Return the rule of an operation. It follows from the method and from the last word of the path."""
    if operation.method != "DELETE":
        return Repeat.KEYED
    return Repeat.UNTIL_TOLD if names_own_id(operation) else Repeat.UNTIL_DOUBT


def rule_named(operation_name: str) -> Repeat:
    """Return the rule of the operation with this name. One that the table does not have is never sent."""
    try:
        return repeat_of(operation_named(operation_name))
    except UnknownOperation:
        return Repeat.KEYED


def names_own_id(operation: Operation) -> bool:
    """Return whether the path ends with the id of the object that the operation acts on."""
    return operation.path.endswith("}")


def may_be_made_anew(operation: Operation) -> bool:
    """Return whether the id of the operation's object may belong to another object after a DELETE."""
    return operation.object in CHOSEN_IDS


def repeats_of(operation: Operation, ids: Mapping[str, str], params: Mapping[str, Any]) -> Repeats:
    """Return the repeats of a request. `ids` are those of its path, and were checked."""
    rule = repeat_of(operation)
    shown = rule is Repeat.UNTIL_TOLD and not _asks_for_more(operation, params)
    gone = gone_body(operation, ids) if shown else None
    return Repeats(rule=rule, gone=gone, sent=frozenset(map(str, params)))


def _asks_for_more(operation: Operation, params: Mapping[str, Any]) -> bool:
    """Return whether the request asks for an effect that a 404 does not show, such as the invoice of a cancellation.

    Another program may have ended the object without that effect.
    """
    rule = RULES.get(operation.name)
    return rule is not None and rule.more_asked(params) is not None


def gone_body(operation: Operation, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the body that stands for the answer of a DELETE with a lost answer.

    It is `{"id": "SUMMER", "deleted": true}`, as in Stripe's own answer. An operation that ends its object by a DELETE
    has the end state instead: `{"id": "sub_1", "status": "canceled"}`.
    """
    own_id = ids[operation.path_names[-1]]
    rule = RULES.get(operation.name)
    return {"id": own_id, **({rule.field: rule.done[0]} if rule else {"deleted": True})}
