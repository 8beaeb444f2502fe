"""A Celery application. Every process of its pool has a Dispatcher, and closes it before it ends."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from paydispatch import Dispatcher, Unavailable, new_payment_intent

app = Celery("shop", broker=os.environ.get("CELERY_BROKER", "memory://"))


@worker_process_init.connect
def start_dispatcher(**_: object) -> None:
    Dispatcher.from_env(delivery_timeout_s=20).start()


@worker_process_shutdown.connect
def close_dispatcher(**_: object) -> None:
    Dispatcher.current().close(timeout_s=20)


@app.task(acks_late=True, autoretry_for=(Unavailable, TimeoutError), retry_backoff=True)
def pay(order: str) -> str:
    """Ask for a payment. The task ends when the queue has the request, so that a lost worker repeats it.

    The repeat has the same idempotency key, so it is the same request.
    """
    intent = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
    receipt = intent.create_async(
        "payment-worker-1", order, os.environ["STRIPE_SECRET"], idempotency_key=f"pay-{order}"
    )
    return receipt.wait(timeout_s=10).request_id
