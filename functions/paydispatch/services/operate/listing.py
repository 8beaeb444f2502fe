"""`requests`: read the outcomes after those of the page before, for a list of recent requests that its reader keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.services.operate.arguments import text

if TYPE_CHECKING:
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts

MOST_OUTCOMES = 2_000
"""The newest ones. Each has less than 2.5 KB, and Lambda answers with 6 MB at most."""

MOST_PLACES = 1_000


async def list_requests(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return the open requests, and the outcomes after `places`, as `Page.as_document` writes them."""
    places = asked.optional("places", _places) or {}
    asked.end()
    async with ports.recent() as recent:
        page = await recent.read(places)
    newest = sorted(page.outcomes, key=lambda one: one.at)[-MOST_OUTCOMES:]
    return replace(page, outcomes=tuple(newest)).as_document()


def _places(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_PLACES:
        raise ValueError("it must be the places of the page before")
    return {text(worker): text(place) for worker, place in value.items()}
