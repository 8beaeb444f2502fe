"""The ways in: SDK and API. A program without a positive answer repeats the request under the same identity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.model.asks import QUEUE_TENANT
from tests.model.puppet import Puppet
from tests.model.stage import Process

from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import IdempotencyConflict, MaybeAccepted, Unavailable
from paydispatch.domain.identity.principal import Principal
from paydispatch.domain.requests import OperationRequest
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.services.accept import Acceptor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.model.asks import Ask
    from tests.model.callers import Callers
    from tests.model.stage import Happening

    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.envelope import Envelope

MAX_TRIES = 3


async def dispatch(stage: Callers, process: Process, ask: Ask) -> None:
    """Dispatch with the SDK over SQS. Send the same sealed message again if the answer of SQS was lost."""
    body = ask.message(stage.sealer)
    for _ in range(MAX_TRIES):
        try:
            await stage.call(process, "sqs.send", _send_ways(stage, process, ask, body))
            break
        except MaybeAccepted:
            continue  # `redispatch(receipt)`
        except Unavailable:
            body = ask.message(stage.sealer)  # refused: the program asks again under the same key
    stage.end(process)


def _send_ways(stage: Callers, process: Process, ask: Ask, body: str) -> dict[str, Happening]:
    def send() -> None:
        stage.queue.send(body)
        stage.accept(ask, body)

    def lose_answer() -> None:
        send()
        raise MaybeAccepted("the answer of SQS was lost")

    def send_and_die() -> None:
        send()
        stage.kill(process)

    return {
        "done": send,
        "answer lost": lose_answer,
        "refused": _refuse,
        "killed after": send_and_die,
    }


def _refuse() -> None:
    raise Unavailable("SQS refused the messages")


async def post(stage: Callers, process: Process, ask: Ask) -> None:
    """Post to the API as a client. Repeat until the API accepts or refuses, also after its server was killed."""
    for number in range(1, MAX_TRIES + 1):
        server = Process(f"{process.name} server-{number}", ended=stage.loop.create_future())
        stage.start(server, _serve(stage, server, ask))
        await server.ended  # type: ignore[misc]
        if server.answer is not None:
            break
    stage.end(process)


async def _serve(stage: Callers, server: Process, ask: Ask) -> None:
    await Puppet(lambda puppet: _accept(stage, server, puppet, ask)).play(stage, server)
    stage.end(server)


def _accept(stage: Callers, process: Process, puppet: Puppet, ask: Ask) -> None:
    acceptor = Acceptor(
        queue=PuppetQueue(stage, process, puppet, ask),
        sealer=stage.sealer,
        requests=PuppetStore(stage, process, puppet),
        clock=stage.clock,
        log=stage.log,
        queue_tenant=QUEUE_TENANT,
    )
    tenant, _, subject = ask.principal.partition("/")
    try:
        accepted = acceptor.accept(_request(ask), Principal(tenant, subject or tenant))
    except IdempotencyConflict:
        process.answer = "409"
    except Unavailable:
        return
    else:
        process.answer = "202"
        stage.check_accepted(replace(ask, request_id=accepted.request_id))


def _request(ask: Ask) -> OperationRequest:
    envelope = ask.envelope(None)
    return OperationRequest(
        operation=operation_named(envelope.operation),
        params=dict(envelope.params),
        worker_id=ask.worker_id,
        context_id=envelope.context_id,
        credential=StripeKey(ask.key) if ask.key else SecretRef("shop"),
        idempotency_key=ask.idempotency_key,
        deadline_s=ask.deadline_s,
    )


class _PuppetPort:
    def __init__(self, stage: Callers, process: Process, puppet: Puppet) -> None:
        self._stage = stage
        self._process = process
        self._puppet = puppet


class PuppetStore(_PuppetPort):
    """The `RequestStore` on Redis."""

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        states: Sequence[SlotState] = self._command(
            "redis.claim", lambda: self._stage.redis.claim_for_api(claims)
        )
        return states

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        newest: Sequence[int] = self._command(
            "redis.count_repeats", lambda: self._stage.redis.count_repeats(ended)
        )
        return newest

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        self._command("redis.mark_queued", lambda: self._stage.redis.mark_queued(claims))

    def get(self, slot: str) -> Any:
        raise NotImplementedError

    def _command(self, name: str, call: Happening) -> Any:
        return self._puppet.call(name, self._stage.ways(self._process, name, call))


class PuppetQueue(_PuppetPort):
    """The `Queue` on SQS."""

    def __init__(self, stage: Callers, process: Process, puppet: Puppet, ask: Ask) -> None:
        super().__init__(stage, process, puppet)
        self._ask = ask

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        def send() -> dict[str, Unavailable]:
            for envelope in envelopes:
                body = envelope.as_message()
                self._stage.queue.send(body)
                self._stage.accept(replace(self._ask, request_id=envelope.request_id), body)
            return {}

        def lose_answer() -> dict[str, Unavailable]:
            send()
            lost = MaybeAccepted("the answer of SQS was lost")
            return {envelope.request_id: lost for envelope in envelopes}

        def send_and_die() -> None:
            send()
            self._stage.kill(self._process)

        ways: dict[str, Happening] = {
            "done": send,
            "answer lost": lose_answer,
            "refused": _refuse,
            "killed after": send_and_die,
        }
        failures: Mapping[str, Unavailable] = self._puppet.call("sqs.send", ways)
        return failures
