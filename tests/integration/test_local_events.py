"""The twin of a local stack sends its events to the API, signed with the secret that is in Secrets Manager."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import redis
import stripe as library

from paydispatch.local.event_route import SECRET_ID
from paydispatch.local.settings import LocalSettings, local_aws
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

_WITHIN_S = 20

# Keeps every call that arrives.
_API = """
import json, os, redis
store = redis.Redis.from_url(os.environ["REDIS_URL"])
def handler(event, context):
    store.rpush("arrived", json.dumps(event))
    return {"statusCode": 200, "body": "{}"}
"""
_CALLER = "def handler(event, context): return {}\n"
_WORKER = "import time\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    folder = tmp_path_factory.mktemp("stubs")
    for name, source in (("event_api", _API), ("no_caller", _CALLER), ("no_worker", _WORKER)):
        (folder / f"{name}.py").write_text(source)
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    settings = LocalSettings(
        api_handler="event_api.handler",
        caller_handler="no_caller.handler",
        worker_command=(sys.executable, str(folder / "no_worker.py")),
        events=True,
        environment={"PYTHONPATH": path},
    )
    with LocalStack(settings) as running:
        yield running


def create_product(stack: LocalStack, key: str) -> None:
    answer = httpx.post(
        f"{stack.addresses.stripe_base}/v1/products",
        data={"name": "Tea"},
        headers={"Idempotency-Key": key},
        auth=("sk_test_one", ""),
        timeout=_WITHIN_S,
    )
    assert answer.status_code == 200, answer.text


def next_call(stack: LocalStack) -> dict[str, Any]:
    with redis.Redis.from_url(stack.addresses.redis_url, decode_responses=True) as store:
        arrived = store.blpop(["arrived"], timeout=_WITHIN_S)
    assert arrived is not None
    call: dict[str, Any] = json.loads(arrived[1])
    return call


def secret_of(stack: LocalStack) -> str:
    aws = local_aws(stack.addresses.aws_endpoint)
    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    text: str = secrets.get_secret_value(SecretId=SECRET_ID)["SecretString"]
    secrets.close()
    return text


def test_an_event_of_the_twin_arrives_at_the_api_with_a_valid_signature(stack: LocalStack) -> None:
    create_product(stack, "key-1")
    call = next_call(stack)
    assert call["rawPath"] == "/v1/stripe/events/local"
    event = library.Webhook.construct_event(
        call["body"], call["headers"]["stripe-signature"], secret_of(stack)
    )
    assert event.request is not None
    assert (event.type, event.request.idempotency_key) == ("product.created", "key-1")


def test_a_twin_that_was_restarted_still_sends_its_events(stack: LocalStack) -> None:
    stack.restart("twin")
    create_product(stack, "key-2")
    assert json.loads(next_call(stack)["body"])["request"]["idempotency_key"] == "key-2"
