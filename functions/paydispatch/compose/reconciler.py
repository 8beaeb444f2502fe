"""Compose the ports of reconcile, for the Lambda function and for the command."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.clients import AwsClients
from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsVault
from paydispatch.adapters.aws.look_queue import NoLookQueue, SqsAsyncLookQueue
from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.stripe.accounts import HttpStripeAccounts
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.events import HttpStripeEvents
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.compose.async_lambda import on_one_loop
from paydispatch.handlers.reconciler import ReconcilerHandler
from paydispatch.services.looks.ask_events import AskEvents
from paydispatch.services.looks.run_look import Looks
from paydispatch.services.looks.run_pass import AT_ONCE
from paydispatch.services.looks.sweep_doubts import DoubtSweep
from paydispatch.services.reconcile import ReconcilePorts, Reconciler
from paydispatch.services.settle_by_event import EventSettler

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from paydispatch.adapters.event_log import PowertoolsEventLog
    from paydispatch.compose.async_lambda import Handler
    from paydispatch.ports import AsyncLookQueue, EventLog
    from paydispatch.settings import ReconcilerSettings

LIST_TIMEOUT_S = 20.0
"""The timeout of one page. It may be shorter than Stripe's own timeouts, because reading a page creates nothing."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients, for one event loop. They connect when they are first used."""

    redis: Redis
    stripe: StripeClient

    @classmethod
    def connect(cls, settings: ReconcilerSettings, log: EventLog) -> Clients:
        stripe = StripeClient(
            settings.stripe_api_base,
            read_timeout_s=LIST_TIMEOUT_S,
            connections=AT_ONCE,
            proxy=settings.stripe_proxy,
            ca_bundle=settings.ca_bundle,
        )
        eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
        return cls(connect_async(settings.redis_url, eviction), stripe)

    async def close(self) -> None:
        await self.stripe.aclose()
        await self.redis.aclose()


def connect(settings: ReconcilerSettings, log: EventLog, clients: Clients) -> ReconcilePorts:
    """Build the ports. They use the same keys, accounts and Stripe as the caller that sent the creates."""
    clock = SystemClock()
    aws = AwsClients()
    secrets = SecretsManagerStore(partial(aws.secrets_manager, CLIENT_CONFIG), clock)
    tenant, doorbell_url = settings.queue_tenant, settings.doorbell_queue_url
    version = settings.stripe_api_version
    return ReconcilePorts(
        unknown_outcomes=RedisUnknownOutcomes(clients.redis, clock),
        requests=RedisRequests(clients.redis, clock, queue_tenant=tenant),
        lists=HttpStripeLists(clients.stripe, version=version),
        accounts=HttpStripeAccounts(clients.stripe, clock, version=version),
        limiter=RedisLimiter(clients.redis, settings.default_limits, settings.lane_rules),
        vault=KmsVault(aws.kms(CLIENT_CONFIG), secrets, queue_tenant=tenant),
        outcomes=RedisOutcomes(clients.redis, queue_tenant=tenant),
        doorbell=(
            SqsDoorbell(aws.sqs(CLIENT_CONFIG), doorbell_url, log) if doorbell_url else NoDoorbell()
        ),
        doubts=RedisDoubts(clients.redis, clock),
        look_queue=_look_queue(aws, settings.look_queue_url),
        clock=clock,
        log=log,
    )


def _look_queue(aws: AwsClients, url: str | None) -> AsyncLookQueue:
    if url is None:
        return NoLookQueue()
    return SqsAsyncLookQueue(aws.sqs(SEND_CONFIG), url)


def compose(settings: ReconcilerSettings, log: PowertoolsEventLog) -> Handler:
    """Build the handler of the Lambda function. Its clients connect when they are first used."""
    clients = Clients.connect(settings, log)
    ports = connect(settings, log, clients)
    events = EventSettler(ports, queue_tenant=settings.queue_tenant)
    stripe = HttpStripeEvents(clients.stripe, version=settings.stripe_api_version)
    looks = Looks(ports, AskEvents(ports, stripe, events))
    reconciler = Reconciler(ports)
    handler = ReconcilerHandler(
        sweeper=DoubtSweep(ports, reconciler, looks),
        looker=looks,
        settler=events,
        reconciler=reconciler,
        log=log,
    )
    return on_one_loop(handler, log)
