"""Compose the ports of `paydispatch verify-events`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.adapters.stripe.lists import HttpStripeLists

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.ports import Clock, StripeGateway, StripeLists
    from paydispatch.settings import StripeSettings


@dataclass(frozen=True, slots=True)
class Ports:
    gateway: StripeGateway
    lists: StripeLists
    clock: Clock


@asynccontextmanager
async def verify_ports(settings: StripeSettings, base: str | None) -> AsyncIterator[Ports]:
    """Yield the ports, and close their client. `base`: another Stripe than that of the settings."""
    client = StripeClient(
        base or settings.api_base,
        proxy=None if base else settings.proxy,
        ca_bundle=settings.ca_bundle,
    )
    async with client:
        version = settings.api_version
        yield Ports(
            HttpStripeGateway(client, version=version),
            HttpStripeLists(client, version=version),
            SystemClock(),
        )
