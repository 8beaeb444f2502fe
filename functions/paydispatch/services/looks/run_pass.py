"""Run one pass: look up many requests together. Those of one list share its reading, the others have a look each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import ByMark, proof_of
from paydispatch.services.looks.candidates import make_candidate, shared_list
from paydispatch.services.looks.open_list import open_list, split_by_account
from paydispatch.services.looks.position import Position
from paydispatch.services.looks.read_list import ListReading, read_list
from paydispatch.services.looks.settle import SettlePorts, act_on, make_sure_of_status
from paydispatch.services.looks.verdicts import Reconciled, Verdict
from paydispatch.services.lookups.absence import doubt_absence
from paydispatch.services.lookups.look_up import look_up
from paydispatch.services.lookups.ports import LookupPorts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paydispatch.domain.operators.lookup_results import Found, Inconclusive, LookupResult
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.services.looks.candidates import Candidate, ListKey
    from paydispatch.services.looks.position import PositionKeeper

AT_ONCE = 8
"""Requests that are looked up at once. Lookups share Stripe's rate limits with the creates."""


class PassPorts(LookupPorts, SettlePorts, Protocol):
    """The ports of a pass."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to look up."""

    worker: str
    request_id: str
    seen_until: float = 0.0
    """Its list was read up to this time of Stripe's clock. 0: it was not read yet."""


@dataclass(slots=True)
class PassResult:
    reconciled: list[Reconciled] = field(default_factory=list)
    left: int = 0
    """Requests that the pass had no time for."""
    seen_until: dict[tuple[str, str], float] = field(default_factory=dict)
    """{(worker, request id): the list was read up to this time of Stripe's clock}"""
    pages: int = 0
    too_full: set[tuple[str, str]] = field(default_factory=set)
    """(worker, request id) of the requests whose list has more pages than a pass may read."""


