"""`Reconciler` settles an unknown outcome once, by proof. Without a proof it leaves the outcome as it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.examples import (
    KEY,
    NOW_S,
    PARAMS,
    SECRET_REF,
    TRACE_ID,
    TRACEPARENT,
    entry,
    envelope,
    make_failure,
    make_refusal,
)

from paydispatch.domain.claims import Go, Send, SendEnd, claim_of
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.entry import entry_for
from paydispatch.domain.errors import NotPermitted, Unavailable
from paydispatch.domain.identity.marks import METADATA_LIMIT
from paydispatch.domain.limits import HORIZON_S, REMEMBER_S
from paydispatch.domain.operators.lookup_results import CLOCKS_APART_S, Inconclusive, NotFound
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.retry import merge_history
from paydispatch.domain.stripe.accounts import AccountBinding, bind_account
from paydispatch.domain.unknown_outcomes import LAST_CALL_S
from paydispatch.services.calls.publish_outcome import publish_outcome
from paydispatch.services.looks.run_pass import AT_ONCE
from paydispatch.services.looks.verdicts import ReconcileReport, Verdict
from paydispatch.services.lookups.absence import UNMARKED
from paydispatch.services.reconcile import ReconcilePorts, Reconciler
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_limiter import MemoryLimiter
from paydispatch.testing.memory_operations import MemoryStripeLists, MemoryUnknownOutcomes
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue
from paydispatch.testing.memory_requests import MemoryRequests
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts

PROOF_S = HORIZON_S + LAST_CALL_S
LIVE_KEY = KEY.replace("_test_", "_live_")
OTHER_KEY = KEY + "Other"
RESTRICTED, ROTATED = (KEY.replace("sk_", "rk_") + more for more in ("", "Rotated"))


class ReconcileSystem:
    """A reconciler over in-memory ports, and helpers that publish unknown outcomes."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.outcomes = MemoryOutcomes(self.clock)
        self.requests = MemoryRequests(self.clock, self.outcomes)
        self.accounts = MemoryAccounts()
        self.limiter = MemoryLimiter(self.clock, NO_LIMITS)
        self.doorbell = MemoryDoorbell()
        self.lists = MemoryStripeLists(self.clock)
        self.doubts = MemoryDoubts(self.clock)
        self.look_queue = MemoryAsyncLookQueue()
        self.secrets = {("local", SECRET_REF): KEY}
        self.vault = MemoryVault(MemorySealer(), self.secrets)

    def service(self, *, requests_per_run: int = 1_000) -> Reconciler:
        return Reconciler(self.ports(), requests_per_run=requests_per_run)

    def ports(self) -> ReconcilePorts:
        return ReconcilePorts(
            unknown_outcomes=MemoryUnknownOutcomes(self.outcomes, self.requests),
            requests=self.requests,
            lists=self.lists,
            accounts=self.accounts,
            limiter=self.limiter,
            vault=self.vault,
            outcomes=self.outcomes,
            doorbell=self.doorbell,
            doubts=self.doubts,
            look_queue=self.look_queue,
            clock=self.clock,
            log=self.log,
        )

    async def publish_unknown(self, request_id: str = "pdr_1", **changes: Any) -> None:
        unknown = make_failure(certainty=Certainty.UNKNOWN, attempts=3)
        fields = {
            "outcome": unknown,
            "first_sent_at": NOW_S,
            "settled_at": NOW_S + 60,
            "sealed_secret": None,
            "secret_ref": SECRET_REF,
        }
        await self.outcomes.publish(entry(request_id=request_id, **{**fields, **changes}))

    async def send_without_answer(
        self, key: str = KEY, account_id: str | None = "acct_1", **changes: Any
    ) -> None:
        """Send a request with `key`, get no answer, and publish its unknown outcome. Keep its slot."""
        asked = envelope(**changes)
        claim = claim_of(asked, "local", self.clock.now_s())
        account = bind_account(
            StripeKey(key),
            account_id,
            stripe_account=asked.stripe_account,
            stripe_context=asked.stripe_context,
        )
        await self.requests.claim(claim)
        went = await self.requests.send(claim, Send(token="t1", account=account, attempt=1))
        assert isinstance(went, Go)
        await self.requests.end_send(claim, "t1", SendEnd.UNKNOWN)
        known = merge_history(asked.progress, await self.requests.claim(claim))
        unknown = make_failure(certainty=Certainty.UNKNOWN, attempts=1)
        unknown_entry = entry_for(asked.at(known), claim, unknown, self.clock.now_s())
        await publish_outcome(self.service()._ports, unknown_entry, claim.worker_slot)
        self.doorbell.rung.clear()

    def add_object(
        self,
        request_id: str = "pdr_1",
        *,
        created_s: float = 1,
        key: str | None = None,
        **more: Any,
    ) -> None:
        """Add an object to Stripe's list for `key`. None: for every key that has no list of its own."""
        metadata = {"paydispatch_request_id": request_id}
        created = {"id": "pi_1", "created": int(NOW_S + created_s), "metadata": metadata, **more}
        listed = self.lists.created if key is None else self.lists.accounts.setdefault(key, [])
        listed.append(created)

    def set_secret(self, key: str) -> None:
        self.secrets["local", SECRET_REF] = key

    async def reconcile(self, **options: Any) -> ReconcileReport:
        return await self.service().reconcile(**options)

    @property
    def settled(self) -> list[Any]:
        return [e.outcome for e in self.outcomes.entries if e.outcome.settled]


