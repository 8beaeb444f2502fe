"""Reconcile: what ended unknown is settled by proof, once, and otherwise left as it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.examples import KEY, NOW_S, PARAMS, SECRET_REF, entry, failed

from paydispatch.adapters.memory import (
    MemoryClock,
    MemoryDoorbell,
    MemoryJournal,
    MemoryOutcomes,
    MemorySealer,
    MemoryVault,
)
from paydispatch.adapters.memory_operations import MemoryStripeLists, MemoryUnknownEnds
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.units import HORIZON_S, REMEMBER_S
from paydispatch.domain.unknown_ends import LAST_CALL_S, CannotTell
from paydispatch.services.dispatch import METADATA_LIMIT
from paydispatch.services.reconcile import (
    AT_ONCE,
    UNMARKED,
    ReconcilePorts,
    Reconciler,
    ReconcileReport,
    Verdict,
)

PROOF_S = HORIZON_S + LAST_CALL_S


class Office:
    """A reconciler over twins, and what has ended unknown."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.journal = MemoryJournal()
        self.outcomes = MemoryOutcomes(self.clock)
        self.doorbell = MemoryDoorbell()
        self.lists = MemoryStripeLists()
        self.vault = MemoryVault(MemorySealer(), {("local", SECRET_REF): KEY})

    def service(self, *, requests_per_run: int = 1_000) -> Reconciler:
        ports = ReconcilePorts(
            unknown_ends=MemoryUnknownEnds(self.outcomes),
            lists=self.lists,
            vault=self.vault,
            outcomes=self.outcomes,
            doorbell=self.doorbell,
            clock=self.clock,
            journal=self.journal,
        )
        return Reconciler(ports, requests_per_run=requests_per_run)

    async def ended_unknown(self, request_id: str = "pdr_1", **changes: Any) -> None:
        unknown = failed(certainty=Certainty.UNKNOWN, attempts=3)
        fields = {
            "outcome": unknown,
            "first_sent_at": NOW_S,
            "settled_at": NOW_S + 60,
            "sealed_secret": None,
            "secret_ref": SECRET_REF,
        }
        await self.outcomes.publish(entry(request_id=request_id, **{**fields, **changes}))

    def stripe_has(self, request_id: str = "pdr_1", *, created_s: float = 1) -> None:
        metadata = {"paydispatch_request_id": request_id}
        created = {"id": "pi_1", "created": int(NOW_S + created_s), "metadata": metadata}
        self.lists.created.append(created)

    async def reconcile(self, **options: Any) -> ReconcileReport:
        return await self.service().reconcile(**options)

    @property
    def settled(self) -> list[Any]:
        return [e.outcome for e in self.outcomes.entries if e.outcome.settled]


@pytest.fixture
def office() -> Office:
    return Office()


async def test_an_object_in_stripe_s_list_is_the_response(office: Office) -> None:
    await office.ended_unknown()
    office.stripe_has()

    report = await office.reconcile()

    (response,) = office.settled
    assert isinstance(response, Response)
    assert (response.body["id"], response.attempts) == ("pi_1", 3)
    assert office.outcomes.statuses == {"pdr_1": "succeeded"}
    assert office.doorbell.rung == ["worker-1"]
    assert report.counts["created"] == 1
    assert office.journal.events() == ["request.reconciled"]


async def test_what_is_settled_is_not_looked_for_again(office: Office) -> None:
    await office.ended_unknown()
    office.stripe_has()
    await office.reconcile()

    assert (await office.reconcile()).reconciled == []


@pytest.mark.parametrize("after_s", [61, HORIZON_S, PROOF_S - 1])
async def test_absence_before_the_last_post_is_over_proves_nothing(
    office: Office, after_s: float
) -> None:
    await office.ended_unknown()
    office.clock.advance(after_s)

    (left,) = (await office.reconcile()).reconciled

    assert (left.verdict, left.until) == (Verdict.UNKNOWN, NOW_S + PROOF_S)
    assert office.settled == []
    assert office.outcomes.statuses == {"pdr_1": "unknown"}


async def test_absence_after_the_horizon_is_not_created(office: Office) -> None:
    await office.ended_unknown()
    office.clock.advance(PROOF_S)

    report = await office.reconcile()

    (error,) = office.settled
    assert isinstance(error, Error)
    assert (error.kind, error.code) == ("http", "not_found_after_horizon")
    assert (error.certainty, error.attempts) == (Certainty.NOT_CREATED, 3)
    assert report.counts["not_created"] == 1


async def test_an_object_made_by_a_later_redrive_is_found_too(office: Office) -> None:
    await office.ended_unknown()
    office.stripe_has(created_s=5 * 3600)
    office.outcomes.begun["pdr_1"] = NOW_S + 5 * 3600 - 2
    office.clock.advance(PROOF_S)

    assert (await office.reconcile()).counts["created"] == 1


async def test_without_word_of_the_last_attempt_all_of_the_horizon_is_searched(
    office: Office,
) -> None:
    await office.ended_unknown()
    office.stripe_has(created_s=HORIZON_S)
    office.clock.advance(PROOF_S)

    assert (await office.reconcile()).counts["created"] == 1


@pytest.mark.parametrize("after_s", [0, PROOF_S])
async def test_a_look_that_cannot_tell_settles_nothing(office: Office, after_s: float) -> None:
    await office.ended_unknown()
    office.lists.instead = CannotTell("Stripe's list answered 503")
    office.clock.advance(after_s)

    (left,) = (await office.reconcile()).reconciled

    assert (left.verdict, left.why) == (Verdict.UNKNOWN, "Stripe's list answered 503")
    assert office.settled == []


