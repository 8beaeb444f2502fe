"""The scenarios from which the runs start. Each brings the deviations to a different part of the protocol."""

from __future__ import annotations

from dataclasses import replace

from tests.model.asks import ACME, MALLORY, Ask, with_idempotency_key
from tests.model.caller_ports import DAY_S
from tests.model.callers import QUARTER_S, Scenario
from tests.model.flow_runs import FlowScenario
from tests.model.model_stripe import (
    ACME_KEY,
    MALLORY_KEY,
    MUTE_KEY,
    MUTE_ROLLED_KEY,
    OTHER_KEY,
    ROLLED_KEY,
    SHOP_KEY,
    SHOP_LIVE_KEY,
)

HOUR_S = 3600.0

ASK = Ask()
PATIENT = Ask(deadline_s=7 * DAY_S)
"""Its deadline comes long after the horizon."""

HASTY = Ask(deadline_s=1800.0)
"""Its short deadline keeps runs short that wait for the account."""

OTHER_BODY = replace(ASK, amount=999)
OTHER_WORKER = replace(ASK, worker_id="worker-2")
ACMES = Ask(principal=ACME, key=ACME_KEY)
MALLORYS = Ask(principal=MALLORY, key=MALLORY_KEY)
KEYED = with_idempotency_key(ACMES, "order-1")
AT_BOTH = with_idempotency_key(ASK, "order-1")
FORGED = Ask(principal=ACME, key=MALLORY_KEY, forged=True, amount=1)

ONE = Scenario(name="one message", asks=(ASK,))
TWICE = Scenario(name="a message and its copy", asks=(ASK,) * 2)
"""Two messages of one request, processed at the same time. A deferral with a lost answer leaves them."""

UNSEEN = {"stripe.look": ("no answer",) * 2}
"""Both reads of the look before an unknown outcome fail."""
LOST_ANSWER = {"stripe.post": ("done", "401", "401"), "stripe.answer": ("reset",), **UNSEEN}
UNKNOWN_THEN_CREATED = (("unknown", "created"),)

ONE_REQUEST = (
    ONE,
    TWICE,
    Scenario(name="three copies", asks=(ASK,) * 3),
    Scenario(name="both wait", asks=(ASK,) * 2, script={"stripe.post": ("429", "429")}),
    Scenario(
        name="both are refused",
        asks=(ASK,) * 2,
        script={"stripe.post": ("400", "401")},
        outcomes=(("not_created",),) * 2,
    ),
    Scenario(
        name="a lost answer, then refusals",
        asks=(ASK,) * 2,
        script=LOST_ANSWER,
        outcomes=UNKNOWN_THEN_CREATED * 2,
    ),
    Scenario(
        name="a lost answer, and a redrive after a day",
        asks=(PATIENT,) * 2,
        script=LOST_ANSWER,
        redrive_after_s=(25 * HOUR_S, 0.0),
        outcomes=UNKNOWN_THEN_CREATED * 2,
    ),
    Scenario(
        name="a declined card", asks=(ASK,) * 2, ending="declined", outcomes=(("declined",),) * 2
    ),
    Scenario(
        name="a payment that is confirmed and declined",
        asks=(replace(ASK, confirm=True),) * 2,
        ending="declined",
        outcomes=(("declined",),) * 2,
    ),
    Scenario(
        name="a kept 500 whose object a look finds",
        asks=(ASK,) * 2,
        ending="500 though made",
    ),
    Scenario(
        name="a kept 500",
        asks=(ASK,) * 2,
        ending="500 though made",
        script=UNSEEN,
        redrive_after_s=(0.0, 25 * HOUR_S),
        outcomes=UNKNOWN_THEN_CREATED * 2,
    ),
    Scenario(name="a patient request", asks=(PATIENT,), redrive_after_s=(25 * HOUR_S,)),
    Scenario(
        name="long waits are deferred",
        asks=(replace(ASK, attempt=12),) * 2,
        script={"stripe.post": ("429", "no connection")},
    ),
    Scenario(name="the last receive of a message that was never sent", asks=(ASK,), receives=4),
    Scenario(
        name="the last receives, and a redrive after a day",
        asks=(PATIENT,) * 2,
        receives=4,
        redrive_after_s=(25 * HOUR_S, 0.0),
    ),
    Scenario(
        name="a deadline of a second",
        asks=(replace(ASK, deadline_s=1.0),) * 2,
        script={"stripe.post": ("429", "429")},
    ),
    Scenario(
        name="a copy that says it was sent two days ago",
        asks=(ASK, replace(ASK, first_sent_s=-48 * HOUR_S)),
        script={"stripe.post": ("done",), "stripe.answer": ("reset",), **UNSEEN},
        outcomes=UNKNOWN_THEN_CREATED * 2,
    ),
    Scenario(
        name="a copy that says it will be sent tomorrow",
        asks=(replace(ASK, first_sent_s=24 * HOUR_S),) * 2,
        script={"stripe.post": ("done",), "stripe.answer": ("reset",)},
    ),
    Scenario(
        name="a message that dies, is parked by SQS and redriven by it on the thirteenth day",
        asks=(PATIENT,),
        receives=3,
        script={"stripe.post": ("done",), "stripe.answer": ("killed before",)},
        jumps_s=(13 * DAY_S, 9.5 * DAY_S),
        redrive_after_s=(13 * DAY_S, 0.0),
        outcomes=UNKNOWN_THEN_CREATED,
    ),
)

