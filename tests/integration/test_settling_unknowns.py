"""Unknown outcomes with a real Redis, SQS and a Stripe twin that loses its answers. Both sides share one clock."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, SECRET_REF, envelope

from paydispatch.adapters.aws.dead_letters import SqsDeadLetters
from paydispatch.adapters.aws.look_queue import NoLookQueue
from paydispatch.adapters.aws.sqs import SqsAsyncQueue
from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.streams.doorbell import NoDoorbell
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.stripe.accounts import HttpStripeAccounts
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway, make_stripe_request
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.operators.redrive import Choice
from paydispatch.domain.progress import Progress
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.requests import Lane
from paydispatch.services.call_batch import BatchCall, Message
from paydispatch.services.calls.call import CallPorts
from paydispatch.services.looks import read_list
from paydispatch.services.reconcile import ReconcilePorts, Reconciler
from paydispatch.services.redrive import Redriver
from paydispatch.services.redrive_message import Action, RedriveOptions, RedrivePorts
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimiter
from paydispatch.testing.memory_operations import MemoryStripeLists
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.twin.clock import TwinClock
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


DAY_S = 86_400.0
LOST = {"kind": "lost_answer"}
REFUSED_BY_GATEWAY = {"kind": "status", "status": 503}


class World:
    """Caller, reconciler and operator on one Redis, one SQS and one Stripe twin."""

    def __init__(self, redis: Any, sqs: Any, stripe: StripeClient) -> None:
        self.clock = MemoryClock(time.time())  # SQS has its own clock
        self.twin = StripeTwin(strict=False, clock=TwinClock(self.clock.now_s))
        self.redis, self._sqs, self.stripe = redis, sqs, stripe
        self.lists = MemoryStripeLists(self.clock)
        """Nothing is found before the unknown outcome is published."""
        self.lists.away = True
        self._outcomes = RedisOutcomes(redis, queue_tenant="local")
        self._requests = RedisRequests(redis, self.clock, queue_tenant="local")
        self._accounts = HttpStripeAccounts(stripe, self.clock)
        self.secrets = {("local", SECRET_REF): KEY}
        self._vault = MemoryVault(MemorySealer(), self.secrets)
        self.urls = {
            name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("main", "batch", "dead")
        }
        lanes = {Lane.INTERACTIVE: self.urls["main"], Lane.BATCH: self.urls["batch"]}
        self._queue = SqsAsyncQueue(sqs, lanes, dead_letter_queue_url=self.urls["dead"])

    async def dispatch(self, sent: Envelope) -> None:
        """Call Stripe for one receive of the message. Backoffs only advance the clock, so nothing times out."""
        ports = CallPorts(
            gateway=HttpStripeGateway(self.stripe),
            lists=self.lists,
            unknown_outcomes=RedisUnknownOutcomes(self.redis, self.clock),
            accounts=self._accounts,
            key_breakers=MemoryKeyBreakers(self.clock),
            limiter=MemoryLimiter(self.clock, NO_LIMITS),
            requests=self._requests,
            vault=self._vault,
            outcomes=self._outcomes,
            queue=self._queue,
            doorbell=NoDoorbell(),
            doubts=RedisDoubts(self.redis, self.clock),
            look_queue=NoLookQueue(),
            clock=self.clock,
            log=MemoryEventLog(),
            fraction=lambda: 0.5,
            queue_tenant="local",
        )
        message = Message("m-1", sent.as_message(), 1, sent_at=self.clock.now_s())
        assert await BatchCall(ports, max_receives=5).call([message], ends_at=1e12) == []

    async def reconcile(self, *, same_account: str | None = None) -> dict[str, int]:
        ports = ReconcilePorts(
            unknown_outcomes=RedisUnknownOutcomes(self.redis, self.clock),
            requests=self._requests,
            accounts=self._accounts,
            limiter=MemoryLimiter(self.clock, NO_LIMITS),
            lists=HttpStripeLists(self.stripe),
            vault=self._vault,
            outcomes=self._outcomes,
            doorbell=NoDoorbell(),
            doubts=RedisDoubts(self.redis, self.clock),
            look_queue=NoLookQueue(),
            clock=self.clock,
            log=MemoryEventLog(),
        )
        service = Reconciler(ports)
        named = same_account and service.reconcile_in_same_account(same_account)
        counts = (await (named or service.reconcile())).counts
        return {verdict: count for verdict, count in counts.items() if count}

    async def redrive(self, **options: Any) -> list[Action]:
        ports = RedrivePorts(
            dead_letters=SqsDeadLetters(self._sqs, self.urls["dead"]),
            queue=self._queue,
            requests=self._requests,
            outcomes=self._outcomes,
            doorbell=NoDoorbell(),
            clock=self.clock,
            log=MemoryEventLog(),
            queue_tenant="local",
        )
        redriver = Redriver(ports, RedriveOptions(**options))
        return [one.action for one in await redriver.redrive(Choice(), at_most=100)]

    def receive_messages(self) -> list[str]:
        answer = self._sqs.receive_message(QueueUrl=self.urls["main"])
        return [message["Body"] for message in answer.get("Messages", [])]

    def count_parked(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self.urls["dead"], AttributeNames=names
        )
        return sum(map(int, attributes["Attributes"].values()))

    async def flows(self, worker_id: str = "worker-1") -> list[str]:
        stream = await self.redis.xrange(keys.outcomes(worker_id))
        return [OutcomeEntry.from_json(fields["entry"]).flow_name for _, fields in stream]

    async def status(self, request_id: str = "pdr_1") -> str:
        return str(await self.redis.hget(keys.request(request_id), "status"))

    def count_posts(self) -> int:
        return len(json.loads(self.twin.ledger.attempts(after=0, limit=None))["attempts"])

    def count_effects(self) -> int:
        return len(json.loads(self.twin.ledger.effects(kind=None, after=0, limit=None))["effects"])

    async def fill(self, count: int) -> None:
        """Create objects of other callers at the same time."""
        form = {"amount": "100", "currency": "usd"}
        for _ in range(count):
            made = await make_stripe_request(self.stripe, KEY, "/v1/payment_intents", form)
            assert made.status_code == 200


@pytest.fixture
async def world(valkey: Any, aws: Callable[[str], Any]) -> AsyncIterator[World]:
    redis, sqs = connect_async(valkey.url), aws("sqs")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stripe = StripeClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        made = World(redis, sqs, stripe)
        async with serve(made.twin, listener):
            yield made
            await stripe.aclose()
    await redis.aclose()
    sqs.close()


def request(world: World, **changes: Any) -> Envelope:
    deadline = Progress(deadline_at=world.clock.now_s() + 60)
    return envelope(accepted_at=world.clock.now_s(), progress=deadline, **changes)


def fault(world: World, action: dict[str, Any]) -> None:
    world.twin.faults.add({"action": action, "match": {"method": "POST"}})


async def make_unknown(world: World, action: dict[str, Any], **changes: Any) -> None:
    fault(world, action)
    await world.dispatch(request(world, **changes))
    world.twin.faults.clear()
    assert await world.status() == "unknown"


@pytest.mark.parametrize(
    ("object_name", "params"),
    [
        ("payment_intent", {"amount": 2000, "currency": "usd"}),
        ("product", {"name": "Tea"}),
        ("price", {"currency": "usd", "unit_amount": 5, "product": "prod_1", "active": False}),
        ("coupon", {"percent_off": 10, "duration": "once"}),
        ("subscription", {"customer": "cus_1", "items": [{"price": "price_1"}]}),
        ("payment_link", {"line_items": [{"price": "price_1", "quantity": 1}]}),
    ],
)
async def test_an_object_created_behind_a_lost_answer_runs_the_response_flow(
    world: World, object_name: str, params: dict[str, Any]
) -> None:
    await make_unknown(world, LOST, object=object_name, params=params)

    assert await world.reconcile() == {"created": 1}

    ends = [f"new_create_{object_name}_error", f"new_create_{object_name}_response"]
    assert await world.flows() == ends
    assert await world.status() == "succeeded"
    assert world.count_effects() == 1
    assert await world.reconcile() == {}


async def test_a_decline_behind_a_lost_answer_runs_the_error_flow(world: World) -> None:
    """Stripe keeps and lists a declined payment intent. It has the mark, but it is no success."""
    declined = {
        "payment_method": "pm_card_chargeDeclined",
        "confirm": True,
        "return_url": "https://example.com/done",
    }
    await make_unknown(world, LOST, params={"amount": 2000, "currency": "usd", **declined})

    assert await world.reconcile() == {"not_created": 1}

    assert await world.flows() == ["new_create_payment_intent_error"] * 2
    assert (await world.status(), world.count_effects()) == ("failed", 1)


async def test_a_request_that_never_reached_stripe_is_not_created_only_after_the_horizon(
    world: World,
) -> None:
    await make_unknown(world, REFUSED_BY_GATEWAY)
    assert await world.reconcile() == {"unknown": 1}

    world.clock.advance(DAY_S)
    assert await world.reconcile() == {"not_created": 1}

    assert await world.flows() == ["new_create_payment_intent_error"] * 2
    assert (await world.status(), world.count_effects()) == ("failed", 0)


async def test_stripe_down_while_reconciling_settles_nothing(world: World) -> None:
    await make_unknown(world, LOST)
    world.clock.advance(DAY_S)
    world.twin.faults.add({"action": {"kind": "status", "status": 503}})

    assert await world.reconcile() == {"unknown": 1}
    assert await world.status() == "unknown"


async def test_a_redrive_in_time_gets_stripe_s_replay(world: World) -> None:
    await make_unknown(world, LOST)

    assert await world.redrive() == [Action.SENT_BACK]
    (body,) = world.receive_messages()
    assert world.count_parked() == 0
    await world.dispatch(_read(body))

    assert (await world.status(), world.count_effects()) == ("succeeded", 1)
    assert await world.reconcile() == {"settled_before": 1}
    assert await world.reconcile() == {}


async def test_a_redrive_after_a_day_posts_nothing_under_the_old_key(world: World) -> None:
    """After a day Stripe has dropped the idempotency key, so a POST would create a second object."""
    await make_unknown(world, LOST)
    posts = world.count_posts()
    world.clock.advance(DAY_S + 3600)

    assert await world.redrive() == [Action.LEFT]
    assert (world.receive_messages(), world.count_parked()) == ([], 1)

    assert await world.reconcile() == {"created": 1}
    assert await world.redrive() == [Action.LEFT]
    assert await world.redrive(purge_settled=True) == [Action.PURGED]
    assert (world.count_posts(), world.count_effects(), world.count_parked()) == (posts, 1, 0)


async def test_a_message_sent_back_by_hand_after_a_day_posts_nothing(world: World) -> None:
    await make_unknown(world, LOST)
    posts = world.count_posts()
    first_sent_at = float(await world.redis.hget(keys.request("pdr_1"), "first_sent_at"))
    world.clock.advance(DAY_S + 3600)
    late = Progress(deadline_at=world.clock.now_s() + 60, first_sent_at=first_sent_at)

    await world.dispatch(envelope(accepted_at=first_sent_at, progress=late))

    assert (world.count_posts(), world.count_effects()) == (posts, 1)


async def test_an_object_that_a_redrive_created_hours_later_is_found(world: World) -> None:
    """The first attempt makes nothing. Hours later another one makes the object, and the lookup covers that attempt."""
    await make_unknown(world, REFUSED_BY_GATEWAY)
    world.clock.advance(5 * 3600)
    await world.redrive(deadline_s=60)
    fault(world, LOST)
    await world.dispatch(_read(world.receive_messages()[0]))
    world.twin.faults.clear()
    assert (await world.status(), world.count_effects()) == ("unknown", 1)
    # Valkey's clock cannot be moved, so the test changes the recorded time of the send.
    await world.redis.hset(keys.request("pdr_1"), "last_sent_at", world.clock.now_s())

    world.clock.advance(HORIZON_S)
    assert await world.reconcile() == {"created": 1}


async def test_the_lookup_reads_all_pages_of_a_list(world: World) -> None:
    await make_unknown(world, LOST)
    await world.fill(250)

    assert await world.reconcile() == {"created": 1}


async def test_a_lookup_that_stops_before_the_last_page_proves_nothing(world: World) -> None:
    await make_unknown(world, REFUSED_BY_GATEWAY)
    await world.fill(250)
    world.clock.advance(DAY_S)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_list, "MOST_PAGES", 2)
        assert await world.reconcile() == {"unknown": 1}
    assert await world.reconcile() == {"not_created": 1}


@pytest.mark.parametrize(
    "to", ["sk_test_other", KEY.replace("_test_", "_live_")], ids=["another account", "live mode"]
)
async def test_a_secret_with_another_account_s_key_settles_nothing_until_it_is_restored(
    world: World, to: str
) -> None:
    """The new account does not have the object, and it does not prove anything a day later either."""
    await make_unknown(world, LOST)
    world.clock.advance(DAY_S)
    world.secrets["local", SECRET_REF] = to
    assert await world.reconcile() == {"unknown": 1}
    assert (await world.status(), len(await world.flows())) == ("unknown", 1)

    world.secrets["local", SECRET_REF] = KEY
    assert await world.reconcile() == {"created": 1}


async def test_a_rotated_key_without_account_access_settles_only_with_same_account(
    world: World,
) -> None:
    world.secrets["local", SECRET_REF] = "rk_test_shop__mute"
    await make_unknown(world, LOST)
    world.secrets["local", SECRET_REF] = "rk_test_shop__2__mute"
    assert await world.reconcile() == {"unknown": 1}

    assert await world.reconcile(same_account="pdr_1") == {"created": 1}
    assert await world.status() == "succeeded"


async def test_a_key_of_an_organisation_creates_and_is_reconciled_in_the_account_of_its_context(
    world: World,
) -> None:
    """The twin refuses every call with such a key and no `Stripe-Context`: create, account and list."""
    world.secrets["local", SECRET_REF] = "sk_org_test_shop"
    await make_unknown(world, LOST, stripe_context="acct_branch")

    assert await world.reconcile() == {"created": 1}
    assert (await world.status(), world.count_effects()) == ("succeeded", 1)


async def test_a_key_of_an_organisation_without_a_context_ends_before_any_post(
    world: World,
) -> None:
    world.secrets["local", SECRET_REF] = "sk_org_test_shop"
    await world.dispatch(request(world))

    (entry,) = await world.redis.xrange(keys.outcomes("worker-1"))
    error = json.loads(entry[1]["entry"])["error"]
    assert (error["code"], error["param"]) == ("parameter_missing", "stripe_context")
    assert (await world.status(), world.count_posts()) == ("failed", 0)


@pytest.mark.parametrize("ahead_s", [-120, 120])
async def test_an_object_is_found_although_stripe_s_clock_is_two_minutes_off(
    world: World, ahead_s: float
) -> None:
    world.twin.clock.offset_s = ahead_s
    await make_unknown(world, LOST)

    world.clock.advance(DAY_S)
    assert await world.reconcile() == {"created": 1}


async def test_absence_is_no_proof_while_stripe_s_clock_differs(world: World) -> None:
    await make_unknown(world, REFUSED_BY_GATEWAY)
    world.clock.advance(DAY_S)
    world.twin.clock.offset_s = 1_000.0
    assert await world.reconcile() == {"unknown": 1}

    world.twin.clock.offset_s = 0.0
    assert await world.reconcile() == {"not_created": 1}


def _read(body: str) -> Envelope:
    read = read_message(body, message_id="m-2", sent_at=time.time())
    assert isinstance(read, Envelope)
    return read
