"""Measure how long `create_async` keeps its caller, and what a dispatched message costs until SQS has it.

    python -m tests.performance.control_back [--calls 400] [--messages 1000]

A call is validated, sealed and handed over. SQS and KMS are a stub, named by `BENCH_AWS_URL`. Prints the p50 and the
p99 of the calls on an idle machine, their p99 beside two busy processes, and the CPU per message of the whole process:
the call, the sending thread, signing and HTTP. One line of JSON for each figure.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.performance.frame.sample import (
    PARAMS,
    WARM_CALLS,
    cpu_us_of,
    print_control_back,
    print_figure,
)

from paydispatch import Dispatcher, new_payment_intent
from paydispatch.local.settings import local_aws

OURS = "paydispatch"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--messages", type=int, default=1_000)
    arguments = parser.parse_args()
    url = os.environ["BENCH_AWS_URL"]
    os.environ.update(local_aws(url))
    os.environ.update(REQUEST_QUEUE_URL=f"{url}/queue", SEALING_KEY_ID="key")
    with Dispatcher.from_env() as dispatcher:
        print_control_back(OURS, create, arguments.calls)
        dispatcher.flush()
    print_figure("dispatch", OURS, "us", [round(measure_cpu_us(arguments.messages), 1)])
    return 0


def measure_cpu_us(messages: int) -> float:
    with Dispatcher.from_env() as dispatcher:
        _create_all(dispatcher, WARM_CALLS)
        return cpu_us_of(lambda: _create_all(dispatcher, messages), messages)


def _create_all(dispatcher: Dispatcher, messages: int) -> None:
    for number in range(messages):
        create(number)
    dispatcher.flush()


def create(number: int) -> object:
    payment = (
        new_payment_intent()
        .amount(PARAMS["amount"])
        .currency("usd")
        .customer(PARAMS["customer"])
        .description(PARAMS["description"])
        .metadata(PARAMS["metadata"])
        .receipt_email(PARAMS["receipt_email"])
    )
    return payment.create_async("performance", f"order-{number}", "sk_test_performance")


if __name__ == "__main__":
    sys.exit(main())