SEVERAL = (
    Scenario(
        name="a batch with poison in it",
        asks=(ASK, replace(ASK, request_id="pdr_2")),
        poison=("{poison",),
        batch_size=3,
    ),
    Scenario(
        name="one id, two bodies", asks=(ASK, OTHER_BODY), outcomes=(("created",), ("reused",))
    ),
    Scenario(
        name="one id, two bodies, at once",
        asks=(ASK, OTHER_BODY),
        batch_size=2,
        outcomes=(("created",), ("reused",)),
    ),
    Scenario(
        name="one id, two workers, the second twice",
        asks=(ASK, OTHER_WORKER, OTHER_WORKER),
        outcomes=(("created",), ("reused",), ("reused",)),
    ),
    Scenario(
        name="one id, two workers, while Stripe refuses",
        asks=(ASK, OTHER_WORKER),
        script={"stripe.post": ("429", "401")},
        outcomes=(("not_created",), ("reused",)),
    ),
    Scenario(
        name="one request with the keys of two accounts",
        asks=(replace(HASTY, key=SHOP_KEY), replace(HASTY, key=OTHER_KEY)),
    ),
    Scenario(
        name="a message that cannot be read names a live id",
        asks=(ASK, replace(ASK, unreadable=True)),
        outcomes=(("created",), ("not_created",)),
    ),
    Scenario(
        name="two messages that cannot be read name one id",
        asks=(replace(ASK, unreadable=True), replace(OTHER_BODY, unreadable=True)),
        outcomes=(("not_created",),) * 2,
    ),
    Scenario(
        name="two tenants use one id and one worker's name",
        asks=(ACMES, MALLORYS, ASK),
    ),
    Scenario(
        name="a producer claims to be acme",
        asks=(FORGED, ACMES),
        outcomes=((), ("created",)),
    ),
    Scenario(
        name="a producer knows what acme asks",
        asks=(ACMES, replace(ACMES, forged=True)),
        script={"stripe.post": ("429",)},
    ),
    Scenario(
        name="an unreadable message claims to be acme's",
        asks=(replace(FORGED, unreadable=True), ACMES),
        outcomes=((), ("created",)),
    ),
    Scenario(name="the SDK dispatches", dispatched=(ASK,)),
    Scenario(name="a client posts", posted=(KEYED,)),
    Scenario(name="two clients post the same", posted=(KEYED, KEYED)),
    Scenario(
        name="two clients post two bodies under one key",
        posted=(KEYED, replace(KEYED, amount=999)),
        outcomes=((), ("created",)),
    ),
    Scenario(
        name="one key, on the queue and at the API, two bodies",
        asks=(AT_BOTH,),
        posted=(replace(AT_BOTH, principal="local", key=SHOP_KEY, amount=999),),
        outcomes=(("reused",), ("created",)),
    ),
    Scenario(
        name="one request, on the queue and at the API",
        asks=(AT_BOTH,),
        posted=(replace(AT_BOTH, principal="local", key=SHOP_KEY),),
    ),
    Scenario(
        name="a client posts, and a forger knows what",
        asks=(replace(KEYED, forged=True),),
        posted=(KEYED,),
    ),
    Scenario(
        name="a program and a producer use one key",
        asks=(OTHER_BODY,),
        dispatched=(ASK,),
        outcomes=(("created",), ("reused",)),
    ),
)

