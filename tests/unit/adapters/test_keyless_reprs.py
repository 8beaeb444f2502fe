"""No object that holds a key, a signing secret or a data key shows it in its `repr`, which traces print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import KEY, create_request

from paydispatch import Dispatcher, new_product
from paydispatch.adapters.aws.sealing import DataKey
from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.web.stripe_signatures import SigningSecret
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Callable

WEBHOOK_SECRET = "whsec_" + "Mute" * 8
PLAIN = b"Hush" * 8


def _receipt() -> object:
    with Dispatcher(MemoryDelivery()):
        return new_product().name("Tea").create_async("worker-1", "context-1", KEY)


HOLDERS: dict[str, Callable[[], object]] = {
    "key": lambda: StripeKey(KEY),
    "request": create_request,
    "prepared request": lambda: HttpDelivery("http://127.0.0.1:1").prepare(create_request()),
    "delivery": lambda: HttpDelivery("http://127.0.0.1:1", auth=KEY),
    "receipt": _receipt,
    "signing secret": lambda: SigningSecret(WEBHOOK_SECRET),
    "data key": lambda: DataKey(PLAIN, b"wrapped"),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_a_repr_shows_no_secret(make: Callable[[], object]) -> None:
    held = make()
    for shown in (repr(held), str(held), f"{held}", repr([held]), repr({held.__class__: held})):
        assert "Hush" not in shown
        assert "Mute" not in shown
