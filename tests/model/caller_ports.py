"""The ports of one Stripe-caller process. Each call waits at its gate and then calls the twin behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model.asks import QUEUE_TENANT
from tests.model.model_stripe import (
    ACCOUNTS,
    BROKEN_BEFORE,
    EXPIRED_KEY,
    RARE_REFUSALS,
    RARELY_BROKEN_BEFORE,
    REFUSALS,
    Execution,
    Reply,
)
from tests.model.stage import at_once

from paydispatch.domain.attempts import Unknown, classify
from paydispatch.domain.claims import Go
from paydispatch.domain.errors import CannotOpen
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.operators.lookups import Window
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.services.calls.call import CallPorts
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimiter
from paydispatch.testing.memory_operations import MemoryUnknownOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.model.callers import Callers
    from tests.model.stage import Happening, Process

    from paydispatch.domain.attempts import Attempt, RefusedInFront
    from paydispatch.domain.claims import Claim, Disputed, NoSend, Send, SendEnd, SlotState
    from paydispatch.domain.credentials import Binding, StripeKey
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.looks.noted_doubts import NotedDoubt
    from paydispatch.domain.operators.lookup_results import LookupResult, Page
    from paydispatch.domain.operators.object_states import Fetched
    from paydispatch.domain.outcomes import Error, ErrorKind
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.stripe.accounts import AccountBinding

DAY_S = 24 * 3600.0
FROZEN_S = 25 * 3600.0


def ports_of(stage: Callers, process: Process) -> CallPorts:
    return CallPorts(
        requests=GatedRequests(stage, process),
        outcomes=GatedOutcomes(stage, process),
        accounts=GatedAccounts(stage, process),
        key_breakers=MemoryKeyBreakers(stage.clock),
        limiter=MemoryLimiter(stage.clock, NO_LIMITS),
        gateway=GatedStripe(stage, process),
        lists=GatedLists(stage, process, "stripe.look"),
        doubts=MemoryDoubts(stage.clock),
        look_queue=MemoryAsyncLookQueue(),
        unknown_outcomes=MemoryUnknownOutcomes(stage.redis.outcomes, stage.redis.requests),
        vault=GatedVault(stage, process),
        queue=GatedQueue(stage, process),
        doorbell=SilentDoorbell(),
        clock=stage.clock,
        log=stage.log,
        fraction=lambda: 0.5,
        queue_tenant=QUEUE_TENANT,
    )


class Gated:
    def __init__(self, stage: Callers, process: Process) -> None:
        self._stage = stage
        self._process = process

    async def _command(self, name: str, call: Happening, **more: Happening) -> Any:
        """Run a command at a store. The store may execute it although the answer is lost, and may execute it late."""
        ways = {**self._stage.ways(self._process, name, call), **more}
        rare = self._stage.rare_ways(self._process, name, call)
        return await self._stage.call(self._process, name, ways, rare)

    async def _question(self, name: str, call: Happening) -> Any:
        ways = self._stage.ways_to_read(self._process, call)
        return await self._stage.call(self._process, name, ways)


class GatedRequests(Gated):
    """Redis: the request's slot. Each call is one Lua script."""

    async def claim(self, claim: Claim) -> SlotState:
        def make() -> Any:
            self._stage.check_claim(claim)
            return self._stage.redis.at_slot(claim, lambda twin: twin.claim(claim))

        state: SlotState = await self._command("redis.claim", make)
        return state

    async def find(self, claim: Claim) -> SlotState | None:
        twin = self._stage.redis.requests
        state: SlotState | None = await self._question(
            "redis.find", lambda: at_once(twin.find(claim))
        )
        return state

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        def ask() -> Any:
            return self._stage.open_send(claim, send)

        frozen = {"done, then frozen for a day": lambda: self._stage.freeze(self._process, ask())}
        answer = await self._command("redis.send", ask, **frozen)
        answer = (
            await answer.wait_until_thawed() if hasattr(answer, "wait_until_thawed") else answer
        )
        if isinstance(answer, Go):
            self._process.may_post[claim.request_id] = claim, self._stage.clock.now_s()
        return answer  # type: ignore[no-any-return]

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        await self._at_slot("redis.end_send", claim, lambda twin: twin.end_send(claim, token, end))

    async def keep_message(self, claim: Claim, message: str) -> EventMessage | None:
        event: EventMessage | None = await self._at_slot(
            "redis.keep_message", claim, lambda twin: twin.keep_message(claim, message)
        )
        return event

    async def keep_event(self, slot: str, event: EventMessage) -> bool:
        raise NotImplementedError

    async def find_doubt(self, slot: str) -> NotedDoubt | None:
        raise NotImplementedError

    async def tenants_in_doubt(self) -> Sequence[str]:
        raise NotImplementedError

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        stands: Error | Disputed = await self._at_slot(
            "redis.close", claim, lambda twin: twin.close(claim, error, token=token)
        )
        return stands

    async def mark_retrying(
        self, claim: Claim, retry_at: float, *, attempts: int, waiting: Waiting | None = None
    ) -> None:
        await self._at_slot(
            "redis.mark_retrying",
            claim,
            lambda twin: twin.mark_retrying(claim, retry_at, attempts=attempts, waiting=waiting),
        )

    async def write_status(self, entry: OutcomeEntry) -> None:
        await self._command("redis.write_status", lambda: self._stage.redis.write_status(entry))

    async def accept_account(self, claim: Claim, account: AccountBinding) -> None:
        raise NotImplementedError

    async def _at_slot(self, name: str, claim: Claim, call: Any) -> Any:
        return await self._command(name, lambda: self._stage.redis.at_slot(claim, call))


