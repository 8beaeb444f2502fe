"""No object that holds a key, a signing secret or a data key shows it in its `repr`, which traces print."""

from __future__ import annotations

import pickle
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


def test_no_member_of_a_delivery_shows_its_token() -> None:
    delivery = HttpDelivery("http://127.0.0.1:1", auth="Hush")
    delivery.open()
    client = delivery._client
    assert "Hush" not in repr(vars(delivery))
    assert client is not None
    assert "Hush" not in repr([vars(client), client.headers, client.auth, vars(client.auth)])
    delivery.close()


def test_the_token_of_a_delivery_is_not_pickled() -> None:
    delivery = HttpDelivery("http://127.0.0.1:1", auth="Hush")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(delivery)


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_a_repr_shows_no_secret(make: Callable[[], object]) -> None:
    held = make()
    for shown in (repr(held), str(held), f"{held}", repr([held]), repr({held.__class__: held})):
        assert "Hush" not in shown
        assert "Mute" not in shown
