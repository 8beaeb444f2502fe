"""The local stack of a chaos run: real processes that can be killed, and a Stripe twin that injects every fault."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.chaos_names import LOST_SHARE, REPEATED_SHARE, SEED
from tests.chaos.mortal_redis import MortalRedis
from tests.chaos.plan import LATENCY_MS, fault_names
from tests.chaos.points import CHAOS_DIR
from tests.chaos.secret import point_secret
from tests.swallowing import SwallowingAddress

from paydispatch.domain.stripe.resources import RESOURCES, error_flow, response_flow
from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.plan import Plan

ROOT = Path(__file__).parents[2]

FUNCTION_TIMEOUT_S = 12
VISIBILITY_TIMEOUT_S = 15
"""Both are much shorter than in the deployed stack, and the visibility timeout is less than six function timeouts.

So the messages of a killed caller become visible again within the run, and some of them while the first receive is
still in progress.
"""

STRIPE_READ_TIMEOUT_S = 3
"""Shorter than the function timeout, so that a call that hangs ends as unknown before its process is killed."""

FLOW_TIMEOUT_S = 2
"""Another worker claims the entries of a killed worker 10 s after this timeout."""

FLOW_ATTEMPTS = 5
"""A flow that raises every time is given up within half a minute. By default it would run for hours."""

BATCH_SIZE = 40
LOOK_POLLERS = 2
"""So that events go on while one reconciler reads a list. On AWS there are up to five."""

SQS_ENDPOINT = "AWS_ENDPOINT_URL_SQS"
"""Environment variable of boto3: the endpoint of SQS alone."""


@dataclass(frozen=True, slots=True)
class Stage:
    stack: LocalStack
    redis: MortalRedis
    directory: Path
    """The folder of this run, with `kills.jsonl`, `flows.jsonl`, `armed/` and `redis/`."""
    fault_names: dict[str, str] = field(default_factory=dict)

    @property
    def aws_endpoint(self) -> str:
        return self.stack.addresses.aws_endpoint


@contextmanager
def start_stage(
    plan: Plan, *, twin_faults: list[dict[str, Any]] | None = None, **changes: Any
) -> Iterator[Stage]:
    """Start the whole stage, and stop it at the end. After an error, keep its files and print their folder.

    `changes` override the settings of the stack.
    """
    directory = Path(tempfile.mkdtemp(prefix="paydispatch-chaos-"))
    (directory / "armed").mkdir()
    chosen = plan.faults() if twin_faults is None else twin_faults
    with (directory / "supervisor.txt").open("a") as said:

        def tell(message: str) -> None:
            print(message, file=said, flush=True)

        supervisor = Supervisor(directory, tell=tell)
        redis = MortalRedis(supervisor, directory)
        try:
            redis.open()
            settings = replace(_settings(plan, directory, redis.url, chosen), **changes)
            with LocalStack(settings, tell=tell) as stack, _environment(stack):
                point_secret(stack.addresses.aws_endpoint, 0)
                yield Stage(stack, redis, directory, fault_names(chosen))
        except Exception:
            said.flush()
            print(f"The run's files are in {directory}: {_last_line(said.name)}", file=sys.stderr)
            raise
        else:
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            redis.close()
            supervisor.close()


def _settings(
    plan: Plan, directory: Path, redis_url: str, twin_faults: list[dict[str, Any]]
) -> LocalSettings:
    chaos = directory / "twin.json"
    chaos.write_text(json.dumps({"latency_ms": LATENCY_MS, "faults": twin_faults}))
    return LocalSettings(
        redis_url=redis_url,
        events=plan.sends_events,
        event_faults=plan.event_faults,
        flows=_write_flows(directory / "flows"),
        api_handler="tests.chaos.chaos_gateway.handler",
        caller_handler="tests.chaos.chaos_caller.handler",
        twin_command=(
            *(sys.executable, "-m", "paydispatch.twin"),
            *("--seed", str(plan.seed), "--chaos", str(chaos)),
        ),
        worker_command=(sys.executable, "-m", "tests.chaos.chaos_worker", "worker", "--all"),
        interactive_pollers=3,
        batch_size=BATCH_SIZE,
        look_pollers=LOOK_POLLERS,
        function_timeout_s=FUNCTION_TIMEOUT_S,
        visibility_timeout_s=VISIBILITY_TIMEOUT_S,
        environment={
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            CHAOS_DIR: str(directory),
            SEED: str(plan.seed),
            REPEATED_SHARE: str(plan.repeated_share),
            LOST_SHARE: str(plan.lost_share),
            "STRIPE_READ_TIMEOUT_S": str(STRIPE_READ_TIMEOUT_S),
            "FLOW_TIMEOUT_S": str(FLOW_TIMEOUT_S),
            "FLOW_ATTEMPTS": str(FLOW_ATTEMPTS),
        },
    )


def _write_flows(folder: Path) -> Path:
    folder.mkdir()
    created = [(response_flow(row.name), error_flow(row.name)) for row in RESOURCES]
    for name in chain(("any_response", "any_error"), *created):
        (folder / f"{name}.py").write_text("from tests.chaos.chaos_flow import run\n")
    return folder


def _last_line(path: str) -> str:
    """Return the last message of the stack. It names the folder with the output of its parts."""
    return (Path(path).read_text().splitlines() or [""])[-1]


@contextmanager
def lossy_way_to_sqs(stage: Stage, plan: Plan) -> Iterator[None]:
    """Make the SQS clients that this process creates meanwhile lose some answers."""
    port = int(stage.aws_endpoint.rpartition(":")[2])
    way = SwallowingAddress(port, plan.lost_share, plan.dice("answers of SQS"))
    way.open()
    os.environ[SQS_ENDPOINT] = f"http://127.0.0.1:{way.port}"
    try:
        yield
    finally:
        del os.environ[SQS_ENDPOINT]
        way.close()


@contextmanager
def _environment(stack: LocalStack) -> Iterator[None]:
    """Set the environment variables that the SDK in this process reads. Restore the old ones afterwards."""
    before = dict(os.environ)
    os.environ.update(stack.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
