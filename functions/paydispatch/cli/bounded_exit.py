"""Ends the process within a bounded time, because Python waits at exit for every thread that is not a daemon.

A flow can leave such threads, for example those of a `ThreadPoolExecutor` or of `asyncio.to_thread`.
"""

from __future__ import annotations

import os
import sys
import threading

LEAVE_WITHIN_S = 5.0


def leave_soon(exit_code: int, within_s: float = LEAVE_WITHIN_S) -> None:
    """End the process after `within_s` seconds, also if threads still run. Call it as the last step of a command."""
    timer = threading.Timer(within_s, _leave, (exit_code,))
    timer.daemon = True
    timer.start()


def _leave(exit_code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
