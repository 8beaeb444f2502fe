"""Read a whole Redis as JSON, and write it into another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis


def read_all(redis: Redis[bytes]) -> list[dict[str, Any]]:
    """Return every key with its type, its value and its time to live in milliseconds (-1: none)."""
    return sorted(
        (_read(redis, name) for name in redis.scan_iter()),
        key=lambda found: str(found["key"]),
    )


def _read(redis: Any, name: bytes) -> dict[str, Any]:
    kind = redis.type(name).decode()
    return {
        "key": _text(name),
        "type": kind,
        "ttl_ms": redis.pttl(name),
        "value": _texts(_READERS[kind](redis, name)),
    }


def _read_stream(redis: Any, name: bytes) -> dict[str, Any]:
    groups = [
        {
            "name": group["name"],
            "last_id": group["last-delivered-id"],
            "pending": redis.xpending_range(name, group["name"], "-", "+", 1000),
        }
        for group in redis.xinfo_groups(name)
    ]
    return {"entries": redis.xrange(name), "groups": groups}


_READERS: dict[str, Any] = {
    "string": lambda redis, name: redis.get(name),
    "hash": lambda redis, name: redis.hgetall(name),
    "list": lambda redis, name: redis.lrange(name, 0, -1),
    "set": lambda redis, name: sorted(redis.smembers(name)),
    "zset": lambda redis, name: redis.zrange(name, 0, -1, withscores=True),
    "stream": _read_stream,
}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, dict):
        return {_texts(name): _texts(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return value
