"""The situation in which a rule judges a create."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.traits import at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.store import AccountObjects, StripeObject


@dataclass(frozen=True, slots=True)
class Situation:
    """A create with everything that Stripe judges it by."""

    params: Mapping[str, Any]
    objects: AccountObjects
    """The objects that the account has."""

    now: int
    """The Unix time in seconds."""

    version: str
    """The version of Stripe's API that the call names, such as `2026-10-28.endive`."""

    def value(self, path: str) -> Any:
        """Return the parameter at a path such as `items.0.price`. None stands for an absent or empty one."""
        found = at(self.params, path)
        return None if found == "" else found

    def elements(self, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield each object of a list with its name in brackets, such as `items[0]`."""
        for index, element in enumerate(self.value(path) or ()):
            if isinstance(element, dict):
                yield f"{in_brackets(path)}[{index}]", element

    def find(self, kind: str, object_id: Any) -> StripeObject | None:
        """Return an object of the account, or None."""
        return self.objects.find(kind, object_id) if isinstance(object_id, str) else None


def in_brackets(path: str) -> str:
    """Return a path as Stripe writes it: `a.b` becomes `a[b]`."""
    first, *rest = path.split(".")
    return first + "".join(f"[{step}]" for step in rest)
