"""The kind of object that a create makes if its answer may be of several: a bank account, a card or a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.addresses import answered_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation

_NAMING = ("external_account", "source", "bank_account", "card")
"""The parameters that name a token, or hold the data of a bank account or a card."""

_KINDS_BY_PREFIX = {"btok": "bank_account", "ba": "bank_account", "tok": "card", "src": "source"}
_BY_PATH = {"bank_accounts": "bank_account", "external_accounts": "bank_account"}
_OTHERWISE = "card"


def kind_to_create(operation: Operation, params: Mapping[str, Any]) -> str:
    """Return the kind of the object that a create makes."""
    kinds = answered_kinds(operation)
    if len(kinds) == 1:
        return kinds[0]
    given = next((params[name] for name in _NAMING if params.get(name)), None)
    if isinstance(given, dict):
        found = given.get("object", "")
    else:
        found = _KINDS_BY_PREFIX.get(str(given).partition("_")[0], "")
    last_word = operation.path.rpartition("/")[2]
    return found if found in kinds else _BY_PATH.get(last_word, _OTHERWISE)
