"""`make stripe` compares a sandbox with the twin. Here a second twin stands for the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.twin_process import a_strict_twin
from tests.sandbox.calls import every_call
from tests.sandbox.session import CLEAN_UPS

ROOT = Path(__file__).parents[2]
SECRET = "sk_test_sandbox_canary"


def run(secret: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "STRIPE_TEST_KEY"}
    if secret is not None:
        variables["STRIPE_TEST_KEY"] = secret
    command = [sys.executable, "-m", "tests.sandbox", *options]
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )


def test_without_a_key_it_says_what_it_would_do() -> None:
    ran = run(None)
    assert ran.returncode == 0
    assert f"this makes {len(every_call())} calls" in ran.stdout


@pytest.mark.parametrize("secret", ["sk_live_abc", "pk_test_abc", "nonsense"])
def test_a_key_that_is_not_of_a_sandbox_is_refused_and_not_printed(secret: str) -> None:
    ran = run(secret, "--base", "http://127.0.0.1:1")
    assert ran.returncode == 2
    assert "STRIPE_TEST_KEY: expected" in ran.stderr
    assert secret not in ran.stdout + ran.stderr


def test_a_twin_does_not_differ_from_the_twin_and_is_cleaned_up() -> None:
    with a_strict_twin() as base:
        ran = run(SECRET, "--base", base, "--json")
        assert [json.loads(line) for line in ran.stdout.splitlines()] == [
            {"call": call.name, "differences": []} for call in every_call()
        ]
        assert (ran.returncode, ran.stderr.strip()) == (0, "")
        assert SECRET not in ran.stdout
        assert in_use(base) == []


def test_an_answer_that_differs_is_named() -> None:
    with a_strict_twin() as base:
        rule = {
            "match": {"object": "coupon"},
            "action": {"kind": "status", "status": 402},
            "times": 1,
        }
        httpx.post(base + "/_twin/faults", json=rule).raise_for_status()
        ran = run(SECRET, "--base", base)
    assert ran.returncode == 1
    assert "differs  coupon\n" in ran.stdout
    assert "status: Stripe 402, twin 200" in ran.stdout
    assert "not made, because Stripe refused this call: coupon" in ran.stdout


def in_use(base: str) -> list[str]:
    """Return the ids of the objects that a clean-up should have removed, or taken out of use."""
    with httpx.Client(base_url=base, auth=(SECRET, "")) as client:
        active = [
            row for kind in ("product", "price", "payment_link") for row in rows(client, kind)
        ]
        kept = [row for kind in ("customer", "coupon") for row in rows(client, kind)]
    return [row["id"] for row in active if row["active"] and not is_inline(row)] + [
        row["id"] for row in kept
    ]


def rows(client: httpx.Client, kind: str) -> list[dict[str, Any]]:
    path = CLEAN_UPS[kind][1].rpartition("/")[0]
    listed: list[dict[str, Any]] = client.get(path, params={"limit": 100}).json()["data"]
    return listed


def is_inline(row: dict[str, Any]) -> bool:
    """Say whether a Checkout session made this price for itself. No call of the run created it."""
    return row["object"] == "price" and row["type"] == "one_time"
