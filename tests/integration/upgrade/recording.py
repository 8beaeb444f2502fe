"""Load a recording of an earlier release into a stack: its requests in Redis, on the queues and at Stripe.

`tools/upgrade/record.py` makes the recordings.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from paydispatch.local.stack import LocalStack

_TIME = re.compile(r"(?<![\w.-])\d{10}(?:\d{3})?(?!\w)")
"""A time in unix seconds or milliseconds, which may be the beginning of a stream's id."""

_NEAR_S = 40 * 86_400
"""A number is a time if it is this near to the time of the recording. No request is remembered for longer."""


def read_recording(file: Path) -> dict[str, Any]:
    """Read a recording, with each of its times moved as if the recording had just ended."""
    text = file.read_text("utf-8")
    recorded_at = json.loads(text)["recorded_at"]
    recording: dict[str, Any] = json.loads(move_times(text, recorded_at, time.time()))
    return recording


def move_times(text: str, from_s: float, to_s: float) -> str:
    """Move the times in a text by whole seconds, because those of one request must keep their distances."""
    by_s = int(to_s - from_s)

    def move(found: re.Match[str]) -> str:
        number, unit = int(found[0]), 1_000 if len(found[0]) == 13 else 1
        near = abs(number / unit - from_s) < _NEAR_S
        return str(number + by_s * unit) if near else found[0]

    return _TIME.sub(move, text)


def load(recording: Mapping[str, Any], stack: LocalStack) -> None:
    """Load a recording into a stack whose pollers and worker are stopped."""
    load_sealing_keys(recording["sealing_keys"], stack)
    with Redis.from_url(stack.addresses.redis_url) as redis:
        for kept in recording["redis"]:
            load_key(redis, **kept)
    for call in recording["stripe_calls"]:
        httpx.request(
            call["method"],
            stack.addresses.stripe_base + call["path"],
            content=call["body"],
            headers=call["headers"],
        ).raise_for_status()
    sqs = boto3.client("sqs")
    for message in recording["messages"]:
        # SQS itself moved this one, after every caller that received it had died.
        exhausted = '"context_id":"exhausted"' in message["body"]
        queue = "paydispatch-dead-letters" if exhausted else message["queue"]
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"],
            MessageBody=message["body"],
            MessageAttributes=message["attributes"],
        )


def load_sealing_keys(keys: Mapping[str, Any], stack: LocalStack) -> None:
    """Put the release's KMS keys beside the stack's own. MiniStack reads its file when it starts."""
    stack.stop("ministack")
    file = stack.directory / "ministack" / "state" / "kms.json"
    state = json.loads(file.read_text("utf-8"))
    state["payload"]["keys"]["data"] |= keys
    file.write_text(json.dumps(state), "utf-8")
    stack.restart("ministack")


def load_key(redis: Any, *, key: str, type: str, ttl_ms: int, value: Any) -> None:  # noqa: A002
    """Write one key of a recording."""
    name = _bytes(key)
    _WRITERS[type](redis, name, _all_bytes(value))
    if ttl_ms > 0:
        redis.pexpire(name, ttl_ms)


def _load_stream(redis: Any, name: bytes, stream: Mapping[bytes, Any]) -> None:
    for entry_id, fields in stream[b"entries"]:
        redis.xadd(name, fields, id=entry_id)
    for group in stream[b"groups"]:
        redis.xgroup_create(name, group[b"name"], id=group[b"last_id"])
        for pending in group[b"pending"]:
            redis.xclaim(
                name,
                group[b"name"],
                pending[b"consumer"],
                0,
                [pending[b"message_id"]],
                idle=pending[b"time_since_delivered"],
                retrycount=pending[b"times_delivered"],
                force=True,
            )


def _load_scores(redis: Any, name: bytes, scored: Sequence[tuple[bytes, float]]) -> None:
    redis.zadd(name, dict(map(tuple, scored)))  # type: ignore[arg-type]


_WRITERS: dict[str, Callable[[Any, bytes, Any], Any]] = {
    "string": lambda redis, name, value: redis.set(name, value),
    "hash": lambda redis, name, value: redis.hset(name, mapping=value),
    "list": lambda redis, name, value: redis.rpush(name, *value),
    "set": lambda redis, name, value: redis.sadd(name, *value),
    "zset": _load_scores,
    "stream": _load_stream,
}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _all_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return _bytes(value)
    if isinstance(value, dict):
        return {_bytes(name): _all_bytes(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_all_bytes(one) for one in value]
    return value
