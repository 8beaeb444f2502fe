"""Stripe's test cards, read from `cards.json`: the names `pm_card_…` and `tok_…`, and the card numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.traits import at, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PREFIXES = ("pm_card_", "tok_")
_FOR_US = ("attaches", "unless_present")


@dataclass(frozen=True, slots=True)
class Declined:
    """The issuer declines the card. `error` has the fields of the card error."""

    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unauthenticated:
    """The issuer requires authentication (3D Secure), and the cardholder can still authenticate."""


Refusal = Declined | Unauthenticated


def refusal(
    charges: Iterable[Mapping[str, Any]],
    params: Mapping[str, Any],
    find: Callable[[str], Mapping[str, Any] | None],
) -> Refusal | None:
    """Return the refusal of the card that this write charges, or None. `charges` is the trait of the object."""
    for charge in charges:
        if holds(charge["when"], params):
            card = _card(charge["with"], params, find)
            return None if card is None else _judge(card, charge["use"], params)
    return None


def _card(
    paths: list[str],
    params: Mapping[str, Any],
    find: Callable[[str], Mapping[str, Any] | None],
) -> Mapping[str, Any] | None:
    """Return the test card of the first parameter with one. A payment method knows its card by the fingerprint."""
    for path in paths:
        named = at(params, path)
        if isinstance(named, str) and named:
            known = at(find(named) or {}, "card.fingerprint")
            return _declines().get(known or plain(named))
    return None


def _judge(card: Mapping[str, Any], use: str, params: Mapping[str, Any]) -> Refusal | None:
    if use == "attach" and card.get("attaches"):
        return None
    present = not (params.get("off_session") or params.get("error_on_requires_action"))
    if card.get("unless_present") and present:
        return Unauthenticated()
    return Declined({name: value for name, value in card.items() if name not in _FOR_US})


def plain(named: str) -> str:
    """Return the name of a test card without its prefix, also for the number of the card."""
    for prefix in _PREFIXES:
        named = named.removeprefix(prefix)
    return str(_book()["numbers"].get(named, named))


@cache
def _declines() -> dict[str, Mapping[str, Any]]:
    cards = _book()["declines"]
    return {name: cards[card.get("same_as", name)] for name, card in cards.items()}


@cache
def _book() -> dict[str, dict[str, Any]]:
    book: dict[str, dict[str, Any]] = json.loads(
        (files(__package__) / "cards.json").read_text("utf-8")
    )
    return book
