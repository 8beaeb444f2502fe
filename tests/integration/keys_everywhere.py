"""A program that passes a key through every library while each library logs as much as it can.

    python -m tests.integration.keys_everywhere KEY

At the end the program prints one line: the KMS data key that opens a sealed key.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
from typing import Any

import boto3
from aiohttp import web
from moto import mock_aws
from tests.unit.handlers.conftest import Client, Context, http_event

from paydispatch.adapters.aws.kms import KmsSealer, KmsVault
from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.event_log import PowertoolsEventLog, json_logger
from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.requests import OperationRequest
from paydispatch.domain.stripe.operations import operation_named

PARAMS = {"amount": 2000, "currency": "usd"}


def main(key: str) -> None:
    logging.basicConfig(level=0)
    for name in ("", "boto3", "botocore", "httpx", "httpcore", "aiohttp", "redis", "urllib3"):
        logging.getLogger(name).setLevel(1)
    boto3.set_stream_logger("", 1)
    log = PowertoolsEventLog(json_logger("everywhere"))
    through_the_api(key)
    through_our_logs(key, log)
    asyncio.run(to_stripe(key, log))
    print(through_aws(key))


def through_the_api(key: str) -> None:
    client = Client()
    body = {"worker_id": "w", "context_id": "c", "stripe_secret": key, "params": PARAMS}
    client.post("/v1/payment_intents", body)
    client.post("/v1/payment_intents", {**body, key: 1})
    client.post("/v1/batches", {"requests": [{"object": key, **body}]})
    client.post("/v1/payment_intents", json.dumps(body) + "cut")
    client.get(f"/v1/requests/{key}")
    client.get(f"/v1/{key}", headers={"idempotency-key": key})
    client.api().answer(http_event("POST", "/v1/products", json.dumps(body)), Context())


def through_our_logs(key: str, log: PowertoolsEventLog) -> None:
    logging.getLogger("paydispatch.flows").info("a flow says %s", key, extra={key: key})
    logging.getLogger("some.library").debug("sent %s", {"Authorization": f"Bearer {key}"})
    logging.getLogger("some.library").debug("a line that is wrong: %d %s", key)  # noqa: PLE1206
    log.info("a.line", why=f"line one\n{key}", fields={key: key})
    try:
        raise ValueError(f"quoted {key}")
    except ValueError:
        log.warning("a.fault", path=f"/v1/{key}")


async def to_stripe(key: str, log: PowertoolsEventLog) -> None:
    runner = web.ServerRunner(web.Server(quote_key))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    async with StripeClient(base) as client:
        attempt = await HttpStripeGateway(client).call(
            method="POST",
            path="/v1/products",
            params={"name": "Tea"},
            key=StripeKey(key),
            request_id="pdr_1",
            stripe_account=None,
        )
    log.info("an.attempt", attempt=repr(attempt))
    await asyncio.to_thread(over_http, base, key)
    await runner.cleanup()


def over_http(base: str, key: str) -> None:
    delivery = HttpDelivery(base, auth=key)
    request = OperationRequest(
        operation=operation_named("create_payment_intent"),
        params=PARAMS,
        worker_id="w",
        context_id="c",
        credential=StripeKey(key),
    )
    delivery.deliver([delivery.prepare(request)])
    delivery.close()


async def quote_key(request: web.BaseRequest) -> web.StreamResponse:
    said = f"Invalid API Key provided: {request.headers['Authorization']}"
    return web.json_response({"error": {"message": said, "param": said}}, status=401)


def through_aws(key: str) -> str:
    with mock_aws():
        kms, secrets = boto3.client("kms"), boto3.client("secretsmanager")
        secrets.create_secret(Name="paydispatch/local/main", SecretString=f"{key}\n")
        clock = SystemClock()
        store = SecretsManagerStore(lambda: secrets, clock)
        sealer = KmsSealer(kms, kms.create_key()["KeyMetadata"]["KeyId"], clock)
        vault = KmsVault(kms, store, queue_tenant="local")
        binding = Binding("local", "w", "c")
        for credential in (StripeKey(key), SecretRef("main")):
            opened = asyncio.run(vault.open(envelope(sealer.seal(credential, binding))))
            assert opened == StripeKey(key)
        return base64.b64encode(sealer._data_key("local").plain).decode()


def envelope(sealed: str) -> Any:
    from tests.unit.examples import envelope

    return envelope(
        principal="local", worker_id="w", context_id="c", sealed_secret=sealed, secret_ref=None
    )


if __name__ == "__main__":
    main(sys.argv[1])
