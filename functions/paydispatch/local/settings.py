"""What a local stack can be told, and the environment it may pass on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGION = "us-east-1"
TENANT = "local"

_NO_PROXY = "127.0.0.1,localhost"


def _own(*module_and_arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *module_and_arguments)


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """One local stack. Every default is what `paydispatch local` uses."""

    port: int = 0
    """The API's port; 0 takes a free one. Everything else always takes a free one."""

    stripe_base: str | None = None
    """Another Stripe than the twin: then no twin is started."""

    redis_url: str | None = None
    """Another Redis than the embedded server: then none is started."""

    flows: Path | None = None
    """The flows' directory; without it `FLOWS_DIR`, and without that `./flows`."""

    api_handler: str = "paydispatch.local.lambdas.api.handler"
    caller_handler: str = "paydispatch.local.lambdas.stripe_caller.handler"
    twin_command: tuple[str, ...] = _own("paydispatch.twin")
    worker_command: tuple[str, ...] = _own("paydispatch", "worker", "--all")

    gateway_processes: int = 2
    """One event at a time each, as in Lambda; two keep two cores busy (docs/adr/0003)."""

    interactive_pollers: int = 2
    """While one environment waits for its slowest call, the next message finds the other."""

    batch_pollers: int = 1
    """Batch work gives way: one environment is half of what the interactive lane has."""

    batch_size: int = 100
    """Messages per handler call. Deployed it is smaller: there Lambda adds environments under load.
    Here there are three, so calls in flight (environments times this) must come from the batch."""

    function_timeout_s: int = 30
    """Shorter than deployed, where it leaves Stripe its whole 80 s: a call that hangs holds its batch,
    and here only one other environment could go on meanwhile. It is cut short and tried again."""

    visibility_timeout_s: int = 45
    """Over the function's timeout: how long the messages of a killed poller stay away. Deployed it is
    six times the timeout, for the retries of Lambda's own poller; this one has none."""

    max_receives: int = 5

    durable_redis: bool = False
    """Append-only file in the private directory: outcomes survive `restart("valkey")`."""

    start_within_s: float = 30.0
    drain_within_s: float = 10.0
    """How long a batch in hand may go on when the stack stops, before it is killed."""

    verbose: bool = False
    """Show what every part prints, on stderr."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to every part's environment, last word."""


def inherited_environment() -> dict[str, str]:
    """This process's environment without anything that could reach the real AWS.

    No `AWS_*` passes, the user's AWS files are not read, and loopback is never sent to a proxy.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    no_proxy = ",".join(filter(None, (inherited.get("NO_PROXY"), _NO_PROXY)))
    return inherited | {"NO_PROXY": no_proxy, "no_proxy": no_proxy, "PYTHONUNBUFFERED": "1"}


def local_aws(endpoint: str) -> dict[str, str]:
    """The variables that point an AWS SDK at `endpoint` and at nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
