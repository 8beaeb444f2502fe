"""Start a Lambda function quickly."""

from __future__ import annotations

import gc
from contextlib import contextmanager
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
    finally:
        gc.freeze()
        gc.enable()
