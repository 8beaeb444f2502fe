"""Refuse the one parameter by which an operation could remove the mark of a create: an empty `metadata`.

Stripe takes `metadata=""` and unsets all pairs of the object (docs.stripe.com/api/metadata). The mark of a create is
one of them. If the answer of that create was lost, only the mark proves the create, and without it a look would say
that the object was never created. Pairs that are named one by one are unset as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.path import bracket_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.domain.parameters.path import Path
    from paydispatch.domain.stripe.operations import Operation

CODE = "metadata_mark_unset"


def faults_of_unset_metadata(
    operation: Operation, params: Mapping[str, Any]
) -> tuple[ParamError, ...]:
    """Return a fault for each `metadata` that is an empty text, at any depth. A create has none to unset.

    `params` must not be nested more deeply than `json_values.MOST_LEVELS`.
    """
    return () if operation.creates else tuple(map(_fault, _places(params, ())))


def _places(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "metadata" and member == "":
                yield (*path, name)
            yield from _places(member, (*path, name))
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _places(member, (*path, index))


def _fault(path: Path) -> ParamError:
    param = bracket_path(path)
    return ParamError(
        param,
        CODE,
        f'{param} must not be "", because that would also unset the pair by which paydispatch finds an object after a '
        f'lost answer. Unset each pair by its name instead: {param}[order]="".',
    )
