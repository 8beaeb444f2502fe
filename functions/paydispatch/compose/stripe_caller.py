"""Compose the Stripe caller: its ports from the settings, its handler from the ports."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.clients import AwsClients
from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsVault
from paydispatch.adapters.aws.look_queue import NoLookQueue, SqsAsyncLookQueue
from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
from paydispatch.adapters.aws.sqs import SqsAsyncQueue
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.rates.key_breakers import RedisKeyBreakers
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.stripe.accounts import HttpStripeAccounts
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.compose.async_lambda import on_one_loop
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.handlers.stripe_caller import work_on
from paydispatch.services.call_batch import BatchCall
from paydispatch.services.calls.call import CallPorts

if TYPE_CHECKING:
    from paydispatch.adapters.event_log import PowertoolsEventLog
    from paydispatch.compose.async_lambda import Handler
    from paydispatch.ports import EventLog
    from paydispatch.settings import CallerSettings


def connect(settings: CallerSettings, log: EventLog) -> CallPorts:
    """Build the clients, for one event loop. They connect when they are first used."""
    clock = SystemClock()
    aws = AwsClients()
    doorbell_client, queue_client = aws.sqs(CLIENT_CONFIG), aws.sqs(SEND_CONFIG)
    secrets = SecretsManagerStore(partial(aws.secrets_manager, CLIENT_CONFIG), clock)
    tenant = settings.queue_tenant
    doorbell_url, look_url = settings.doorbell_queue_url, settings.look_queue_url
    eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
    redis = connect_async(settings.redis_url, eviction)
    pipelines = SharedPipelines(redis)
    stripe = StripeClient(
        settings.stripe_api_base,
        read_timeout_s=settings.stripe_read_timeout_s,
        proxy=settings.stripe_proxy,
        ca_bundle=settings.ca_bundle,
    )
    version = settings.stripe_api_version
    return CallPorts(
        gateway=HttpStripeGateway(stripe, version=version),
        lists=HttpStripeLists(stripe, version=version),
        unknown_outcomes=RedisUnknownOutcomes(redis, clock),
        accounts=HttpStripeAccounts(stripe, clock, version=version),
        key_breakers=RedisKeyBreakers(redis, pipelines=pipelines),
        limiter=RedisLimiter(
            redis, settings.default_limits, settings.lane_rules, pipelines=pipelines
        ),
        vault=KmsVault(aws.kms(CLIENT_CONFIG), secrets, queue_tenant=tenant),
        requests=RedisRequests(redis, clock, queue_tenant=tenant, pipelines=pipelines),
        outcomes=RedisOutcomes(redis, queue_tenant=tenant, pipelines=pipelines),
        queue=SqsAsyncQueue(
            queue_client, settings.queue_urls, dead_letter_queue_url=settings.dead_letter_queue_url
        ),
        doorbell=SqsDoorbell(doorbell_client, doorbell_url, log) if doorbell_url else NoDoorbell(),
        doubts=RedisDoubts(redis, clock),
        look_queue=SqsAsyncLookQueue(queue_client, look_url) if look_url else NoLookQueue(),
        clock=clock,
        log=log,
        fraction=random.SystemRandom().random,  # each restore of a snapshot draws its own
        queue_tenant=tenant,
        stripe_api_version=version,
    )


def compose(settings: CallerSettings, ports: CallPorts, log: PowertoolsEventLog) -> Handler:
    warm_operations(settings.warm_operations, settings.stripe_api_version)
    service = BatchCall(ports, max_receives=settings.max_receives)
    exhausted = settings.exhausted_queue
    return on_one_loop(partial(work_on, service=service, log=log, exhausted_queue=exhausted), log)
