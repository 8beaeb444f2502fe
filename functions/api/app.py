"""The API's composition root: settings read once, clients built in the init phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3

from paydispatch.adapters.aws.errors import SEAL_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.sqs import SqsQueue
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.journal import PowertoolsJournal, json_logger
from paydispatch.adapters.redis.connection import connect
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.request_store import RedisRequestStore
from paydispatch.handlers.api.handler import Door
from paydispatch.handlers.api.principals import PrincipalReader
from paydispatch.services.accept import Acceptor
from paydispatch.settings import ApiSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def _compose(settings: ApiSettings) -> Door:
    clock = SystemClock()
    journal = PowertoolsJournal(json_logger("api"))
    eviction = EvictionCheck(allowed=settings.allow_eviction, journal=journal)
    requests = RedisRequestStore(connect(settings.redis_url, eviction), clock)
    acceptor = Acceptor(
        queue=SqsQueue(boto3.client("sqs", config=SEND_CONFIG), settings.queue_urls),
        sealer=KmsSealer(boto3.client("kms", config=SEAL_CONFIG), settings.sealing_key_id, clock),
        requests=requests,
        clock=clock,
        journal=journal,
        queue_tenant=settings.queue_tenant,
    )
    principals = PrincipalReader(sign_in=settings.sign_in, tenant_claim=settings.tenant_claim)
    return Door(acceptor, requests, principals, journal, queue_tenant=settings.queue_tenant)


_door = _compose(ApiSettings.from_env())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return _door.answer(event, context)
