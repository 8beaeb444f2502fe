"""A strict twin in a process of its own, and a client of the official library for it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import stripe

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk_test_conformance"


@contextmanager
def a_strict_twin() -> Iterator[str]:
    """Run a strict twin without rate limits. Yield its base URL."""
    command = (sys.executable, "-m", "paydispatch.twin", "--rate-limits", "off")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["stripe_base"]
        finally:
            process.terminate()


@contextmanager
def a_client(base_url: str) -> Iterator[stripe.StripeClient]:
    transport = stripe.RequestsClient()
    try:
        yield stripe.StripeClient(
            KEY, base_addresses={"api": base_url}, http_client=transport, max_network_retries=0
        )
    finally:
        transport.close()
