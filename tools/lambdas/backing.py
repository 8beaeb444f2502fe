"""Provides the services for a Lambda that runs on this machine: the local stack, or those of an env file."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import boto3

from paydispatch.local.settings import LIFTED_LIMITS, REGION, TENANT, LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NO_WORKER = (sys.executable, "-c", "import signal; signal.pause()")
# The other variables of a stack belong to the machine, or their values are in the zip.
_OURS = (
    "REQUEST_QUEUE_URL",
    "BATCH_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL",
    "REDIS_URL",
    "SEALING_KEY_ID",
    "STRIPE_API_BASE",
    *LIFTED_LIMITS,
    "SIGN_IN",
    "QUEUE_TENANT",
)


@contextmanager
def local_stack() -> Iterator[dict[str, str]]:
    """Start the local stack without its flow worker, and yield the variables with which a function uses it.

    Without the worker, only the function under test takes outcomes from Redis.
    """
    with LocalStack(LocalSettings(worker_command=_NO_WORKER)) as stack:
        variables = variables_from(stack.environment())
        yield variables | {
            "DOORBELL_QUEUE_URL": _doorbell_queue(variables["AWS_ENDPOINT_URL"]),
            "RECONCILE_FUNCTION": "reconciler",
        }


def variables_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a stack's environment that a function needs: ours and those of AWS."""
    meant = {
        name: value
        for name, value in environment.items()
        if name in _OURS or name.startswith("AWS_")
    }
    return {"QUEUE_TENANT": TENANT} | meant


def env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file with `NAME=value` lines. `#` begins a comment line."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _doorbell_queue(endpoint: str) -> str:
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - MiniStack accepts any # nosec B106
    )
    with closing(sqs):
        return str(sqs.create_queue(QueueName="doorbells")["QueueUrl"])
