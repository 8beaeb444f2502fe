"""A program that starts a built function, and lets two copies of the started process answer, as SnapStart does.

    python -S restored_copy.py HANDLER EVENT_FILE

It prints one line of JSON for each copy: its answer, a number of `random`, an id, and the connections of the snapshot.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COPIES = 2
TIMEOUT_S = 30


def main(handler_name: str, event_file: str) -> int:
    module, _, name = handler_name.rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    event = json.loads(Path(event_file).read_text())
    # One copy after the other, because the lines of two could mix.
    ends = [os.waitpid(_start_copy(handler, event), 0)[1] for _ in range(COPIES)]
    return 1 if any(ends) else 0


def _start_copy(handler: Any, event: dict[str, Any]) -> int:
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    status = 1
    try:
        print(json.dumps(_answer_as_copy(handler, event)), flush=True)
        status = 0
    finally:
        os._exit(status)


def _answer_as_copy(handler: Any, event: dict[str, Any]) -> dict[str, Any]:
    from snapshot_restore_py import (
        get_after_restore,
    )  # Lambda's runtime has it, and runs these after a restore

    for hook, arguments, options in get_after_restore():
        hook(*arguments, **options)
    sockets = _connections()
    return {
        "drawn": random.random(),
        "id": str(uuid.uuid4()),
        "sockets": sockets,
        "answer": handler(event, _context()),
    }


def _connections() -> list[str]:
    """Return the network sockets that the copy has from the snapshot. Another machine holds their other end.

    The event loop's own pair is not among them, because both of its ends are in the snapshot.
    """
    inodes = {line.split()[9] for table in _NETWORK for line in table.read_text().splitlines()[1:]}
    return [link for link in _links() if link.removeprefix("socket:[").removesuffix("]") in inodes]


_NETWORK = [Path(f"/proc/self/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6")]


def _links() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            yield str(link.readlink())


def _context() -> SimpleNamespace:
    ends_at = time.monotonic() + TIMEOUT_S
    return SimpleNamespace(
        aws_request_id=str(uuid.uuid4()),
        function_name="copy",
        function_version="1",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:copy",
        get_remaining_time_in_millis=lambda: max(0, int((ends_at - time.monotonic()) * 1000)),
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
