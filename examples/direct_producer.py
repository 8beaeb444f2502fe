"""Write to the request queue with boto3 and cryptography alone. docs/envelope.md explains each step.

    pip install boto3 cryptography
    paydispatch local --json > stack.json &                        # wait for the line in stack.json
    eval "$(python examples/local_environment.py < stack.json)"
    python examples/direct_producer.py

Needs REQUEST_QUEUE_URL, BATCH_QUEUE_URL and SEALING_KEY_ID, and AWS's own variables. The local stack has a secret
`demo`, with the full name paydispatch/local/demo.
"""

import base64
import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PRINCIPAL = "queue"  # the principal of every direct producer


def data_key(kms, key_id: str) -> dict:
    """Ask KMS for a data key. One serves many messages. Replace it every quarter of an hour."""
    return kms.generate_data_key(
        KeyId=key_id, KeySpec="AES_256", EncryptionContext={"principal": PRINCIPAL}
    )


def seal(stripe_key: str, worker_id: str, context_id: str, key: dict) -> str:
    """Return the Stripe key sealed, so that it opens for this worker and this context alone."""
    nonce = os.urandom(12)
    belongs_to = json.dumps([PRINCIPAL, worker_id, context_id]).encode()
    sealed = AESGCM(key["Plaintext"]).encrypt(nonce, b"key:" + stripe_key.encode(), belongs_to)
    wrapped = key["CiphertextBlob"]
    raw = len(wrapped).to_bytes(2, "big") + wrapped + nonce + sealed
    return "1." + base64.urlsafe_b64encode(raw).decode()


def with_sealed_key(order: str, stripe_key: str, key: dict) -> dict:
    """Return a message that carries its Stripe key sealed."""
    worker_id, context_id = "payment-worker-1", f"order-{order}"
    return {
        "v": 2,
        "request_id": f"shop-payment-{order}",  # chosen here, so a repeated send is the same request
        "object": "payment_intent",
        "params": {"amount": 2000, "currency": "usd", "metadata": {"order": order}},
        "worker_id": worker_id,
        "context_id": context_id,
        "sealed_secret": seal(stripe_key, worker_id, context_id, key),
    }


def with_named_key(name: str, secret_ref: str) -> dict:
    """Return a message that names its Stripe key.

    It has no request_id, so the id is made from the SQS message id. If you send it twice, it creates two products.
    """
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
        # json.dumps escapes to ASCII. SQS refuses some other characters.
        sent = sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
        print(message["object"], message.get("request_id"), sent["MessageId"])


if __name__ == "__main__":
    main()
