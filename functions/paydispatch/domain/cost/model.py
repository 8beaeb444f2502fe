"""The use that a number of calls makes of AWS, from the shape of the stack. Each assumption has a name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.cost.bill import BYTES_PER_GB, LambdaUse, Use
from paydispatch.domain.requests import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

MB_PER_GB = 1_024
CPU_MB = 1_769
"""With so much memory a function has one core, and with less a part of it (documentation of Lambda)."""
SQS_CHUNK_KB = 64
SQS_BATCH = 10
"""The most messages of one SQS request. Lambda receives and deletes in tens, and the Dispatcher sends in them."""

CALLER_MB, RUNNER_MB, API_MB = 1_024, 512, 512
"""The memory of the functions in template.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCost:
    """The event source mapping of a lane, as it works for the bill."""

    per_invocation: int
    """Messages in one invocation: those of a backlog. Quiet traffic of the interactive lane brings one at a time."""


LANE_COSTS: Mapping[Lane, LaneCost] = {
    Lane.INTERACTIVE: LaneCost(per_invocation=1),
    Lane.BATCH: LaneCost(per_invocation=100),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The needs of our own code, measured on two shared cores (docs/benchmarks.md).

    CPU is that of one whole core. So the estimate is rather too high than too low.
    """

    call_cpu_ms: float = 1.2
    """One call with its guards, its log line and its outcome in Redis."""
    invocation_ms: float = 8.0
    """The time of an invocation of the caller beside its slowest call and its CPU."""
    flow_cpu_ms: float = 0.6
    """One outcome from the stream to its script and back, without the work of the script."""
    run_ms: float = 5.0
    """The time of an invocation of the runner beside that."""
    accept_cpu_ms: float = 5.0
    """One request of the HTTP API."""
    item_cpu_ms: float = 0.7
    """Each further item of it."""
    log_bytes_of_a_call: int = 490
    log_bytes_of_a_flow: int = 420
    log_bytes_of_an_item: int = 310
    log_bytes_of_an_invocation: int = 350
    """Lambda's own START, END and REPORT."""
    redis_bytes_for_25_days: int = 3_300
    """A finished request in Redis: its slot with the answer of 1.2 KB, and its marks."""
    redis_bytes_for_a_day: int = 2_500
    """Its entry on the stream, which is trimmed a day after its flow."""
    ring_ms: float = 15.0
    """One doorbell message. Outcomes that come while it is sent share the next one."""


MEASURED = Measured()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Calls of one kind."""

    calls: float
    lane: Lane
    call_ms: float = 300.0
    """The time of Stripe's answers."""
    slowest_ms: float | None = None
    """The time of the slowest answer of an invocation. None: all take `call_ms`."""
    per_invocation: int | None = None
    """Messages in one invocation. None: those of the lane (`LANE_COSTS`)."""
    wait_ms: float = 0.0
    """The longest wait for tokens in an invocation, when the rate limit holds it back."""
    deferrals: float = 0.0
    """Copies of a message that wait on the queue for tokens, on average."""
    message_kb: float = 3.0
    api_items: int = 0
    """Items in one request of the HTTP API. 0: the SDK writes to the queue, without the API."""

    @property
    def fill(self) -> int:
        return self.per_invocation or LANE_COSTS[self.lane].per_invocation


def use_of(work: Workload, measured: Measured = MEASURED) -> Use:
    """Return the use that the stack makes for `work`."""
    messages = work.calls * (1 + work.deferrals)
    invocations = messages / work.fill
    rings = min(work.calls, invocations * _rings(work, measured))
    functions = [
        _caller(work, measured, invocations),
        _runner(work, measured, rings),
        *_api(work, measured),
    ]
    own_invocations = sum(function.invocations for function in functions)
    each_bytes = measured.log_bytes_of_a_call + measured.log_bytes_of_a_flow
    if work.api_items:
        each_bytes += measured.log_bytes_of_an_item
    return Use(
        functions=functions,
        queue_requests=_queue_requests(work, messages),
        doorbell_requests=3 * rings,
        http_requests=work.calls / work.api_items if work.api_items else 0,
        log_bytes=work.calls * each_bytes + own_invocations * measured.log_bytes_of_an_invocation,
    )


def redis_gb_of(work: Workload, measured: Measured = MEASURED) -> tuple[float, float]:
    """Return the memory that the calls hold in Redis for 25 days, and the memory beside it for a day."""
    return (
        work.calls * measured.redis_bytes_for_25_days / BYTES_PER_GB,
        work.calls * measured.redis_bytes_for_a_day / BYTES_PER_GB,
    )


def loop_of(work: Workload, memory_mb: int = CALLER_MB) -> LambdaUse:
    """Return the use of a usual batch loop over the same queue: ten messages, one call after the other, and no flow.

    Its own CPU is left out, which favours it.
    """
    invocations = work.calls / SQS_BATCH
    billed_ms = work.calls * work.call_ms
    return LambdaUse(
        function="loop",
        memory_gb=memory_mb / MB_PER_GB,
        invocations=invocations,
        billed_ms=billed_ms,
    )


def _caller(work: Workload, measured: Measured, invocations: float) -> LambdaUse:
    """All calls of an invocation go at once, so it lasts as long as the slowest, and the CPU of all."""
    slowest_ms = work.call_ms if work.slowest_ms is None else work.slowest_ms
    cpu_ms = work.fill * measured.call_cpu_ms / _cores(CALLER_MB)
    each_ms = measured.invocation_ms + work.wait_ms + slowest_ms + cpu_ms
    return _function("caller", CALLER_MB, invocations, each_ms)


def _runner(work: Workload, measured: Measured, rings: float) -> LambdaUse:
    cpu_ms = work.calls * measured.flow_cpu_ms / _cores(RUNNER_MB)
    return _function("runner", RUNNER_MB, rings, measured.run_ms + cpu_ms / rings)


def _api(work: Workload, measured: Measured) -> list[LambdaUse]:
    if not work.api_items:
        return []
    cpu_ms = measured.accept_cpu_ms + (work.api_items - 1) * measured.item_cpu_ms
    each_ms = cpu_ms / _cores(API_MB)
    return [_function("api", API_MB, work.calls / work.api_items, each_ms)]


def _function(name: str, memory_mb: int, invocations: float, each_ms: float) -> LambdaUse:
    return LambdaUse(
        function=name,
        memory_gb=memory_mb / MB_PER_GB,
        invocations=invocations,
        billed_ms=invocations * each_ms,
    )


def _rings(work: Workload, measured: Measured) -> float:
    """Return the doorbell messages of an invocation, if its answers are spread over the time of one call."""
    return min(work.fill, 1 + work.call_ms / measured.ring_ms)


def _queue_requests(work: Workload, messages: float) -> float:
    """Count the sends in tens, one request for each copy of a deferral, and the receives and deletes in tens."""
    at_once = min(SQS_BATCH, work.fill)
    sends = work.calls / (SQS_BATCH if work.fill > 1 else 1)
    copies = messages - work.calls
    chunks = math.ceil(at_once * work.message_kb / SQS_CHUNK_KB)
    return (sends + messages / at_once) * chunks + copies + messages / at_once


def _cores(memory_mb: int) -> float:
    return memory_mb / CPU_MB
