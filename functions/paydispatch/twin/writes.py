"""Executes a write: a create, a delete, an act with a life cycle of its own, or a change of fields."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paydispatch.twin.creates import Creates
from paydispatch.twin.life_cycles.beforehand import BEFOREHAND
from paydispatch.twin.life_cycles.book import LIFE_CYCLES
from paydispatch.twin.life_cycles.change import Change
from paydispatch.twin.objects.addresses import answered_kinds
from paydispatch.twin.objects.factory import complete
from paydispatch.twin.objects.payment_sources import kind_to_create
from paydispatch.twin.objects.references import check_references
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.objects.store import AccountObjects
from paydispatch.twin.reads import show
from paydispatch.twin.targets import Named, Targets, named_in, put

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.naming import Naming
    from paydispatch.twin.objects.store import Store, StripeObject

    Record = Callable[[StripeObject], None]


@dataclass(frozen=True, slots=True)
class Write:
    """One write as it arrived, with valid parameters."""

    operation: Operation
    ids: Mapping[str, str]
    params: Mapping[str, Any]
    account: Account
    version: str
    """The version of Stripe's API that the call names."""


class Writes:
    """Executes the writes of every account on a `Store`.

    If `strict`, an object that a path names must exist, and so must an object of one of `kinds` that a parameter names.
    """

    def __init__(
        self, store: Store, naming: Naming, kinds: Collection[str], *, strict: bool
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._strict = strict
        self._creates = Creates(store, naming, kinds, strict=strict)

    def execute(self, write: Write, now: int, record: Record) -> bytes:
        """Return the body of the answer. Pass the object to `record` once the write has had its effect.

        Raises `StripeError` (400, 402, 404).
        """
        context = self._creates.context(write.account, now)
        objects = AccountObjects(self._store, write.account)
        targets = Targets(objects, context, strict=self._strict)
        named = named_in(write.operation, write.ids)
        if write.operation.creates and write.operation.name not in LIFE_CYCLES:
            return self._create(write, named, targets, now, record)
        return self._change(write, named, targets, objects, context, record)

    def put(self, account: Account, kind: str, fields: Mapping[str, Any], now: int) -> StripeObject:
        """Store an object with these fields. Raises `StripeError` (400) if its id is taken."""
        return put(kind, fields, self._creates.context(account, now))

    def _create(
        self, write: Write, named: list[Named], targets: Targets, now: int, record: Record
    ) -> bytes:
        owners = _owners(named, targets)
        self._store.take_changes()  # an object that was made up counts as always there
        kind = kind_to_create(write.operation, write.params)
        params = {**write.params, **owners}
        return self._creates.create(write.account, kind, params, now, write.version, record)

    def _change(
        self,
        write: Write,
        named: list[Named],
        targets: Targets,
        objects: AccountObjects,
        context: CreationContext,
        record: Record,
    ) -> bytes:
        owners = _owners(named[:-1], targets)
        beforehand = BEFOREHAND.get(write.operation.name, {})
        target = targets.find(named[-1], owners, beforehand) if named else {}
        self._store.take_changes()  # an object that was made up counts as always there

        def save(stripe_object: StripeObject) -> None:
            if objects.find(stripe_object["object"], stripe_object["id"]) is None:
                context.keep(stripe_object)
            else:
                self._store.replace(write.account, stripe_object)

        if self._strict:
            self._check_references(write)
        change = Change(target, write.params, owners, context, objects, save, self._strict, record)
        answer = _act(write.operation, change)
        if answer.get("deleted") and answer.get("object") == target.get("object"):
            self._store.remove(write.account, target)
        elif target:
            save(target)
        record(answer)
        shown = show(answer, write.params, self._store.finder(write.account))
        return shown or json.dumps(answer).encode()

    def _check_references(self, write: Write) -> None:
        def exists(kind: str, object_id: str) -> bool:
            return self._store.has(write.account, kind, object_id)

        check_references(write.params, self._kinds, exists)


def _act(operation: Operation, change: Change) -> StripeObject:
    """Apply the operation to its target. Return the answer."""
    life_cycle = LIFE_CYCLES.get(operation.name)
    if life_cycle is not None:
        return life_cycle(change) or change.target
    if _deletes(operation):
        return _deleted(change.target)
    kinds = answered_kinds(operation)
    if change.target.get("object") in kinds:
        change.merge()
        return change.target
    return _part(kinds[0], change)


def _owners(named: list[Named], targets: Targets) -> dict[str, str]:
    """Return the ids of the objects by their fields. Raises `StripeError` (404) for one that does not exist."""
    owners: dict[str, str] = {}
    for each in named:
        targets.find(each, owners)
        owners[each.field] = each.object_id
    return owners


def _deletes(operation: Operation) -> bool:
    return operation.method == "DELETE" and operation.path.endswith("}")


def _deleted(target: StripeObject) -> StripeObject:
    """Return the answer to the delete of an object."""
    return {"id": target["id"], "object": target["object"], "deleted": True}


def _part(kind: str, change: Change) -> StripeObject:
    """Return the part of an object, or of the account, that an operation changes: its cash balance, its features."""
    owner_kind, owner_id = change.target.get("object", ""), change.target.get("id")
    part_id = f"{kind} of {owner_id or change.context.account.id}"
    fields = response_schema(kind)["properties"]
    new = {"id": part_id, **({owner_kind: owner_id} if owner_kind in fields else {})}
    part = change.objects.find(kind, part_id) or complete(kind, new, change.context)
    replace(change, target=part).merge()
    change.save(part)
    return part if "id" in fields else {name: part[name] for name in part if name != "id"}
