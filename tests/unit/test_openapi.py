"""The OpenAPI document is valid, agrees with the checks of the API, and is the same in `docs/`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openapi_spec_validator
import pytest
from openapi.document import document
from openapi.example_params import example_of, example_params
from tests.unit.examples import KEY, body
from tests.unit.handlers.conftest import Client
from tests.unit.openapi_schemas import part_of_document, validator

from paydispatch.domain.errors import BadRequest
from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.domain.requests import parse_request
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WRITTEN = ROOT / "docs/openapi.json"
SERVED = ROOT / "functions/paydispatch/handlers/api/openapi.json"

each_operation = pytest.mark.parametrize("row", all_operations(), ids=lambda row: row.name)
each_object = pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    """Return whether the document's `schema` accepts `value`."""
    valid: bool = validator(schema).is_valid(value)
    return valid


def nodes(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the document with its place."""
    if isinstance(node, dict):
        yield path, node
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, entry in entries:
        if isinstance(entry, dict | list):
            yield from nodes(entry, f"{path}/{key}")


def test_a_public_validator_accepts_the_document() -> None:
    """A part of it, because all operations are written alike and the whole takes the validator most of a minute."""
    sample = [row for row in all_operations() if row.object in ("coupon", "refund", "topup")]
    assert {row.method for row in sample} == {"POST", "DELETE"}
    openapi_spec_validator.validate(part_of_document(sample))


def test_the_file_in_docs_is_the_document_that_the_code_builds() -> None:
    assert json.loads(WRITTEN.read_text("utf-8")) == document(), "run `make schemas`"


def test_the_file_in_docs_has_one_line_for_each_path_and_each_component() -> None:
    built = document()
    sections = [built["paths"], *built["components"].values()]
    begun = re.findall(r'^"([^"]+)":', WRITTEN.read_text("utf-8"), re.MULTILINE)
    expected = [*built, *built["components"], *(name for section in sections for name in section)]
    assert sorted(begun) == sorted(expected)


def test_every_operation_has_its_path_and_is_named_once() -> None:
    found = {
        (call["operationId"], method.upper(), path)
        for path, calls in document()["paths"].items()
        for method, call in calls.items()
        if call["tags"] == ["operations"] and path != "/v1/batches"
    }
    assert found == {(row.name, row.method, row.path) for row in all_operations()}


def test_no_two_paths_differ_in_the_names_of_their_ids_alone() -> None:
    shapes = [re.sub(r"{\w+}", "{}", path) for path in document()["paths"]]
    assert len(shapes) == len(set(shapes))


def test_the_served_document_is_far_below_the_limit_of_an_answer() -> None:
    """Lambda's limit is 6 MB, and the document stands in the answer as escaped text."""
    assert len(json.dumps(SERVED.read_text("utf-8"))) < 2_000_000


def test_the_document_names_the_version_of_its_schemas() -> None:
    assert document()["info"]["x-stripe-version"] == STRIPE_API_VERSION


def test_every_reference_has_a_target() -> None:
    places = {path for path, _ in nodes(document())}
    targets = {node["$ref"] for _, node in nodes(document()) if isinstance(node.get("$ref"), str)}
    assert targets
    assert targets <= places


def test_every_component_is_used() -> None:
    components = document()["components"]
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "parameters", "headers")
        for name in components[kind]
    }
    used = {node["$ref"] for _, node in nodes(document()) if isinstance(node.get("$ref"), str)}
    assert there == used


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield (place, schema, value) of every example."""
    for path, node in nodes(document()):
        if "schema" in node and "example" in node:
            yield path, node["schema"], node["example"]
        for name, example in node.get("examples", {}).items():
            yield f"{path}/{name}", node["schema"], example["value"]


def test_every_example_is_valid_for_its_own_schema() -> None:
    refused = [path for path, schema, value in examples() if not is_valid(schema, value)]
    assert refused == []


def test_every_answer_has_an_example() -> None:
    start = "#/components/responses/"
    shown = {path.split("/")[3] for path, *_ in examples() if path.startswith(start)}
    assert shown == document()["components"]["responses"].keys()


@each_operation
def test_the_api_accepts_the_example_of_an_operation(row: Operation) -> None:
    call = document()["paths"][row.path][row.method.lower()]
    said = call["requestBody"]["content"]["application/json"]["examples"]
    url = row.path.replace("{", "").replace("}", "")
    for example in said.values():
        assert Client().send(row.method, url, example["value"]).status == 202


def test_the_api_accepts_the_example_of_a_batch() -> None:
    operation = document()["paths"]["/v1/batches"]["post"]
    said = operation["requestBody"]["content"]["application/json"]["examples"]
    (example,) = said.values()
    results = Client().post("/v1/batches", example["value"]).json["results"]
    assert [result["status"] for result in results] == ["dispatched"] * 3


@each_object
def test_the_example_of_a_create_breaks_no_rule_of_stripe(row: Resource) -> None:
    params = example_params(row.operation)
    assert params.keys() - {"metadata"}
    assert check_params(row.operation, params) == ()


def test_an_example_has_the_required_fields_and_the_object_it_belongs_to() -> None:
    schema = {
        "required": ["mode", "tiers", "until", "nested", "share"],
        "properties": {
            "customer": {"$ref": "#/$defs/id"},
            "payment_intent": {"$ref": "#/$defs/id"},
            "mode": {"enum": ["payment", "setup"]},
            "tiers": {"type": "array", "items": {"anyOf": [{"enum": ["inf"]}, {"const": ""}]}},
            "until": {"type": "integer", "format": "unix-time"},
            "nested": {
                "type": "object",
                "required": ["yes"],
                "properties": {"yes": {"type": "boolean"}, "no": {"type": "boolean"}},
            },
            "share": {"type": "string", "format": "decimal"},
        },
        "$defs": {"id": {"type": "string"}},
    }
    assert example_of(schema) == {
        "payment_intent": "pi_payment123",
        "mode": "payment",
        "tiers": ["inf"],
        "until": 1_800_000_000,
        "nested": {"yes": True},
        "share": "12.5",
    }


@each_operation
def test_the_parameter_schemas_are_those_that_the_api_checks_with(row: Operation) -> None:
    schemas, shared = document()["components"]["schemas"], row.object.replace(".", "_")
    checked = parameter_schema(row.name)
    wanted = {f"{shared}.{key}": part for key, part in checked.get("$defs", {}).items()}
    wanted[f"{row.name}_params"] = {
        key: part for key, part in checked.items() if key not in ("$schema", "$defs")
    }
    shown = json.dumps({name: schemas[name] for name in wanted})
    assert json.loads(shown.replace(f"#/components/schemas/{shared}.", "#/$defs/")) == wanted


FIELDS = [
    *(("worker_id", value) for value in ("w", "a b", "a{b", "~", "", "w" * 128, "w" * 129, 7)),
    *(("context_id", value) for value in ("c", "ä 1", "a\nb", "\x7f", "", "c" * 255, "c" * 256)),
    *(("stripe_secret", value) for value in (KEY, "rk_live_", "sk_org_1", "pk_test_1", "", "a b")),
    *(("secret_ref", value) for value in ("shop", "a/b", "", "s" * 128, "s" * 129)),
    *(("lane", value) for value in ("interactive", "batch", "fast")),
    *(("deadline_s", value) for value in (0.1, 604_800, 604_801, 0, -1, "60", True)),
    *(("stripe_account", value) for value in ("acct_1", "", "acct 1", "a" * 129)),
    *(("stripe_context", value) for value in ("acct_1", "acct_1/acct_2", "", "/acct_1", "a" * 256)),
    *(("idempotency_key", value) for value in ("k", "", "k" * 255, "k" * 256, 1)),
    *(("object", value) for value in ("payment_intent", "coupon")),
    *(("operation", value) for value in ("create_payment_intent", "create_coupon")),
    *(("path", value) for value in ({}, {"intent": "pi_1"}, "pi_1")),
    ("colour", "red"),
]


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=ascii)
def test_a_field_of_a_create_is_valid_if_the_api_accepts_it(field: str, value: Any) -> None:
    other_credential = {"stripe_secret": None} if field == "secret_ref" else {}
    sent = body(**{**other_credential, field: value})
    schema = {"$ref": "#/components/schemas/create_payment_intent_request"}
    assert is_valid(schema, sent) == (Client().post("/v1/payment_intents", sent).status == 202)


ITEMS: dict[str, tuple[dict[str, Any], bool]] = {
    "an operation and its id": (
        {"operation": "capture_payment_intent", "path": {"intent": "pi_1"}},
        True,
    ),
    "an operation without its id": ({"operation": "capture_payment_intent"}, False),
    "an id of another name": (
        {"operation": "capture_payment_intent", "path": {"id": "pi_1"}},
        False,
    ),
    "an object": ({"object": "token"}, True),
    "an object and its create": ({"object": "token", "operation": "create_token"}, True),
    "another object": ({"object": "charge", "operation": "create_token"}, False),
    "an object without a create": ({"object": "review"}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize(("named", "valid"), ITEMS.values(), ids=ITEMS)
def test_a_batch_item_is_valid_if_the_api_accepts_it(named: dict[str, Any], *, valid: bool) -> None:
    batch = {"requests": [body(params={}) | named]}
    assert is_valid({"$ref": "#/components/schemas/batch"}, batch) == valid
    (result,) = Client().post("/v1/batches", batch).json["results"]
    assert (result["status"] == "dispatched") == valid


@pytest.mark.parametrize("change", [{"secret_ref": "shop"}, {"stripe_secret": None}], ids=str)
def test_a_create_needs_exactly_one_of_key_and_secret_ref(change: dict[str, Any]) -> None:
    sent = body(**change)
    assert not is_valid({"$ref": "#/components/schemas/create_payment_intent_request"}, sent)
    with pytest.raises(BadRequest):
        parse_request(operation_named("create_payment_intent"), {}, sent)


@pytest.mark.parametrize(("over", "status"), [(0, 202), (1, 400)])
def test_the_longest_key_of_a_batch_is_a_key_for_every_item(over: int, status: int) -> None:
    schema = document()["components"]["parameters"]["batch-Idempotency-Key"]["schema"]
    item = {"object": "payment_intent", **body()}
    headers = {"idempotency-key": "k" * (schema["maxLength"] + over)}
    client = Client()
    assert (
        client.post("/v1/batches", {"requests": [item] * 1_000}, headers=headers).status == status
    )
    assert len(client.queue.sent) == (1_000 if status == 202 else 0)


@pytest.mark.parametrize("client", [Client(), Client(sign_in=True)], ids=["local", "deployed"])
def test_the_api_serves_the_document_without_sign_in(client: Client) -> None:
    answer = client.get("/v1/openapi.json")
    assert (answer.status, answer.json) == (200, document())
    assert answer.headers["Content-Type"] == "application/json"


def test_the_served_file_is_the_document_that_the_code_builds() -> None:
    assert json.loads(SERVED.read_text("utf-8")) == document()
