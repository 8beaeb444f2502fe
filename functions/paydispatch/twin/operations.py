"""The three operations of every object: create, retrieve, list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects import cards
from paydispatch.twin.objects.factory import CreationContext, make
from paydispatch.twin.objects.lists import page
from paydispatch.twin.objects.references import check_references
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.objects.traits import traits_of
from paydispatch.twin.wire.errors import card_error, missing_object
from paydispatch.twin.wire.expansion import expand_paths, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.domain.resources import Resource
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.store import Store, StripeObject
    from paydispatch.twin.wire.errors import StripeError

    Params = Mapping[str, Any]


class Operations:
    """`kinds` are what the twin can create; if `strict`, those a parameter names must exist.

    Every operation returns the answer's body.
    """

    def __init__(
        self, store: Store, naming: Naming, kinds: Collection[str], *, strict: bool
    ) -> None:
        self._store = store
        self._naming = naming
        self._kinds = kinds
        self._strict = strict

    def create(
        self,
        account: Account,
        resource: Resource,
        params: Params,
        now: int,
        record: Callable[[StripeObject], None],
    ) -> bytes:
        """Make, keep and `record` an object. Raises `StripeError` (400, 402)."""
        if self._strict:
            check_references(
                params, self._kinds, lambda kind, name: self._store.has(account, kind, name)
            )
        traits = traits_of(resource.name)
        refusal = cards.refusal(traits.charges, params)
        context = self._context(account, now)
        if isinstance(refusal, cards.Declined):
            raise self._declined(resource, params, context, record, refusal)
        also = {} if refusal is None else traits.unauthenticated.get("set", {})
        stripe_object = make(resource.name, params, context, also)
        text = self._store.put(account, stripe_object)
        record(stripe_object)
        return self._shown(account, resource, stripe_object, params) or text

    def retrieve(
        self, account: Account, resource: Resource, object_id: str, params: Params
    ) -> bytes:
        """Raises `StripeError` (404, 400)."""
        stripe_object = self._store.find(account, resource.name, object_id)
        if stripe_object is None:
            raise missing_object(resource.name, object_id, param="id", status=404)
        return self._shown(account, resource, stripe_object, params) or _text(stripe_object)

    def list(self, account: Account, resource: Resource, params: Params) -> bytes:
        """Raises `StripeError` (400)."""
        schema = response_schema(resource.name)
        paths = expand_paths(params, schema, inside="data.")
        answer = page(self._store, account, resource, schema, params)
        find = self._store.finder(account)
        answer["data"] = [
            shown(stripe_object, schema, paths, find) for stripe_object in answer["data"]
        ]
        return _text(answer)

    def _declined(
        self,
        resource: Resource,
        params: Params,
        context: CreationContext,
        record: Callable[[StripeObject], None],
        refusal: cards.Declined,
    ) -> StripeError:
        """Return the card error, with the object the declined card leaves behind, if any."""
        charge = f"ch_{self._naming.letters(24)}"
        error = card_error({**refusal.error, "charge": charge})
        declined = traits_of(resource.name).declined
        if declined:
            stripe_object = make(resource.name, params, context, declined["set"])
            stripe_object[declined["charge_in"]] = charge
            stripe_object[declined["reason_in"]] = dict(error.error)
            self._store.put(context.account, stripe_object)
            record(stripe_object)
            error.error[declined["shown_as"]] = stripe_object
        return error

    def _shown(
        self, account: Account, resource: Resource, stripe_object: StripeObject, params: Params
    ) -> bytes | None:
        """Return the body if it differs from the object as it is kept."""
        schema = response_schema(resource.name)
        paths = expand_paths(params, schema)
        answer = shown(stripe_object, schema, paths, self._store.finder(account))
        return None if answer is stripe_object else _text(answer)

    def _context(self, account: Account, now: int) -> CreationContext:
        def keep(stripe_object: StripeObject) -> None:
            self._store.put(account, stripe_object)

        return CreationContext(account, now, self._naming, self._store.finder(account), keep)


def _text(answer: StripeObject) -> bytes:
    return json.dumps(answer).encode()
