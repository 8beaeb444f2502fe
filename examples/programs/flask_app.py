"""A Flask application. One Dispatcher serves all threads, and each forked worker gets a thread of its own."""

import os

from flask import Flask, abort

from paydispatch import Dispatcher, Unavailable, new_payment_intent


def create_app() -> Flask:
    app = Flask(__name__)
    dispatcher = Dispatcher.from_env(delivery_timeout_s=20).start()

    @app.post("/orders/<order>/payment")
    def pay(order: str) -> tuple[dict[str, str | int], int]:
        intent = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
        try:
            receipt = intent.create_async(
                "payment-worker-1",
                order,
                os.environ["STRIPE_SECRET"],
                idempotency_key=f"pay-{order}",
                dispatcher=dispatcher,
            )
            receipt.wait(timeout_s=2)
        except (TimeoutError, Unavailable):
            abort(503)  # the same order is the same request, so the client may try again
        return {"request_id": receipt.request_id, "process": os.getpid()}, 202

    return app
