"""The place at which the twin keeps the objects of one kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Collection:
    """The objects of one kind, and the path at which they are created and listed."""

    name: str
    """Stripe's name of the objects: `payment_intent`."""

    endpoint: str
    """`/v1/payment_intents`."""
