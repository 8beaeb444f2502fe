"""Starts and stops child processes that never outlive this process, and reports why they ended.

Each child is a process group and a session of its own. So a Ctrl-C in the terminal reaches only the parent, which then
stops the children in its order. If the parent is killed, the reaper ends the children.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import PaydispatchError
from paydispatch.local import reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

# The child reports its process id to the reaper before it becomes the program, so that the reaper knows it from the
# start. Until then its standard input is the pipe to the reaper. The program has an empty standard input.
_ANNOUNCE_AND_RUN = 'echo "+$$" >&0; exec "$@" </dev/null'

_LOOK_EVERY_S = 0.05
_LAST_LINES = 20
_SHORT_RUN_S = 5.0
_MAX_SHORT_RUNS = 5


class PartFailed(PaydispatchError):
    """A part did not start, or it ended on its own and may not be restarted (again)."""

    def __init__(self, name: str, what: str, last_lines: str = "") -> None:
        shown = f" Its last lines:\n{last_lines}" if last_lines else ""
        super().__init__(f"{name} {what}.{shown}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. `name` is the key in `pids` and the name in messages."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    inherited_fds: tuple[int, ...] = ()
    restarts: bool = False
    """True for a program without state. It is restarted when it ends, unless it ends soon after its start too often."""

    stop_within_s: float = 5.0


@dataclass(slots=True)
class Child:
    """One run of a program. Its stdout and stderr go to the file `log`."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    log_start: int
    """The offset in bytes at which the output of this run begins, because all runs of a program share one file."""

    started_s: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return file.read().decode("utf-8", "replace")

    def failure(self, what: str) -> PartFailed:
        return PartFailed(self.name, what, "\n".join(self.output().splitlines()[-_LAST_LINES:]))

    def check_alive(self) -> None:
        """Raise `PartFailed` if the child has ended."""
        if (code := self.process.poll()) is not None:
            raise self.failure(_describe_exit(code))

    def await_announcement(self, key: str, *, within_s: float) -> Any:
        """Wait until the child prints a line of JSON with `key`, and return its value. Raises `PartFailed`."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if (value := _find_announcement(self.output(), key)) is not None:
                return value
            self.check_alive()
            time.sleep(_LOOK_EVERY_S)
        raise self.failure(f"was not ready within {within_s:g} s")


def _find_announcement(output: str, key: str) -> Any:
    for line in output.splitlines():
        if line.startswith("{") and f'"{key}"' in line:
            with contextlib.suppress(ValueError):
                return json.loads(line).get(key)
    return None


def _describe_exit(code: int) -> str:
    return (
        f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    )


class Supervisor:
    """Starts, watches, restarts and stops the children of one stack."""

    def __init__(self, directory: Path, *, tell: Callable[[str], None]) -> None:
        self._directory = directory
        self._tell = tell
        self._lock = threading.RLock()
        self._children: dict[str, Child] = {}
        self._short_runs: Counter[str] = Counter()
        self._failure: PartFailed | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._reaper, self._reaper_pipe = _start_reaper(directory)

    @property
    def pids(self) -> dict[str, int]:
        with self._lock:
            return {name: child.pid for name, child in self._children.items()}

    def start(self, program: Program) -> Child:
        """Start `program`, with its output in `NAME.log`."""
        with self._lock:
            child = self._spawn(program)
            self._children[program.name] = child
            return child

    def watch(self) -> None:
        """Watch the children from now on.

        Restart a child that ends and may be restarted. Record the first other end as the failure of the stack.
        """
        self._watcher.start()

    def check(self) -> None:
        """Raise the failure that ended the stack, if there was one."""
        if self._failure is not None:
            raise self._failure

    def wait(self, timeout_s: float) -> None:
        """Wait for `timeout_s`. Raises `PartFailed` as soon as the stack has failed."""
        self._ended.wait(timeout_s)
        self.check()

    def stop(self, names: Iterable[str]) -> None:
        """Send SIGTERM to all of `names`, and SIGKILL to each that has not ended after its `stop_within_s`."""
        with self._lock:
            children = [self._children.pop(name) for name in names if name in self._children]
        for child in children:
            child.process.terminate()
        started = time.monotonic()
        for child in children:
            left_s = started + child.program.stop_within_s - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(left_s, 0))
            self._clean_up(child)

    def close(self) -> None:
        """Stop watching, stop the remaining children, and end the reaper."""
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self.stop(list(self._children))
        os.close(self._reaper_pipe)
        self._reaper.wait()

    def _spawn(self, program: Program) -> Child:
        log = self._directory / f"{program.name}.log"
        with log.open("ab") as output:
            log_start = output.tell()
            process = subprocess.Popen(  # noqa: S603 - our own command lines
                ("/bin/sh", "-c", _ANNOUNCE_AND_RUN, program.name, *program.command),
                stdin=self._reaper_pipe,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(program.environment),
                pass_fds=program.inherited_fds,
                start_new_session=True,
            )
        return Child(program, process, log, log_start)

    def _clean_up(self, child: Child) -> None:
        """Kill the remaining processes of the child's group, wait for the child, and report its end to the reaper."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.process.wait()
        with contextlib.suppress(BrokenPipeError):
            os.write(self._reaper_pipe, f"-{child.pid}\n".encode())

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except PartFailed as failure:
                self._failure = failure
                self._ended.set()

    def _look(self) -> None:
        with self._lock:
            if (code := self._reaper.poll()) is not None:
                raise PartFailed("reaper", _describe_exit(code))
            for child in list(self._children.values()):
                if (code := child.process.poll()) is not None:
                    self._replace(child, child.failure(_describe_exit(code)))

    def _replace(self, child: Child, failure: PartFailed) -> None:
        self._clean_up(child)
        del self._children[child.name]
        if not child.program.restarts or self._ends_too_soon(child):
            raise failure
        self._tell(f"{failure}\nRestarting {child.name}.")
        self.start(child.program)

    def _ends_too_soon(self, child: Child) -> bool:
        """Return whether the program ended soon after its start too many times in a row."""
        if time.monotonic() - child.started_s >= _SHORT_RUN_S:
            self._short_runs[child.name] = 0
        self._short_runs[child.name] += 1
        return self._short_runs[child.name] > _MAX_SHORT_RUNS


def _start_reaper(directory: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Return the reaper and the writing end of its pipe. The reaper waits while that end is open."""
    reading_end, writing_end = os.pipe()
    command = (sys.executable, "-I", "-S", reaper.__file__, str(directory))
    process = subprocess.Popen(  # noqa: S603 - our own file
        command, stdin=reading_end, start_new_session=True
    )
    os.close(reading_end)
    return process, writing_end
