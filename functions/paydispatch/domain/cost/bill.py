"""The bill of a run, metered as AWS meters it. It knows the use, and not how the use came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.cost.prices import PRICES, Price, PriceList

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES_PER_GB = 1_000_000_000
MS_PER_S = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaUse:
    """The invocations of one function."""

    function: str
    memory_gb: float
    invocations: float
    billed_ms: float
    """The sum over all invocations."""

    @property
    def gb_s(self) -> float:
        return self.billed_ms / MS_PER_S * self.memory_gb


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """All that a run used."""

    functions: Sequence[LambdaUse] = ()
    queue_requests: float = 0.0
    """Requests to the request queues: sends, receives and deletes."""
    doorbell_requests: float = 0.0
    http_requests: float = 0.0
    log_bytes: float = 0.0
    kms_requests: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill."""

    name: str
    quantity: float
    price: Price

    @property
    def usd(self) -> float:
        return self.quantity * self.price.usd


@dataclass(frozen=True, slots=True)
class Bill:
    lines: Sequence[Line]

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)

    @property
    def lambda_usd(self) -> float:
        """Return the part of Lambda alone, with which a loop over one queue is compared."""
        return sum(line.usd for line in self.lines if line.name.startswith("Lambda"))


def bill(use: Use, prices: PriceList = PRICES) -> Bill:
    """Return the bill of `use`. A meter that was not used has no line."""
    lines = [line for function in use.functions for line in _of_function(function, prices)]
    lines += [
        Line("SQS: request queue", use.queue_requests, prices.sqs_request),
        Line("SQS: doorbells", use.doorbell_requests, prices.sqs_request),
        Line("API Gateway", use.http_requests, prices.http_api_request),
        Line("CloudWatch Logs", use.log_bytes / BYTES_PER_GB, prices.log_gb),
        Line("KMS", use.kms_requests, prices.kms_request),
    ]
    return Bill([line for line in lines if line.quantity])


def _of_function(function: LambdaUse, prices: PriceList) -> Sequence[Line]:
    return (
        Line(f"Lambda: {function.function}, duration", function.gb_s, prices.lambda_gb_s),
        Line(
            f"Lambda: {function.function}, invocations",
            function.invocations,
            prices.lambda_invocation,
        ),
    )
