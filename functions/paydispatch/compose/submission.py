"""Compose the ways in which a submission finds the outcomes of its requests."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.services.submission.ports import Outcomes


@contextmanager
def outcomes_of_api(base_url: str, token: str | None) -> Iterator[Outcomes]:
    """Yield the outcomes as the HTTP API tells them. Raises `BadSetting` for a URL that is not protected."""
    from paydispatch.adapters.http_statuses import HttpStatuses

    with HttpStatuses(base_url, token) as statuses:
        yield statuses


@contextmanager
def outcomes_of_redis() -> Iterator[Outcomes]:
    """Yield the outcomes as Redis has them. Reads REDIS_URL and QUEUE_TENANT. Raises `BadSetting`."""
    from paydispatch.adapters.clock import SystemClock
    from paydispatch.adapters.redis.connection import connect
    from paydispatch.adapters.redis.eviction import EvictionCheck
    from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
    from paydispatch.services.submission.stored_statuses import StoredStatuses
    from paydispatch.settings import queue_tenant_of, redis_url

    redis = connect(redis_url(), EvictionCheck(allowed=True))
    try:
        yield StoredStatuses(RedisRequestStore(redis, SystemClock()), queue_tenant_of())
    finally:
        redis.close()
