"""The settings of a local stack, and the environment variables that it passes to its parts."""

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

LIFTED_LIMITS = {
    "STRIPE_LIMIT_LIVE": "off",
    "STRIPE_LIMIT_SANDBOX": "off",
    "STRIPE_LIMIT_OPERATION": "off",
}
"""The variables of a caller without rate limits, for a twin without rate limits."""

_NO_PROXY = "127.0.0.1,localhost"


def _own(*module_and_arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *module_and_arguments)


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The settings of one local stack. The defaults are those of `paydispatch local`."""

    port: int = 0
    """The port of the API. 0 picks a free port. Every other part always listens on a free port."""

    stripe_base: str | None = None
    """The URL of a Stripe. If set, no twin is started, and the callers keep Stripe's rate limits."""

    lenient: bool = False
    """Whether the twin accepts creates that break a rule of Stripe, or that name an unknown object."""

    console: bool = False
    """Whether the operators' web page is served."""

    events: bool = False
    """Whether the twin sends its events to the API of the stack. Another Stripe sends none."""

    event_faults: Mapping[str, float] = field(default_factory=dict)
    """The shares of the events that come late, never, twice or out of order (`twin/events/delivery_faults.py`)."""

    redis_url: str | None = None
    """The URL of a Redis. If set, no embedded server is started."""

    flows: Path | None = None
    """The folder of the flow scripts. By default `FLOWS_DIR`, or `./flows` without that variable."""

    api_handler: str = "paydispatch.local.lambdas.api.handler"
    caller_handler: str = "paydispatch.local.lambdas.stripe_caller.handler"
    reconciler_handler: str = "paydispatch.local.lambdas.reconciler.handler"
    twin_command: tuple[str, ...] = _own("paydispatch.twin")
    worker_command: tuple[str, ...] = _own("paydispatch", "worker", "--all")

    gateway_processes: int = 2
    """Each handles one event at a time, as in Lambda. Two keep two cores busy (docs/adr/0003)."""

    interactive_pollers: int = 2
    """Two, so that a message need not wait while one environment waits for the slowest call of its batch."""

    batch_pollers: int = 1
    """One, half as many as in the interactive lane, because batch work has the lower priority."""

    look_pollers: int = 1
    """One, because a look of an account serves all of its unknown requests."""

    batch_size: int = 100
    """Messages per handler call. The calls in flight are at most this size times the environments, of which there are
    only three here. On AWS the size is smaller, because Lambda adds environments under load."""

    function_timeout_s: int = 30
    """On AWS it is longer, so that a call to Stripe may take its whole 80 s. Here it is shorter, because a call that
    hangs blocks its batch, and only one other environment could continue. Such a call is cut off and retried."""

    visibility_timeout_s: int = 45
    """Longer than the function's timeout. The messages of a killed poller stay invisible for this time. On AWS it is
    six times the timeout, because of the retries of Lambda's poller. The local poller does not retry."""

    look_timeout_s: int = 60
    """The time of a look. On AWS it is 15 minutes. Here a killed look must come again soon."""

    max_receives: int = 5

    durable_redis: bool = False
    """Keep an append-only file in the private directory, so that outcomes survive `restart("valkey")`."""

    start_within_s: float = 30.0
    drain_within_s: float = 10.0
    """The time that a current batch may take when the stack stops, before it is killed."""

    verbose: bool = False
    """Print the output of every part on stderr."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the environment of every part. They override all others."""

    @property
    def limits(self) -> Mapping[str, str]:
        """The variables of the callers' rate limits. Only the twin has none, so another Stripe keeps the defaults."""
        return {} if self.stripe_base else LIFTED_LIMITS


def environment_without_aws() -> dict[str, str]:
    """Return this process's environment without the variables that could lead to the real AWS.

    Drops every `AWS_*` variable, and adds loopback to `NO_PROXY`.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    no_proxy = ",".join(filter(None, (inherited.get("NO_PROXY"), _NO_PROXY)))
    return inherited | {"NO_PROXY": no_proxy, "no_proxy": no_proxy, "PYTHONUNBUFFERED": "1"}


def local_aws(endpoint: str) -> dict[str, str]:
    """Return the variables with which an AWS SDK uses only `endpoint`, and no AWS files of the user."""
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
