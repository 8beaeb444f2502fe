"""Named points at which a process of a chaos run kills itself or Redis, if the schedule has armed the point.

The schedule arms a point with a file of its name in `armed/`. The text of the file is a number n: a process kills when
it reaches the point for the n-th time since it first saw the file. The process that unlinks the file kills, so that
each arming kills only once.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

CHAOS_DIR = "CHAOS_DIR"
MIN_AGE_S = 6.0
"""The age at which a process may kill. The stack gives up on a part that dies several times soon after its start."""

CLAIMED = "caller: claimed, key not opened"
OPENED_SEND = "caller: send opened, nothing posted"
CLOSED = "caller: closed, not published"
ANSWERED = "caller: Stripe answered, not published"
UNKNOWN = "caller: Stripe's answer lost, not published"
OPENED = "caller: key opened, nothing sent"
PUBLISHED = "caller: published, status not written"
STATUS_WRITTEN = "caller: status written, not acknowledged"
DEFERRED = "caller: deferred, not acknowledged"
PUBLISHING = "redis: an outcome is being published"
RETURNED = "worker: flow returned, not acknowledged"
FOLLOWED_UP = "worker: follow-ups sent, flow not acknowledged"
ACKNOWLEDGED = "worker: flow acknowledged, next of its context not begun"
SEALING = "gateway: sealing"
CLAIMED_BY_API = "gateway: claimed, not queued"
QUEUED = "gateway: queued, not answered"

CALLER_POINTS = (
    ANSWERED,
    PUBLISHED,
    OPENED_SEND,
    UNKNOWN,
    CLAIMED,
    STATUS_WRITTEN,
    OPENED,
    DEFERRED,
    CLOSED,
)
WORKER_POINTS = (RETURNED, ACKNOWLEDGED, FOLLOWED_UP)
REDIS_POINTS = (PUBLISHING,)
GATEWAY_POINTS = (SEALING, CLAIMED_BY_API, QUEUED)


class Points:
    """The points that one process reaches. `directory` is the folder of the run."""

    def __init__(self, directory: Path, process: str) -> None:
        self._armed = directory / "armed"
        self._kills = directory / "kills.jsonl"
        self._redis_pid = directory / "redis.pid"
        self._process = process
        self._old_enough_at = time.monotonic() + MIN_AGE_S
        self._passed: dict[tuple[str, int], int] = {}

    @classmethod
    def of(cls, process: str) -> Points:
        return cls(Path(os.environ[CHAOS_DIR]), process)

    def reach(self, point: str, request_id: str) -> None:
        """Kill this process if the point is armed. Otherwise return."""
        if self._should_kill(point):
            self._note(point, request_id)
            os.kill(os.getpid(), signal.SIGKILL)

    def reach_redis(self, point: str, request_id: str) -> None:
        """Kill Redis if the point is armed."""
        if self._should_kill(point):
            self._note(point, request_id)
            try:
                os.kill(int(self._redis_pid.read_text()), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError):
                return  # the schedule has just killed Redis

    def _should_kill(self, point: str) -> bool:
        file = self._armed / file_name(point)
        try:
            arming, deadly = file.stat().st_mtime_ns, int(file.read_text() or 1)
        except FileNotFoundError:
            return False
        passed = self._passed[point, arming] = self._passed.get((point, arming), 0) + 1
        if passed < deadly or time.monotonic() < self._old_enough_at:
            return False
        try:
            file.unlink()
        except FileNotFoundError:  # another process was quicker
            return False
        return True

    def _note(self, point: str, request_id: str) -> None:
        append_line(
            self._kills,
            {
                "at": time.time(),
                "point": point,
                "process": self._process,
                "pid": os.getpid(),
                "request_id": request_id,
            },
        )


def file_name(point: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in point)


def append_line(path: Path, fields: dict[str, object]) -> None:
    """Append one line in a single write, so that a kill leaves either no line or the whole line."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(fields).encode() + b"\n")
    finally:
        os.close(descriptor)
