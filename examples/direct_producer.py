"""Write to the request queue with nothing but boto3 and cryptography. docs/envelope.md explains each step.

    pip install boto3 cryptography
    paydispatch local --json > stack.json &                        # wait for the line in stack.json
    eval "$(python examples/local_environment.py < stack.json)"
    python examples/direct_producer.py

Needs REQUEST_QUEUE_URL, BATCH_QUEUE_URL and SEALING_KEY_ID, and AWS's own variables. `demo` is a secret of the local
stack: paydispatch/local/demo.
"""

import base64
import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PRINCIPAL = "queue"  # every direct producer's


def data_key(kms, key_id: str) -> dict:
    """One for many messages, for as long as you like; a quarter of an hour is a good habit."""
    return kms.generate_data_key(
        KeyId=key_id, KeySpec="AES_256", EncryptionContext={"principal": PRINCIPAL}
    )


def seal(stripe_key: str, worker_id: str, context_id: str, key: dict) -> str:
    """The Stripe key, sealed so that it opens for this worker and this context alone."""
    nonce = os.urandom(12)
    belongs_to = json.dumps([PRINCIPAL, worker_id, context_id]).encode()
    sealed = AESGCM(key["Plaintext"]).encrypt(nonce, b"key:" + stripe_key.encode(), belongs_to)
    wrapped = key["CiphertextBlob"]
    raw = len(wrapped).to_bytes(2, "big") + wrapped + nonce + sealed
    return "1." + base64.urlsafe_b64encode(raw).decode()


def with_sealed_key(order: str, stripe_key: str, key: dict) -> dict:
    worker_id, context_id = "payment-worker-1", f"order-{order}"
    return {
        "v": 2,
        "request_id": f"shop-payment-{order}",  # yours, so a repeated send is the same request
        "object": "payment_intent",
        "params": {"amount": 2000, "currency": "usd", "metadata": {"order": order}},
        "worker_id": worker_id,
        "context_id": context_id,
        "sealed_secret": seal(stripe_key, worker_id, context_id, key),
    }


def with_named_key(name: str, secret_ref: str) -> dict:
    """Without a request_id: the SQS message makes it. Sending this twice creates two products."""
    return {
        "v": 2,
        "object": "product",
        "params": {"name": name},
        "worker_id": "payment-worker-1",
        "context_id": f"product-{name}",
        "secret_ref": secret_ref,
        "lane": "batch",
    }


def main() -> None:
    sqs, kms = boto3.client("sqs"), boto3.client("kms")
    key = data_key(kms, os.environ["SEALING_KEY_ID"])
    messages = [
        (os.environ["REQUEST_QUEUE_URL"], with_sealed_key("2001", "sk_test_example", key)),
        (os.environ["BATCH_QUEUE_URL"], with_named_key("Tea", "demo")),
    ]
    for queue_url, message in messages:
        # json.dumps escapes to ASCII by itself: SQS refuses some characters, ASCII it takes.
        sent = sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
        print(message["object"], message.get("request_id"), sent["MessageId"])


if __name__ == "__main__":
    main()
