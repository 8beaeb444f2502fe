"""Builds the command lines of our own programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from paydispatch.local.processes import Program
from paydispatch.local.settings import LocalSettings, environment_without_aws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TWIN = "twin"
WORKER = "worker"

LOOK_BATCH_SIZE = 10
EXHAUSTED_BATCH_SIZE = 1
"""Both as on AWS (template.yaml)."""


def twin(settings: LocalSettings, webhooks: Path | None, port: int) -> Program:
    """Return the Stripe twin. It is not restarted, because its objects and idempotency keys are lost when it ends.

    It has no rate limits, because those of a sandbox would slow the stack down. The callers have none either
    (`LIFTED_LIMITS`). `webhooks` is the file that says where its events go.
    """
    strictness = "--lenient" if settings.lenient else "--strict"
    limits = ("--rate-limits", "off")
    own = ("--port", str(port), strictness, *limits, "--parent-pid", str(os.getpid()))
    environment = {**environment_without_aws(), **settings.environment}
    return Program(TWIN, (*settings.twin_command, *own, *_events(settings, webhooks)), environment)


def _events(settings: LocalSettings, webhooks: Path | None) -> tuple[str, ...]:
    if webhooks is None:
        return ()
    faults = json.dumps(dict(settings.event_faults))
    return ("--webhooks", str(webhooks), "--event-faults", faults)


def gateways(
    settings: LocalSettings, environment: Mapping[str, str], listener_fd: int
) -> Iterator[Program]:
    """Yield the HTTP gateways: several processes on one listening socket."""
    for number in range(1, settings.gateway_processes + 1):
        name = f"gateway-{number}"
        own = ("--name", name, "--fd", str(listener_fd), "--handler", settings.api_handler)
        yield Program(
            name,
            (sys.executable, "-m", "paydispatch.local.gateway", *own),
            environment,
            inherited_fds=(listener_fd,),
            restarts=True,
        )


def pollers(settings: LocalSettings, environment: Mapping[str, str]) -> Iterator[Program]:
    """Yield the execution environments of the Stripe caller, of which each lane has its own, and of the reconciler."""
    lanes = (
        ("interactive", settings.interactive_pollers, environment["REQUEST_QUEUE_URL"]),
        ("batch", settings.batch_pollers, environment["BATCH_QUEUE_URL"]),
    )
    for lane, count, queue_url in lanes:
        for number in range(1, count + 1):
            yield _poller(f"poller-{lane}-{number}", queue_url, settings, environment)
    # One message at a time, because each of these may kill its process.
    yield _poller(
        "poller-exhausted-1",
        environment["EXHAUSTED_QUEUE_URL"],
        settings,
        environment,
        batch_size=EXHAUSTED_BATCH_SIZE,
    )
    for number in range(1, settings.look_pollers + 1):
        yield _poller(
            f"poller-look-{number}",
            environment["LOOK_QUEUE_URL"],
            settings,
            environment,
            handler=settings.reconciler_handler,
            batch_size=LOOK_BATCH_SIZE,
            timeout_s=settings.look_timeout_s,
        )


def _poller(
    name: str,
    queue_url: str,
    settings: LocalSettings,
    environment: Mapping[str, str],
    *,
    handler: str | None = None,
    batch_size: int | None = None,
    timeout_s: int | None = None,
) -> Program:
    """Return a poller. Without other values it is one of the Stripe caller."""
    own = {
        "--name": name,
        "--queue-url": queue_url,
        "--handler": handler or settings.caller_handler,
        "--batch-size": str(batch_size or settings.batch_size),
        "--timeout-s": str(timeout_s or settings.function_timeout_s),
    }
    options = tuple(word for option in own.items() for word in option)
    return Program(
        name,
        (sys.executable, "-m", "paydispatch.local.poller", *options),
        environment,
        restarts=True,
        stop_within_s=settings.drain_within_s,
    )


def console(
    settings: LocalSettings, environment: Mapping[str, str], api: str, fd: int, token: str
) -> Program:
    """Return the operators' web page. Only with the twin it may submit requests, because their key is made up."""
    own = {"PAYDISPATCH_CONSOLE_TOKEN": token, "PAYDISPATCH_CONSOLE_API": api}
    if not settings.stripe_base:
        own["PAYDISPATCH_CONSOLE_TWIN"] = environment["STRIPE_API_BASE"]
    return Program(
        "console",
        (sys.executable, "-m", "paydispatch", "console", "--json", "--fd", str(fd)),
        {**environment, **own},
        inherited_fds=(fd,),
        restarts=True,
    )


def worker(settings: LocalSettings, environment: Mapping[str, str]) -> Program:
    """Return the flow worker, which serves every `worker_id`."""
    own = ("--flows", environment["FLOWS_DIR"])
    return Program(
        WORKER,
        (*settings.worker_command, *own),
        environment,
        restarts=True,
        stop_within_s=settings.drain_within_s,
    )
