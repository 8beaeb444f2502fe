"""`encode` makes the same body as the official library for the same parameters."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from tests.unit.schema.bodies import Bodies

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.resources import RESOURCES, Resource

SETS_PER_OBJECT = 2000 // len(RESOURCES)


class Recorder(stripe.HTTPClient):
    """An HTTP client that answers every request with an empty object and records the body."""

    name = "recorder"
    body: str | None = None

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, dict[str, str]]:
        self.body = post_data
        return "{}", 200, {}


def body_of_the_library(path: str, params: dict[str, Any]) -> bytes:
    recorder = Recorder()
    stripe.StripeClient("sk_test_1", http_client=recorder).raw_request("post", path, **params)
    return (recorder.body or "").encode()


def with_moments_and_gaps(value: Any, chance: random.Random) -> Any:
    """Replace some integers by datetimes and add some `None` fields, because callers pass both."""
    if isinstance(value, dict):
        return {key: with_moments_and_gaps(entry, chance) for key, entry in value.items()} | (
            {"nothing": None} if chance.random() < 0.1 else {}
        )
    if isinstance(value, list):
        return [with_moments_and_gaps(entry, chance) for entry in value]
    if type(value) is int and chance.random() < 0.2:
        return datetime.fromtimestamp(value % 4_102_444_800, UTC)
    return value


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
def test_the_body_equals_the_body_of_the_official_library(row: Resource) -> None:
    bodies = Bodies(row.operation, seed=4)
    for _ in range(SETS_PER_OBJECT):
        params = with_moments_and_gaps(bodies.valid(), bodies.random)
        assert encode(params) == body_of_the_library(row.endpoint, params), params
