"""gunicorn forks the application. Each process has a Dispatcher of its own, and sends what is left before it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.pytest_plugin import RunningStack, TwinControl

    from shop.orders import Orders

ROOT = Path(__file__).parents[1]
ORDERS = 20


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def url(orders: Orders, paydispatch_stack: RunningStack) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = (sys.executable, "-m", "gunicorn", "-c", "web_server.py", "-b", address)
    server = subprocess.Popen(command, cwd=ROOT, env=dict(paydispatch_stack.environment))
    try:
        wait_until(lambda: answers(f"http://{address}"))
        yield f"http://{address}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/orders/none").status_code == 404
    except httpx.TransportError:
        return False


def test_forked_processes_sell(url: str, orders: Orders, stripe_twin: TwinControl) -> None:
    for number in range(ORDERS):
        body = {"amount": 2000, "card": "pm_card_visa"}
        assert (
            httpx.post(f"{url}/orders/forked-{number:02}", json=body, timeout=30).status_code == 202
        )
    wait_until(lambda: len(orders.parcels()) == ORDERS)
    stripe_twin.assert_effects(ORDERS, "capture_payment_intent")
