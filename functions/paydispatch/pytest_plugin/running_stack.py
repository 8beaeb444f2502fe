"""A stack that runs for the tests, and a twin that runs alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paydispatch.compose.dispatcher import Dispatcher
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.local.demo.trail import Trail
from paydispatch.local.failures import Failures
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import environment_without_aws
from paydispatch.pytest_plugin.twin_control import TwinControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from paydispatch.local.stack import LocalStack
    from paydispatch.sdk.receipt import Receipt

_START_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05


class RunningStack:
    """A whole paydispatch on this machine. All tests of a run share it, so give each its own contexts and keys."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._trail = Trail(stack.directory)
        self._trail.skip()
        self._failures = Failures(stack.directory)
        self._failures.skip()
        self.stripe = TwinControl(stack.addresses.stripe_base)
        """The Stripe of this stack. It is the fixture `stripe_twin` too."""

    @property
    def api_url(self) -> str:
        """The base URL of the HTTP API: `Dispatcher.http(paydispatch_stack.api_url)`."""
        return self._stack.addresses.api

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program that uses the stack, for a subprocess."""
        return {**self._stack.environment(), **self._stack.addresses.variables()}

    def dispatcher(self, **options: Any) -> Dispatcher:
        """Return a Dispatcher that sends straight to the queues of the stack."""
        return Dispatcher.from_env(**options)

    def kill_worker(self) -> None:
        """Kill the process that runs the flows, whatever it is doing. The stack starts another one."""
        os.killpg(self._stack.pids["worker"], signal.SIGKILL)

    def failures(self) -> Sequence[str]:
        """Return a sentence for each flow that raised and each request that ended in an error, since the last call."""
        return list(self._failures.read())

    def wait_for_flow(
        self, receipt: Receipt, flow: str | None = None, timeout_s: float = 30.0
    ) -> Mapping[str, Any]:
        """Wait until a flow of the request has returned, and return its line of the log. Raises `TimeoutError`.

        `flow` is the name of the script. By default any flow of the request will do.
        """
        names = [flow] if flow else _flows_of(receipt.operation)
        until = time.monotonic() + timeout_s
        while (line := self._find_run(receipt.request_id, names)) is None:
            if time.monotonic() > until:
                raise TimeoutError(f"No flow returned within {timeout_s:g} s ({names}): {receipt}")
            self._stack.wait(_LOOK_EVERY_S)
        return line

    def _find_run(self, request_id: str, flows: Sequence[str]) -> Mapping[str, Any] | None:
        self._trail.read()
        found = (self._trail.find_run(request_id, flow) for flow in flows)
        return next((line for line in found if line is not None), None)


def _flows_of(operation: str) -> list[str]:
    row = operation_named(operation)
    return [row.response_flow, row.error_flow, "any_response", "any_error"]


@contextmanager
def run_twin(directory: Path) -> Iterator[TwinControl]:
    """Run a twin without rate limits in a process of its own, which ends with this one."""
    command = (sys.executable, "-m", "paydispatch.twin", "--rate-limits", "off")
    own = ("--parent-pid", str(os.getpid()))
    supervisor = Supervisor(directory, tell=lambda _: None)
    try:
        child = supervisor.start(Program("twin", (*command, *own), environment_without_aws()))
        yield TwinControl(child.await_announcement("stripe_base", within_s=_START_WITHIN_S))
    finally:
        supervisor.close()
