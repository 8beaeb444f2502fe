"""Reconcile: settle what ended unknown, by what Stripe's lists prove. Idempotent; several may run at once.

Nothing here sends a create. What is settled is published like any outcome, so its flow runs once, whoever settles it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from paydispatch.domain.accounts import bind_account
from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import CannotOpen, NotPermitted, Unavailable, UnknownObject
from paydispatch.domain.marks import MARK, with_mark
from paydispatch.domain.outcomes import Outcome, Response
from paydispatch.domain.resources import resource_named
from paydispatch.domain.unknown_outcomes import (
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
    StaysUnknown,
    beyond_memory,
    both,
    claim_of_unknown,
    decide,
    envelope_of,
    other_account,
    windows,
)
from paydispatch.services.log_ids import log_ids
from paydispatch.services.publish_outcome import publish_outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import (
        Accounts,
        Clock,
        Doorbell,
        EventLog,
        OutcomeStream,
        RequestSlots,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )

AT_ONCE = 8
"""Requests looked for side by side: reading shares Stripe's limits with the creates."""

REQUESTS_PER_RUN = 1_000

WORKERS_SEARCHED = 100_000
"""For one request that an operator names. Where more have unknown outcomes, the worker must be named too."""

LOOK_WITHIN_S = 60.0
"""One request's pages, all together."""

ACCOUNT_WITHIN_S = 10.0
"""To ask Stripe which account a key belongs to."""

UNMARKED = "Its metadata had no room for our mark: nothing at Stripe can be told to be its object."


class Verdict(StrEnum):
    CREATED = "created"
    NOT_CREATED = "not_created"
    SETTLED_BEFORE = "settled_before"
    """By another reconciler, or by a redriven message's answer."""
    UNKNOWN = "unknown"
    FORGOTTEN = "forgotten"
    """Unknown for longer than anything is remembered: nobody will look again."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of one request."""

    worker_id: str
    """The name of its worker's slot: tenant and a space stand before the id of another tenant's."""
    request_id: str
    verdict: Verdict
    object: str | None = None
    why: str | None = None
    """Why it stays unknown."""
    until: float | None = None
    """Unix seconds: when another look decides at the latest."""


