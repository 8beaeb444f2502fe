"""Leave the process in a bounded time, because Python waits at its end for every thread that is no daemon.

A flow can leave such threads: those of a `ThreadPoolExecutor` or of `asyncio.to_thread` are none.
"""

from __future__ import annotations

import os
import sys
import threading

LEAVE_WITHIN_S = 5.0


def leave_soon(exit_code: int, within_s: float = LEAVE_WITHIN_S) -> None:
    """Call at the very end: what has not ended after `within_s` is cut off."""
    timer = threading.Timer(within_s, _leave, (exit_code,))
    timer.daemon = True
    timer.start()


def _leave(exit_code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
