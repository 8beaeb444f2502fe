"""Every Python block of the documents runs: programs with a Dispatcher in memory, and flows with an outcome.

The blocks of a page share their names, as if they were one file. A comment `<!-- given ... -->` in a page defines the
things that the reader has, such as a database: `orders = anything` takes every call.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from tests.unit.docs.at_the_twin import refusals_of

from paydispatch import Dispatcher, RetryLater
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.flow import Flow, ParsedError
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
DECISIONS = ROOT / "docs/adr"
PROGRAMS, TESTING = ROOT / "docs/programs", ROOT / "docs/testing.md"
"""They have tests of their own."""
PAGES = sorted(
    {ROOT / "README.md", *ROOT.glob("docs/**/*.md")}
    - {*DECISIONS.glob("*.md"), *PROGRAMS.glob("*.md"), TESTING}
)

_BLOCK = re.compile(
    r"^(?:```python(?: \S+)?|<!-- given)\n(.*?)^(?:```|-->)$", re.MULTILINE | re.DOTALL
)
_FLOW = re.compile(r"# flows/(?:new_)?(\w+)_(response|error)\.py")
_PAYMENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "client_secret": "pi_1_secret",
    "metadata": {},
}
_ERRORS = [
    Error(
        kind=ErrorKind.API,
        message="Your card was declined.",
        certainty=Certainty.NOT_CREATED,
        attempts=1,
        http_status=402,
        code="card_declined",
        type="card_error",
        decline_code="insufficient_funds",
    ),
    Error(
        kind=ErrorKind.HTTP,
        message="No answer came.",
        certainty=Certainty.UNKNOWN,
        attempts=5,
        code="timeout",
    ),
    Error(
        kind=ErrorKind.API,
        message="It is not authorised.",
        certainty=Certainty.NOT_EXECUTED,
        attempts=1,
        http_status=400,
        code="payment_intent_unexpected_state",
    ),
]


def _blocks(page: Path) -> list[tuple[int, str]]:
    """Return the line number and the code of each block."""
    text = page.read_text("utf-8")
    return [(text.count("\n", 0, m.start()) + 2, m[1]) for m in _BLOCK.finditer(text)]


@pytest.fixture(autouse=True)
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MemoryDelivery]]:
    """Give the programs of a page Dispatchers in memory, and close those that they leave open."""
    deliveries: list[MemoryDelivery] = []
    made: list[Dispatcher] = []

    def make(*_: Any, **options: Any) -> Dispatcher:
        deliveries.append(MemoryDelivery())
        made.append(Dispatcher(deliveries[-1], warm=options.get("warm", ())))
        return made[-1]

    monkeypatch.syspath_prepend(ROOT)  # for `from flows.… import run`
    for name in ("from_env", "http"):
        monkeypatch.setattr(Dispatcher, name, make)
    monkeypatch.setattr("stripe.PaymentIntent.create", MagicMock())
    yield deliveries
    for dispatcher in made:
        dispatcher.close()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if _blocks(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_code_of_a_page_runs_and_stripe_takes_its_creates(
    page: Path, in_memory: list[MemoryDelivery]
) -> None:
    names: dict[str, Any] = {"__name__": "page", "anything": MagicMock()}
    for line, code in _blocks(page):
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)  # noqa: S102
        if flow := _FLOW.match(code):
            _run_flow(names["run"], *flow.groups())
        elif inspect.isfunction(test := _newest_test(code, names)):
            test()
    sent = [envelope for delivery in in_memory for envelope in delivery.envelopes]
    assert list(refusals_of(sent)) == []


def _newest_test(code: str, names: dict[str, Any]) -> Any:
    named = re.findall(r"^def (test_\w+)\(\)", code, re.MULTILINE)
    return names[named[-1]] if named else None


def _run_flow(run: Any, operation: str, kind: str) -> None:
    """Run a flow of a page with each outcome that its readers will meet."""
    outcomes = [Response(body=_PAYMENT, attempts=1)] if kind == "response" else _ERRORS
    for outcome in outcomes:
        flow = Flow(_entry(operation, outcome), attempt=1, now_s=0.0)
        argument = outcome.body if isinstance(outcome, Response) else ParsedError(outcome)
        try:
            returned = run(argument, flow)
            if inspect.isawaitable(returned):
                asyncio.run(returned)  # type: ignore[arg-type]
        except RetryLater:
            pass


def _entry(operation: str, outcome: Response | Error) -> OutcomeEntry:
    return OutcomeEntry(
        request_id="pdr_1",
        object="payment_intent",
        operation=operation if operation != "any" else "create_payment_intent",
        path={"intent": "pi_1"},
        worker_id="shop-worker",
        context_id="order-1001",
        params={},
        outcome=outcome,
        settled_at=0.0,
        secret_ref="shop",
    )
