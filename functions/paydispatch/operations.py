"""Every operation of Stripe's API as a function: each write of `docs/operations-table.md`.

    from paydispatch import Dispatcher
    from paydispatch.operations import capture_payment_intent

    with Dispatcher.from_env():
        receipt = capture_payment_intent("pi_1", amount_to_capture=500).call_async("worker-1", "order-1001", key)

The ids of the path come first, in the order of the path. The parameters are keywords, and `**{"from": 1}` passes one
whose name Python reserves. A function comes from the table of operations when it is first used. Therefore this module
has no line per operation. `operations.pyi` has their types.
"""

from typing import Any

from paydispatch.sdk.operation_calls import operation_function, operation_names


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return operation_names()
    return operation_function(name)


def __dir__() -> list[str]:
    return operation_names()
