"""`HttpStripeAccounts`: the request to Stripe, the meaning of each answer, and how long it is remembered."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.broken_calls import BROKEN_CALLS, NotConnected
from tests.unit.examples import KEY

from paydispatch.adapters.stripe.accounts import KEPT_S, HttpStripeAccounts
from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.testing.memory_clock import MemoryClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OTHER_KEY = KEY + "Other"
DAY_S = 86_400.0


def account(id_: str = "acct_1") -> httpx.Response:
    return httpx.Response(200, json={"id": id_, "object": "account"})


def refusal(status: int) -> httpx.Response:
    """Return a refusal that quotes the key, as Stripe does."""
    error = {"type": "invalid_request_error", "message": f"Invalid API Key provided: {KEY}"}
    return httpx.Response(status, json={"error": error})


class Stripe:
    """A Stripe that gives `answer` and records the requests."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.answer: httpx.Response | type[Exception] = account()
        self.asked: list[httpx.Request] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await self.answers.wait()
        if isinstance(self.answer, httpx.Response):
            return self.answer
        raise self.answer(f"broken for {KEY}")


@pytest.fixture
def stripe() -> Stripe:
    return Stripe()


@pytest.fixture
async def client(stripe: Stripe) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.MockTransport(stripe.handle)
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        yield client


@pytest.fixture
def accounts(stripe: Stripe, client: httpx.AsyncClient) -> HttpStripeAccounts:
    return HttpStripeAccounts(client, stripe.clock)


async def find(
    accounts: HttpStripeAccounts,
    key: str = KEY,
    *,
    context: str | None = None,
    within_s: float = 60.0,
) -> Any:
    return await accounts.find(StripeKey(key), stripe_context=context, within_s=within_s)


async def test_the_account_of_a_key_is_the_one_that_stripe_names(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    assert await find(accounts) == "acct_1"

    (request,) = stripe.asked
    assert (request.method, request.url.path) == ("GET", "/v1/account")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Stripe-Version"] == STRIPE_API_VERSION
    assert "Stripe-Context" not in request.headers


async def test_the_account_of_a_key_is_requested_once_a_day(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    await find(accounts)
    stripe.clock.advance(KEPT_S - 1)
    await find(accounts)
    assert len(stripe.asked) == 1

    stripe.clock.advance(1)
    await find(accounts)
    assert len(stripe.asked) == 2


async def test_each_key_and_each_context_has_an_account_of_its_own(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    await find(accounts)
    stripe.answer = account("acct_2")

    assert await find(accounts, OTHER_KEY) == "acct_2"
    assert await find(accounts, context="acct_2") == "acct_2"
    assert stripe.asked[-1].headers["Stripe-Context"] == "acct_2"
    assert await find(accounts) == "acct_1"


async def test_a_403_means_that_the_key_may_not_read_its_account_and_is_remembered(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    stripe.answer = refusal(403)

    assert await find(accounts) is None
    assert await find(accounts) is None

    assert len(stripe.asked) == 1


@pytest.mark.parametrize("status", [404, 405])
async def test_a_stand_in_for_stripe_without_the_endpoint_counts_like_a_403(
    stripe: Stripe, accounts: HttpStripeAccounts, status: int
) -> None:
    stripe.answer = httpx.Response(status, text="Not here")

    assert await find(accounts) is None


async def test_a_401_refuses_the_key_and_is_not_remembered(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    stripe.answer = refusal(401)
    refused = await find(accounts)
    assert isinstance(refused, RefusedInFront)
    assert refused.http_status == 401

    stripe.answer = account()
    assert await find(accounts) == "acct_1"


NO_ANSWERS: list[httpx.Response | type[Exception]] = [
    refusal(400),
    refusal(429),
    refusal(500),
    httpx.Response(503, text="<html>"),
    httpx.Response(401, text="<html>"),
    httpx.Response(403, text="<html>a proxy's</html>"),
    httpx.Response(200, text="{ cut off"),
    httpx.Response(200, text="[" * 100_000),
    httpx.Response(200, json=[]),
    httpx.Response(200, json={"object": "account"}),
    httpx.Response(200, json={"id": 5}),
    httpx.Response(302, json={"id": "acct_1"}),
    *BROKEN_CALLS,
]


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=lambda answer: str(answer)[:60])
async def test_any_other_answer_means_unavailable_and_is_not_remembered(
    stripe: Stripe, accounts: HttpStripeAccounts, answer: httpx.Response | type[Exception]
) -> None:
    stripe.answer = answer
    with pytest.raises(Unavailable) as raised:
        await find(accounts)
    assert KEY not in f"{raised.value!r} {raised.value}"

    stripe.answer = account()
    assert await find(accounts) == "acct_1"


async def test_all_messages_of_a_batch_share_one_request(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    assert await asyncio.gather(*(find(accounts) for _ in range(50))) == ["acct_1"] * 50
    assert len(stripe.asked) == 1


async def test_a_failed_request_fails_all_its_waiting_callers_and_no_later_one(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    stripe.answer = NotConnected
    failed = await asyncio.gather(*(find(accounts) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [Unavailable] * 3
    assert len(stripe.asked) == 1

    stripe.answer = account()
    assert await find(accounts) == "acct_1"


async def test_a_caller_without_time_left_gives_up_and_the_others_go_on_waiting(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    stripe.answers.clear()
    patient = asyncio.ensure_future(find(accounts))
    with pytest.raises(Unavailable):
        await find(accounts, within_s=0.0)

    stripe.answers.set()

    assert await patient == "acct_1"
    assert len(stripe.asked) == 1


async def test_a_caller_that_is_cancelled_cancels_no_other(
    stripe: Stripe, accounts: HttpStripeAccounts
) -> None:
    stripe.answers.clear()
    first, second = (asyncio.ensure_future(find(accounts)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    stripe.answers.set()

    assert await second == "acct_1"


async def test_an_answer_that_never_ends_is_abandoned_and_requested_again(
    stripe: Stripe, client: httpx.AsyncClient
) -> None:
    """Each byte of a slow answer restarts the timeout of the HTTP client."""
    accounts = HttpStripeAccounts(client, stripe.clock, answer_within_s=0.01)
    stripe.answers.clear()
    with pytest.raises(Unavailable):
        await find(accounts)

    stripe.answers.set()

    assert await find(accounts) == "acct_1"
    assert len(stripe.asked) == 2


@pytest.fixture
def loop_errors() -> list[dict[str, Any]]:
    return []


async def test_a_failure_without_a_waiting_caller_leaves_no_warning(
    stripe: Stripe,
    accounts: HttpStripeAccounts,
    loop_errors: list[dict[str, Any]],
) -> None:
    note: Callable[[Any, dict[str, Any]], None] = lambda _, context: loop_errors.append(context)  # noqa: E731
    asyncio.get_running_loop().set_exception_handler(note)
    stripe.answer = NotConnected
    stripe.answers.clear()
    with pytest.raises(Unavailable):
        await find(accounts, within_s=0.0)

    stripe.answers.set()
    await asyncio.wait(list(accounts._asking.values()))  # retrieves no exception
    gc.collect()

    assert loop_errors == []


async def test_the_number_of_remembered_keys_is_bounded(
    stripe: Stripe, client: httpx.AsyncClient
) -> None:
    accounts = HttpStripeAccounts(client, stripe.clock, keys_kept=2)
    for key in (KEY, OTHER_KEY, KEY + "Third", KEY):
        await find(accounts, key)

    assert len(stripe.asked) == 4
