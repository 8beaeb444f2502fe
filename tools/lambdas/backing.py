"""What a Lambda that runs here talks to: the local stack, or whatever an env file names."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import boto3

from paydispatch.local.settings import REGION, TENANT, LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_NO_WORKER = (sys.executable, "-c", "import signal; signal.pause()")
# The rest of a stack's environment is its machine's, or in the zip.
_OURS = (
    "REQUEST_QUEUE_URL",
    "BATCH_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL",
    "REDIS_URL",
    "SEALING_KEY_ID",
    "STRIPE_API_BASE",
    "SIGN_IN",
    "QUEUE_TENANT",
)


@contextmanager
def local_stack() -> Iterator[dict[str, str]]:
    """Start the local stack without its flow worker, and yield the variables that point at it.

    So what the flow runner finds in Redis is there for the function that is run, and for nobody else.
    """
    with LocalStack(LocalSettings(worker_command=_NO_WORKER)) as stack:
        variables = variables_from(stack.environment())
        yield variables | {"DOORBELL_QUEUE_URL": _doorbell_queue(variables["AWS_ENDPOINT_URL"])}


def variables_from(environment: Mapping[str, str]) -> dict[str, str]:
    """What of a stack's environment is meant for a function: our names and AWS's."""
    meant = {
        name: value
        for name, value in environment.items()
        if name in _OURS or name.startswith("AWS_")
    }
    return {"QUEUE_TENANT": TENANT} | meant


def env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` begins a comment line."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _doorbell_queue(endpoint: str) -> str:
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - MiniStack takes any
    )
    with closing(sqs):
        return str(sqs.create_queue(QueueName="doorbells")["QueueUrl"])
