"""A look asks for the events of the requests that no list proves, and for those of no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S
from tests.unit.services.test_reconcile import OTHER_KEY, PROOF_S
from tests.unit.services.test_run_look import LookSystem

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.services.looks.ask_events import AskEvents
from paydispatch.services.looks.run_look import Looks
from paydispatch.testing.memory_events import MemoryStripeEvents

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage

UPDATE = {
    "object": "customer",
    "operation": "update_customer",
    "path": {"customer": "cus_1"},
    "params": {"name": "Ada"},
}


class Settled:
    """A stand-in for `EventSettler` that records its events."""

    def __init__(self) -> None:
        self.events: list[EventMessage] = []
        self.away = False

    async def settle(self, event: EventMessage) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")
        self.events.append(event)


class EventSystem(LookSystem):
    def __init__(self) -> None:
        super().__init__()
        self.settled_by = Settled()
        self.stripe = MemoryStripeEvents()

    async def ask(self) -> list[str]:
        """Reconcile, ask for events, and return the request ids of those that came."""
        report = await self.service().reconcile()
        await self.asker.ask(report.reconciled)
        return [event.request_id for event in self.settled_by.events]

    @property
    def asker(self) -> AskEvents:
        return AskEvents(self.ports(), self.stripe, self.settled_by)

    def cause(self, request_id: str, type_: str = "customer.updated") -> None:
        event: dict[str, Any] = {
            "id": f"evt_{request_id}",
            "type": type_,
            "created": NOW_S,
            "livemode": False,
            "request": {"id": "req_1", "idempotency_key": request_id},
        }
        self.stripe.events.insert(0, event)


@pytest.fixture
def system() -> EventSystem:
    return EventSystem()


async def test_the_event_of_a_request_that_no_list_proves_is_asked_for(
    system: EventSystem,
) -> None:
    await system.send_without_answer(request_id="pdr_1", **UPDATE)
    system.cause("pdr_1")
    system.cause("pdr_of_another_program")
    assert await system.ask() == ["pdr_1"]
    assert system.stripe.asked[0]["types"] == ["customer.updated"]


async def test_the_absence_of_an_event_settles_nothing_even_after_the_horizon(
    system: EventSystem,
) -> None:
    await system.send_without_answer(request_id="pdr_1", **UPDATE)
    system.clock.advance(PROOF_S + 1)
    assert await system.ask() == []
    assert system.stripe.asked
    assert system.settled == []


async def test_a_request_that_its_list_proves_needs_no_event(system: EventSystem) -> None:
    await system.send_without_answer(request_id="pdr_1")
    system.cause("pdr_1", "payment_intent.created")
    assert await system.ask() == []
    assert system.stripe.asked == []


async def test_events_are_read_with_a_key_of_the_account_only(system: EventSystem) -> None:
    await system.send_without_answer(OTHER_KEY, "acct_2", request_id="pdr_1", **UPDATE)
    system.cause("pdr_1")
    assert await system.ask() == []
    assert system.stripe.asked == []


async def test_a_list_of_events_that_cannot_be_read_is_one_line(system: EventSystem) -> None:
    await system.send_without_answer(request_id="pdr_1", **UPDATE)
    system.stripe.instead = Inconclusive("Stripe's list of events answered 403")
    assert await system.ask() == []
    assert "events.not_read" in system.log.events()


async def test_an_event_that_cannot_be_worked_on_ends_no_look(system: EventSystem) -> None:
    await system.send_without_answer(request_id="pdr_1", **UPDATE)
    system.cause("pdr_1")
    system.settled_by.away = True
    assert await system.ask() == []


async def test_a_look_asks_for_events_after_its_pass(system: EventSystem) -> None:
    await system.send_without_answer(request_id="pdr_1", **UPDATE)
    unknown = await system.ports().unknown_outcomes.read("worker-1", "pdr_1")
    assert unknown is not None
    assert unknown.account is not None
    await system.note(unknown)
    system.cause("pdr_1")
    message, delay_s = system.look_queue.sent[0]
    system.clock.advance(delay_s)
    await Looks(system.ports(), system.asker).look(message, until=1e12)  # type: ignore[arg-type]
    assert [event.request_id for event in system.settled_by.events] == ["pdr_1"]
    assert system.accounts.asked[-1] == KEY
