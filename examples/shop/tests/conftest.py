"""The database of the tests. The stack starts once for all of them, and its flows use the database of its start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shop.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def shop_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The environment of the shop. It is set before the stack starts, so that the flows have it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_DB", str(tmp_path_factory.mktemp("shop") / "shop.db"))
        patch.setenv("STRIPE_SECRET_KEY", "sk_test_shop")
        patch.setenv("FLOW_TIMEOUT_S", "5")  # a worker takes over from a dead one 10 s later
        yield


@pytest.fixture
def orders() -> Orders:
    """An empty database."""
    orders = Orders(Path(os.environ["SHOP_DB"]))
    orders.make_tables()
    orders.clear()
    return orders