@dataclass(slots=True)
class ReconcileReport:
    reconciled: list[Reconciled] = field(default_factory=list)
    left: int = 0
    """Requests the run had no time for."""

    @property
    def counts(self) -> Mapping[str, int]:
        """By verdict, the absent ones as 0."""
        counted = Counter(one.verdict for one in self.reconciled)
        return {verdict.value: counted[verdict] for verdict in Verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePorts:
    unknown_outcomes: UnknownOutcomes
    requests: RequestSlots
    lists: StripeLists
    accounts: Accounts
    vault: Vault
    outcomes: OutcomeStream
    doorbell: Doorbell
    clock: Clock
    log: EventLog


class Reconciler:
    def __init__(self, ports: ReconcilePorts, *, requests_per_run: int = REQUESTS_PER_RUN) -> None:
        self._ports = ports
        self._requests_per_run = requests_per_run

    async def reconcile_in_same_account(
        self, request_id: str, worker_ids: Collection[str] | None = None
    ) -> ReconcileReport:
        """Look for one request, on an operator's word that its key opens the account that it was sent to.

        Empty where no unknown outcome of these workers (None: of all) has that id. Raises `Unavailable` without Redis.
        """
        report = ReconcileReport()
        if worker_ids is None:
            worker_ids = await self._ports.unknown_outcomes.workers(at_most=WORKERS_SEARCHED)
        for worker_id in worker_ids:
            if await self._is_unknown(worker_id, request_id):
                report.reconciled.append(await self._guarded(worker_id, request_id, same=True))
        self._count(report)
        return report

    async def _is_unknown(self, worker_id: str, request_id: str) -> bool:
        try:
            return await self._ports.unknown_outcomes.read(worker_id, request_id) is not None
        except ValueError:  # it is there, and cannot be read
            return True

    async def reconcile(
        self, worker_ids: Collection[str] | None = None, *, until: float | None = None
    ) -> ReconcileReport:
        """Look once for each unknown outcome of these workers (None: of all). Raises `Unavailable` without Redis.

        `until` (unix seconds): after it no further look is begun.
        """
        report = ReconcileReport()
        at_once = asyncio.Semaphore(AT_ONCE)

        async def one(worker_id: str, request_id: str) -> None:
            async with at_once:
                if until is not None and self._ports.clock.now_s() >= until:
                    report.left += 1
                else:
                    report.reconciled.append(await self._guarded(worker_id, request_id))

        chosen = await self._chosen(worker_ids)
        await asyncio.gather(*(one(worker_id, request_id) for worker_id, request_id in chosen))
        self._count(report)
        return report

    async def _chosen(self, worker_ids: Collection[str] | None) -> list[tuple[str, str]]:
        """As many as a run takes, worker by worker in turn, so that no one's flood hides another's few."""
        ends = self._ports.unknown_outcomes
        per_worker: list[Iterator[tuple[str, str]]] = []
        if worker_ids is None:
            worker_ids = await ends.workers(at_most=self._requests_per_run)
        for worker_id in worker_ids:
            drawn = await ends.some(worker_id, at_most=self._requests_per_run)
            per_worker.append(zip([worker_id] * len(drawn), drawn, strict=True))
        in_turn = chain.from_iterable(zip_longest(*per_worker))
        return list(islice((chosen for chosen in in_turn if chosen), self._requests_per_run))

    async def _guarded(self, worker_id: str, request_id: str, *, same: bool = False) -> Reconciled:
        try:
            return await self._reconcile(worker_id, request_id, same=same)
        except Unavailable as error:
            why = str(error)
        except Exception as error:
            # A fault of ours, or an entry that cannot be read, costs this request alone.
            self._ports.log.warning(
                "request.not_reconciled", worker_id=worker_id, request_id=request_id
            )
            why = f"internal: {type(error).__name__}"
        return Reconciled(worker_id, request_id, Verdict.UNKNOWN, why=why)

    async def _reconcile(self, worker_id: str, request_id: str, *, same: bool) -> Reconciled:
        now_s = self._ports.clock.now_s()  # before the facts: what is read later can only be newer
        end = await self._ports.unknown_outcomes.read(worker_id, request_id)
        if end is None:
            return Reconciled(worker_id, request_id, Verdict.SETTLED_BEFORE)
        decided = decide(end, await self._look_up(end, same=same), now_s)
        if isinstance(decided, StaysUnknown):
            done = await self._left_unknown(end, decided)
        else:
            done = await self._settled(end, decided)
        self._line(end, done)
        return done

    async def _look_up(self, end: UnknownOutcome, *, same: bool) -> LookupResult:
        entry = end.entry
        metadata = with_mark(entry.params, entry.request_id).get("metadata")
        if not isinstance(metadata, dict) or metadata.get(MARK) != entry.request_id:
            return Inconclusive(UNMARKED)
        if entry.sealed_secret is None and entry.secret_ref is None:
            return Inconclusive("Its message held no key to look with.")
        try:
            key = await self._ports.vault.open(envelope_of(entry))
            return await self._other_account(end, key, same=same) or await self._look(end, key)
        except (CannotOpen, NotPermitted) as error:
            return Inconclusive(str(error))
        except UnknownObject as error:
            return Inconclusive(error.message)

    async def _other_account(
        self, end: UnknownOutcome, key: StripeKey, *, same: bool
    ) -> Inconclusive | None:
        """Return why a look with this key proves nothing. None: it opens the account that the request was sent to."""
        entry = end.entry
        if end.account is None:
            return None
        found = await self._ports.accounts.find(
            key, stripe_context=entry.stripe_context, within_s=ACCOUNT_WITHIN_S
        )
        if isinstance(found, RefusedInFront):
            return Inconclusive(f"Stripe refuses its key with status {found.http_status}.")
        opened = bind_account(
            key,
            found,
            stripe_account=entry.stripe_account,
            stripe_context=entry.stripe_context,
        )
        why = other_account(end, opened, same=same)
        if why is None and not end.account.same_as(opened):
            await self._accept(end, opened)
        return why

    async def _accept(self, end: UnknownOutcome, account: AccountBinding) -> None:
        """Write down the operator's word, so that later looks and sends go by it too."""
        if end.slot_stands:
            await self._ports.requests.accept_account(claim_of_unknown(end), account)
        else:
            await self._ports.unknown_outcomes.accept_account(
                end.worker, end.entry.request_id, account
            )
        before = end.account
        self._ports.log.warning(
            "account.accepted",
            request_id=end.entry.request_id,
            worker_id=end.entry.worker_id,
            context_id=end.entry.context_id,
            principal=end.entry.principal,
            account_before=before.account_id if before else None,
            account=account.account_id,
        )

    async def _look(self, end: UnknownOutcome, key: StripeKey) -> LookupResult:
        """Look through one window after the other. "Not found" takes all of them."""
        resource = resource_named(end.entry.object)
        # What is listed without a time shows everything in one look.
        looks = windows(end) if resource.dated else windows(end)[:1]
        seen: NotFound | Inconclusive | None = None
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                for window in looks:
                    look = await self._ports.lists.find_created(
                        resource=resource,
                        params=end.entry.params,
                        mark=(MARK, end.entry.request_id),
                        within=window,
                        key=key,
                        stripe_account=end.entry.stripe_account,
                        stripe_context=end.entry.stripe_context,
                    )
                    if isinstance(look, Found):
                        return look
                    seen = look if seen is None else both(seen, look)
        except TimeoutError:
            return Inconclusive(f"Stripe's lists had no end within {LOOK_WITHIN_S:.0f} s")
        return seen or Inconclusive("There is no time to look in.")

    async def _settled(self, end: UnknownOutcome, outcome: Outcome) -> Reconciled:
        settled = replace(
            end.entry, outcome=outcome, settled_at=self._ports.clock.now_s(), inferred=True
        )
        first = await publish_outcome(self._ports, settled, end.worker)
        created = Verdict.CREATED if isinstance(outcome, Response) else Verdict.NOT_CREATED
        return _reconciled(end, created if first else Verdict.SETTLED_BEFORE)

    async def _left_unknown(self, end: UnknownOutcome, decided: StaysUnknown) -> Reconciled:
        if not beyond_memory(end.entry, self._ports.clock.now_s()):
            return _reconciled(end, Verdict.UNKNOWN, decided)
        await self._ports.unknown_outcomes.forget(end.worker, end.entry.request_id)
        return _reconciled(end, Verdict.FORGOTTEN, decided)

    def _line(self, end: UnknownOutcome, done: Reconciled) -> None:
        entry = end.entry
        settled = done.verdict in (Verdict.CREATED, Verdict.NOT_CREATED, Verdict.SETTLED_BEFORE)
        written = self._ports.log.info if settled else self._ports.log.warning
        written(
            "request.reconciled" if settled else "request.still_unknown",
            **log_ids(entry),
            stripe_account=entry.stripe_account,
            stripe_context=entry.stripe_context,
            verdict=done.verdict.value,
            why=done.why,
            until=done.until,
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
            ("StillUnknown", Verdict.UNKNOWN),
            ("UnknownForgotten", Verdict.FORGOTTEN),
        ):
            if counts[verdict]:
                self._ports.log.count(metric, counts[verdict])
        if report.left:
            self._ports.log.count("ReconcileLeft", report.left)


def _reconciled(
    end: UnknownOutcome, verdict: Verdict, decided: StaysUnknown | None = None
) -> Reconciled:
    entry = end.entry
    return Reconciled(
        end.worker,
        entry.request_id,
        verdict,
        entry.object,
        decided.why if decided else None,
        decided.until if decided else None,
    )
