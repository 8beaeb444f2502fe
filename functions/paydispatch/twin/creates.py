"""Creates an object, and stores it with all that follow from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived.follow import follow
from paydispatch.twin.objects import cards
from paydispatch.twin.objects.factory import CreationContext, make
from paydispatch.twin.objects.naming import id_after
from paydispatch.twin.objects.payments import fields_of_refund
from paydispatch.twin.objects.references import check_references
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.objects.store import AccountObjects
from paydispatch.twin.objects.traits import traits_of
from paydispatch.twin.reads import show
from paydispatch.twin.rules.rulebook import check_rules
from paydispatch.twin.rules.situation import Situation
from paydispatch.twin.wire.errors import card_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.store import Store, StripeObject
    from paydispatch.twin.wire.errors import StripeError

    Params = Mapping[str, Any]


class Creates:
    """Creates the objects of a `Store`.

    `kinds` are the objects that the twin can create. If `strict`, a parameter may name only existing objects of them,
    and a create must keep the rules of Stripe.
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
        kind: str,
        params: Params,
        now: int,
        version: str,
        record: Callable[[StripeObject], None],
    ) -> bytes:
        """Create an object of a kind, store it, pass it to `record`, and return the body of the answer.

        An object without an id, such as the link to log in, is not stored.
        `version` is the version of Stripe's API that the call names. Raises `StripeError` (400, 402).
        """
        objects = AccountObjects(self._store, account)
        if self._strict:
            check_references(
                params, self._kinds, lambda kind, name: self._store.has(account, kind, name)
            )
            check_rules(kind, Situation(params, objects, now, version))
        traits = traits_of(kind)
        refusal = cards.refusal(traits.charges, params, self._store.finder(account))
        context = self.context(account, now)
        if isinstance(refusal, cards.Declined):
            raise self._decline(kind, params, context, record, refusal)
        also = fields_of_refund(params, objects) if kind == "refund" else {}
        if refusal is not None:
            also |= traits.unauthenticated.get("set", {})
        stripe_object = make(kind, params, context, also)
        if "id" not in response_schema(kind)["properties"]:
            del stripe_object["id"]
            record(stripe_object)
            return json.dumps(stripe_object).encode()
        text = self._keep(stripe_object, params, context)
        record(stripe_object)
        return show(stripe_object, params, self._store.finder(account)) or text

    def _keep(self, stripe_object: StripeObject, params: Params, context: CreationContext) -> bytes:
        """Store an object and all that follow from it. Return the text of the object."""
        companions, stand_ins = follow(stripe_object, params, context)
        text = self._store.put(context.account, stripe_object)
        for companion in companions:
            self._store.put(context.account, companion)
        for stand_in in stand_ins:
            self._store.put(context.account, stand_in, is_new=False)
        return text

    def _decline(
        self,
        kind: str,
        params: Params,
        context: CreationContext,
        record: Callable[[StripeObject], None],
        refusal: cards.Declined,
    ) -> StripeError:
        """Return the card error, with the object that Stripe still creates for a declined card, if any."""
        error = card_error(refusal.error)
        declined = traits_of(kind).declined
        if declined:
            stripe_object = make(kind, params, context, declined["set"])
            error.error["charge"] = id_after("ch", stripe_object)
            stripe_object[declined["reason_in"]] = dict(error.error)
            self._keep(stripe_object, params, context)
            record(stripe_object)
            error.error[declined["shown_as"]] = stripe_object
        return error

    def context(self, account: Account, now: int) -> CreationContext:
        """Return what the life of an object needs: the account, the time, the ids and the other objects."""

        def keep(stripe_object: StripeObject) -> None:
            self._keep(stripe_object, {}, context)

        def change(stripe_object: StripeObject) -> None:
            self._store.replace(account, stripe_object)

        finder = self._store.finder(account)
        context = CreationContext(account, now, self._naming, finder, keep, change)
        return context
