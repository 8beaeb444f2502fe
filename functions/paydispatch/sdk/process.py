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
    def begin_anew_after_fork(self) -> None:
        """Called in the child, where the thread is gone and locks may be locked."""
        ...


Owner = TypeVar("Owner", bound=OwnsThread)


class Living(Generic[Owner]):
    """The objects of one kind in this process: each is told of a fork, and one that runs lives until it ends.

    Their threads do not keep them alive, because a fork ends the threads. Nothing is looked up here by a name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: WeakSet[Owner] = WeakSet()
        self.running: tuple[Owner, ...] = ()
        """Replaced and never changed, so it is read without the lock."""
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(after_in_child=self._begin_anew_after_fork)

    def add(self, owner: Owner) -> None:
        with self._lock:
            self._all.add(owner)

    def began(self, owner: Owner) -> None:
        with self._lock:
            self.running = (*self.running, owner)

    def ended(self, owner: Owner) -> None:
        with self._lock:
            self.running = tuple(each for each in self.running if each is not owner)

    def _begin_anew_after_fork(self) -> None:
        self._lock = threading.Lock()
        for owner in tuple(self._all):
            owner.begin_anew_after_fork()


def run_at_exit(function: Callable[[], None]) -> None:
    """Run it when the program ends."""
    atexit.register(function)
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        # A child of multiprocessing drops or skips what is registered with atexit. It runs its finalizers, though.
        from multiprocessing.util import Finalize

        Finalize(None, function, exitpriority=0)


def do_not_run_at_exit(function: Callable[[], None]) -> None:
    """For a child of multiprocessing it stays registered, so it must do nothing when there is nothing to do."""
    atexit.unregister(function)
