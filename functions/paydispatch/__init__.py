"""Call Stripe without waiting for it.

    from paydispatch import Dispatcher, new_payment_intent

Names are loaded when they are first used, so that importing the package costs a Lambda nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.compose.dispatcher import Dispatcher as Dispatcher
    from paydispatch.domain.credentials import SecretRef as SecretRef
    from paydispatch.domain.errors import BadRequest as BadRequest
    from paydispatch.domain.errors import BufferFull as BufferFull
    from paydispatch.domain.errors import InvalidField as InvalidField
    from paydispatch.domain.errors import InvalidParams as InvalidParams
    from paydispatch.domain.errors import MaybeAccepted as MaybeAccepted
    from paydispatch.domain.errors import NoDispatcher as NoDispatcher
    from paydispatch.domain.errors import NotDelivered as NotDelivered
    from paydispatch.domain.errors import OtherProcess as OtherProcess
    from paydispatch.domain.errors import TooLarge as TooLarge
    from paydispatch.domain.errors import Unavailable as Unavailable
    from paydispatch.sdk.builders import *
    from paydispatch.sdk.receipt import Receipt as Receipt

_HOMES = {
    "Dispatcher": "paydispatch.compose.dispatcher",
    "Receipt": "paydispatch.sdk.receipt",
    "SecretRef": "paydispatch.domain.credentials",
    "RetryLater": "paydispatch.flow",
    **dict.fromkeys(
        (
            "BadRequest",
            "BufferFull",
            "InvalidField",
            "InvalidParams",
            "MaybeAccepted",
            "NoDispatcher",
            "NotDelivered",
            "OtherProcess",
            "TooLarge",
            "Unavailable",
        ),
        "paydispatch.domain.errors",
    ),
}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    home = _HOMES.get(name) or (
        "paydispatch.sdk.builders" if name.startswith(("new_", "create_")) else None
    )
    if home is None:
        raise AttributeError(f"module 'paydispatch' has no attribute {name!r}")
    return getattr(import_module(home), name)
