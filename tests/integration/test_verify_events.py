"""`paydispatch verify-events` against the twin: it says whether events carry the key, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from paydispatch.cli.main import main
from paydispatch.domain.attempts import Answered, RefusedInFront, Unknown
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import InvalidField, Unavailable
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.operators.object_states import Fetched
from paydispatch.services.verify_events import Echo, verify_events
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_stripe import MemoryStripe
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk_test_" + "Hush" * 6
LIVE_KEY = KEY.replace("_test_", "_live_")


@pytest.fixture
def twin_url() -> Iterator[str]:
    """A twin that serves in a thread, because the command runs an event loop of its own."""
    ready, stop, found = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve_until_stopped() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with serve(StripeTwin(), listener) as url:
                found.append(url)
                ready.set()
                await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve_until_stopped(),))
    thread.start()
    ready.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_the_twin_echoes_the_key_and_the_coupon_is_gone(
    twin_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["verify-events", "--key", KEY, "--stripe-base", twin_url, "--json"])
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert (code, said["echo"], said["event_key"]) == (0, "echoed", said["request_id"])
    assert KEY not in printed.out + printed.err
    gone = httpx.get(
        f"{twin_url}/v1/coupons/{said['coupon']}", headers={"Authorization": f"Bearer {KEY}"}
    )
    assert gone.status_code == 404


def test_the_result_is_a_sentence(twin_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify-events", "--key", KEY, "--stripe-base", twin_url]) == 0
    assert "Stripe echoed the key" in capsys.readouterr().out


@pytest.mark.parametrize("key", [LIVE_KEY, "sk_org_test_1", "pk_test_1", "whatever"])
def test_a_live_or_other_key_is_refused_and_not_shown(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify-events", "--key", key, "--stripe-base", "http://127.0.0.1:1"]) == 2
    printed = capsys.readouterr()
    assert key not in printed.out + printed.err


def test_an_unreachable_stripe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify-events", "--key", KEY, "--stripe-base", "http://127.0.0.1:1"]) == 2
    assert "Stripe did not answer" in capsys.readouterr().err


class Events:
    """A list of events that answers with the given pages, and with the last one again and again."""

    def __init__(self, *pages: Fetched | Inconclusive) -> None:
        self._pages = list(pages)
        self.reads = 0

    async def fetch(self, **_: Any) -> Fetched | Inconclusive:
        self.reads += 1
        return self._pages.pop(0) if len(self._pages) > 1 else self._pages[0]


@dataclass
class Ports:
    gateway: MemoryStripe
    lists: Any
    clock: MemoryClock


def page(*events: dict[str, Any]) -> Fetched:
    return Fetched({"data": list(events)})


def event(coupon: str = "c1", request: Any = None) -> dict[str, Any]:
    return {"id": "evt_1", "data": {"object": {"id": coupon}}, "request": request}


MADE = Answered(200, {"id": "c1"}, "req_1")


@pytest.mark.parametrize(
    ("pages", "echo"),
    [
        ([page(), page(event("c2")), page(event())], Echo.OTHER_KEY),
        ([page(event(request={"idempotency_key": "pdr_2"}))], Echo.OTHER_KEY),
        ([page()], Echo.NO_EVENT),
        ([Inconclusive("Stripe's object answered 403")], Echo.NOT_READABLE),
    ],
)
async def test_each_other_result_is_told_apart(pages: list[Any], echo: Echo) -> None:
    ports = Ports(MemoryStripe(MADE), Events(*pages), MemoryClock())
    verified = await verify_events(ports, StripeKey(KEY), within_s=5.0)
    assert verified.echo is echo
    assert [call["method"] for call in ports.gateway.calls] == ["POST", "DELETE"]


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (RefusedInFront(401, {}, None, "req_1"), InvalidField),
        (Unknown("no answer", "timeout"), Unavailable),
    ],
)
async def test_a_coupon_that_was_not_made_is_an_error(attempt: Any, error: type) -> None:
    ports = Ports(MemoryStripe(attempt), Events(page()), MemoryClock())
    with pytest.raises(error):
        await verify_events(ports, StripeKey(KEY), within_s=5.0)
