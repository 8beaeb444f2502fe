"""A plain script: the end of the block waits until the queue has every request, or names those that it has not."""

import os
import sys

from paydispatch import Dispatcher, NotDelivered, new_payment_intent


def main(orders: list[str]) -> int:
    try:
        with Dispatcher.from_env():
            for order in orders:
                intent = new_payment_intent().amount(2000).currency("usd")
                receipt = intent.create_async(
                    "payment-worker-1",
                    order,
                    os.environ["STRIPE_SECRET"],
                    idempotency_key=f"pay-{order}",
                    lane="batch",
                )
                print(receipt.request_id)
    except NotDelivered as left:
        print(left, file=sys.stderr)  # run it again: the same orders are the same requests
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
