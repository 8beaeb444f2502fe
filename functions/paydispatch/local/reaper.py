"""Ends the processes that a killed stack left running.

A stack that is killed with SIGKILL cannot end its children. This process ends them. It holds the reading end of a pipe,
and only the stack holds the writing end. End of file therefore means that the stack has ended, for whichever reason.

    stdin    "+PID" when a process group starts (written by the child itself), "-PID" when it has ended
    argv[1]  the private directory of the stack, removed if a process had to be killed

It works the same on Linux and macOS, and also for programs that are not ours. It needs only the standard library and
runs as a file in isolated mode, so that it starts in 20 ms.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterable


def read_orphans(lines: Iterable[str]) -> set[int]:
    """Return, at end of file, the process groups that started and have not ended."""
    pids: set[int] = set()
    for line in lines:
        change = pids.add if line.startswith("+") else pids.discard
        change(int(line[1:]))
    return pids


def main() -> None:
    orphans = read_orphans(sys.stdin)
    for pid in orphans:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if orphans:
        shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
