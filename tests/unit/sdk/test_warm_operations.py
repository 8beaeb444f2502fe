"""An operation that is warmed at the start costs nothing more at its first request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from tests.unit.examples import KEY

from paydispatch.domain.errors import InvalidParams, UnknownOperation
from paydispatch.domain.parameters import check
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION
from paydispatch.domain.warm_operations import warm_operations
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION = "capture_payment_intent"
VERSIONS = (OLDER_API_VERSION, STRIPE_API_VERSION, "2031-01-01.other")
CACHES = (
    check._validator,
    check._today,
    check._both,
    check._open,
    check._rows,
    check.parameter_schema,
    check.parameter_names,
)


class Work:
    """The files that were read and the schemas that were compiled since the last `clear`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        read_text, compiled = Path.read_text, jsonschema_rs.Draft202012Validator

        def read(path: Path, *arguments: Any) -> str:
            self.done.append(path.name)
            return read_text(path, *arguments)

        def compile_schema(schema: Any) -> Any:
            self.done.append("compiled")
            return compiled(schema)

        monkeypatch.setattr(Path, "read_text", read)
        monkeypatch.setattr(jsonschema_rs, "Draft202012Validator", compile_schema)


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def check_bodies_of_every_kind(version: str) -> None:
    """Check a body in the types of the schema, one by its wire form, and one with a fault."""
    assert check.check_params(OPERATION, {"amount_to_capture": 500}, version=version) == ()
    assert check.check_params(OPERATION, {"amount_to_capture": "500"}, version=version) == ()
    assert check.check_params(OPERATION, {"amount_to_capture": "many"}, version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_check_of_a_warmed_operation_reads_and_compiles_nothing(version: str, work: Work) -> None:
    warm_operations([OPERATION], version)
    assert {"payment_intent.json", "compiled"} <= set(work.done)
    work.done.clear()
    check_bodies_of_every_kind(version)
    assert work.done == []


def test_a_check_of_another_operation_reads_and_compiles_its_schema(work: Work) -> None:
    warm_operations(["create_product"], STRIPE_API_VERSION)
    work.done.clear()
    check_bodies_of_every_kind(STRIPE_API_VERSION)
    assert {"payment_intent.json", "compiled"} <= set(work.done)


def test_the_first_request_of_a_warmed_dispatcher_reads_and_compiles_nothing(work: Work) -> None:
    dispatcher = Dispatcher(MemoryDelivery(), warm=[OPERATION])
    assert "compiled" not in work.done
    with dispatcher:
        work.done.clear()
        dispatcher.submit(
            OPERATION, {"amount_to_capture": "5"}, "w", "c", KEY, path={"intent": "pi_1"}
        )
        with pytest.raises(InvalidParams):
            dispatcher.submit(OPERATION, {"amount": 5}, "w", "c", KEY, path={"intent": "pi_1"})
        assert work.done == []


def test_a_dispatcher_refuses_an_unknown_operation_to_warm_and_names_close_ones() -> None:
    with pytest.raises(UnknownOperation, match="Did you mean capture_payment_intent"):
        Dispatcher(MemoryDelivery(), warm=["capture_payment"])


def test_a_dispatcher_refuses_a_text_where_it_takes_a_list_of_operations() -> None:
    with pytest.raises(TypeError, match="must be in a list"):
        Dispatcher(MemoryDelivery(), warm=OPERATION)
