"""The proof of each operation after a lost answer: how to see whether Stripe executed it. The rules are data.

- A create is proven by its mark in Stripe's list.
- An operation that leads to a state is proven by the state of its object (`states.RULES`).
- A DELETE of an id is proven by the absence of the object.
- Nothing proves any other operation. An update is not proven by its object, because somebody else may have written the
  same values, and the mark of an update would replace the mark of the create.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.repeats import names_own_id
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.states import RULES, StateRule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.domain.stripe.operations import Operation


@dataclass(frozen=True, slots=True)
class ByMark:
    """Read the list at the operation's path, and look for the mark in the metadata of each object."""

    listing: Listing
    complete: bool
    """Whether the list is known to show every object. Otherwise an object that is not in it may exist all the same."""


@dataclass(frozen=True, slots=True)
class ByState:
    """Fetch the object, and read its state."""

    rule: StateRule


@dataclass(frozen=True, slots=True)
class ByAbsence:
    """Fetch the object. Stripe has no such object after the operation."""


@dataclass(frozen=True, slots=True)
class NoProof:
    """No look can settle the request. Within 23 hours a redrive can, because Stripe repeats a kept answer."""

    why: str


COMPLETE_LISTS = frozenset(resource.operation for resource in RESOURCES)
"""The creates whose list is known to show every object that they make: those of the ten objects with builders.

Stripe leaves some objects out of a list and does not always document it. For instance, the list of payment methods may
lack those without a customer. Another create is added here after its list was checked with Stripe itself."""

INCOMPLETE_LIST = (
    "Stripe does not list the object, and its list is not known to show every such object."
)

Proof = ByMark | ByState | ByAbsence | NoProof

UNMARKED_CREATE = "Stripe takes no metadata with this create, so its object cannot be recognized."
UNLISTED_CREATE = "Stripe has no list of these objects to search."
NO_STATE = "Stripe's object does not show whether this operation was executed."
NO_OWN_ID = (
    "The path names no id of the object itself, so its absence may be the work of another request."
)


def proof_of(operation: Operation) -> Proof:
    """Return the proof of an operation after a lost answer."""
    if operation.creates:
        return _proof_of_create(operation)
    rule = RULES.get(operation.name)
    if rule is not None:
        return ByState(rule)
    if operation.method != "DELETE":
        return NoProof(NO_STATE)
    return ByAbsence() if names_own_id(operation) else NoProof(NO_OWN_ID)


def _proof_of_create(operation: Operation) -> ByMark | NoProof:
    if not operation.marked:
        return NoProof(UNMARKED_CREATE)
    if operation.listing is None:
        return NoProof(UNLISTED_CREATE)
    return ByMark(operation.listing, operation.name in COMPLETE_LISTS)


PROVEN_BY = {
    ByMark: "its object in Stripe's list",
    ByState: "the state of its object at Stripe",
    ByAbsence: "the absence of its object at Stripe",
}

OR_ABSENCE = "its object in Stripe's list, or its absence there 23 h 15 min after the first send"


def what_proves(operation_name: str) -> str:
    """Return what settles a request of this operation after a lost answer, as a sentence for an operator."""
    try:
        proof = proof_of(operation_named(operation_name))
    except UnknownOperation:
        return "nothing, because this release does not know the operation"
    if isinstance(proof, NoProof):
        return f"a redrive within 23 hours of its first send. {proof.why}"
    complete = isinstance(proof, ByMark) and proof.complete
    return OR_ABSENCE if complete else PROVEN_BY[type(proof)]


def own_id(operation: Operation, ids: Mapping[str, str]) -> str:
    """Return the id of the object that the operation acts on: the last one in its path."""
    return ids[operation.path_names[-1]]


def own_path(operation: Operation, ids: Mapping[str, str]) -> str:
    """Return the path of that object: `/v1/payment_intents/pi_1` of `/v1/payment_intents/pi_1/capture`."""
    whole = operation.endpoint(ids).split("/")
    last = max(place for place, word in enumerate(operation.path.split("/")) if word[:1] == "{")
    return "/".join(whole[: last + 1])


def unexecuted_word(operation_name: str) -> Certainty:
    """Return the word for a request of this operation that certainly had no effect. It is chosen here alone."""
    try:
        creates = operation_named(operation_name).creates
    except UnknownOperation:  # of a message that paydispatch refuses, or of a newer release
        creates = operation_name.startswith("create_")
    return Certainty.NOT_CREATED if creates else Certainty.NOT_EXECUTED
