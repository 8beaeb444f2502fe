"""Compose the service of `paydispatch forget`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.clients import AwsClients
from paydispatch.adapters.aws.dead_letters import SqsDeadLetters
from paydispatch.adapters.aws.errors import CLIENT_CONFIG
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.conversations import RedisConversations
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.services.forget import Forgetter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.settings import CallerSettings


@asynccontextmanager
async def forgetter(settings: CallerSettings) -> AsyncIterator[Forgetter]:
    """Yield the service. It accepts a Redis that evicts, because it writes no guard."""
    sqs = AwsClients().sqs(CLIENT_CONFIG)
    redis = connect_async(settings.redis_url, EvictionCheck(allowed=True))
    tenant = settings.queue_tenant
    try:
        yield Forgetter(
            RedisConversations(redis, queue_tenant=tenant),
            SqsDeadLetters(sqs, settings.dead_letter_queue_url),
            tenant,
        )
    finally:
        await redis.aclose()
        sqs.close()
