"""Runs the whole of paydispatch on one machine. Every part is a child process, and every Lambda is unchanged.

    with LocalStack() as stack:
        requests.post(stack.addresses.api + "/v1/products", json=...)

The parts, in the order in which they are stopped:

    console            the operators' web page, if it is wanted
    gateway-1…         HTTP → API Gateway events → paydispatch.local.lambdas.api.handler
    poller-<lane>-1…   SQS → SQS events → paydispatch.local.lambdas.stripe_caller.handler
    poller-exhausted-1 the same for messages whose every receive ended with a killed poller
    poller-look-1…     SQS → SQS events → paydispatch.local.lambdas.reconciler.handler
    worker             Redis streams → flows
    twin               Stripe
    valkey             Redis
    ministack          SQS, KMS, Secrets Manager
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from paydispatch.domain.text.printable import printable_lines
from paydispatch.local import event_route, programs
from paydispatch.local.addresses import Addresses
from paydispatch.local.listening import listen_on_loopback, port_of
from paydispatch.local.output import Follower
from paydispatch.local.parts import OwnPart, Part, TwinPart, WorkerPart
from paydispatch.local.processes import PartFailed, Program, Supervisor
from paydispatch.local.settings import LocalSettings, environment_without_aws, local_aws
from paydispatch.local.stores.ministack import MiniStack
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import TracebackType

_STOP_ORDER = ("console", "gateway-", "poller-", "worker", "twin", "valkey", "ministack")


def _tell_on_stderr(message: str) -> None:
    print(printable_lines(message), file=sys.stderr, flush=True)


class LocalStack:
    """One stack, which runs for a `with` block. Several stacks can run at the same time."""

    addresses: Addresses
    directory: Path
    """The private temporary directory. The output of a part is in its `NAME.log`."""

    def __init__(
        self,
        settings: LocalSettings | None = None,
        *,
        tell: Callable[[str], None] = _tell_on_stderr,
    ) -> None:
        self._settings = settings or LocalSettings()
        self._tell = tell
        self._parts: dict[str, Part] = {}

    def __enter__(self) -> Self:
        """Start every part. Raises `PartFailed` with the name of the part and its last lines."""
        self.directory = Path(tempfile.mkdtemp(prefix="paydispatch-"))
        self._supervisor = Supervisor(self.directory, tell=self._tell)
        self._follower = Follower(self.directory) if self._settings.verbose else None
        self._api: socket.socket | None = None
        self._console: socket.socket | None = None
        try:
            self._start()
        except BaseException as error:
            self._end(failed=isinstance(error, Exception))
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every part in order. After an error, keep the outputs and print their directory."""
        self._end(failed=isinstance(error, Exception))

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each part, which is also the id of its process group."""
        return self._supervisor.pids

    def environment(self) -> dict[str, str]:
        """Return the whole environment for a program that uses this stack. Limits that the user has set stay."""
        inherited = environment_without_aws()
        flows = self._settings.flows or Path(inherited.get("FLOWS_DIR", "flows"))
        return {
            # short, because one worker runs all flows here, so that no other can have a missing script
            "FLOW_MISSING_WAIT_S": "10",
            **self._settings.limits,
            **inherited,
            **local_aws(self.addresses.aws_endpoint),
            "REQUEST_QUEUE_URL": self.addresses.queue_url,
            "BATCH_QUEUE_URL": self.addresses.batch_queue_url,
            "LOOK_QUEUE_URL": self.addresses.look_queue_url,
            "EXHAUSTED_QUEUE_URL": self.addresses.exhausted_queue_url,
            "DEAD_LETTER_QUEUE_URL": self.addresses.dead_letter_queue_url,
            "REDIS_URL": self.addresses.redis_url,
            "SEALING_KEY_ID": self.addresses.sealing_key_id,
            "STRIPE_API_BASE": self.addresses.stripe_base,
            "FLOWS_DIR": str(flows.resolve()),
            "SIGN_IN": "none",
            "MAX_RECEIVES": str(self._settings.max_receives),
            **self._settings.environment,
        }

    def wait(self, timeout_s: float) -> None:
        """Wait for `timeout_s`. Raises `PartFailed` as soon as a part has failed."""
        self._supervisor.wait(timeout_s)

    def stop(self, name: str) -> None:
        """Stop one part, by its name in `pids`. It stays stopped until `restart`."""
        self._supervisor.stop([name])

    def restart(self, name: str) -> None:
        """Stop one part if it runs, and start it again at the same address. Raises `PartFailed`.

        MiniStack keeps its data. Valkey keeps its data if it is durable. The twin loses its data.
        """
        self.stop(name)
        self._start_all([self._parts[name]])

    def _start(self) -> None:
        self._api = self._listen()
        self.addresses = self._start_stores(self._api)
        self._start_all([*self._programs(self._api), *self._open_console()])
        self._supervisor.watch()

    def _listen(self) -> socket.socket:
        try:
            return listen_on_loopback(self._settings.port)
        except OSError as error:
            what = f"cannot listen on port {self._settings.port}: {error.strerror}"
            raise PartFailed("gateway", what) from None

    def _start_stores(self, gateway: socket.socket) -> Addresses:
        settings = self._settings
        aws = MiniStack(self._supervisor, self.directory)
        redis = Valkey(self._supervisor, self.directory, durable=settings.durable_redis)
        api = f"http://127.0.0.1:{port_of(gateway)}"
        route = self._open_event_route(api)
        webhooks = None if route is None else route.file
        stripe = TwinPart(self._supervisor, partial(programs.twin, settings, webhooks))
        stand_ins: dict[Part, bool] = {
            redis: not settings.redis_url,
            stripe: not settings.stripe_base,
        }
        self._start_all([aws, *(part for part, wanted in stand_ins.items() if wanted)])
        if route is not None:
            aws.create_secret(event_route.SECRET_ID, route.secret)
        return Addresses(
            api=api,
            aws_endpoint=aws.url,
            redis_url=settings.redis_url or redis.url,
            stripe_base=settings.stripe_base or stripe.url,
            **asdict(aws.create_resources(settings)),
        )

    def _open_event_route(self, api: str) -> event_route.EventRoute | None:
        if not self._settings.events or self._settings.stripe_base:
            return None
        return event_route.EventRoute.open(api, self.directory)

    def _programs(self, gateway: socket.socket) -> list[Part]:
        environment = self.environment()
        announcing: list[Program] = [
            *programs.gateways(self._settings, environment, gateway.fileno()),
            *programs.pollers(self._settings, environment),
        ]
        parts: list[Part] = [OwnPart(self._supervisor, program) for program in announcing]
        worker = programs.worker(self._settings, environment)
        return [*parts, WorkerPart(self._supervisor, worker)]

    def _open_console(self) -> list[Part]:
        if not self._settings.console:
            return []
        self._console, token = listen_on_loopback(), secrets.token_urlsafe(24)
        address = f"http://127.0.0.1:{port_of(self._console)}/?token={token}"
        self.addresses = replace(self.addresses, console=address)
        program = programs.console(
            self._settings,
            self.environment(),
            self.addresses.api,
            self._console.fileno(),
            token,
        )
        return [OwnPart(self._supervisor, program)]

    def _start_all(self, parts: Sequence[Part]) -> None:
        """Launch all parts, then wait for each, because they do not depend on each other."""
        self._parts |= {part.name: part for part in parts}
        for part in parts:
            part.launch()
        for part in parts:
            part.await_ready(self._settings.start_within_s)

    def _end(self, *, failed: bool) -> None:
        try:
            self._stop_in_order()
        finally:  # runs also after a second Ctrl-C: `close` then ends the remaining parts at once
            self._supervisor.close()
            if self._follower is not None:
                self._follower.close()
            self._leave(failed=failed)

    def _stop_in_order(self) -> None:
        for prefix in _STOP_ORDER:
            self._supervisor.stop([name for name in self.pids if name.startswith(prefix)])
            if self._api is not None:  # no gateway serves it any more
                self._api.close()
            if self._console is not None:
                self._console.close()

    def _leave(self, *, failed: bool) -> None:
        if failed and any(self.directory.glob("*.log")):
            self._tell(f"The output of each part is in {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
