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
    def reset_after_fork(self) -> None:
        """Reset the object in a forked process, where its thread does not run and its locks may be locked."""
        ...


Owner = TypeVar("Owner", bound=OwnsThread)


class Living(Generic[Owner]):
    """The objects of one kind in this process. It resets each after a fork, and keeps the running ones alive.

    Their threads cannot keep them alive, because a forked process does not have the threads. This is no registry: no
    object has a name here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: WeakSet[Owner] = WeakSet()
        self.running: tuple[Owner, ...] = ()
        """A tuple that is replaced and never changed, so that it can be read without the lock."""
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(after_in_child=self._reset_after_fork)

    def add(self, owner: Owner) -> None:
        with self._lock:
            self._all.add(owner)

    def mark_running(self, owner: Owner) -> None:
        with self._lock:
            self.running = (*self.running, owner)

    def mark_closed(self, owner: Owner) -> None:
        with self._lock:
            self.running = tuple(each for each in self.running if each is not owner)

    def _reset_after_fork(self) -> None:
        self._lock = threading.Lock()
        for owner in tuple(self._all):
            owner.reset_after_fork()


def run_at_exit(function: Callable[[], None]) -> None:
    """Run the function when the program ends."""
    atexit.register(function)
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        # A child of multiprocessing does not run functions of atexit, but it runs finalizers.
        from multiprocessing.util import Finalize

        Finalize(None, function, exitpriority=0)


def do_not_run_at_exit(function: Callable[[], None]) -> None:
    """Remove the function from the exit functions.

    In a child of multiprocessing it stays registered, so it must do nothing if there is nothing to do.
    """
    atexit.unregister(function)
