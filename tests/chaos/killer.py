"""The thread that carries out the schedule: SIGKILL for the processes, SIGSTOP and SIGCONT for the queue."""

from __future__ import annotations

import heapq
import os
import signal
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.chaos.pauses import pause, resume
from tests.chaos.plan import CALLER, FAILOVER, GATEWAY, PAUSE, QUEUE, REDIS, SECRET, WORKER, Event
from tests.chaos.points import MIN_AGE_S, append_line, file_name
from tests.chaos.secret import point_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.stage import Stage

POLL_EVERY_S = 0.05
ARMED_FOR_S = 12.0
"""If no process reaches an armed point often enough within this time, the kill happens at once."""

MOST_TRIES = 40
"""How often calls are resumed, until Redis is there again."""

RESTART_AFTER_S = 0.5
"""How long Redis stays down after a kill at a named point."""

_PARTS = {CALLER: "poller-", WORKER: "worker", GATEWAY: "gateway-"}


class Killer:
    """The killer thread. `settle` ends it with every process running again and no point armed."""

    def __init__(self, stage: Stage, schedule: list[Event]) -> None:
        self._stage = stage
        self._schedule = list(schedule)
        self._actions: list[tuple[float, int, Callable[[], None], bool]] = []
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
        return bool(self._schedule or self._actions) and self._thread.is_alive()

    def settle(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(POLL_EVERY_S):
                self._run_due_actions()
        except BaseException as error:
            self.failure = error
        finally:
            for file in (self._stage.directory / "armed").iterdir():
                file.unlink(missing_ok=True)
            self._restart_killed_redis()
            # First the queue, because its process also serves the secret, which is then set back.
            os.killpg(self._stage.stack.pids["ministack"], signal.SIGCONT)
            while self._actions:
                _, _, action, recovers = heapq.heappop(self._actions)
                if recovers:
                    action()

    def _run_due_actions(self) -> None:
        now = time.monotonic()
        self._note_ages(now)
        self._restart_killed_redis()
        while self._actions and self._actions[0][0] <= now:
            heapq.heappop(self._actions)[2]()
        while self._schedule and self._started + self._schedule[0].at_s <= now:
            self._carry_out(self._schedule.pop(0))

    def _carry_out(self, event: Event) -> None:
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
        elif event.target == PAUSE:
            self._pause(("--all",) if event.pick < 0.5 else ("--lane", "batch"), event.for_s)
        else:
            self._kill_part(event)

    def _arm(self, event: Event, file: Path) -> None:
        file.write_text(str(event.passage))
        self._later(ARMED_FOR_S, lambda: self._disarm(event, file))

    def _disarm(self, event: Event, file: Path) -> None:
        try:
            file.unlink()
        except FileNotFoundError:  # the point has already killed
            return
        self._carry_out(replace(event, point=None))

    def _kill_part(self, event: Event) -> None:
        """Kill a process that is at least `MIN_AGE_S` old. Try again in a second if there is none."""
        now = time.monotonic()
        grown = [
            name
            for name, (_, since) in sorted(self._seen.items())
            if name.startswith(_PARTS[event.target]) and now - since > MIN_AGE_S
        ]
        if not grown:
            self._later(1.0, lambda: self._kill_part(event))
            return
        name = grown[int(event.pick * len(grown))]
        pid = self._seen[name][0]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended since it was seen, and another one takes its place
            self._later(1.0, lambda: self._kill_part(event))
            return
        self._note(event.target, name, pid=pid)

    def _kill_redis(self, away_s: float) -> None:
        if not self._stage.redis.alive:
            self._later(1.0, lambda: self._kill_redis(away_s))
            return
        self._stage.redis.kill()
        self._note(REDIS, "redis", away_s)
        self._later(away_s, self._stage.redis.start, recovers=True)

    def _restart_killed_redis(self) -> None:
        if self._stage.redis.was_killed():
            self._stage.redis.mark_dead()
            self._later(RESTART_AFTER_S, self._stage.redis.start, recovers=True)

    def _fail_over(self) -> None:
        """Fail over. Try again in a second while Redis is down, because a failover needs both servers."""
        if not self._stage.redis.can_fail_over():
            self._later(1.0, self._fail_over)
            return
        self._stage.redis.fail_over()
        self._note(FAILOVER, "redis")

    def _pause(self, what: tuple[str, ...], for_s: float) -> None:
        """Pause calls, and resume them later. Try again in a second while Redis is down."""
        if not pause(self._stage.redis.url, what):
            self._later(1.0, lambda: self._pause(what, for_s))
            return
        self._note(PAUSE, " ".join(what), for_s)
        self._later(for_s, lambda: self._resume(what), recovers=True)

    def _resume(self, what: tuple[str, ...], tries: int = 1) -> None:
        """Resume calls. Try again later while Redis is down."""
        if resume(self._stage.redis.url, what):
            return
        if tries == MOST_TRIES:
            raise RuntimeError(f"The calls stay paused: {' '.join(what)}")
        self._later(1.0, lambda: self._resume(what, tries + 1), recovers=True)

    def _repoint(self, for_s: float) -> None:
        self._point_secret(1)
        self._note(SECRET, "rotating", for_s)
        self._later(for_s, lambda: self._point_secret(0), recovers=True)

    def _point_secret(self, place: int) -> None:
        """Set the secret. Try again later while the queue is stopped, because its process also serves the secrets."""
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
        """Schedule an action. If it `recovers` a process or the secret, the killer also runs it at its end."""
        self._made += 1
        due = time.monotonic() + delay_s
        heapq.heappush(self._actions, (due, self._made, action, recovers))

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
