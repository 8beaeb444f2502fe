"""The runs that fuzz the API: raw events, and cases that schemathesis makes of our own OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from tests.fuzz.api import FuzzedApi, Tally
from tests.fuzz.raw_events import http_events, wrong_events

from paydispatch.local.lambdas.http_event import HttpRequest, http_event, http_response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy
    from schemathesis import Case

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def fuzz_events(cases: int, *, seed_: int) -> Tally:
    """Send events as API Gateway sends them, of which a caller controls body, headers, path and method."""
    api = FuzzedApi()
    _for_each(http_events(), cases, seed_, api.send)
    return api.tally


def fuzz_wrong_events(cases: int, *, seed_: int) -> Tally:
    """Send events that API Gateway never sends: an operator's test event, another gateway's, or a mistyped one."""
    api = FuzzedApi(takes_foreign=True)
    _for_each(wrong_events(), cases, seed_, api.send)
    return api.tally


def fuzz_document(cases_per_call: int, *, seed_: int, only: Sequence[str] | None = None) -> Tally:
    """Send cases of the document: for each call half of them valid by its schema, half of them not, rounded up.

    Each answer is compared with the document too: its status, its content type and its schema.
    """
    import schemathesis
    from schemathesis import GenerationMode

    api, half = FuzzedApi(), -(-cases_per_call // 2)
    schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text("utf-8")))
    for found in schema.get_all_operations():
        call = found.ok()
        if only is not None and call.path not in only:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                strategy = call.as_strategy(generation_mode=mode)
                _for_each(strategy, half, seed_, lambda case: _send_case(api, case))
            except Unsatisfiable:
                api.tally.without.append(f"{call.label} {mode.value}")
    return api.tally


def _send_case(api: FuzzedApi, case: Case) -> None:
    """Send a case as API Gateway would, and note each answer that the document does not allow."""
    import requests
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.transport import Response
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    asked = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
    event = _event_of(asked)
    answer = api.send(event)
    if answer is None:
        return
    made = http_response(answer)
    response = Response(
        status_code=made.status,
        headers={name: [value] for name, value in made.headers.items()},
        content=made.body,
        request=asked,
        elapsed=0.0,
        verify=False,
    )
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    try:
        case.validate_response(response, checks=checks)
    except AssertionError as error:
        api.note("the document does not say so", event, str(error))


def _event_of(asked: Any) -> dict[str, Any]:
    url, body = urlsplit(asked.url), asked.body or b""
    return http_event(
        HttpRequest(
            method=asked.method,
            path=unquote(url.path),  # an HTTP API decodes it
            query=url.query,
            headers=tuple(asked.headers.items()),
            body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body,
            source_ip="127.0.0.1",
        )
    )


def _for_each(
    strategy: SearchStrategy[Any], cases: int, seed_: int, send: Callable[[Any], Any]
) -> None:
    if cases == 0:  # hypothesis takes no run without a case
        return

    @seed(seed_)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        send(case)

    run()
