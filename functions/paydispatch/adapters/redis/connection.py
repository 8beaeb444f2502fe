"""Redis clients from one URL: TLS with `rediss://`, an ACL user in the URL, a cluster with `?cluster=true`.

Both timeouts are set because redis-py's defaults differ between releases. Nothing here blocks on the server.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis
    from redis.asyncio import RedisCluster as AsyncRedisCluster

    from paydispatch.adapters.redis.eviction import EvictionCheck

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 2.0
"""Nothing blocks on the server; and two calls in a row that fail must leave an invocation time to defer."""

CLUSTER_RETRIES = 1
"""A cluster client learns of a failover only by trying again. Elsewhere a lost answer is for the caller to judge."""

CONNECTIONS = 50
"""More callers than that wait for one another; without a wait, the one too many would fail at once."""

CLUSTER_CONNECTIONS = 1_000
"""To each node. Its client cannot wait: it must never be one too many."""

_CLUSTER = "cluster=true"


def connect(url: str, eviction: EvictionCheck | None = None) -> Redis:
    """A client for threads; it connects at its first command. Raises `BadSetting` for what is no URL of a Redis.

    Without an `eviction` of its own it refuses a server that evicts.
    """
    with _bad_setting_for_a_bad_url():
        return _connect(url, eviction or _refusal())


def connect_async(url: str, eviction: EvictionCheck | None = None) -> AsyncRedis:
    """The same for one event loop."""
    with _bad_setting_for_a_bad_url():
        return _connect_async(url, eviction or _refusal())


def refuse_eviction(url: str, *, allowed: bool) -> None:
    """Raise `BadSetting` for a Redis that evicts, so that a command ends at its start. One that is away passes."""
    from redis.exceptions import RedisClusterException, RedisError

    from paydispatch.adapters.redis.eviction import EvictingServer, EvictionCheck

    client = connect(url, EvictionCheck(allowed=allowed))
    try:
        client.ping()
    except (RedisError, RedisClusterException, OSError) as error:
        refused = (
            error.__cause__ or error
        )  # a cluster's client tells of it as the cause of its own error
        if isinstance(refused, EvictingServer):
            raise BadSetting(f"Redis cannot be used: {refused}") from None
        # One that is away is waited for, and looked at when it is there.
    finally:
        client.close()


def _refusal() -> EvictionCheck:
    from paydispatch.adapters.redis.eviction import EvictionCheck

    return EvictionCheck()


def _connect(url: str, eviction: EvictionCheck) -> Redis:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.connection import ConnectionPool
    from redis.retry import Retry

    from paydispatch.adapters.redis.wrong_node import LeavingConnection, LeavingPool

    if _CLUSTER in url:
        ConnectionPool.from_url(_plain(url))  # the cluster's client reads it at its first use only
        retry = Retry(NoBackoff(), CLUSTER_RETRIES)
        made: Any = _LaterCluster(_plain(url), retry=retry, redis_connect_func=eviction.look)
        client: Redis = made
        return client
    pool = _mixed(LeavingPool, ConnectionPool).from_url(
        url, retry=Retry(NoBackoff(), 0), redis_connect_func=eviction.greet, **_options()
    )
    pool.connection_class = _mixed(LeavingConnection, pool.connection_class)
    _try_options(pool)
    return Redis.from_pool(pool)


def _connect_async(url: str, eviction: EvictionCheck) -> AsyncRedis:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from paydispatch.adapters.redis.wrong_node import LeavingAsyncConnection, LeavingAsyncPool

    if _CLUSTER in url:
        retry = Retry(NoBackoff(), CLUSTER_RETRIES)
        more: dict[str, Any] = {"max_connections": CLUSTER_CONNECTIONS, **_options()}
        cluster: Any = _checked_cluster(eviction).from_url(_plain(url), retry=retry, **more)
        clustered: AsyncRedis = cluster
        return clustered
    pool = _mixed(LeavingAsyncPool, BlockingConnectionPool).from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=eviction.greet_async,
        **_options(),
    )
    pool.connection_class = _mixed(LeavingAsyncConnection, pool.connection_class)
    _try_options(pool)
    made: AsyncRedis = Redis.from_pool(pool)
    return made


def _mixed(mixin: type, base: type) -> Any:
    """The class of the URL's scheme (plain, TLS, socket) with our part in front."""
    return type(f"{mixin.__name__}{base.__name__}", (mixin, base), {})


def _checked_cluster(eviction: EvictionCheck) -> type[AsyncRedisCluster]:
    """redis-py's cluster client for an event loop passes no function on to its connections, as the others do."""
    from redis.asyncio import RedisCluster

    class CheckedCluster(RedisCluster):
        async def initialize(self, *arguments: Any, **options: Any) -> AsyncRedisCluster:
            draws_a_map = self._initialize
            await super().initialize(*arguments, **options)
            if draws_a_map:
                await self._look()
            return self

        async def _look(self) -> None:
            try:
                await eviction.look_at_nodes(self.get_primaries())
            except BaseException:
                await self.aclose()  # so that the next command looks again
                raise

    return CheckedCluster


def _try_options(pool: Any) -> None:
    """A pool makes its first connection at the first command: too late to say that an option is none."""
    pool.connection_class(**pool.connection_kwargs)


@contextmanager
def _bad_setting_for_a_bad_url() -> Iterator[None]:
    """What it raises does not show the URL, nor redis-py's error, which may show a part: there is a password in it."""
    from redis.exceptions import RedisClusterException, RedisError

    try:
        yield
    except (ValueError, TypeError, RedisError, RedisClusterException):
        raise BadSetting(
            "REDIS_URL must be like redis://HOST:6379/0, or rediss://USER:PASSWORD@HOST:6379 "
            "for TLS, with ?cluster=true for a cluster."
        ) from None


class _LaterCluster:
    """redis-py's cluster client for threads asks for the slots when it is made: this one when it is first used."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self._lock = threading.Lock()
        self._client: Any = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def __getattr__(self, name: str) -> Any:
        """Raises redis-py's own errors while no node answers, and tries again at the next use."""
        with self._lock:
            if self._client is None:
                from redis import RedisCluster

                self._client = RedisCluster.from_url(self._url, **self._options, **_options())
        return getattr(self._client, name)


def _options() -> dict[str, Any]:
    from redis.maint_notifications import MaintNotificationsConfig

    return {
        # With them on, a pooled connection is not looked at before it is used, and after a failover
        # each of them fails somebody's command once.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "decode_responses": True,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "health_check_interval": 30,
    }


def _plain(url: str) -> str:
    return url.replace(f"?{_CLUSTER}&", "?").replace(f"?{_CLUSTER}", "").replace(f"&{_CLUSTER}", "")
