"""Redis clients from one URL: TLS with `rediss://`, an ACL user in the URL, a cluster with `?cluster=true`.

Both timeouts are set because redis-py's defaults differ between releases. Nothing here blocks on the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0

_CLUSTER = "cluster=true"


def connect(url: str) -> Redis:
    """A client for threads."""
    from redis import Redis, RedisCluster

    client: Any = RedisCluster if _CLUSTER in url else Redis
    made: Redis = client.from_url(_plain(url), **_options())
    return made


def connect_async(url: str) -> AsyncRedis:
    """A client for one event loop; it connects at its first command."""
    from redis.asyncio import Redis, RedisCluster

    client: Any = RedisCluster if _CLUSTER in url else Redis
    made: AsyncRedis = client.from_url(_plain(url), **_options())
    return made


def _options() -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "health_check_interval": 30,
    }


def _plain(url: str) -> str:
    return url.replace(f"?{_CLUSTER}&", "?").replace(f"?{_CLUSTER}", "").replace(f"&{_CLUSTER}", "")
