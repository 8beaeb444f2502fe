"""Carries the schedule out: SIGKILL for the processes, SIGSTOP and SIGCONT for the queue."""

from __future__ import annotations

import heapq
import os
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.chaos.plan import CALLER, FAILOVER, GATEWAY, QUEUE, REDIS, SECRET, WORKER, Event
from tests.chaos.points import ADULT_S, append_line, file_name
from tests.chaos.secret import point_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.stage import Stage

LOOK_EVERY_S = 0.05
ARMED_FOR_S = 12.0
"""A point that nobody passed often enough by then becomes a kill at random."""

AFTER_A_STRIKE_S = 0.5
"""How long a Redis that was killed at a named point stays away."""

_PARTS = {CALLER: "poller-", WORKER: "worker", GATEWAY: "gateway-"}


class Killer:
    """A thread. `settle` ends it with everything alive again and nothing armed."""

    def __init__(self, stage: Stage, schedule: list[Event]) -> None:
        self._stage = stage
        self._schedule = list(schedule)
        self._later_on: list[tuple[float, int, Callable[[], None], bool]] = []
        self._made = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")
        self._seen: dict[str, tuple[int, float]] = {}
        self._log = stage.directory / "kills.jsonl"
        self._queue_stopped_until = 0.0
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._started = time.monotonic()
        self._thread.start()

    @property
    def busy(self) -> bool:
        return bool(self._schedule or self._later_on) and self._thread.is_alive()

    def settle(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(LOOK_EVERY_S):
                self._look()
        except BaseException as error:
            self.failure = error
        finally:
            for file in (self._stage.directory / "armed").iterdir():
                file.unlink(missing_ok=True)
            self._bury_struck_redis()
            for _, _, action, recovers in sorted(self._later_on):
                if recovers:
                    action()

    def _look(self) -> None:
        now = time.monotonic()
        self._note_ages(now)
        self._bury_struck_redis()
        while self._later_on and self._later_on[0][0] <= now:
            heapq.heappop(self._later_on)[2]()
        while self._schedule and self._started + self._schedule[0].at_s <= now:
            self._strike(self._schedule.pop(0))

    def _strike(self, event: Event) -> None:
        if event.point is not None:
            self._arm(event, self._stage.directory / "armed" / file_name(event.point))
        elif event.target == REDIS:
            self._kill_redis(event.for_s)
        elif event.target == QUEUE:
            self._stop_queue(event.for_s)
        elif event.target == FAILOVER:
            self._fail_over()
        elif event.target == SECRET:
            self._repoint(event.for_s)
        else:
            self._kill_part(event)

    def _arm(self, event: Event, file: Path) -> None:
        file.write_text(str(event.passage))
        self._later(ARMED_FOR_S, lambda: self._disarm(event, file))

    def _disarm(self, event: Event, file: Path) -> None:
        try:
            file.unlink()
        except FileNotFoundError:  # it has struck
            return
        self._strike(replace(event, point=None))

    def _kill_part(self, event: Event) -> None:
        """One that has lived a while; put off for a moment if there is none."""
        now = time.monotonic()
        grown = [
            name
            for name, (_, since) in sorted(self._seen.items())
            if name.startswith(_PARTS[event.target]) and now - since > ADULT_S
        ]
        if not grown:
            self._later(1.0, lambda: self._kill_part(event))
            return
        name = grown[int(event.pick * len(grown))]
        pid = self._seen[name][0]
        self._note(event.target, name, pid=pid)
        os.kill(pid, signal.SIGKILL)

    def _kill_redis(self, away_s: float) -> None:
        if not self._stage.redis.alive:
            self._later(1.0, lambda: self._kill_redis(away_s))
            return
        self._stage.redis.kill()
        self._note(REDIS, "redis", away_s)
        self._later(away_s, self._stage.redis.start, recovers=True)

    def _bury_struck_redis(self) -> None:
        if self._stage.redis.struck():
            self._stage.redis.move_to_dead_stream()
            self._later(AFTER_A_STRIKE_S, self._stage.redis.start, recovers=True)

    def _fail_over(self) -> None:
        """Not while Redis is away: a failover needs both of its servers."""
        if not self._stage.redis.can_fail_over():
            self._later(1.0, self._fail_over)
            return
        self._stage.redis.fail_over()
        self._note(FAILOVER, "redis")

    def _repoint(self, for_s: float) -> None:
        self._point_secret(1)
        self._note(SECRET, "rotating", for_s)
        self._later(for_s, lambda: self._point_secret(0), recovers=True)

    def _point_secret(self, place: int) -> None:
        """The secrets are in the process of the queue: while that is stopped nothing of it answers."""
        if time.monotonic() < self._queue_stopped_until and not self._stopping.is_set():
            self._later(1.0, lambda: self._point_secret(place), recovers=place == 0)
            return
        point_secret(self._stage.aws_endpoint, place)

    def _stop_queue(self, for_s: float) -> None:
        pid = self._stage.stack.pids["ministack"]
        until = time.monotonic() + for_s
        self._queue_stopped_until = max(self._queue_stopped_until, until)
        os.killpg(pid, signal.SIGSTOP)
        self._note(QUEUE, "ministack", for_s)
        self._later(for_s, lambda: self._continue_queue(pid), recovers=True)

    def _continue_queue(self, pid: int) -> None:
        if time.monotonic() >= self._queue_stopped_until or self._stopping.is_set():
            os.killpg(pid, signal.SIGCONT)

    def _later(self, delay_s: float, action: Callable[[], None], *, recovers: bool = False) -> None:
        """`recovers`: it brings something back, so it is done at the end in any case."""
        self._made += 1
        due = time.monotonic() + delay_s
        heapq.heappush(self._later_on, (due, self._made, action, recovers))

    def _note_ages(self, now: float) -> None:
        pids = self._stage.stack.pids
        for name, pid in pids.items():
            if self._seen.get(name, (0, 0.0))[0] != pid:
                self._seen[name] = (pid, now)
        for name in self._seen.keys() - pids.keys():
            del self._seen[name]

    def _note(
        self, target: str, process: str, for_s: float = 0.0, *, pid: int | None = None
    ) -> None:
        append_line(
            self._log,
            {
                "at": time.time(),
                "target": target,
                "process": process,
                "for_s": for_s,
                "pid": pid,
            },
        )