@pytest.fixture
def system() -> ReconcileSystem:
    return ReconcileSystem()


async def test_the_status_is_written_after_the_outcome(system: ReconcileSystem) -> None:
    await system.send_without_answer()
    assert system.requests.status("pdr_1") == "unknown"
    system.add_object()

    await system.reconcile()

    assert system.requests.status("pdr_1") == "succeeded"


class Dying(MemoryRequests):
    """The slots of a process that dies before it writes a final status."""

    async def write_status(self, entry: Any) -> None:
        if entry.outcome.settled:
            raise Unavailable("it died")
        await super().write_status(entry)


@pytest.mark.parametrize("found", [True, False])
async def test_the_next_run_writes_the_status_that_a_dead_publisher_did_not_write(
    system: ReconcileSystem, found: bool
) -> None:
    """Nobody else would, because no message is left. A repeat under the key would be answered `unknown` for ever."""
    await system.send_without_answer()
    if found:
        system.add_object()
    else:
        system.clock.advance(PROOF_S + 1)
    alive, system.requests = system.requests, Dying(system.clock, system.outcomes)
    system.requests.store = alive.store
    await system.reconcile()
    assert (len(system.settled), alive.status("pdr_1")) == (1, "unknown")
    system.requests = alive
    system.lists.looks.clear()

    report = await system.reconcile()

    assert alive.status("pdr_1") == ("succeeded" if found else "failed")
    assert report.counts["settled_before"] == 1
    assert (len(system.settled), system.lists.looks) == (1, [])
    assert (await system.reconcile()).reconciled == []


async def test_the_status_of_a_later_answer_is_made_sure_of_too(system: ReconcileSystem) -> None:
    """The answer of a redriven message settled it, and the caller died before it wrote the status."""
    await system.send_without_answer()
    answered = Response(body={"id": "pi_1"}, attempts=2)
    await system.outcomes.publish(replace(system.outcomes.entries[-1], outcome=answered))

    await system.reconcile()

    assert system.requests.status("pdr_1") == "succeeded"
    assert (system.lists.looks, system.outcomes.unknown) == ([], {})


async def test_an_object_in_stripe_s_list_is_the_response(system: ReconcileSystem) -> None:
    await system.publish_unknown()
    system.add_object()

    report = await system.reconcile()

    (response,) = system.settled
    assert isinstance(response, Response)
    assert (response.body["id"], response.attempts) == ("pi_1", 3)
    assert system.outcomes.entries[-1].inferred
    assert system.doorbell.rung == ["worker-1"]
    assert report.counts["created"] == 1
    assert system.log.events() == ["request.reconciled"]


async def test_a_settled_request_is_not_looked_for_again(system: ReconcileSystem) -> None:
    await system.publish_unknown()
    system.add_object()
    await system.reconcile()

    assert (await system.reconcile()).reconciled == []


@pytest.mark.parametrize("after_s", [61, HORIZON_S, PROOF_S - 1])
async def test_an_absent_object_proves_nothing_while_a_post_may_still_run(
    system: ReconcileSystem, after_s: float
) -> None:
    await system.publish_unknown()
    system.clock.advance(after_s)

    (left,) = (await system.reconcile()).reconciled

    assert (left.verdict, left.until) == (Verdict.UNKNOWN, NOW_S + PROOF_S)
    assert system.settled == []


