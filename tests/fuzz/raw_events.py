"""Hostile events for the API: bodies, headers and paths that a caller controls, and events of a wrong form."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tests.smallest_params import smallest_params
from tests.unit.examples import KEY
from tests.unit.handlers.conftest import http_event
from tests.unit.handlers.test_foreign_events import FOREIGN

from paydispatch.domain.parameters.check import parameter_names
from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.stripe.operations import Operation

HOSTILE_JSON = (
    *("null", "true", "0", "-0", "-1", "0.1", "1e999", "-1e999", "1e-999", "NaN", "Infinity"),
    *('{"a": 1e999}', '{"a": [{"b": -1e999}]}', '{"metadata": {"a": 1e999}}'),
    *("-Infinity", "9" * 4_299, "9" * 4_301, "9223372036854775808", "1" + "0" * 400 + ".5"),
    *('""', '" "', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u202e"'),
    *('"{x}"', '"../../x"', '"%00"', '"a\\r\\nb: c"', '"' + "x" * 70_000 + '"', '"[hidden]"'),
    *("[]", "{}", "[[]]", "[null]", '{"": null}', '{"\\ud800": "\\ud800"}', '{"__proto__": {}}'),
    *("[" * 60 + "]" * 60, "[" * 100_000 + "]" * 100_000, '{"a":' * 3_000 + "1" + "}" * 3_000),
    *(f'"{KEY}"', f'{{"{KEY}": 1}}', f'["{KEY}"]', f'" {KEY}"', '"sk_test_"', '"pk_test_1"'),
    *('"4242424242424242"', '{"number": "4242424242424242", "cvc": "123"}', "1" * 16),
    *("[1", "}", "'", "\\", '"', "nul", "\x00", "\ud800", "\ufeff{}", "[1,]", "// a", "1 2"),
)
"""JSON values, and texts that are not JSON, which readers are known to trip over."""

FIELDS = (
    *("worker_id", "context_id", "stripe_secret", "secret_ref", "params", "lane", "deadline_s"),
    *("stripe_account", "stripe_context", "unchecked_params", "idempotency_key", "object"),
    *("operation", "path", "requests", "v", "request_id", "principal", "", "\ud800", KEY),
)
NAMES = (
    *("3", "007", "+3", "-1", "9" * 30, "", " ", "a[b]", "[]", "é", "\ud800", "\x00", "x" * 300),
    *("number", "cvc", "metadata", "expand", "paydispatch_request_id", "__proto__", "params", KEY),
)
"""Names of parameters, among them such that a reader may take for an index or a path."""

HEADERS = (
    *("idempotency-key", "traceparent", "stripe-signature", "content-type", "authorization"),
    *("content-length", "host", "x-forwarded-for", "cookie", "accept-encoding", "origin"),
)
METHODS = ("POST", "DELETE", "GET", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "post", "", "*")
PATHS = (
    *("/health", "/v1/openapi.json", "/v1/batches", "/v1/requests/pdr_1", "/v1/requests/", "/"),
    *("/v1/stripe/events/local", "/v1/stripe/events/a/b", "/v1/stripe/events/", "/v1", "/v1/", ""),
    *("//v1//products", "/v1/products/", "/v1/products/../coupons", "/v1/products;x=1", "/V1/x"),
    *("/v1/payment_intents/%2e%2e/capture", "/v1/payment_intents/\n/capture", "/v1/\ud800"),
    *("/v1/payment_intents/\x00/capture", "/v1/" + "a/" * 3_000, "/v1/" + "é" * 3_000, "/v1/<x>"),
    *(f"/v1/{KEY}", f"/v1/products/{KEY}", "/v1/" + "x" * 85 + KEY, f"/v1/requests/{KEY}", "v1/x"),
)
_OPERATIONS = tuple(all_operations())
_REPLACED: tuple[tuple[str, ...], ...] = (
    *(("version",), ("routeKey",), ("rawPath",), ("rawQueryString",), ("headers",), ("body",)),
    *(("isBase64Encoded",), ("requestContext",), ("requestContext", "http"), ("cookies",)),
    *(("requestContext", "http", "method"), ("requestContext", "http", "path")),
    *(("requestContext", "stage"), ("requestContext", "authorizer"), ("queryStringParameters",)),
    *(("requestContext", "authorizer", "jwt"), ("requestContext", "authorizer", "iam")),
    *(("headers", "idempotency-key"), ("headers", "stripe-signature"), ("pathParameters",)),
)
_DROP = object()

_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
)  # `json.dumps` writes NaN and lone surrogates of these
_any_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_fragments = st.sampled_from(HOSTILE_JSON) | _any_json.map(json.dumps)
_texts = st.text(max_size=300) | st.sampled_from(("x" * 9_000, KEY, "a,b", "\x00", "\ud800", "é"))


@st.composite
def bodies(draw: Callable[..., Any]) -> tuple[Operation, str]:
    """Draw an operation and the text of a body for it, with up to four fields added, replaced or repeated."""
    operation = draw(st.sampled_from(_OPERATIONS))
    fields = [(name, json.dumps(value)) for name, value in _valid(operation).items()]
    if draw(st.sampled_from((True, True, False))):
        fields[-1] = ("params", draw(_params(operation)))
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 4)))):
        pair = (draw(st.sampled_from(FIELDS)), draw(_fragments))
        if draw(st.booleans()):
            fields = [
                old for old in fields if old[0] != pair[0]
            ]  # otherwise the name is twice there
        fields.insert(draw(st.integers(0, len(fields))), pair)
    return operation, draw(_mangled(_object(fields)))


@st.composite
def _params(draw: Callable[..., Any], operation: Operation) -> str:
    """Draw the smallest valid parameters with up to three others, of which some are objects or lists."""
    known = st.sampled_from((*sorted(parameter_names(operation.name)), *NAMES))
    fields = [(name, json.dumps(value)) for name, value in smallest_params(operation).items()]
    for _ in range(draw(st.integers(0, 3))):
        value = draw(_fragments)
        for _ in range(draw(st.integers(0, 2))):
            name = draw(st.sampled_from(NAMES))
            value = draw(st.sampled_from((_object([(name, value)]), f"[{value}]")))
        fields.append((draw(known), value))
    return _object(fields)


def _object(fields: list[tuple[str, str]]) -> str:
    """Return the text of an object. Its names may repeat, and its values need not be JSON."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields) + "}"


