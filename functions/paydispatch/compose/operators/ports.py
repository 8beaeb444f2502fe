"""Compose the ports of the operator's commands. Each part imports its libraries when a command needs it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.clock import SystemClock
from paydispatch.settings import (
    CallerSettings,
    default_limits,
    doorbell_queue_url,
    queue_tenant_of,
    redis_url,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from paydispatch.ports import Clock, Doubts, EventLog, LimitBoard, Recent, RequestStore
    from paydispatch.services.dead_flows import DeadFlows
    from paydispatch.services.doctor import Doctor
    from paydispatch.services.forget import Forgetter
    from paydispatch.services.operate.ports import Document, Slice
    from paydispatch.services.redrive import Redriver
    from paydispatch.services.redrive_message import RedriveOptions
    from paydispatch.services.trace import TracePorts

    Reconciling = Callable[[Mapping[str, Any]], Awaitable[Document]]
    """Reconciles once, with the arguments of the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedPorts:
    """`OperatorPorts` on the Redis and the queues that the environment names."""

    log: EventLog
    reconciling: Reconciling
    slice: Slice | None = None
    clock: Clock = field(default_factory=SystemClock)

    @property
    def queue_tenant(self) -> str:
        return queue_tenant_of()

    def limit_board(self, *, reads_only: bool = False) -> AbstractAsyncContextManager[LimitBoard]:
        from paydispatch.compose.limit_board import limit_board

        return limit_board(reads_only=reads_only)

    def request_store(self) -> RequestStore:
        from paydispatch.adapters.redis.connection import connect
        from paydispatch.adapters.redis.eviction import EvictionCheck
        from paydispatch.adapters.redis.requests.request_store import RedisRequestStore

        reads_only = EvictionCheck(allowed=True)
        return RedisRequestStore(connect(redis_url(), reads_only), self.clock)

    @asynccontextmanager
    async def doubts(self) -> AsyncIterator[Doubts]:
        from paydispatch.adapters.redis.connection import connect_async
        from paydispatch.adapters.redis.doubts import RedisDoubts
        from paydispatch.adapters.redis.eviction import EvictionCheck

        redis = connect_async(redis_url(), EvictionCheck(allowed=True))
        try:
            yield RedisDoubts(redis, self.clock)
        finally:
            await redis.aclose()

    def trace(self) -> AbstractAsyncContextManager[TracePorts]:
        from paydispatch.compose.trace import trace_ports

        return trace_ports()

    @asynccontextmanager
    async def doctor(self) -> AsyncIterator[Doctor]:
        from paydispatch.adapters.aws.clients import AwsClients
        from paydispatch.adapters.aws.errors import CLIENT_CONFIG
        from paydispatch.adapters.aws.queue_depths import SqsDepths
        from paydispatch.adapters.redis.backlog import RedisBacklog
        from paydispatch.adapters.redis.connection import connect_async
        from paydispatch.adapters.redis.doubts import RedisDoubts
        from paydispatch.adapters.redis.eviction import EvictionCheck
        from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
        from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
        from paydispatch.services.doctor import Doctor

        settings, clock = CallerSettings.from_env(), self.clock
        sqs = AwsClients().sqs(CLIENT_CONFIG)
        redis = connect_async(settings.redis_url, EvictionCheck(allowed=True))
        try:
            yield Doctor(
                RedisBacklog(redis, clock),
                RedisUnknownOutcomes(redis, clock),
                SqsDepths(sqs, _queue_urls(settings)),
                RedisLimitBoard(redis, default_limits()),
                RedisDoubts(redis, clock),
                clock,
            )
        finally:
            await redis.aclose()
            sqs.close()

    @asynccontextmanager
    async def recent(self) -> AsyncIterator[Recent]:
        from paydispatch.adapters.redis.connection import connect_async
        from paydispatch.adapters.redis.eviction import EvictionCheck
        from paydispatch.adapters.redis.recent import RedisRecent

        redis = connect_async(redis_url(), EvictionCheck(allowed=True))
        try:
            yield RedisRecent(redis)
        finally:
            await redis.aclose()

    @asynccontextmanager
    async def redriver(self, options: RedriveOptions | None = None) -> AsyncIterator[Redriver]:
        from paydispatch.adapters.aws.clients import AwsClients
        from paydispatch.adapters.aws.dead_letters import SqsDeadLetters
        from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
        from paydispatch.adapters.aws.sqs import SqsAsyncQueue
        from paydispatch.adapters.redis.connection import connect_async
        from paydispatch.adapters.redis.eviction import EvictionCheck
        from paydispatch.adapters.redis.requests.request_slots import RedisRequests
        from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
        from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
        from paydispatch.services.redrive import Redriver
        from paydispatch.services.redrive_message import RedrivePorts

        settings, aws, log = CallerSettings.from_env(), AwsClients(), self.log
        doorbell_url, tenant = settings.doorbell_queue_url, settings.queue_tenant
        sqs, sending = aws.sqs(CLIENT_CONFIG), aws.sqs(SEND_CONFIG)
        eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
        redis = connect_async(settings.redis_url, eviction)
        ports = RedrivePorts(
            dead_letters=SqsDeadLetters(sqs, settings.dead_letter_queue_url),
            queue=SqsAsyncQueue(sending, settings.queue_urls, dead_letter_queue_url=None),
            requests=RedisRequests(redis, self.clock, queue_tenant=tenant),
            outcomes=RedisOutcomes(redis, queue_tenant=tenant),
            doorbell=SqsDoorbell(sqs, doorbell_url, log) if doorbell_url else NoDoorbell(),
            clock=self.clock,
            log=log,
            queue_tenant=tenant,
        )
        try:
            yield Redriver(ports, options)
        finally:
            await redis.aclose()
            sqs.close()
            sending.close()

    @asynccontextmanager
    async def dead_flows(self) -> AsyncIterator[DeadFlows]:
        """Yield the service. It accepts a Redis that evicts, because it writes no guard."""
        from paydispatch.adapters.aws.clients import AwsClients
        from paydispatch.adapters.aws.errors import CLIENT_CONFIG
        from paydispatch.adapters.redis.connection import connect_async
        from paydispatch.adapters.redis.eviction import EvictionCheck
        from paydispatch.adapters.redis.streams.dead_streams import RedisDeadStreams
        from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
        from paydispatch.services.dead_flows import DeadFlows

        redis = connect_async(redis_url(), EvictionCheck(allowed=True))
        bell_url = doorbell_queue_url()
        sqs = AwsClients().sqs(CLIENT_CONFIG) if bell_url else None
        bell = SqsDoorbell(sqs, bell_url, self.log) if sqs and bell_url else NoDoorbell()
        try:
            yield DeadFlows(
                streams=RedisDeadStreams(redis, self.clock), doorbell=bell, clock=self.clock
            )
        finally:
            await redis.aclose()
            if sqs:
                sqs.close()

    def forgetter(self) -> AbstractAsyncContextManager[Forgetter]:
        from paydispatch.compose.forgetter import forgetter

        return forgetter(CallerSettings.from_env())

    async def reconcile(self, arguments: Mapping[str, Any]) -> Document:
        return await self.reconciling(arguments)


def _queue_urls(settings: CallerSettings) -> dict[str, str]:
    urls = {lane.value: url for lane, url in settings.queue_urls.items()}
    looks = {"looks": settings.look_queue_url} if settings.look_queue_url else {}
    return {**urls, **looks, "dead letters": settings.dead_letter_queue_url}
