"""The local stack of a chaos run: real processes, each made mortal, and a Stripe that injects every fault it knows."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.chaos_names import LOST_SHARE, REPEATED_SHARE, SEED
from tests.chaos.mortal_redis import MortalRedis
from tests.chaos.plan import LATENCY_MS, faults
from tests.chaos.points import CHAOS_DIR
from tests.chaos.secret import point_secret
from tests.swallowing import SwallowingAddress

from paydispatch.domain.resources import RESOURCES, error_flow, response_flow
from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.plan import Plan

ROOT = Path(__file__).parents[2]

FUNCTION_TIMEOUT_S = 12
VISIBILITY_TIMEOUT_S = 15
"""Both much shorter than deployed (and the visibility timeout not six times the other): what a killed caller held
comes back within the run, and some of it while its first receive is still at work."""

STRIPE_READ_TIMEOUT_S = 3
"""Shorter than the function's: a call that hangs ends as unknown, not with its process."""

FLOW_TIMEOUT_S = 2
"""A killed worker's entries are taken over 10 s after this."""

BATCH_SIZE = 40

SQS_ENDPOINT = "AWS_ENDPOINT_URL_SQS"
"""Variable of boto3's: another endpoint for SQS alone."""


@dataclass(frozen=True, slots=True)
class Stage:
    stack: LocalStack
    redis: MortalRedis
    directory: Path
    """Of this run: `kills.jsonl`, `flows.jsonl`, `armed/`, `redis/`."""

    @property
    def aws_endpoint(self) -> str:
        return self.stack.addresses.aws_endpoint


@contextmanager
def raised(
    plan: Plan, *, twin_faults: list[dict[str, Any]] | None = None, **changes: Any
) -> Iterator[Stage]:
    """Start everything; end everything. After an error the files are kept and their place is told.

    `changes` are of the stack's settings.
    """
    directory = Path(tempfile.mkdtemp(prefix="paydispatch-chaos-"))
    (directory / "armed").mkdir()
    chosen = faults() if twin_faults is None else twin_faults
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
                yield Stage(stack, redis, directory)
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
        },
    )


def _write_flows(folder: Path) -> Path:
    folder.mkdir()
    for resource in RESOURCES:
        for name in (response_flow(resource.name), error_flow(resource.name)):
            (folder / f"{name}.py").write_text("from tests.chaos.chaos_flow import run\n")
    return folder


def _last_line(path: str) -> str:
    """What the stack said last: where it kept the parts' output."""
    return (Path(path).read_text().splitlines() or [""])[-1]


@contextmanager
def lossy_way_to_sqs(stage: Stage, plan: Plan) -> Iterator[None]:
    """Let the clients that this process makes meanwhile lose an answer of SQS now and then."""
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
    """What the SDK in this process reads; put back afterwards."""
    before = dict(os.environ)
    os.environ.update(stack.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
