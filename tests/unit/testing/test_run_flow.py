"""`run_flow` runs a user's flow as the worker does, in two lines of a test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch import InvalidParams, RetryLater
from paydispatch.domain.errors import MissingFlow, PaydispatchError
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.testing import (
    answer_of,
    declined,
    flow_failed,
    gave_up,
    refused,
    run_flow,
    unknown,
)

if TYPE_CHECKING:
    from paydispatch import Flow, ParsedError

FLOWS = Path(__file__).parents[3] / "flows"


def test_a_product_with_a_monthly_price_gets_that_price() -> None:
    ran = run_flow(
        FLOWS / "new_create_product_response.py",
        parsed_data={"metadata": {"monthly_price": "1500"}},
    )
    ran.assert_dispatched("create_price", unit_amount=1500)


def test_a_declined_card_asks_for_another_one() -> None:
    ran = run_flow(
        FLOWS / "new_create_payment_intent_error.py", parsed_error=declined("insufficient_funds")
    )
    assert "INFO next: ask the customer for another card (insufficient_funds)" in ran.log


def test_a_capture_that_was_not_executed_is_canceled_and_an_unknown_one_is_not() -> None:
    script = FLOWS / "new_capture_payment_intent_error.py"
    refusal = run_flow(script, parsed_error=refused(), path={"intent": "pi_1"})
    refusal.assert_dispatched("cancel_payment_intent", "pi_1")
    run_flow(script, parsed_error=unknown()).assert_effects(0)


@pytest.mark.usefixtures("restored_modules")
@pytest.mark.parametrize(
    "imported",
    [
        "from db_of_a_test import word",
        "from helper_of_a_test import word",
        "from own_flows.helper_of_a_test import word",
        "from .helper_of_a_test import word",
    ],
)
def test_a_flow_imports_the_same_as_in_a_worker(tmp_path: Path, imported: str) -> None:
    folder = tmp_path / "own-flows"
    folder.mkdir()
    for file in (tmp_path / "db_of_a_test.py", folder / "helper_of_a_test.py"):
        file.write_text("word = 'tea'\n")
    script = folder / "new_create_product_response.py"
    script.write_text(f"{imported}\n\n\ndef run(data, flow): flow.log.info(word)\n")
    assert run_flow(script, parsed_data={}).log == "INFO tea"


def test_a_name_is_found_in_the_folder_of_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own_flows"
    folder.mkdir()
    (folder / "wares.py").write_text("NAME = 'Tea'\n")
    (folder / "new_create_product_response.py").write_text(
        "from own_flows.wares import NAME\n\n\ndef run(parsed_data, flow):\n    flow.log.info(NAME)\n"
    )
    monkeypatch.setenv("FLOWS_DIR", str(folder))

    assert run_flow("new_create_product_response", parsed_data={}).log == "INFO Tea"


def test_two_folders_of_one_name_are_each_found(tmp_path: Path) -> None:
    for place in ("one", "two", "one"):
        folder = tmp_path / place / "flows"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "wares.py").write_text(f"NAME = {place!r}\n")
        script = folder / "any_response.py"
        script.write_text(
            "from flows.wares import NAME\n\n\ndef run(parsed_data, flow):\n    flow.log.info(NAME)\n"
        )
        ran = run_flow(script, parsed_data={}, operation="create_product")
        assert ran.log == f"INFO {place}"


def test_a_folder_with_an_init_file_is_a_package(tmp_path: Path) -> None:
    folder = tmp_path / "flows_of_a_shop"
    folder.mkdir()
    (folder / "__init__.py").write_text("NAME = 'Tea'\n")
    script = folder / "any_response.py"
    script.write_text(
        "from flows_of_a_shop import NAME\n\n\ndef run(_, flow):\n    flow.log.info(NAME)\n"
    )
    assert run_flow(script, parsed_data={}, operation="create_product").log == "INFO Tea"


def test_a_folder_with_the_name_of_another_package_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "json"
    folder.mkdir()
    (folder / "any_response.py").write_text("def run(parsed_data, flow): ...\n")
    with pytest.raises(PaydispatchError, match="another name"):
        run_flow(folder / "any_response.py", parsed_data={}, operation="create_product")


def test_a_missing_script_is_named_with_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWS_DIR", str(FLOWS))
    with pytest.raises(MissingFlow, match="new_create_produkt_response"):
        run_flow("new_create_produkt_response", parsed_data={})


def test_a_second_run_asks_for_the_same_requests() -> None:
    def run(parsed_data: dict[str, Any], flow: Flow) -> None:
        flow.log.info("run %s", flow.attempt)
        flow.new_price().product(parsed_data["id"]).unit_amount(1).currency("usd").create_async()

    ran = run_flow(run, parsed_data={}, operation="create_product", runs=2)

    ran.assert_effects(1)
    assert [line.message for line in ran.logged] == ["run 1", "run 2"]


def test_a_run_that_asks_for_a_later_one_sends_nothing() -> None:
    def run(_: Any, flow: Flow) -> None:
        flow.delete_coupon("SUMMER").call_async()
        raise RetryLater(after_s=600)

    ran = run_flow(run, parsed_data={}, operation="create_product")

    assert ran.retry_after_s == 600
    ran.assert_effects(0)


def test_an_exception_of_the_script_reaches_the_test() -> None:
    def run(parsed_data: dict[str, Any], _: Flow) -> None:
        raise KeyError(parsed_data["name"])

    with pytest.raises(KeyError, match="Tea"):
        run_flow(run, parsed_data={"name": "Tea"}, operation="create_product")


def test_a_request_with_wrong_parameters_is_refused_as_in_the_worker() -> None:
    def run(_: Any, flow: Flow) -> None:
        flow.new_price().unit_amount("much").create_async()  # type: ignore[arg-type]

    with pytest.raises(InvalidParams, match="unit_amount"):
        run_flow(run, parsed_data={}, operation="create_product")


async def test_an_async_flow_runs_also_in_the_event_loop_of_a_test() -> None:
    async def run(parsed_data: dict[str, Any], flow: Flow) -> None:
        flow.log.warning("%s", parsed_data["object"])

    assert run_flow(run, parsed_data={}, operation="create_coupon").log == "WARNING coupon"


def test_the_error_of_an_async_flow_reaches_the_test() -> None:
    async def run(*_: Any) -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_flow(run, parsed_data={}, operation="create_coupon")


def test_a_flow_sees_the_conversation_that_the_test_names() -> None:
    seen: list[Any] = []

    def run(_: Any, flow: Flow) -> None:
        seen[:] = [flow.context_id, flow.tenant, flow.livemode, flow.inferred, flow.params["a"]]

    run_flow(
        run,
        parsed_error=gave_up(),
        operation="create_coupon",
        context_id="order-1",
        tenant="acme",
        livemode=True,
        inferred=True,
        params={"a": 1},
    )
    assert seen == ["order-1", "acme", True, True, 1]


@pytest.mark.parametrize(
    ("error", "kind", "certainty"),
    [
        (declined(), "api", "not_created"),
        (refused("customer", code="resource_missing"), "api", "not_created"),
        (unknown(), "http", "unknown"),
        (gave_up(), "http", "not_created"),
        (flow_failed(), "dispatcher", "unknown"),
    ],
    ids=["declined", "refused", "unknown", "gave_up", "flow_failed"],
)
def test_each_kind_of_error_has_its_kind_and_its_certainty(
    error: ParsedError, kind: str, certainty: str
) -> None:
    assert (error.kind, error.certainty) == (kind, certainty)


def test_an_operation_that_creates_nothing_has_its_own_word() -> None:
    words: list[str] = []
    run_flow(
        lambda error, _: words.append(error.certainty),
        parsed_error=refused(),
        operation="capture_payment_intent",
    )
    assert words == ["not_executed"]


def test_an_answer_shows_the_parameters_and_the_fields_of_the_test() -> None:
    params = {"amount": "2000", "currency": "usd", "confirm": True, "metadata": {"order": "1"}}
    answer = answer_of("create_payment_intent", params, status="requires_capture")
    assert (answer["amount"], answer["status"]) == (2000, "requires_capture")
    assert answer["metadata"] == {"order": "1"}
    assert "confirm" not in answer
    assert answer["id"].startswith("pi_")


def test_every_operation_has_an_answer() -> None:
    assert all(answer_of(row.name) for row in all_operations())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "one of parsed_data and parsed_error"),
        ({"parsed_data": {}, "parsed_error": declined()}, "one of parsed_data and parsed_error"),
        ({"parsed_data": {}}, "pass parsed_error"),
    ],
    ids=["none", "both", "the other end"],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PaydispatchError, match=complaint):
        run_flow(FLOWS / "new_create_product_error.py", **arguments)


def test_a_function_without_a_name_of_a_script_needs_its_operation() -> None:
    with pytest.raises(PaydispatchError, match="operation="):
        run_flow(lambda *_: None, parsed_data={})


def test_a_missing_request_is_reported_with_those_that_are_there() -> None:
    def run(_: Any, flow: Flow) -> None:
        flow.delete_coupon("SUMMER").call_async()

    ran = run_flow(run, parsed_data={}, operation="create_coupon")

    ran.assert_dispatched("delete_coupon", "SUMMER")
    with pytest.raises(
        AssertionError, match=r"(?s)did not dispatch delete_coupon\('WINTER'\).*SUMMER"
    ):
        ran.assert_dispatched("delete_coupon", "WINTER")
    with pytest.raises(AssertionError, match="Expected 2 effects, not 1"):
        ran.assert_effects(2)
