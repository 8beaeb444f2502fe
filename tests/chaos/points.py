"""Named points: where a process of a chaos run kills itself, or Redis, when the schedule has armed that point.

A point is armed by a file of its name in `armed/`; the file's text says which passage, counted by each process from
when it first saw the file, is the deadly one. Whoever unlinks the file strikes, so that each arming kills once.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

CHAOS_DIR = "CHAOS_DIR"
ADULT_S = 6.0
"""A process kills nobody before this age: the stack gives up on a part that dies young several times in a row."""

CLAIMED = "caller: claimed, nothing opened"
OPENED_SEND = "caller: send opened, nothing posted"
CLOSED = "caller: closed, not told"
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
DOOR_POINTS = (SEALING, CLAIMED_BY_API, QUEUED)


class Points:
    """The points one process passes. `directory` is the run's own."""

    def __init__(self, directory: Path, process: str) -> None:
        self._armed = directory / "armed"
        self._kills = directory / "kills.jsonl"
        self._redis_pid = directory / "redis.pid"
        self._process = process
        self._adult_at = time.monotonic() + ADULT_S
        self._passed: dict[tuple[str, int], int] = {}

    @classmethod
    def of(cls, process: str) -> Points:
        return cls(Path(os.environ[CHAOS_DIR]), process)

    def pass_by(self, point: str, request_id: str) -> None:
        """Return, or never: this process may end here."""
        if self._strikes(point):
            self._note(point, request_id)
            os.kill(os.getpid(), signal.SIGKILL)

    def strike_redis(self, point: str, request_id: str) -> None:
        """The same, with Redis as the victim."""
        if self._strikes(point):
            self._note(point, request_id)
            try:
                os.kill(int(self._redis_pid.read_text()), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError):
                return  # it has just been killed by the schedule

    def _strikes(self, point: str) -> bool:
        file = self._armed / file_name(point)
        try:
            arming, deadly = file.stat().st_mtime_ns, int(file.read_text() or 1)
        except FileNotFoundError:
            return False
        passed = self._passed[point, arming] = self._passed.get((point, arming), 0) + 1
        if passed < deadly or time.monotonic() < self._adult_at:
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
    """One write of one line: what is killed before it left nothing, and after it the whole."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, json.dumps(fields).encode() + b"\n")
    finally:
        os.close(descriptor)
