"""The three operations of every object: create, retrieve, list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects import cards
from paydispatch.twin.objects.factory import Birth, make
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
    from paydispatch.twin.objects.store import Store, Thing
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
        record: Callable[[Thing], None],
    ) -> bytes:
        """Make, keep and `record` an object. Raises `StripeError` (400, 402)."""
        if self._strict:
            check_references(
                params, self._kinds, lambda kind, name: self._store.has(account, kind, name)
            )
        traits = traits_of(resource.name)
        refusal = cards.refusal(traits.charges, params)
        birth = self._birth(account, now)
        if isinstance(refusal, cards.Declined):
            raise self._declined(resource, params, birth, record, refusal)
        also = {} if refusal is None else traits.unauthenticated.get("set", {})
        thing = make(resource.name, params, birth, also)
        text = self._store.put(account, thing)
        record(thing)
        return self._shown(account, resource, thing, params) or text

    def retrieve(
        self, account: Account, resource: Resource, object_id: str, params: Params
    ) -> bytes:
        """Raises `StripeError` (404, 400)."""
        thing = self._store.find(account, resource.name, object_id)
        if thing is None:
            raise missing_object(resource.name, object_id, param="id", status=404)
        return self._shown(account, resource, thing, params) or _text(thing)

    def list(self, account: Account, resource: Resource, params: Params) -> bytes:
        """Raises `StripeError` (400)."""
        schema = response_schema(resource.name)
        paths = expand_paths(params, schema, inside="data.")
        answer = page(self._store, account, resource, schema, params)
        find = self._store.finder(account)
        answer["data"] = [shown(thing, schema, paths, find) for thing in answer["data"]]
        return _text(answer)

    def _declined(
        self,
        resource: Resource,
        params: Params,
        birth: Birth,
        record: Callable[[Thing], None],
        refusal: cards.Declined,
    ) -> StripeError:
        """Return the card error, with the object the declined card leaves behind, if any."""
        charge = f"ch_{self._naming.letters(24)}"
        error = card_error({**refusal.error, "charge": charge})
        declined = traits_of(resource.name).declined
        if declined:
            thing = make(resource.name, params, birth, declined["set"])
            thing[declined["charge_in"]] = charge
            thing[declined["reason_in"]] = dict(error.error)
            self._store.put(birth.account, thing)
            record(thing)
            error.error[declined["shown_as"]] = thing
        return error

    def _shown(
        self, account: Account, resource: Resource, thing: Thing, params: Params
    ) -> bytes | None:
        """Return the body if it differs from the object as it is kept."""
        schema = response_schema(resource.name)
        paths = expand_paths(params, schema)
        answer = shown(thing, schema, paths, self._store.finder(account))
        return None if answer is thing else _text(answer)

    def _birth(self, account: Account, now: int) -> Birth:
        def keep(thing: Thing) -> None:
            self._store.put(account, thing)

        return Birth(account, now, self._naming, self._store.finder(account), keep)


def _text(answer: Thing) -> bytes:
    return json.dumps(answer).encode()