ACCOUNTS = (
    Scenario(
        name="a secret that moves to another account", asks=(HASTY,), repointed_to=(OTHER_KEY,)
    ),
    Scenario(
        name="a secret that moves from test to live",
        asks=(HASTY,) * 2,
        repointed_to=(SHOP_LIVE_KEY,),
    ),
    Scenario(
        name="a secret that moves to another account while both wait",
        asks=(HASTY,) * 2,
        script={"stripe.post": ("429", "429")},
        repointed_to=(OTHER_KEY,),
    ),
    Scenario(name="a key that is rolled", asks=(HASTY,), repointed_to=(ROLLED_KEY,)),
    Scenario(
        name="a key that may not ask is rolled",
        asks=(HASTY,),
        secret=MUTE_KEY,
        repointed_to=(MUTE_ROLLED_KEY,),
    ),
    Scenario(
        name="a key that may not ask, then one that may",
        asks=(HASTY,),
        secret=MUTE_KEY,
        repointed_to=(ROLLED_KEY, OTHER_KEY),
    ),
)

WITHIN_MEMORY_S = (DAY_S, QUARTER_S)
"""A key that is asked for again later than Redis remembers it is a new key."""

REFUSED_ONCE = {"stripe.post": ("400",)}

REPEATED = (
    Scenario(
        name="a client asks again after a success",
        posted=(KEYED,),
        repeated=(KEYED,),
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("created",), ()),
    ),
    Scenario(
        name="two clients ask again after a refusal",
        posted=(KEYED,),
        repeated=(KEYED, KEYED),
        script=REFUSED_ONCE,
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("not_created",), ("created",), ("created",)),
    ),
    Scenario(
        name="a client asks again after a refusal, and a duplicate of the first message comes late",
        asks=(KEYED,),
        posted=(KEYED,),
        repeated=(KEYED,),
        script=REFUSED_ONCE,
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("not_created",), ("not_created",), ("created",)),
    ),
    Scenario(
        name="a client asks again after a declined card",
        posted=(KEYED,),
        repeated=(KEYED,),
        ending="declined",
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("declined",), ()),
    ),
    Scenario(
        name="a client asks again after a lost answer that reconcile finds",
        posted=(KEYED,),
        repeated=(KEYED,),
        script=LOST_ANSWER,
        redrive_after_s=(25 * HOUR_S,),
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("unknown", "created"), ()),
    ),
    Scenario(
        name="a client asks again after an absence that reconcile proves",
        posted=(replace(KEYED, deadline_s=1.0),),
        repeated=(replace(KEYED, deadline_s=1.0),),
        script={"stripe.post": ("reset before",) * 3},
        redrive_after_s=(25 * HOUR_S,),
        jumps_s=WITHIN_MEMORY_S,
        outcomes=(("unknown", "not_created"), ("created",)),
    ),
)

SCENARIOS = (*ONE_REQUEST, *SEVERAL, *ACCOUNTS, *REPEATED)

IN_ORDER = FlowScenario(name="one context", entries=(("pdr_1", "c1"), ("pdr_2", "c1")))

FLOW_SCENARIOS = (
    IN_ORDER,
    FlowScenario(
        name="two contexts",
        entries=(("pdr_1", "c1"), ("pdr_2", "c2"), ("pdr_3", "c1"), ("pdr_4", "c2")),
    ),
    FlowScenario(
        name="a script that always fails",
        entries=(("pdr_1", "c1"), ("pdr_2", "c1")),
        script={"flow.run": ("raises",) * 3},
    ),
    FlowScenario(
        name="a script that always kills",
        entries=(("pdr_1", "c1"), ("pdr_2", "c1")),
        script={"flow.run": ("killed",) * 3},
    ),
)
