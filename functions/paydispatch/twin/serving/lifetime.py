"""Stops a twin on a signal, or when its parent process ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 1.0


def stop_on_signals(stopped: asyncio.Event) -> None:
    """Set the event on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)


async def stop_with_parent(parent_pid: int, stopped: asyncio.Event) -> None:
    """Set the event when the process `parent_pid` has ended: at once on Linux, within a second elsewhere.

    Linux sends its signal also when only the *thread* that started this process ends. Therefore the signal triggers
    only a check of the parent.
    """
    look = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, look.set)
    _ask_for_a_signal(signal.SIGUSR2)
    is_ours = os.getppid() == parent_pid
    while _alive(parent_pid) and (not is_ours or os.getppid() == parent_pid):
        look.clear()
        try:
            await asyncio.wait_for(look.wait(), _LOOK_EVERY_S)
        except TimeoutError:
            continue
    stopped.set()


def _ask_for_a_signal(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
