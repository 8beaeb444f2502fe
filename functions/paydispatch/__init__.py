"""Call Stripe without waiting for it.

    from paydispatch import Dispatcher, new_payment_intent

    with Dispatcher.from_env():
        receipt = new_payment_intent().amount(2000).currency("usd").create_async("worker-1", "order-1001", key)

Ask for an object      new_<object>() starts its parameters; create_<object>_async(…) takes all of them at once
Ask for another call   paydispatch.operations has a function for every write of Stripe's API
Send requests          Dispatcher: from_env() straight to SQS, http(url) through the HTTP API
Follow a request       Receipt: local at once, durable when the queue has the request
Wait for the answer    Receipt.outcome() returns an Outcome: Stripe's answer, or the error
Name a secret          SecretRef: the name of a Stripe key that AWS keeps, in place of the key
Write a flow           Flow and ParsedError are what a script gets; RetryLater asks for another run;
                       RETRY = Retry(…) sets how often it runs again after a failure

PaydispatchError       the root of all errors here
├── BadRequest           change the request: `param`, `code` and `message` say what is wrong
│   ├── InvalidField       a field of the request itself, such as `worker_id`
│   ├── InvalidParams      Stripe would refuse the parameters; `errors` has each of them
│   ├── IdempotencyKeyReused  the idempotency key stands for another request
│   ├── UnknownObject      there is no such object
│   ├── UnknownOperation   there is no such operation
│   └── TooLarge           the request does not fit into a queue message
├── Unavailable          try again later: nothing was accepted
│   ├── MaybeAccepted      the queue's answer was lost: repeat the request under the same identity
│   └── BufferFull         the Dispatcher's buffer is full
├── NotDelivered         requests that are not durable; `refused` and `unknown` name them
├── NoDispatcher         no Dispatcher runs, or several do
├── OtherProcess         the receipt belongs to the process that forked this one
└── BadSetting           an environment variable is missing or wrong

Each name is imported when it is first used, so that `import paydispatch` costs a Lambda nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.compose.dispatcher import Dispatcher as Dispatcher
    from paydispatch.domain.credentials import SecretRef as SecretRef
    from paydispatch.domain.errors import BadRequest as BadRequest
    from paydispatch.domain.errors import BadSetting as BadSetting
    from paydispatch.domain.errors import BufferFull as BufferFull
    from paydispatch.domain.errors import IdempotencyKeyReused as IdempotencyKeyReused
    from paydispatch.domain.errors import InvalidField as InvalidField
    from paydispatch.domain.errors import InvalidParams as InvalidParams
    from paydispatch.domain.errors import MaybeAccepted as MaybeAccepted
    from paydispatch.domain.errors import NoDispatcher as NoDispatcher
    from paydispatch.domain.errors import NotDelivered as NotDelivered
    from paydispatch.domain.errors import OtherProcess as OtherProcess
    from paydispatch.domain.errors import PaydispatchError as PaydispatchError
    from paydispatch.domain.errors import TooLarge as TooLarge
    from paydispatch.domain.errors import Unavailable as Unavailable
    from paydispatch.domain.errors import UnknownObject as UnknownObject
    from paydispatch.domain.errors import UnknownOperation as UnknownOperation
    from paydispatch.domain.flow_retry import Retry as Retry
    from paydispatch.flow import Flow as Flow
    from paydispatch.flow import ParsedError as ParsedError
    from paydispatch.flow import RetryLater as RetryLater
    from paydispatch.sdk.builders import *
    from paydispatch.sdk.outcome import Outcome as Outcome
    from paydispatch.sdk.receipt import Receipt as Receipt

_ERRORS = (
    "PaydispatchError",
    "BadRequest",
    "IdempotencyKeyReused",
    "InvalidField",
    "InvalidParams",
    "UnknownObject",
    "UnknownOperation",
    "TooLarge",
    "Unavailable",
    "MaybeAccepted",
    "BufferFull",
    "NotDelivered",
    "NoDispatcher",
    "OtherProcess",
    "BadSetting",
)

_HOMES = {
    "Dispatcher": "paydispatch.compose.dispatcher",
    "Outcome": "paydispatch.sdk.outcome",
    "Receipt": "paydispatch.sdk.receipt",
    "Retry": "paydispatch.domain.flow_retry",
    "SecretRef": "paydispatch.domain.credentials",
    **dict.fromkeys(("Flow", "ParsedError", "RetryLater"), "paydispatch.flow"),
    **dict.fromkeys(_ERRORS, "paydispatch.domain.errors"),
}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "operations":
        return import_module("paydispatch.operations")
    if name.startswith(("new_", "create_")):
        return getattr(import_module("paydispatch.sdk.builders"), name)
    raise AttributeError(f"module 'paydispatch' has no attribute {name!r}")


def __dir__() -> list[str]:
    builders = import_module("paydispatch.sdk.builders")
    return [*_HOMES, *(name for name in vars(builders) if name.startswith(("new_", "create_")))]
