"""Reconcile: look up requests with an unknown outcome at Stripe, and publish each outcome that Stripe's objects prove.

Reconciling writes nothing at Stripe. It may be repeated, and several reconcilers may run at once. A settled outcome is
published once, so its flow runs as after any other outcome.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.lookups import StaysUnknown, decide
from paydispatch.domain.outcomes import Certainty, Outcome, Response
from paydispatch.domain.stripe.proofs import unexecuted_word
from paydispatch.domain.unknown_outcomes import beyond_memory
from paydispatch.services.calls.publish_outcome import publish_outcome
from paydispatch.services.log_ids import log_ids
from paydispatch.services.look_up import look_up

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import (
        Accounts,
        Clock,
        Doorbell,
        EventLog,
        Limiter,
        OutcomeStream,
        RequestSlots,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )

AT_ONCE = 8
"""Requests that are looked up at once. Lookups share Stripe's rate limits with the creates."""

REQUESTS_PER_RUN = 1_000
"""Requests that one run looks up at most. Further ones are left to the next run."""

WORKERS_SEARCHED = 100_000
"""Workers that are searched for the request that an operator names. If more have unknown outcomes, the operator must
name the worker too."""


class Verdict(StrEnum):
    """The result of the lookup of one request."""

    CREATED = "created"
    NOT_CREATED = "not_created"
    EXECUTED = "executed"
    """Stripe executed an operation that is no create, or another program led its object to the same state."""
    NOT_EXECUTED = "not_executed"
    SETTLED_BEFORE = "settled_before"
    """Another reconciler settled it, or Stripe's answer to a redriven message did."""
    UNKNOWN = "unknown"
    FORGOTTEN = "forgotten"
    """It has been unknown for longer than `REMEMBER_S`, and is not looked up again."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The verdict on one request, with the reason if it stays unknown."""

    worker_id: str
    """The name of the worker's slot. For a worker of another tenant it begins with the tenant and a space."""
    request_id: str
    verdict: Verdict
    object: str | None = None
    operation: str | None = None
    why: str | None = None
    """The reason why it stays unknown."""
    until: float | None = None
    """Unix seconds from which a lookup can prove that it had no effect. None: such a time is not known."""


