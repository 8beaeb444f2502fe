"""The Stripe caller's composition root: settings read once, clients built in the init phase."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.metrics import Metrics

from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsVault
from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
from paydispatch.adapters.aws.sqs import SqsDispatchQueue
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.journal import PowertoolsJournal, json_logger
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doorbell import SqsDoorbell, StreamOnly
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.outcomes import RedisOutcomes
from paydispatch.adapters.redis.requests import RedisRequests
from paydispatch.adapters.stripe.accounts import HttpStripeAccounts
from paydispatch.adapters.stripe.gateway import HttpStripeGateway, stripe_client
from paydispatch.domain.stripe_version import STRIPE_API_VERSION
from paydispatch.handlers.stripe_caller import work_on
from paydispatch.services.call_batch import BatchCall
from paydispatch.services.call_stripe import CallPorts
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_journal = PowertoolsJournal(
    json_logger("stripe_caller"), Metrics(namespace="paydispatch", service="stripe_caller")
)


def _compose(settings: CallerSettings) -> BatchCall:
    clock = SystemClock()
    bells = boto3.client("sqs", config=CLIENT_CONFIG)
    sends = boto3.client("sqs", config=SEND_CONFIG)
    secrets = SecretsManagerStore(boto3.client("secretsmanager", config=CLIENT_CONFIG), clock)
    tenant = settings.queue_tenant
    bell_url = settings.doorbell_queue_url
    eviction = EvictionCheck(allowed=settings.allow_eviction, journal=_journal)
    redis = connect_async(settings.redis_url, eviction)
    stripe = stripe_client(
        settings.stripe_api_base,
        read_timeout_s=settings.stripe_read_timeout_s,
        proxy=settings.stripe_proxy,
        ca_bundle=settings.ca_bundle,
    )
    version = settings.stripe_api_version or STRIPE_API_VERSION
    ports = CallPorts(
        gateway=HttpStripeGateway(stripe, version=version),
        accounts=HttpStripeAccounts(stripe, clock, version=version),
        vault=KmsVault(boto3.client("kms", config=CLIENT_CONFIG), secrets, queue_tenant=tenant),
        requests=RedisRequests(redis, clock, queue_tenant=tenant),
        outcomes=RedisOutcomes(redis, queue_tenant=tenant),
        queue=SqsDispatchQueue(
            sends, settings.queue_urls, dead_letter_queue_url=settings.dead_letter_queue_url
        ),
        doorbell=SqsDoorbell(bells, bell_url, _journal) if bell_url else StreamOnly(),
        clock=clock,
        journal=_journal,
        fraction=random.random,
        queue_tenant=tenant,
    )
    return BatchCall(ports, max_receives=settings.max_receives)


_service = _compose(CallerSettings.from_env())
# One loop for the life of the environment: its connections to Stripe and Redis survive from batch to batch.
_loop = asyncio.new_event_loop()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    answer = _loop.run_until_complete(work_on(event, context, _service, _journal))
    _journal.flush()
    return answer
