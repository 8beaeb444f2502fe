"""Redis clients from one URL: `rediss://` for TLS, an ACL user in the URL, `?cluster=true` for a cluster.

Both timeouts are set because redis-py's defaults differ between releases. No command here blocks on the server.
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

    from paydispatch.adapters.redis.eviction import EvictionCheck

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 2.0
"""Long enough, because no command blocks on the server. After two timeouts, an invocation must have time to defer."""

CLUSTER_RETRIES = 1
"""A cluster client notices a failover only when it retries. Other clients leave the retry to their caller."""

CONNECTIONS = 50
"""Calls beyond this number wait for a free connection. In a pool that does not wait, they would fail at once."""

CLUSTER_CONNECTIONS = 1_000
"""The limit per node. It must never be reached, because the cluster client fails instead of waiting."""

_CLUSTER = "cluster=true"


def connect(url: str, eviction: EvictionCheck | None = None) -> Redis:
    """Return a client for threads, which connects at its first command. Raises `BadSetting` if `url` is not valid.

    Without `eviction`, the client refuses a server that evicts.
    """
    with _bad_setting_for_a_bad_url():
        return _connect(url, eviction or _refusal())


def connect_async(url: str, eviction: EvictionCheck | None = None) -> AsyncRedis:
    """Return a client for one event loop, otherwise as `connect`."""
    with _bad_setting_for_a_bad_url():
        return _connect_async(url, eviction or _refusal())


def refuse_eviction(url: str, *, allowed: bool) -> None:
    """Raise `BadSetting` if Redis evicts, so that a command ends at its start. An unavailable Redis passes."""
    from redis.exceptions import RedisClusterException, RedisError

    from paydispatch.adapters.redis.eviction import EvictingServer, EvictionCheck

    client = connect(url, EvictionCheck(allowed=allowed))
    try:
        client.ping()
    except (RedisError, RedisClusterException, OSError) as error:
        refused = error.__cause__ or error  # a cluster client raises its own error from it
        if isinstance(refused, EvictingServer):
            raise BadSetting(f"Redis cannot be used: {refused}") from None
        # An unavailable Redis is checked later, when a connection to it is made.
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
        ConnectionPool.from_url(
            _plain(url)
        )  # raises now: the cluster client parses the URL only at its first use
        retry = Retry(NoBackoff(), CLUSTER_RETRIES)
        made: Any = _LazyCluster(_plain(url), retry=retry, redis_connect_func=eviction.look)
        client: Redis = made
        return client
    pool = _mix_in(LeavingPool, ConnectionPool).from_url(
        url, retry=Retry(NoBackoff(), 0), redis_connect_func=eviction.greet, **_options()
    )
    pool.connection_class = _mix_in(LeavingConnection, pool.connection_class)
    _try_options(pool)
    return Redis.from_pool(pool)


def _connect_async(url: str, eviction: EvictionCheck) -> AsyncRedis:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from paydispatch.adapters.redis.packing import PackingConnection
    from paydispatch.adapters.redis.wrong_node import LeavingAsyncConnection, LeavingAsyncPool

    if _CLUSTER in url:
        from paydispatch.adapters.redis.checked_cluster import CheckedCluster

        retry = Retry(NoBackoff(), CLUSTER_RETRIES)
        more: dict[str, Any] = {"max_connections": CLUSTER_CONNECTIONS, **_options()}
        cluster: Any = CheckedCluster.from_url(_plain(url), retry=retry, **more)
        cluster.eviction = eviction
        clustered: AsyncRedis = cluster
        return clustered
    pool = _mix_in(LeavingAsyncPool, BlockingConnectionPool).from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=eviction.greet_async,
        **_options(),
    )
    pool.connection_class = _mix_in(
        LeavingAsyncConnection, _mix_in(PackingConnection, pool.connection_class)
    )
    _try_options(pool)
    made: AsyncRedis = Redis.from_pool(pool)
    return made


def _mix_in(mixin: type, base: type) -> Any:
    """Return a subclass of the URL scheme's class (plain, TLS, socket) with the mixin in front."""
    return type(f"{mixin.__name__}{base.__name__}", (mixin, base), {})


def _try_options(pool: Any) -> None:
    """Make a connection object now, so that an unknown option raises here and not at the first command."""
    pool.connection_class(**pool.connection_kwargs)


@contextmanager
def _bad_setting_for_a_bad_url() -> Iterator[None]:
    """Replace redis-py's errors by a `BadSetting` that shows neither them nor the URL: both may hold the password."""
    from redis.exceptions import RedisClusterException, RedisError

    try:
        yield
    except (ValueError, TypeError, RedisError, RedisClusterException):
        raise BadSetting(
            "REDIS_URL must be like redis://HOST:6379/0, or rediss://USER:PASSWORD@HOST:6379 "
            "for TLS, with ?cluster=true for a cluster."
        ) from None


class _LazyCluster:
    """redis-py's cluster client for threads, made at the first use because its constructor connects to the cluster."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self._lock = threading.Lock()
        self._client: Any = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def __getattr__(self, name: str) -> Any:
        """Make the client first. While no node answers, each use tries again and raises redis-py's error."""
        with self._lock:
            if self._client is None:
                from redis import RedisCluster

                self._client = RedisCluster.from_url(self._url, **self._options, **_options())
        return getattr(self._client, name)


def _options() -> dict[str, Any]:
    from redis.maint_notifications import MaintNotificationsConfig

    return {
        # With notifications on, redis-py does not check a pooled connection before it uses it. After a
        # failover, each pooled connection would fail one command.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        # Otherwise redis-py sends CLIENT SETINFO on each connection. Redis 7.0 does not know it, and refuses an ACL
        # rule that names it.
        "driver_info": None,
        "decode_responses": True,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "health_check_interval": 30,
    }


def _plain(url: str) -> str:
    return url.replace(f"?{_CLUSTER}&", "?").replace(f"?{_CLUSTER}", "").replace(f"&{_CLUSTER}", "")
