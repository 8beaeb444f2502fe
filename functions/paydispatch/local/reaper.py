"""Ends what a killed stack left behind.

A stack that is killed with -9 cannot end its children. This process can: it holds the reading end
of a pipe whose writing end only the stack keeps: end of file means the stack is gone, however.

    stdin    "+PID" when a process group starts (the child says so itself), "-PID" when it has ended
    argv[1]  the stack's private directory, removed if anybody had to be killed

It works the same on Linux and macOS, and covers programs that are not ours. It needs only the
standard library: it runs as a file, isolated, so that it is up in 20 ms.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterable


def living(lines: Iterable[str]) -> set[int]:
    """The process groups that started and did not end. Returns at end of file."""
    pids: set[int] = set()
    for line in lines:
        change = pids.add if line.startswith("+") else pids.discard
        change(int(line[1:]))
    return pids


def main() -> None:
    orphans = living(sys.stdin)
    for pid in orphans:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if orphans:
        shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
