"""Where the runs begin. Each one brings the deviations close to a different corner of the protocol."""

from __future__ import annotations

from tests.model.callers import Scenario, message
from tests.model.flow_runs import FlowScenario

HOUR_S = 3600.0
PATIENT = message(deadline_s=7 * 24 * HOUR_S)
"""Its deadline comes long after the horizon."""

TWICE = Scenario(name="a message and its copy", messages=(message(),) * 2)
"""What a deferral leaves whose answer was lost: two messages of one request, worked on at once."""

SCENARIOS = (
    Scenario(name="one message", messages=(message(),)),
    TWICE,
    Scenario(name="three copies", messages=(message(),) * 3),
    Scenario(
        name="both wait",
        messages=(message(),) * 2,
        script={"stripe.post": ("429", "429")},
    ),
    Scenario(
        name="both are refused",
        messages=(message(),) * 2,
        script={"stripe.post": ("400", "401")},
        told=("not_created",),
    ),
    Scenario(
        name="a lost answer, then refusals",
        messages=(message(),) * 2,
        script={"stripe.post": ("done", "401", "401"), "stripe.answer": ("reset",)},
        told=("unknown", "created"),
    ),
    Scenario(
        name="a lost answer, and a redrive after a day",
        messages=(PATIENT,) * 2,
        script={"stripe.post": ("done", "401", "401"), "stripe.answer": ("reset",)},
        redrive_after_s=(25 * HOUR_S, 0.0),
        told=("unknown", "created"),
    ),
    Scenario(
        name="a declined card",
        messages=(message(),) * 2,
        ending="declined",
        told=("not_created",),
    ),
    Scenario(
        name="a kept 500",
        messages=(message(),) * 2,
        ending="500 though made",
        redrive_after_s=(0.0, 25 * HOUR_S),
        told=("unknown", "created"),
    ),
    Scenario(name="a patient request", messages=(PATIENT,), redrive_after_s=(25 * HOUR_S,)),
    Scenario(
        name="long waits are deferred",
        messages=(message(attempt=12),) * 2,
        script={"stripe.post": ("429", "no connection")},
    ),
    Scenario(
        name="the last receive",
        messages=(message(),),
        receives=4,
        told=("unknown", "created"),
    ),
    Scenario(
        name="the last receive, and a redrive after a day",
        messages=(PATIENT,) * 2,
        receives=4,
        redrive_after_s=(25 * HOUR_S, 0.0),
        told=("unknown", "not_created"),
    ),
    Scenario(
        name="a deadline of a second",
        messages=(message(deadline_s=1.0),) * 2,
        script={"stripe.post": ("429", "429")},
    ),
    Scenario(
        name="a copy that says it was sent two days ago",
        messages=(message(), message(first_sent_s=-48 * HOUR_S)),
        script={"stripe.post": ("done",), "stripe.answer": ("reset",)},
        told=("unknown", "created"),
    ),
    Scenario(
        name="a copy that says it will be sent tomorrow",
        messages=(message(first_sent_s=24 * HOUR_S),) * 2,
        script={"stripe.post": ("done",), "stripe.answer": ("reset",)},
    ),
    Scenario(
        name="a batch with poison in it",
        messages=(message("pdr_1"), "{poison", message("pdr_2")),
        requests=("pdr_1", "pdr_2"),
        batch_size=3,
    ),
)

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
