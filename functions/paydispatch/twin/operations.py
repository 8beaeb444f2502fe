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
from paydispatch.twin.wire.expand_paths import expand_paths
from paydispatch.twin.wire.expansion import render

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.domain.stripe.resources import Resource
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.store import Store, StripeObject
    from paydispatch.twin.wire.errors import StripeError

    Params = Mapping[str, Any]


class Operations:
    """Creates, retrieves and lists the objects of a `Store`. Each method returns the body of the answer.

    `kinds` are the objects that the twin can create. If `strict`, a parameter may name only existing objects of them.
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
        """Create an object, store it, and pass it to `record`. Raises `StripeError` (400, 402)."""
        if self._strict:
            check_references(
                params, self._kinds, lambda kind, name: self._store.has(account, kind, name)
            )
        traits = traits_of(resource.name)
        refusal = cards.refusal(traits.charges, params)
        context = self._context(account, now)
        if isinstance(refusal, cards.Declined):
            raise self._decline(resource, params, context, record, refusal)
        also = {} if refusal is None else traits.unauthenticated.get("set", {})
        stripe_object = make(resource.name, params, context, also)
        text = self._store.put(account, stripe_object)
        record(stripe_object)
        return self._render(account, resource, stripe_object, params) or text

    def retrieve(
        self, account: Account, resource: Resource, object_id: str, params: Params
    ) -> bytes:
        """Return one object by its id. Raises `StripeError` (404, 400)."""
        stripe_object = self._store.find(account, resource.name, object_id)
        if stripe_object is None:
            raise missing_object(resource.name, object_id, param="id", status=404)
        return self._render(account, resource, stripe_object, params) or _text(stripe_object)

    def list(self, account: Account, resource: Resource, params: Params) -> bytes:
        """Return one page of objects. Raises `StripeError` (400)."""
        schema = response_schema(resource.name)
        paths = [path.removeprefix("data.") for path in expand_paths(params)]
        answer = page(self._store, account, resource, schema, params)
        find = self._store.finder(account)
        answer["data"] = [
            render(stripe_object, schema, paths, find) for stripe_object in answer["data"]
        ]
        return _text(answer)

    def _decline(
        self,
        resource: Resource,
        params: Params,
        context: CreationContext,
        record: Callable[[StripeObject], None],
        refusal: cards.Declined,
    ) -> StripeError:
        """Return the card error, with the object that Stripe still creates for a declined card, if any."""
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

    def _render(
        self, account: Account, resource: Resource, stripe_object: StripeObject, params: Params
    ) -> bytes | None:
        """Return the body of the answer, or None if it is the same as the stored text."""
        schema = response_schema(resource.name)
        paths = expand_paths(params)
        answer = render(stripe_object, schema, paths, self._store.finder(account))
        return None if answer is stripe_object else _text(answer)

    def _context(self, account: Account, now: int) -> CreationContext:
        def keep(stripe_object: StripeObject) -> None:
            self._store.put(account, stripe_object)

        return CreationContext(account, now, self._naming, self._store.finder(account), keep)


def _text(answer: StripeObject) -> bytes:
    return json.dumps(answer).encode()
