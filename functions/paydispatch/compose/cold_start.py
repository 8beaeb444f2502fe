"""Start a Lambda function quickly, and let no two copies of its snapshot draw the same random numbers."""

from __future__ import annotations

import gc
import random
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_collections() -> Iterator[None]:
    """Import and compose without garbage collections, and never look at what was made by then again.

    Imports make some 100,000 objects that live as long as the process. Python's collector would look through them many
    times while they are made, and again in each full collection later.
    """
    gc.disable()
    try:
        yield
        _draw_anew_after_restores()
    finally:
        gc.freeze()
        gc.enable()


def _draw_anew_after_restores() -> None:
    """Seed `random` after each restore of the snapshot.

    The copies of a snapshot share its state. They would all wait for the same "random" time before they retry.
    """
    with suppress(ImportError):  # only Lambda's runtime has the module, and only it makes snapshots
        from snapshot_restore_py import register_after_restore

        register_after_restore(random.seed)
