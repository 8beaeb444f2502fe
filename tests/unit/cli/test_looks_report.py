"""The line of a place says how many are unknown, since when, and when the next look comes."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from paydispatch.cli.looks_report import describe_looks
from paydispatch.domain.stripe.proofs import what_proves
from paydispatch.services.looks.report_looks import PlaceLooks

NOW_S = 10_000.0


def looks(
    *, last_at: float | None = None, next_at: float | None = None, pages: int | None = None
) -> PlaceLooks:
    return PlaceLooks("live acct_1", "refund", 3, NOW_S - 300, last_at, next_at, pages)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (looks(next_at=NOW_S + 10), "since 5m, next look in 10s"),
        (
            looks(last_at=NOW_S - 60, next_at=NOW_S + 600, pages=7),
            "since 5m, last look 60s ago, a pass goes on after 7 pages, next look in 10m",
        ),
        (looks(next_at=NOW_S - 30), "since 5m, its look is overdue by 30s"),
        (looks(), "since 5m, no look is planned, so that the hourly sweep looks"),
    ],
)
def test_a_place_is_one_line(place: PlaceLooks, line: str) -> None:
    assert describe_looks(asdict(place), NOW_S) == f"unknown in live acct_1, refund: 3, {line}"


@pytest.mark.parametrize(
    ("operation", "proof"),
    [
        ("create_payment_intent", "its object in Stripe's list, or its absence there"),
        ("create_payment_method", "its object in Stripe's list"),
        ("capture_payment_intent", "the state of its object"),
        ("delete_coupon", "the absence of its object"),
        ("update_customer", "a redrive within 23 hours"),
        ("no_such_operation", "nothing, because this release does not know the operation"),
    ],
)
def test_what_proves_a_request_depends_on_its_operation(operation: str, proof: str) -> None:
    assert what_proves(operation).startswith(proof)