async def test_an_absent_object_after_the_horizon_means_not_created(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown()
    system.clock.advance(PROOF_S)

    report = await system.reconcile()

    (error,) = system.settled
    assert isinstance(error, Error)
    assert (error.kind, error.code) == ("http", "not_found_after_horizon")
    assert (error.certainty, error.attempts) == (Certainty.NOT_CREATED, 3)
    assert report.counts["not_created"] == 1


async def test_an_object_made_by_a_later_redrive_is_found_too(system: ReconcileSystem) -> None:
    await system.send_without_answer()
    system.clock.advance(5 * 3600)
    claim = claim_of(envelope(), "local", system.clock.now_s())
    account = system.requests.slot("pdr_1").account
    assert account is not None
    await system.requests.send(claim, Send(token="t2", account=account, attempt=2))
    system.add_object(created_s=5 * 3600 + 2)
    system.clock.advance(PROOF_S)

    assert (await system.reconcile()).counts["created"] == 1


async def test_without_the_time_of_the_last_attempt_the_whole_horizon_is_searched(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown()
    system.add_object(created_s=HORIZON_S)
    system.clock.advance(PROOF_S)

    assert (await system.reconcile()).counts["created"] == 1


@pytest.mark.parametrize("after_s", [0, PROOF_S])
async def test_an_inconclusive_look_settles_nothing(
    system: ReconcileSystem, after_s: float
) -> None:
    await system.publish_unknown()
    system.lists.instead = Inconclusive("Stripe's list answered 503")
    system.clock.advance(after_s)

    (left,) = (await system.reconcile()).reconciled

    assert (left.verdict, left.why) == (Verdict.UNKNOWN, "Stripe's list answered 503")
    assert system.settled == []


async def test_a_request_without_room_for_our_metadata_pair_is_never_reported_as_not_created(
    system: ReconcileSystem,
) -> None:
    full = {f"key{number}": "v" for number in range(METADATA_LIMIT)}
    await system.publish_unknown(params={**PARAMS, "metadata": full})
    system.clock.advance(PROOF_S)

    (left,) = (await system.reconcile()).reconciled

    assert (left.verdict, left.why) == (Verdict.UNKNOWN, UNMARKED)
    assert (system.lists.looks, system.settled) == ([], [])


async def test_a_key_that_does_not_open_leaves_it_unknown(system: ReconcileSystem) -> None:
    await system.publish_unknown(secret_ref="gone")
    system.clock.advance(PROOF_S)

    (left,) = (await system.reconcile()).reconciled

    assert left.verdict is Verdict.UNKNOWN
    assert "no secret 'gone'" in str(left.why)


async def test_a_request_without_first_sent_at_is_never_reported_as_not_created(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown(first_sent_at=None)
    system.clock.advance(PROOF_S)

    assert (await system.reconcile()).counts["unknown"] == 1


async def test_two_reconcilers_settle_a_request_once(system: ReconcileSystem) -> None:
    await system.publish_unknown()
    system.add_object()

    reports = await asyncio.gather(system.reconcile(), system.reconcile())

    assert sorted(report.counts["created"] for report in reports) == [0, 1]
    assert sum(report.counts["settled_before"] for report in reports) == 1
    assert len(system.settled) == 1


async def test_a_request_settled_during_the_look_is_not_settled_again(
    system: ReconcileSystem,
) -> None:
    """The replay of a redriven message is published first."""
    await system.publish_unknown()
    system.add_object()
    unknown = system.outcomes.entries[0]
    answered = replace(unknown, outcome=Response(body={"id": "pi_1"}, attempts=4))

    class Meanwhile(MemoryStripeLists):
        async def find_created(self, **look: Any) -> Any:
            await system.outcomes.publish(answered)
            return await super().find_created(**look)

    meanwhile = Meanwhile()
    meanwhile.created = system.lists.created
    system.lists = meanwhile

    assert (await system.reconcile()).counts["settled_before"] == 1
    assert system.settled == [answered.outcome]


async def test_a_fault_in_one_request_leaves_the_others_their_verdict(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown("pdr_odd", params={"metadata": {}}, object="no_such_object")
    await system.publish_unknown("pdr_1")
    system.add_object("pdr_1")

    report = await system.reconcile()

    assert (report.counts["created"], report.counts["unknown"]) == (1, 1)


async def test_an_unavailable_store_leaves_the_request_for_the_next_run(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown()
    system.add_object()
    system.vault.away = True
    assert (await system.reconcile()).counts["unknown"] == 1

    system.vault.away = False
    assert (await system.reconcile()).counts["created"] == 1


async def test_at_most_eight_looks_run_at_once(system: ReconcileSystem) -> None:
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

    system.lists = Slow()
    for number in range(3 * AT_ONCE):
        await system.publish_unknown(f"pdr_{number}")

    await system.reconcile()

    assert most == AT_ONCE


async def test_a_run_is_bounded_and_takes_the_workers_in_turn(system: ReconcileSystem) -> None:
    for number in range(5):
        await system.publish_unknown(f"pdr_{number}", worker_id="busy")
    await system.publish_unknown("pdr_one", worker_id="quiet")

    report = await system.service(requests_per_run=3).reconcile()

    assert [one.worker_id for one in report.reconciled].count("quiet") == 1
    assert len(report.reconciled) == 3


async def test_only_the_named_workers_are_looked_at(system: ReconcileSystem) -> None:
    await system.publish_unknown("pdr_1", worker_id="one")
    await system.publish_unknown("pdr_2", worker_id="two")

    report = await system.reconcile(worker_ids=["two"])

    assert [one.request_id for one in report.reconciled] == ["pdr_2"]


async def test_no_look_begins_when_the_invocation_is_about_to_end(system: ReconcileSystem) -> None:
    await system.publish_unknown()

    report = await system.reconcile(until=system.clock.now_s())

    assert (report.left, report.reconciled, system.lists.looks) == (1, [], [])


async def test_an_outcome_older_than_all_other_records_is_dropped_and_counted(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown(secret_ref="gone")
    system.clock.advance(60 + REMEMBER_S)

    assert (await system.reconcile()).counts["forgotten"] == 1
    assert system.log.counts["UnknownForgotten"] == 1
    assert (await system.reconcile()).reconciled == []


async def test_without_redis_a_run_fails_as_a_whole() -> None:
    system = ReconcileSystem()

    class Away(MemoryUnknownOutcomes):
        async def workers(self, *, at_most: int) -> Any:
            raise Unavailable("Redis is unavailable")

    ports = replace(system.service()._ports, unknown_outcomes=Away(system.outcomes))
    with pytest.raises(Unavailable):
        await Reconciler(ports).reconcile()


# The account that the request was sent to


async def reconcile_as_unknown(system: ReconcileSystem) -> str:
    """Reconcile the only request, which stays unknown. Return the reason."""
    (left,) = (await system.reconcile()).reconciled
    assert left.verdict is Verdict.UNKNOWN
    assert system.settled == []
    return str(left.why)


@pytest.mark.parametrize(
    "there", [False, True], ids=["absent there", "an object with its mark there"]
)
@pytest.mark.parametrize(
    "to", [OTHER_KEY, LIVE_KEY], ids=["another account", "live mode of the account"]
)
async def test_a_secret_changed_to_another_account_after_an_unknown_outcome_proves_nothing(
    system: ReconcileSystem, to: str, there: bool
) -> None:
    """The object exists in the account of the first POST. After `not_created` a customer would pay twice."""
    system.accounts.ids[OTHER_KEY] = "acct_2"
    await system.send_without_answer()
    system.add_object(key=KEY)
    system.lists.accounts[to] = []
    if there:
        system.add_object(key=to)
    system.set_secret(to)
    system.clock.advance(PROOF_S)

    assert "account_changed" in await reconcile_as_unknown(system)
    assert system.lists.looks == []

    system.set_secret(KEY)
    assert (await system.reconcile()).counts["created"] == 1


@pytest.mark.parametrize(
    ("account_id", "key", "after_s"),
    [("acct_1", KEY, 60), ("acct_1", OTHER_KEY, 60), (None, KEY, 60), ("acct_1", KEY, -1_500)],
    ids=["its key", "another key", "a key that may not ask", "a slow call and a clock behind"],
)
async def test_an_absence_proves_nothing_after_all_metadata_of_an_object_was_unset(
    system: ReconcileSystem, account_id: str | None, key: str, after_s: float
) -> None:
    """An update may have removed the mark. After `not_created` a customer would pay twice."""
    await system.send_without_answer()
    system.clock.advance(after_s)
    await system.requests.note_unset_metadata(account_of(key, account_id))
    system.clock.advance(PROOF_S + 120)
    assert "unset all metadata" in await reconcile_as_unknown(system)

    system.add_object()
    assert (await system.reconcile()).counts["created"] == 1


@pytest.mark.parametrize(
    ("account_id", "key"), [("acct_2", OTHER_KEY), ("acct_1", LIVE_KEY)], ids=["account", "mode"]
)
async def test_metadata_that_was_unset_elsewhere_does_not_hide_an_absence(
    system: ReconcileSystem, account_id: str, key: str
) -> None:
    await system.send_without_answer()
    await system.requests.note_unset_metadata(account_of(key, account_id))
    system.clock.advance(PROOF_S)
    assert (await system.reconcile()).counts["not_created"] == 1


async def test_metadata_that_was_unset_before_the_first_send_does_not_hide_an_absence(
    system: ReconcileSystem,
) -> None:
    await system.requests.note_unset_metadata(account_of(KEY, "acct_1"))
    system.clock.advance(3600)
    await system.send_without_answer()
    system.clock.advance(PROOF_S)
    assert (await system.reconcile()).counts["not_created"] == 1


def account_of(key: str, account_id: str | None) -> AccountBinding:
    return bind_account(StripeKey(key), account_id, stripe_account=None, stripe_context=None)


async def test_another_key_of_the_same_account_and_mode_proves_it_too(
    system: ReconcileSystem,
) -> None:
    system.accounts.ids[OTHER_KEY] = "acct_1"
    await system.send_without_answer()
    system.add_object(key=OTHER_KEY)
    system.set_secret(OTHER_KEY)

    assert (await system.reconcile()).counts["created"] == 1


async def test_the_account_is_known_when_the_slot_is_gone(system: ReconcileSystem) -> None:
    system.accounts.ids[OTHER_KEY] = "acct_2"
    await system.send_without_answer()
    system.requests.store.slots.clear()
    system.set_secret(OTHER_KEY)
    system.clock.advance(PROOF_S)

    assert "account_changed" in await reconcile_as_unknown(system)


@pytest.mark.parametrize("slot_is_gone", [False, True])
async def test_a_rotated_key_that_cannot_name_its_account_proves_after_an_operator_accepts_it(
    system: ReconcileSystem, slot_is_gone: bool
) -> None:
    system.accounts.ids |= {RESTRICTED: None, ROTATED: None}
    await system.send_without_answer(RESTRICTED, None)
    if slot_is_gone:
        system.requests.store.slots.clear()
    system.add_object(key=ROTATED)
    system.set_secret(ROTATED)

    assert "--same-account pdr_1" in await reconcile_as_unknown(system)
    report = await system.service().reconcile_in_same_account("pdr_1")

    assert report.counts["created"] == 1
    assert system.log.events()[-2:] == ["account.accepted", "request.reconciled"]


async def test_the_account_that_an_operator_accepts_is_kept_for_later_looks(
    system: ReconcileSystem,
) -> None:
    system.accounts.ids |= {RESTRICTED: None, ROTATED: None}
    await system.send_without_answer(RESTRICTED, None)
    system.set_secret(ROTATED)
    await system.service().reconcile_in_same_account("pdr_1")
    assert system.settled == []
    system.add_object(key=ROTATED)

    assert (await system.reconcile()).counts["created"] == 1
    assert system.log.events().count("account.accepted") == 1


@pytest.mark.parametrize("to", [OTHER_KEY, LIVE_KEY])
async def test_an_operator_cannot_accept_an_account_that_stripe_contradicts(
    system: ReconcileSystem, to: str
) -> None:
    system.accounts.ids[OTHER_KEY] = "acct_2"
    await system.send_without_answer()
    system.set_secret(to)
    system.clock.advance(PROOF_S)

    report = await system.service().reconcile_in_same_account("pdr_1")

    assert (report.counts["unknown"], system.settled) == (1, [])
    assert "account.accepted" not in system.log.events()


async def test_an_operator_accepts_the_account_of_one_request_only(system: ReconcileSystem) -> None:
    await system.publish_unknown("pdr_2", worker_id="worker-2")

    assert (await system.service().reconcile_in_same_account("pdr_1")).reconciled == []
    elsewhere = system.service().reconcile_in_same_account("pdr_2", ["worker-1"])
    assert (await elsewhere).reconciled == []
    (one,) = (await system.service().reconcile_in_same_account("pdr_2")).reconciled
    assert one.request_id == "pdr_2"


async def test_a_request_without_a_recorded_account_is_looked_for_without_a_comparison(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown(account=None)
    system.add_object()

    assert (await system.reconcile()).counts["created"] == 1
    assert system.accounts.asked == []


async def test_a_key_that_stripe_refuses_proves_nothing(system: ReconcileSystem) -> None:
    await system.send_without_answer()
    system.accounts.ids[KEY] = make_refusal(401)
    system.clock.advance(PROOF_S)

    assert "401" in await reconcile_as_unknown(system)


async def test_nothing_is_proven_while_stripe_does_not_name_the_account(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer()
    system.accounts.away = True
    system.clock.advance(PROOF_S)

    await reconcile_as_unknown(system)
    assert system.lists.looks == []


async def test_a_look_uses_the_account_headers_of_the_request(system: ReconcileSystem) -> None:
    await system.send_without_answer(stripe_account="acct_2", stripe_context="acct_3")

    await system.reconcile()

    look = system.lists.pages[0]
    assert (look["stripe_account"], look["stripe_context"]) == ("acct_2", "acct_3")


async def test_the_line_of_a_look_has_the_trace_of_its_request(system: ReconcileSystem) -> None:
    await system.send_without_answer(traceparent=TRACEPARENT)

    await system.reconcile()

    ((_, line),) = system.log.lines
    assert (line["trace_id"], line["traceparent"]) == (TRACE_ID, TRACEPARENT)


async def test_a_denied_key_leaves_the_request_unknown_and_is_the_reason(
    system: ReconcileSystem,
) -> None:
    class Denied(MemoryVault):
        async def open(self, _: Any) -> Any:
            raise NotPermitted("AccessDeniedException: kms:Decrypt")

    await system.send_without_answer()
    system.vault = Denied(MemorySealer())

    assert await reconcile_as_unknown(system) == "AccessDeniedException: kms:Decrypt"
    system.clock.advance(REMEMBER_S)
    assert (await system.reconcile()).counts["forgotten"] == 1


# Clocks that differ from Stripe's


@pytest.mark.parametrize("apart_s", [-120, 120])
async def test_an_object_is_found_though_the_clocks_are_two_minutes_apart(
    system: ReconcileSystem, apart_s: float
) -> None:
    await system.send_without_answer()
    system.add_object(created_s=apart_s)
    system.clock.advance(PROOF_S)

    assert (await system.reconcile()).counts["created"] == 1


@pytest.mark.parametrize("apart_s", [-CLOCKS_APART_S - 1, CLOCKS_APART_S + 1])
async def test_absence_proves_nothing_while_the_clocks_disagree(
    system: ReconcileSystem, apart_s: float
) -> None:
    await system.send_without_answer()
    system.clock.advance(PROOF_S)
    system.lists.instead = NotFound(system.clock.now_s() + apart_s)
    assert "apart" in await reconcile_as_unknown(system)

    system.lists.instead = NotFound(system.clock.now_s() + apart_s * 0.99)
    assert (await system.reconcile()).counts["not_created"] == 1


async def test_absence_proves_nothing_if_stripe_does_not_say_its_time(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer()
    system.clock.advance(PROOF_S)
    system.lists.instead = NotFound()

    assert "Date" in await reconcile_as_unknown(system)


async def test_the_clock_is_read_before_the_unknown_outcome(system: ReconcileSystem) -> None:
    """A process may freeze between the two reads. The outcome must then be newer than the clock, not older."""
    await system.send_without_answer()
    system.clock.advance(PROOF_S - 1)

    class Frozen(MemoryUnknownOutcomes):
        async def read(self, worker_slot: str, request_id: str) -> Any:
            read = await super().read(worker_slot, request_id)
            system.clock.advance(60)
            return read

    frozen = Frozen(system.outcomes, system.requests)
    ports = replace(system.service()._ports, unknown_outcomes=frozen)
    assert (await Reconciler(ports).reconcile()).counts["unknown"] == 1


# An object that Stripe still works on


async def test_an_intent_that_is_still_being_confirmed_is_no_response_yet(
    system: ReconcileSystem,
) -> None:
    """Stripe declines it a moment later. A success published too early would stay, and the decline be dropped."""
    params = {**PARAMS, "confirm": True, "payment_method": "pm_card_chargeDeclined"}
    await system.send_without_answer(params=params)
    system.add_object(status="requires_confirmation")
    assert "has not finished its create" in await reconcile_as_unknown(system)

    system.lists.created.clear()
    declined = {"type": "card_error", "code": "card_declined", "message": "declined"}
    system.add_object(status="requires_payment_method", last_payment_error=declined)

    assert (await system.reconcile()).counts["not_created"] == 1
    assert system.settled[0].code == "card_declined"
