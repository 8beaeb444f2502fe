"""Compose the API: its ports from the settings, its handler from the ports."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.clients import AwsClients
from paydispatch.adapters.aws.errors import SEAL_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.look_queue import SqsLookQueue
from paydispatch.adapters.aws.sqs import SqsQueue
from paydispatch.adapters.aws.webhook_secrets import SecretsManagerWebhooks
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.event_log import PowertoolsEventLog, json_logger
from paydispatch.adapters.redis.connection import connect as connect_redis
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.handlers.api.handler import ApiHandler
from paydispatch.handlers.api.principals import PrincipalReader
from paydispatch.services.accept import Acceptor
from paydispatch.services.take_event import EventTaker
from paydispatch.services.wait_for_outcome import OutcomeWaiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.ports import (
        Clock,
        EventLog,
        LookQueue,
        Queue,
        RequestStore,
        Sealer,
        WebhookSecrets,
    )
    from paydispatch.settings import ApiSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPorts:
    """The ports that the API uses."""

    queue: Queue
    look_queue: LookQueue | None
    """None: the API takes no events of Stripe."""
    webhook_secrets: WebhookSecrets
    sealer: Sealer
    requests: RequestStore
    clock: Clock
    log: EventLog
    pause: Callable[[float], None] = time.sleep
    """Waits for a number of seconds."""


def connect(settings: ApiSettings) -> ApiPorts:
    """Build the clients. They connect when they are first used."""
    clock = SystemClock()
    log = PowertoolsEventLog(json_logger("api"))
    eviction = EvictionCheck(allowed=settings.allow_eviction, log=log)
    aws = AwsClients()
    sqs, look_queue_url = aws.sqs(SEND_CONFIG), settings.look_queue_url
    secrets = partial(aws.secrets_manager, SEAL_CONFIG)
    return ApiPorts(
        queue=SqsQueue(sqs, settings.queue_urls),
        look_queue=SqsLookQueue(sqs, look_queue_url) if look_queue_url else None,
        webhook_secrets=SecretsManagerWebhooks(secrets, clock),
        sealer=KmsSealer(aws.kms(SEAL_CONFIG), settings.sealing_key_id, clock),
        requests=RedisRequestStore(connect_redis(settings.redis_url, eviction), clock),
        clock=clock,
        log=log,
    )


def compose(settings: ApiSettings, ports: ApiPorts) -> ApiHandler:
    warm_operations(settings.warm_operations, settings.stripe_api_version)
    tenant = settings.queue_tenant
    acceptor = Acceptor(
        queue=ports.queue,
        sealer=ports.sealer,
        requests=ports.requests,
        clock=ports.clock,
        log=ports.log,
        queue_tenant=tenant,
        stripe_api_version=settings.stripe_api_version,
    )
    principals = PrincipalReader(sign_in=settings.sign_in, tenant_claim=settings.tenant_claim)
    events = EventTaker(
        ports.look_queue,
        ports.webhook_secrets,
        ports.requests,
        ports.clock,
        ports.log,
        queue_tenant=tenant,
    )
    waiter = OutcomeWaiter(ports.requests, ports.clock, ports.pause, queue_tenant=tenant)
    return ApiHandler(
        acceptor,
        ports.requests,
        principals,
        ports.log,
        events=events,
        waiter=waiter,
        queue_tenant=tenant,
    )