@dataclass(slots=True)
class ReconcileReport:
    """The verdicts of one run."""

    reconciled: list[Reconciled] = field(default_factory=list)
    left: int = 0
    """Requests that the run had no time for."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of requests for each verdict, 0 included."""
        counted = Counter(one.verdict for one in self.reconciled)
        return {verdict.value: counted[verdict] for verdict in Verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePorts:
    """The ports of reconciling."""

    unknown_outcomes: UnknownOutcomes
    requests: RequestSlots
    lists: StripeLists
    accounts: Accounts
    limiter: Limiter
    vault: Vault
    outcomes: OutcomeStream
    doorbell: Doorbell
    clock: Clock
    log: EventLog


class Reconciler:
    """The service of the reconciler Lambda and of `paydispatch reconcile`."""

    def __init__(self, ports: ReconcilePorts, *, requests_per_run: int = REQUESTS_PER_RUN) -> None:
        self._ports = ports
        self._requests_per_run = requests_per_run

    async def reconcile(
        self, worker_ids: Collection[str] | None = None, *, until: float | None = None
    ) -> ReconcileReport:
        """Look up the unknown outcomes of these workers (None: of all), each once. Raises `Unavailable` without Redis.

        After `until` (unix seconds) no further lookup begins.
        """
        report = ReconcileReport()
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(worker_id: str, request_id: str) -> None:
            async with at_once:
                if until is not None and self._ports.clock.now_s() >= until:
                    report.left += 1
                else:
                    report.reconciled.append(await self._reconcile_safely(worker_id, request_id))

        chosen = await self._choose(worker_ids)
        await asyncio.gather(*(one(worker_id, request_id) for worker_id, request_id in chosen))
        self._count(report)
        return report

    async def reconcile_in_same_account(
        self, request_id: str, worker_ids: Collection[str] | None = None
    ) -> ReconcileReport:
        """Look up one request. An operator declares that its key belongs to the account that it was sent to.

        The report is empty if no worker of `worker_ids` (None: no worker at all) has an unknown outcome with that id.
        Raises `Unavailable` without Redis.
        """
        report = ReconcileReport()
        if worker_ids is None:
            worker_ids = await self._ports.unknown_outcomes.workers(at_most=WORKERS_SEARCHED)
        for worker_id in worker_ids:
            if await self._is_unknown(worker_id, request_id):
                reconciled = await self._reconcile_safely(worker_id, request_id, same_account=True)
                report.reconciled.append(reconciled)
        self._count(report)
        return report

    async def _is_unknown(self, worker_id: str, request_id: str) -> bool:
        try:
            return await self._ports.unknown_outcomes.read(worker_id, request_id) is not None
        except ValueError:  # the entry exists, but cannot be read
            return True

    async def _choose(self, worker_ids: Collection[str] | None) -> list[tuple[str, str]]:
        """Return (worker, request id) for as many requests as a run takes.

        The workers take turns, so that a worker with many unknown outcomes does not displace those of the others.
        """
        index = self._ports.unknown_outcomes
        per_worker: list[Iterator[tuple[str, str]]] = []
        if worker_ids is None:
            worker_ids = await index.workers(at_most=self._requests_per_run)
        for worker_id in worker_ids:
            drawn = await index.some(worker_id, at_most=self._requests_per_run)
            per_worker.append(zip([worker_id] * len(drawn), drawn, strict=True))
        in_turn = chain.from_iterable(zip_longest(*per_worker))
        return list(islice((chosen for chosen in in_turn if chosen), self._requests_per_run))

    async def _reconcile_safely(
        self, worker_id: str, request_id: str, *, same_account: bool = False
    ) -> Reconciled:
        """Reconcile one request. An error makes it stay unknown, and does not end the run."""
        try:
            return await self._reconcile(worker_id, request_id, same_account=same_account)
        except Unavailable as error:
            why = str(error)
        except Exception as error:  # a fault of paydispatch itself, or an entry that cannot be read
            self._ports.log.warning(
                "request.not_reconciled", worker_id=worker_id, request_id=request_id
            )
            why = f"internal: {type(error).__name__}"
        return Reconciled(worker_id, request_id, Verdict.UNKNOWN, why=why)

    async def _reconcile(
        self, worker_id: str, request_id: str, *, same_account: bool
    ) -> Reconciled:
        # Read before the lookup, because an absence proves nothing if the lookup began too early.
        now_s = self._ports.clock.now_s()
        unknown = await self._ports.unknown_outcomes.read(worker_id, request_id)
        if unknown is None:
            return Reconciled(worker_id, request_id, Verdict.SETTLED_BEFORE)
        if unknown.entry.outcome.settled:
            return await self._make_sure_of_status(unknown)
        result = await look_up(self._ports, unknown, same_account=same_account)
        decided = decide(unknown, result, now_s)
        if isinstance(decided, StaysUnknown):
            reconciled = await self._leave_unknown(unknown, decided)
        else:
            reconciled = await self._settle(unknown, decided)
        self._log(unknown, reconciled)
        return reconciled

    async def _settle(self, unknown: UnknownOutcome, outcome: Outcome) -> Reconciled:
        """Publish the outcome that the lookup proved."""
        settled = unknown.entry.settled_by_look(outcome, self._ports.clock.now_s())
        first = await publish_outcome(self._ports, settled, unknown.worker)
        if first:
            await self._forget(unknown)
        proven = _verdict_of(settled)
        return _make_reconciled(unknown, proven if first else Verdict.SETTLED_BEFORE)

    async def _make_sure_of_status(self, unknown: UnknownOutcome) -> Reconciled:
        """Write the status of a settled outcome, because its publisher may have died before it did so."""
        await self._ports.requests.write_status(unknown.entry)
        await self._forget(unknown)
        reconciled = _make_reconciled(unknown, Verdict.SETTLED_BEFORE)
        self._log(unknown, reconciled)
        return reconciled

    async def _forget(self, unknown: UnknownOutcome) -> None:
        await self._ports.unknown_outcomes.forget(unknown.worker, unknown.entry.request_id)

    async def _leave_unknown(self, unknown: UnknownOutcome, decided: StaysUnknown) -> Reconciled:
        """Leave the request to the next run, or drop it from the index after `REMEMBER_S`."""
        if not beyond_memory(unknown.entry, self._ports.clock.now_s()):
            return _make_reconciled(unknown, Verdict.UNKNOWN, decided)
        await self._forget(unknown)
        return _make_reconciled(unknown, Verdict.FORGOTTEN, decided)

    def _log(self, unknown: UnknownOutcome, reconciled: Reconciled) -> None:
        entry, verdict = unknown.entry, reconciled.verdict
        settled = verdict not in (Verdict.UNKNOWN, Verdict.FORGOTTEN)
        write = self._ports.log.info if settled else self._ports.log.warning
        write(
            "request.reconciled" if settled else "request.still_unknown",
            **log_ids(entry),
            stripe_account=entry.stripe_account,
            stripe_context=entry.stripe_context,
            verdict=verdict.value,
            why=reconciled.why,
            until=reconciled.until,
            attempts=entry.outcome.attempts,
            first_sent_at=entry.first_sent_at,
            unknown_s=round(self._ports.clock.now_s() - entry.settled_at),
            traceparent=entry.traceparent,
        )

    def _count(self, report: ReconcileReport) -> None:
        counts = report.counts
        for metric, verdict in (
            ("ReconciledCreated", Verdict.CREATED),
            ("ReconciledNotCreated", Verdict.NOT_CREATED),
            ("ReconciledExecuted", Verdict.EXECUTED),
            ("ReconciledNotExecuted", Verdict.NOT_EXECUTED),
            ("StillUnknown", Verdict.UNKNOWN),
            ("UnknownForgotten", Verdict.FORGOTTEN),
        ):
            if counts[verdict]:
                self._ports.log.count(metric, counts[verdict])
        if report.left:
            self._ports.log.count("ReconcileLeft", report.left)


def _verdict_of(settled: OutcomeEntry) -> Verdict:
    """Return the verdict in the words of the operation: created or executed, `not_created` or `not_executed`."""
    unexecuted = unexecuted_word(settled.operation)
    if not isinstance(settled.outcome, Response):
        return Verdict(unexecuted.value)
    return Verdict.CREATED if unexecuted is Certainty.NOT_CREATED else Verdict.EXECUTED


def _make_reconciled(
    unknown: UnknownOutcome, verdict: Verdict, decided: StaysUnknown | None = None
) -> Reconciled:
    return Reconciled(
        unknown.worker,
        unknown.entry.request_id,
        verdict,
        unknown.entry.object,
        unknown.entry.operation,
        decided.why if decided else None,
        decided.until if decided else None,
    )