class GatedOutcomes(Gated):
    """Redis: the worker's slot."""

    async def publish(self, entry: OutcomeEntry) -> bool:
        return bool(await self._command("redis.publish", lambda: self._stage.publish(entry)))

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        twin = self._stage.redis.outcomes
        return bool(
            await self._question(
                "redis.is_settled", lambda: at_once(twin.is_settled(worker_slot, request_id))
            )
        )

    async def last_entry(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        twin = self._stage.redis.outcomes
        entry: OutcomeEntry | None = await self._question(
            "redis.published", lambda: at_once(twin.last_entry(worker_slot, request_id))
        )
        return entry


class GatedVault(Gated):
    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        vault = self._stage.vault
        await self._question("vault.prove", lambda: at_once(vault.prove(binding, sealed_secret)))

    async def open(self, envelope: Envelope) -> StripeKey:
        vault = self._stage.vault
        ways = self._stage.ways_to_read(self._process, lambda: at_once(vault.open(envelope)))
        key: StripeKey = await self._stage.call(
            self._process, "vault.open", {**ways, "does not open": _does_not_open}
        )
        return key


class GatedAccounts(Gated):
    """`GET /v1/account`."""

    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        account = ACCOUNTS[key.reveal()]
        ways = self._stage.ways_to_read(self._process, lambda: None if account.mute else account.id)
        found: str | RefusedInFront | None = await self._stage.call(
            self._process, "stripe.account", {**ways, "401": lambda: EXPIRED_KEY}
        )
        return found


class GatedLists(Gated):
    """Stripe's lists. A read changes nothing, and it may find an object that Stripe has not finished.

    The gate of a look before an unknown outcome has a name of its own, so that a script can let only these looks fail.
    """

    def __init__(self, stage: Callers, process: Process, gate: str = "stripe.list") -> None:
        super().__init__(stage, process)
        self._gate = gate

    async def fetch(self, **rest: object) -> Fetched | Inconclusive:
        raise NotImplementedError

    async def read_page(
        self, *, query: Mapping[str, str], key: StripeKey, **rest: object
    ) -> Page | Inconclusive:
        account = ACCOUNTS[key.reveal()]
        within = Window(int(query["created[gte]"]), int(query["created[lte]"]))
        page: Page | Inconclusive = await self._read(
            lambda: self._stage.stripe.list_created(within, account)
        )
        return page

    async def find_created(
        self, *, mark: tuple[str, str], within: Window, key: StripeKey, **rest: object
    ) -> LookupResult:
        account = ACCOUNTS[key.reveal()]
        result: LookupResult = await self._read(
            lambda: self._stage.stripe.find_created(mark, within, account)
        )
        return result

    async def _read(self, read: Happening) -> Any:
        ways: dict[str, Happening] = {
            "done": read,
            "no answer": lambda: Inconclusive("no answer"),
            "killed before": lambda: self._stage.kill(self._process),
        }
        return await self._stage.call(self._process, self._gate, ways)


class GatedQueue(Gated):
    async def send(self, envelopes: Any) -> None:
        raise NotImplementedError

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        del group  # it changes no more than the order of messages, which is free here
        body = envelope.as_message()
        await self._command("queue.defer", lambda: self._stage.queue.send(body, delay_s=delay_s))

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        def park() -> None:
            self._stage.check_park(body, reason)
            self._stage.queue.park(body, reason, kind.value)

        await self._command("queue.park", park)


class SilentDoorbell:
    """A doorbell that does nothing. A lost ring loses no outcome, so the search has no step for it."""

    async def ring(self, worker_id: str) -> None:
        return


class GatedStripe(Gated):
    """Stripe and the network to it. Answers pass through the project's own `classify`."""

    async def call(self, *, params: Any, request_id: str, key: StripeKey, **rest: Any) -> Attempt:
        self._process.calling += 1
        try:
            return await self._create(params, request_id, key)
        finally:
            self._process.calling -= 1

    async def _create(self, params: Any, request_id: str, key: StripeKey) -> Attempt:
        stage, process = self._stage, self._process
        account = ACCOUNTS[key.reveal()]
        claim = stage.check_post(process, request_id, account)
        ways = self._post_ways(
            lambda: stage.stripe.receive(request_id, claim.fingerprint, params, account)
        )
        met = await stage.call(process, "stripe.post", ways, _rare_post_ways())
        if isinstance(met, Execution):
            met = await met.replied
        if not isinstance(met, Reply):
            attempt: Attempt = met
            return attempt
        return await self._answer(met)

    def _post_ways(self, arrive: Happening) -> dict[str, Happening]:
        refusals = {name: (lambda r=reply: r) for name, reply in REFUSALS.items()}
        broken = {name: (lambda a=attempt: a) for name, attempt in BROKEN_BEFORE.items()}
        killed = {"killed before": lambda: self._stage.kill(self._process)}
        return {"done": arrive, **refusals, **broken, **killed}

    async def _answer(self, reply: Reply) -> Attempt:
        ways: dict[str, Happening] = {
            "done": lambda: classify(reply.http_status, reply.headers, reply.body),
            "reset": lambda: Unknown("connection reset", "connection_lost"),
            "killed before": lambda: self._stage.kill(self._process),
        }
        rare = {"cut off": lambda: classify(reply.http_status, {}, None)}
        attempt: Attempt = await self._stage.call(self._process, "stripe.answer", ways, rare)
        return attempt


def _rare_post_ways() -> dict[str, Happening]:
    refusals = {name: (lambda r=reply: r) for name, reply in RARE_REFUSALS.items()}
    broken = {name: (lambda a=attempt: a) for name, attempt in RARELY_BROKEN_BEFORE.items()}
    return {**refusals, **broken}


def _does_not_open() -> None:
    raise CannotOpen("it does not open")