async def test_a_request_without_room_for_our_mark_is_never_called_not_created(
    office: Office,
) -> None:
    full = {f"key{number}": "v" for number in range(METADATA_LIMIT)}
    await office.ended_unknown(params={**PARAMS, "metadata": full})
    office.clock.advance(PROOF_S)

    (left,) = (await office.reconcile()).reconciled

    assert (left.verdict, left.why) == (Verdict.UNKNOWN, UNMARKED)
    assert (office.lists.looks, office.settled) == ([], [])


async def test_a_key_that_does_not_open_leaves_it_unknown(office: Office) -> None:
    await office.ended_unknown(secret_ref="gone")
    office.clock.advance(PROOF_S)

    (left,) = (await office.reconcile()).reconciled

    assert left.verdict is Verdict.UNKNOWN
    assert "no secret 'gone'" in str(left.why)


async def test_an_unknown_first_post_is_never_called_not_created(office: Office) -> None:
    await office.ended_unknown(first_sent_at=None)
    office.clock.advance(PROOF_S)

    assert (await office.reconcile()).counts["unknown"] == 1


async def test_two_reconcilers_settle_a_request_once(office: Office) -> None:
    await office.ended_unknown()
    office.stripe_has()

    reports = await asyncio.gather(office.reconcile(), office.reconcile())

    assert sorted(report.counts["created"] for report in reports) == [0, 1]
    assert sum(report.counts["settled_before"] for report in reports) == 1
    assert len(office.settled) == 1


async def test_what_is_settled_during_the_look_is_not_settled_again(office: Office) -> None:
    """A redriven message's replay comes first."""
    await office.ended_unknown()
    office.stripe_has()
    unknown = office.outcomes.entries[0]
    answered = replace(unknown, outcome=Response(body={"id": "pi_1"}, attempts=4))

    class Meanwhile(MemoryStripeLists):
        async def find_created(self, **look: Any) -> Any:
            await office.outcomes.publish(answered)
            return await super().find_created(**look)

    meanwhile = Meanwhile()
    meanwhile.created = office.lists.created
    office.lists = meanwhile

    assert (await office.reconcile()).counts["settled_before"] == 1
    assert office.settled == [answered.outcome]


async def test_one_request_s_fault_costs_no_other_its_verdict(office: Office) -> None:
    await office.ended_unknown("pdr_odd", params={"metadata": {}}, object="no_such_object")
    await office.ended_unknown("pdr_1")
    office.stripe_has("pdr_1")

    report = await office.reconcile()

    assert (report.counts["created"], report.counts["unknown"]) == (1, 1)


async def test_a_store_that_is_away_leaves_it_for_the_next_run(office: Office) -> None:
    await office.ended_unknown()
    office.stripe_has()
    office.vault.away = True
    assert (await office.reconcile()).counts["unknown"] == 1

    office.vault.away = False
    assert (await office.reconcile()).counts["created"] == 1


async def test_no_more_than_eight_are_looked_for_at_once(office: Office) -> None:
    under_way = most = 0

    class Slow(MemoryStripeLists):
        async def find_created(self, **look: Any) -> Any:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(3):
                await asyncio.sleep(0)
            under_way -= 1
            return await super().find_created(**look)

    office.lists = Slow()
    for number in range(3 * AT_ONCE):
        await office.ended_unknown(f"pdr_{number}")

    await office.reconcile()

    assert most == AT_ONCE


async def test_a_run_is_bounded_and_takes_the_workers_in_turn(office: Office) -> None:
    for number in range(5):
        await office.ended_unknown(f"pdr_{number}", worker_id="busy")
    await office.ended_unknown("pdr_one", worker_id="quiet")

    report = await office.service(requests_per_run=3).reconcile()

    assert [one.worker_id for one in report.reconciled].count("quiet") == 1
    assert len(report.reconciled) == 3


async def test_only_the_named_workers_are_looked_at(office: Office) -> None:
    await office.ended_unknown("pdr_1", worker_id="one")
    await office.ended_unknown("pdr_2", worker_id="two")

    report = await office.reconcile(worker_ids=["two"])

    assert [one.request_id for one in report.reconciled] == ["pdr_2"]


async def test_no_look_begins_when_the_invocation_is_about_to_end(office: Office) -> None:
    await office.ended_unknown()

    report = await office.reconcile(until=office.clock.now_s())

    assert (report.left, report.reconciled, office.lists.looks) == (1, [], [])


async def test_what_nothing_else_remembers_any_more_is_dropped_and_said_so(office: Office) -> None:
    await office.ended_unknown(secret_ref="gone")
    office.clock.advance(60 + REMEMBER_S)

    assert (await office.reconcile()).counts["forgotten"] == 1
    assert office.journal.counts["UnknownForgotten"] == 1
    assert (await office.reconcile()).reconciled == []


async def test_without_redis_a_run_fails_as_a_whole() -> None:
    office = Office()

    class Away(MemoryUnknownEnds):
        async def workers(self) -> Any:
            raise Unavailable("Redis is away")

    ports = replace(office.service()._ports, unknown_ends=Away(office.outcomes))
    with pytest.raises(Unavailable):
        await Reconciler(ports).reconcile()
