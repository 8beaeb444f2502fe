"""A write that acts on an object, with everything that a life cycle needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.merging import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import AccountObjects, StripeObject


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one object. A life cycle changes `target`, and may change other objects with `save`."""

    target: StripeObject
    params: Mapping[str, Any]
    owners: Mapping[str, str]
    """The ids of the objects in the path before the target, by the names of their fields."""

    context: CreationContext
    objects: AccountObjects
    save: Callable[[StripeObject], None]
    """Stores a new or a changed object."""

    strict: bool
    """Whether the objects that parameters name must exist."""

    record: Callable[[StripeObject], None]
    """Counts the write in the ledger. Only a life cycle that refuses a call and still changes the object needs it."""

    @property
    def now(self) -> int:
        return self.context.now

    def find(self, object_id: Any) -> StripeObject | None:
        return self.context.find(object_id) if isinstance(object_id, str) else None

    def merge(self, *but: str) -> None:
        """Merge the parameters into the target, except those in `but`."""
        merge(self.target, without(self.params, but), self.now, self.context.find)

    def keep_all(self, made: Collection[StripeObject]) -> None:
        """Store new or changed objects."""
        for each in made:
            self.save(each)


def without(params: Mapping[str, Any], but: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in but}
