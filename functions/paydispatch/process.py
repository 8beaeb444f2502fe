"""Forks and the end of the program, for objects that own a thread."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class OwnsThread(Protocol):
    @property
    def running(self) -> bool: ...

    def begin_anew_after_fork(self) -> None:
        """Called in the child, where the thread is gone and locks may be locked."""
        ...


Owner = TypeVar("Owner", bound=OwnsThread)


class Living(Generic[Owner]):
    """The objects of one kind that exist in this process, held weakly. Each is told of a fork, in the child.

    It keeps nothing alive and nothing is looked up in it by name. Only the objects themselves know whether they run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: WeakSet[Owner] = WeakSet()
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(after_in_child=self._begin_anew_after_fork)

    def add(self, owner: Owner) -> None:
        with self._lock:
            self._all.add(owner)

    def running(self) -> list[Owner]:
        with self._lock:
            return [owner for owner in self._all if owner.running]

    def _begin_anew_after_fork(self) -> None:
        self._lock = threading.Lock()
        for owner in tuple(self._all):
            owner.begin_anew_after_fork()


def run_at_exit(function: Callable[[], None]) -> None:
    """Run it when the program ends. A method keeps its object alive until `do_not_run_at_exit`."""
    atexit.register(function)
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        # A child of multiprocessing ends without atexit. It runs its finalizers, though.
        from multiprocessing.util import Finalize

        Finalize(None, function, exitpriority=0)


def do_not_run_at_exit(function: Callable[[], None]) -> None:
    """For a child of multiprocessing it stays registered, so it must do nothing when there is nothing to do."""
    atexit.unregister(function)