def _valid(operation: Operation) -> dict[str, Any]:
    return {
        "worker_id": "worker-1",
        "context_id": "context-1",
        "stripe_secret": KEY,
        "params": smallest_params(operation),
    }


@st.composite
def _mangled(draw: Callable[..., Any], text: str) -> str:
    """Draw the text unchanged in three of five cases, otherwise cut, spoilt at one place, or replaced."""
    how = draw(st.sampled_from(("kept", "kept", "kept", "spoilt", "replaced")))
    if how == "kept":
        return text
    if how == "spoilt":
        place = draw(st.integers(0, len(text)))
        return text[:place] + draw(st.text(max_size=2)) + text[place + draw(st.integers(0, 3)) :]
    whole: str = draw(_fragments | _texts)
    return whole


@st.composite
def http_events(draw: Callable[..., Any]) -> dict[str, Any]:
    """Draw an event that API Gateway may send: everything in it that a caller controls is hostile."""
    operation, text = draw(bodies())
    path, method = operation.path.format_map(_Ids()), operation.method
    where = draw(st.sampled_from(("call",) * 6 + ("batch", "path", "method")))
    if where == "path":
        path = draw(st.sampled_from(PATHS) | st.text(max_size=40).map("/v1/{}".format))
    if where == "batch":
        path, method, text = "/v1/batches", "POST", draw(_batch(operation, text))
    if where == "method":
        method = draw(st.sampled_from(METHODS))
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), _texts, max_size=3))
    claims = draw(st.none() | st.fixed_dictionaries({"tenant": _texts, "sub": _texts}))
    authorizer = None if claims is None else {"jwt": {"claims": claims, "scopes": None}}
    event = http_event(method, path, text, headers=headers, authorizer=authorizer)
    return draw(_encoded(event))


@st.composite
def _batch(draw: Callable[..., Any], operation: Operation, text: str) -> str:
    item = json.dumps({**_valid(operation), "operation": operation.name, "path": {}})
    items = draw(st.lists(st.just(item) | st.just(text) | _fragments, max_size=5))
    return f'{{"requests":[{",".join(items)}]}}'


@st.composite
def _encoded(draw: Callable[..., Any], event: dict[str, Any]) -> dict[str, Any]:
    """Draw the event with its body as text, as base64, or as base64 of bytes that are no text."""
    how = draw(st.sampled_from(("text",) * 6 + ("base64", "bytes")))
    if how == "text":
        return event
    text = event["body"].encode("utf-8", "surrogatepass")
    raw = text if how == "base64" else draw(st.binary(max_size=99))
    body = base64.b64encode(raw).decode()
    return {**event, "isBase64Encoded": True, "body": body[: draw(st.sampled_from((None, -1, 5)))]}


class _Ids(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"{name}_1"


@st.composite
def wrong_events(draw: Callable[..., Any]) -> Any:
    """Draw an event that API Gateway never sends: of another service, or with fields dropped or of another type."""
    if draw(st.sampled_from((True, False, False))):
        return draw(st.sampled_from(_FOREIGN) | _any_json)
    event = copy.deepcopy(draw(http_events()))
    for _ in range(draw(st.integers(1, 3))):
        _replace(event, draw(st.sampled_from(_REPLACED)), draw(st.just(_DROP) | _any_json))
    return event


_FOREIGN = [event for named in FOREIGN.values() for event, _ in named.values()]


def _replace(event: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    inner: Any = event
    for step in place[:-1]:
        inner = inner.setdefault(step, {}) if isinstance(inner, dict) else None
    if not isinstance(inner, dict):
        return  # an earlier replacement took the place away
    if value is _DROP:
        inner.pop(place[-1], None)
    else:
        inner[place[-1]] = value
