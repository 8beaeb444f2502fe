"""The rows of `make bench`: what is measured, how far we want to get, and the programs that measure it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.performance.frame.adapters import OURS as US
from tests.performance.frame.adapters import from_cold_start, from_cost, from_flows, from_one_call
from tests.performance.frame.programs import PEERS, Program

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure, and the contestants beside us."""

    name: str
    title: str
    unit: str
    reach: float | None = None
    """The figure that we want to reach, on a quiet machine."""
    higher_is_better: bool = False
    figure: str = US
    """The contestant that is held against the reach, and that every ratio is to."""
    reaches: Mapping[str, float] = field(default_factory=dict)
    """The reaches of further contestants."""
    profile: str | None = None
    """The heading in docs/profiles.md, as its link has it, under which the time of this row is taken apart."""

    def all_reaches(self) -> dict[str, float]:
        """Return the reach of each contestant that has one."""
        return ({} if self.reach is None else {self.figure: self.reach}) | {**self.reaches}


_CONTROL, _CALL = "the-caller-has-control-back", "one-call-of-stripe"
"""Headings of docs/profiles.md."""

_INITS_MS = {
    "ApiFunction": 375,
    "StripeCallerFunction": 478,
    "ReconcileFunction": 446,
    "FlowRunnerFunction": 249,
}
"""70 % of the inits before docs/adr/0048-functions-that-start-with-less.md, on a quiet machine."""

ROWS = (
    Row(
        name="control_back p50",
        title="The caller has control back, p50",
        unit="us",
        reach=30,
        profile=_CONTROL,
    ),
    Row(
        name="control_back p99",
        title="The caller has control back, p99",
        unit="us",
        reach=100,
        profile=_CONTROL,
    ),
    Row(
        name="control_back p99 busy",
        title="The caller has control back, p99 beside two busy processes",
        unit="us",
        reach=1_000,
        profile=_CONTROL,
    ),
    Row(name="dispatch", title="CPU of a dispatched message, all in", unit="us", reach=150),
    Row(
        name="one_call",
        title="CPU of one call of Stripe, 100 in flight, answers after 300 ms",
        unit="us",
        reach=450,
        profile=_CALL,
    ),
    Row(name="wall_10", title="Wall time of 10 such calls", unit="ms", reach=308, profile=_CALL),
    Row(name="wall_100", title="Wall time of 100 such calls", unit="ms", reach=345, profile=_CALL),
    Row(
        name="flows",
        title="Outcomes to flows, per second of one core of the worker",
        unit="per_s",
        higher_is_better=True,
        figure=f"{US}, async def, own contexts",
        reach=10_000,
        reaches={f"{US}, plain def, own contexts": 5_000},
        profile="from-an-outcome-to-its-flow",
    ),
    Row(
        name="publish_to_run",
        title="From the publication to the script, at 50 a second",
        unit="ms",
        figure=f"{US} p50",
        reach=1,
        profile="from-an-outcome-to-its-flow",
    ),
    Row(
        name="whole_path",
        title="The whole path on one machine, Stripe's twin answers at once",
        unit="per_s",
        reach=1_000,
        higher_is_better=True,
        profile="the-whole-path",
    ),
    Row(name="whole_path CPU", title="CPU of one request on the whole path", unit="us"),
    *(
        Row(name=f"billed: {what}", title=title, unit=unit, figure="measured")
        for what, title, unit in (
            (
                "billed ms per call",
                "Billed time of a call, batches of 100, answers after 300 ms",
                "ms",
            ),
            ("CPU ms per call", "CPU of a call in the handler, alone", "ms"),
            ("SQS requests per call", "SQS requests of a call: send, receive, delete", "requests"),
            ("doorbell messages per call", "Doorbell messages of a call", "messages"),
            ("log bytes per call", "Bytes of the caller's log", "bytes"),
        )
    ),
    Row(
        name="cold_start",
        title="Cold start of the built functions",
        unit="ms",
        reaches={f"{function}, init": ms for function, ms in _INITS_MS.items()},
        profile="cold-starts-and-zips",
    ),
    Row(
        name="zip",
        title="Size of the zips, compressed",
        unit="MB",
        reaches={
            "ApiFunction": 13,
            "StripeCallerFunction": 17,
            "ReconcileFunction": 17,
            "FlowRunnerFunction": 8,
        },
        profile="cold-starts-and-zips",
    ),
    Row(
        name="lambda_price",
        title="Lambda's part of the price of a million calls of 300 ms",
        unit="USD",
        figure=f"{US}, batch lane",
        reach=0.8,  # a fifth of the loop
    ),
    Row(
        name="price",
        title="Price of a million calls of 300 ms, all meters",
        unit="USD",
        figure=f"{US}, batch lane",
    ),
)

_CONTROL_BACK = "tests.performance.control_back"
_FEW = ("--calls", "100", "--messages", "200")

GROUPS = (
    (
        Program(module=_CONTROL_BACK, quick=_FEW),
        *(
            Program(
                module=f"{_CONTROL_BACK}_peers",
                arguments=("--peer", peer),
                quick=_FEW,
                python=PEERS,
            )
            for peer in (
                *("dramatiq", "arq", "taskiq", "rq", "celery"),
                *("boto3 send", "boto3 batch of ten"),
            )
        ),
    ),
    (
        Program(
            module="tests.performance.one_call",
            arguments=("--json", "--rounds", "1"),
            quick=("--calls", "100"),
            read=from_one_call,
        ),
        Program(module="tests.performance.wall_peers", arguments=("--peer", "gather")),
        Program(
            module="tests.performance.wall_peers",
            arguments=("--peer", "loop"),
            quick=("--most", "10"),
            once=True,  # half a minute, and all of it is waiting
        ),
    ),
    (
        Program(
            module="tests.performance.flows",
            arguments=("--json", "--rounds", "1"),
            quick=("--flows", "500", "--seconds", "2", "--only", "own contexts"),
            read=from_flows,
        ),
        *(
            Program(
                module="tests.performance.flow_peers",
                arguments=("--peer", peer),
                quick=("--tasks", "300"),
                python=PEERS,
            )
            for peer in ("dramatiq", "arq", "taskiq", "celery", "rq")
        ),
    ),
    (Program(module="tests.performance.whole_path", quick=("--requests", "400")),),
    (Program(module="tests.performance.billed", quick=("--calls", "200")),),
    (
        Program(
            module="tests.performance.cold_start",
            arguments=(".", ".", "--starts", "3", "--json"),
            read=from_cold_start,
            in_quick=False,  # the tests of the built functions build and start them
            once=True,
        ),
    ),
    (
        Program(
            module="paydispatch",
            arguments=("cost", "--calls", "1e6", "--lane", "batch", "--json"),
            read=from_cost,
            once=True,
        ),
        Program(
            module="paydispatch",
            arguments=("cost", "--calls", "1e6", "--lane", "interactive", "--json"),
            read=from_cost,
            once=True,
        ),
    ),
)