class Pass:
    """One pass over the requests that it is asked for."""

    def __init__(
        self,
        ports: PassPorts,
        keeper: PositionKeeper,
        *,
        until: float | None,
        same_account: bool = False,
    ) -> None:
        """After `until` (unix seconds) no read begins. `same_account`: an operator declares it (`look_up`)."""
        self._ports = ports
        self._keeper = keeper
        self._until = until
        self._same_account = same_account
        self._result = PassResult()

    async def run(self, asked: Sequence[Asked]) -> PassResult:
        """Look up all of them. An error in one makes it stay unknown. Raises nothing."""
        began_at = (
            self._ports.clock.now_s()
        )  # before the looks, because an absence proves nothing if it was read early
        lists, alone = await self._sort(asked, began_at)
        for list_key, candidates in lists.items():
            alone += await self._read_safely(list_key, candidates, began_at)
        await self._each(alone, self._look_alone)
        return self._result

    async def _sort(
        self, asked: Sequence[Asked], began_at: float
    ) -> tuple[dict[ListKey, list[Candidate]], list[Asked]]:
        """Return the requests by their list, and those that are looked up alone."""
        lists: dict[ListKey, list[Candidate]] = {}
        alone: list[Asked] = []

        async def sort(one: Asked) -> None:
            unknown = await self._ports.unknown_outcomes.read(one.worker, one.request_id)
            if unknown is None or unknown.entry.outcome.settled:
                await self._note_settled(one, unknown)
                return
            list_key = None if self._same_account else shared_list(unknown)
            if list_key is None:
                alone.append(one)
            else:
                candidate = make_candidate(unknown, one.seen_until, began_at)
                lists.setdefault(list_key, []).append(candidate)

        await self._each(asked, sort)
        return lists, alone

    async def _note_settled(self, one: Asked, unknown: UnknownOutcome | None) -> None:
        if unknown is None:
            self._add(Reconciled(one.worker, one.request_id, Verdict.SETTLED_BEFORE))
        else:
            self._add(await make_sure_of_status(self._ports, unknown))

    async def _read_safely(
        self, list_key: ListKey, candidates: list[Candidate], began_at: float
    ) -> list[Asked]:
        """Read one list. Return the requests that it can prove nothing for, which are looked up alone."""
        try:
            return await self._read(list_key, candidates, began_at)
        except Unavailable as error:
            why = str(error)
        except Exception as error:  # a fault of paydispatch itself must not end the pass
            self._ports.log.warning("look.failed", list=list_key.path)
            self._ports.log.count("LookFailed")
            why = f"internal: {type(error).__name__}"
        known = {(one.worker_id, one.request_id) for one in self._result.reconciled}
        for candidate in candidates:
            if (candidate.worker, candidate.request_id) not in known:
                unknown = Verdict.UNKNOWN
                self._add(Reconciled(candidate.worker, candidate.request_id, unknown, why=why))
        return []

    async def _read(
        self, list_key: ListKey, candidates: list[Candidate], began_at: float
    ) -> list[Asked]:
        if self._is_over():
            self._result.left += len(candidates)
            return []
        access = await open_list(self._ports, candidates)
        if access is None:
            return [Asked(one.worker, one.request_id) for one in candidates]
        mine, others = split_by_account(access, candidates)
        name = "|".join((*list_key, access.account_name))
        position = self._keeper.resume(name) or Position(name, began_at)
        left = {candidate.request_id: candidate for candidate in mine}
        reading = ListReading(list_key, access, left, position, self._keeper, self._until)
        why = await read_list(self._ports, reading, self._on_found)
        self._result.pages += position.pages
        await self._conclude(reading, why)
        return [Asked(one.worker, one.request_id) for one in others]

    async def _on_found(self, candidate: Candidate, found: Found) -> None:
        await self._act(candidate, found, self._ports.clock.now_s())

    async def _conclude(self, reading: ListReading, why: Inconclusive | None) -> None:
        """Decide about the requests that are left: the list did not show their objects."""
        left, position = list(reading.left.values()), reading.position
        if why is None and not reading.ended:
            self._result.left += len(left)
            return
        if reading.too_full:
            self._result.too_full.update((one.worker, one.request_id) for one in left)
        if why is None:
            for one in left:
                if position.answered_at is not None:
                    self._result.seen_until[one.worker, one.request_id] = position.answered_at
            if position.pages:
                await self._keeper.keep(None)

        async def decide_one(candidate: Candidate) -> None:
            await self._act(candidate, why or position.absence(), position.began_at)

        await self._each(left, decide_one)

    async def _act(self, candidate: Candidate, result: LookupResult, began_at: float) -> None:
        unknown = await self._ports.unknown_outcomes.read(candidate.worker, candidate.request_id)
        if unknown is None or unknown.entry.outcome.settled:
            await self._note_settled(Asked(candidate.worker, candidate.request_id), unknown)
            return
        proof = proof_of(operation_named(unknown.entry.operation))
        if isinstance(proof, ByMark):
            result = await doubt_absence(self._ports, unknown, proof, result)
        self._add(await act_on(self._ports, unknown, result, began_at))

    async def _look_alone(self, one: Asked) -> None:
        if self._is_over():
            self._result.left += 1
            return
        began_at = self._ports.clock.now_s()
        unknown = await self._ports.unknown_outcomes.read(one.worker, one.request_id)
        if unknown is None or unknown.entry.outcome.settled:
            await self._note_settled(one, unknown)
            return
        result = await look_up(self._ports, unknown, same_account=self._same_account)
        self._add(await act_on(self._ports, unknown, result, began_at))

    async def _each(self, ones: Iterable[Asked | Candidate], work: Work) -> None:
        """Work on all of them, a few at once. An error in one makes it stay unknown."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def safely(one: Asked | Candidate) -> None:
            async with at_once:
                try:
                    await work(one)
                    return
                except Unavailable as error:
                    why = str(error)
                except Exception as error:  # a fault of ours, or an entry that cannot be read
                    self._ports.log.warning(
                        "request.not_reconciled", worker_id=one.worker, request_id=one.request_id
                    )
                    self._ports.log.count("LookFailed")
                    why = f"internal: {type(error).__name__}"
                self._add(Reconciled(one.worker, one.request_id, Verdict.UNKNOWN, why=why))

        await asyncio.gather(*(safely(one) for one in ones))

    def _add(self, reconciled: Reconciled) -> None:
        self._result.reconciled.append(reconciled)

    def _is_over(self) -> bool:
        return self._until is not None and self._ports.clock.now_s() >= self._until


class Work(Protocol):
    async def __call__(self, one: Any, /) -> None: ...
