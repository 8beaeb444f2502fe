"""Reconcile: look up requests with an unknown outcome at Stripe, and publish each outcome that Stripe's objects prove.

Reconciling writes nothing at Stripe. It may be repeated, and several reconcilers may run at once. A settled outcome is
published once, so its flow runs as after any other outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from paydispatch.services.looks.position import NoKeeper
from paydispatch.services.looks.run_pass import Asked, Pass
from paydispatch.services.looks.verdicts import ReconcileReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from paydispatch.ports import (
        Accounts,
        AsyncLookQueue,
        Clock,
        Doorbell,
        Doubts,
        EventLog,
        Limiter,
        OutcomeStream,
        RequestSlots,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )

REQUESTS_PER_RUN = 1_000
"""Requests that one run looks up at most. Further ones are left to the next run."""

WORKERS_SEARCHED = 100_000
"""Workers that are searched for the request that an operator names. If more have unknown outcomes, the operator must
name the worker too."""


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
    doubts: Doubts
    look_queue: AsyncLookQueue
    clock: Clock
    log: EventLog


class Reconciler:
    """The service of the reconciler Lambda and of `paydispatch reconcile`."""

    def __init__(self, ports: ReconcilePorts, *, requests_per_run: int = REQUESTS_PER_RUN) -> None:
        self._ports = ports
        self._requests_per_run = requests_per_run

    async def reconcile(
        self,
        worker_ids: Collection[str] | None = None,
        *,
        until: float | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> ReconcileReport:
        """Look up the unknown outcomes of these workers (None: of all), each once. Raises `Unavailable` without Redis.

        After `until` (unix seconds) no further lookup begins. `without` has worker and id of requests that an earlier
        run looked up.
        """
        chosen = [
            Asked(worker_id, id_)
            for worker_id, id_ in await self._choose(worker_ids)
            if (worker_id, id_) not in without
        ]
        result = await Pass(self._ports, NoKeeper(), until=until).run(chosen)
        report = ReconcileReport(result.reconciled, result.left)
        self._count(report)
        return report

    async def reconcile_in_same_account(
        self, request_id: str, worker_ids: Collection[str] | None = None
    ) -> ReconcileReport:
        """Look up one request. An operator declares that its key belongs to the account that it was sent to.

        The report is empty if no worker of `worker_ids` (None: no worker at all) has an unknown outcome with that id.
        Raises `Unavailable` without Redis.
        """
        if worker_ids is None:
            worker_ids = await self._ports.unknown_outcomes.workers(at_most=WORKERS_SEARCHED)
        asked = [
            Asked(worker_id, request_id)
            for worker_id in worker_ids
            if await self._is_unknown(worker_id, request_id)
        ]
        looks = Pass(self._ports, NoKeeper(), until=None, same_account=True)
        report = ReconcileReport((await looks.run(asked)).reconciled)
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
