"""A create of every object in the table passes through the whole stack to its own response flow."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
from openapi.example_params import example_params
from tests.e2e.objects_at_stripe import ObjectsAtStripe

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.local.demo.trail import Trail

if TYPE_CHECKING:
    from paydispatch.domain.stripe.resources import Resource
    from paydispatch.local.stack import LocalStack

PATIENCE_S = 30.0
KEY = "sk_test_every_object"


def test_every_object_of_the_table_ends_in_its_response_flow(stack: LocalStack) -> None:
    with closing(ObjectsAtStripe(stack.addresses.stripe_base, KEY)) as objects:
        flows = {dispatch(stack, row, objects): row.response_flow for row in RESOURCES}
    trail, give_up_at = Trail(stack.directory), time.monotonic() + PATIENCE_S
    missing = dict(flows)
    while missing and time.monotonic() < give_up_at:
        stack.wait(0.05)
        trail.read()
        missing = {id_: flow for id_, flow in missing.items() if not trail.find_run(id_, flow)}
    assert missing == {}


def dispatch(stack: LocalStack, resource: Resource, objects: ObjectsAtStripe) -> str:
    example = example_params(resource.operation)
    body = {
        "worker_id": "every-object",
        "context_id": resource.name,
        "stripe_secret": KEY,
        "params": objects.name_existing(example, recurring=resource.name == "subscription"),
    }
    answer = httpx.post(stack.addresses.api + resource.endpoint, json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["request_id"])
