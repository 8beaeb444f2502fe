"""The price list: one dated table with the source of each price. Every figure in USD comes from here."""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A published price. `usd` is for one unit, without free tiers and discounts."""

    usd: float
    unit: str
    source: str
    as_of: str
    """The month in which the source was read."""


def _aws(usd: float, unit: str, page: str) -> Price:
    return Price(
        usd=usd, unit=unit, source=f"https://aws.amazon.com/{page}/pricing/", as_of="2026-11"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """The prices of one region. A field is a meter of the bill."""

    lambda_gb_s: Price
    lambda_invocation: Price
    sqs_request: Price
    http_api_request: Price
    log_gb: Price
    kms_request: Price


PRICES = PriceList(
    lambda_gb_s=_aws(0.0000133334, "GB-second on arm64", "lambda"),
    lambda_invocation=_aws(0.20e-6, "invocation", "lambda"),
    sqs_request=_aws(0.40e-6, "request of up to 64 KB", "sqs"),
    http_api_request=_aws(1.00e-6, "request of up to 512 KB", "api-gateway"),
    log_gb=Price(
        usd=0.50,
        unit="GB ingested into CloudWatch Logs",
        source="https://www.duckbillgroup.com/?p=9080 (the first tier of Lambda's logs)",
        as_of="2026-11",
    ),
    kms_request=Price(
        usd=0.03 / 10_000,
        unit="request with a symmetric key",
        source="https://www.wring.co/blog/aws-kms-pricing-guide",
        as_of="2026-03",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEngine:
    """The published price of another engine for the same calls. Its compute is not in the price."""

    name: str
    billed: str
    """The units that it bills for one call."""
    units_per_call: float
    price: Price

    def usd(self, calls: float) -> float:
        return calls * self.units_per_call * self.price.usd


OTHER_ENGINES = (
    OtherEngine(
        name="Temporal Cloud",
        billed="2 actions: a workflow started, an activity started; without storage and plan",
        units_per_call=2,
        price=Price(
            usd=50e-6,
            unit="action of the first 5 million a month",
            source="https://docs.temporal.io/cloud/pricing",
            as_of="2026-11",
        ),
    ),
    OtherEngine(
        name="Lambda durable functions",
        billed="1 durable operation: a step; without the data that it writes and keeps",
        units_per_call=1,
        price=Price(
            usd=8.00e-6,
            unit="durable operation (the rate of AWS's example)",
            source="https://aws.amazon.com/lambda/pricing/",
            as_of="2026-09",
        ),
    ),
)
