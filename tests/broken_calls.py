"""The calls to Stripe that end without a whole answer, as the adapters' client raises them."""

from __future__ import annotations

from paydispatch.adapters.stripe.client import BrokenCall
from paydispatch.domain.attempts import NotSent, Unknown


class NotConnected(BrokenCall):
    def __init__(self, text: str = "refused") -> None:
        super().__init__(NotSent(text), "ClientConnectorError")


class TimedOut(BrokenCall):
    def __init__(self, text: str = "no answer") -> None:
        super().__init__(Unknown(text, "timeout"), "SocketTimeoutError")


class LostAnswer(BrokenCall):
    def __init__(self, text: str = "reset") -> None:
        super().__init__(Unknown(text, "connection_lost"), "ServerDisconnectedError")


BROKEN_CALLS = (NotConnected, TimedOut, LostAnswer)
