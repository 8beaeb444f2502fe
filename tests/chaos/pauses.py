"""Pause and resume calls as an operator does, with the commands."""

from __future__ import annotations

import os
import subprocess
import sys

_COMMAND = (sys.executable, "-m", "paydispatch")
_TIMEOUT_S = 30.0


def pause(redis_url: str, what: tuple[str, ...]) -> bool:
    """Run `paydispatch pause`. Return whether it held, which it cannot without Redis."""
    return _run(redis_url, "pause", *what).returncode == 0


def resume(redis_url: str, what: tuple[str, ...]) -> bool:
    """Run `paydispatch resume`. Return whether it reached Redis.

    It may find no pause: a failover may have lost it, or an earlier try ended it and its answer was lost.
    """
    return '"resumed"' in _run(redis_url, "resume", *what, "--json").stdout


def _run(redis_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*_COMMAND, *arguments),
        env={**os.environ, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
