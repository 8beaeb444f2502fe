"""The trace context of a dispatch: its argument, else the current span of OpenTelemetry."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.unit.examples import KEY, TRACE_ID, TRACEPARENT

if TYPE_CHECKING:
    import pytest

from paydispatch import new_product
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery


def use_open_telemetry(monkeypatch: pytest.MonkeyPatch, **context: Any) -> None:
    """Put a module in the place of OpenTelemetry's, with a current span."""
    span_context = SimpleNamespace(
        **{
            "is_valid": True,
            "trace_id": int(TRACE_ID, 16),
            "span_id": 0x00F067AA0BA902B7,
            "trace_flags": 1,
            **context,
        }
    )
    module = ModuleType("opentelemetry.trace")
    span = SimpleNamespace(get_span_context=lambda: span_context)
    module.get_current_span = lambda: span  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)


def dispatch(**options: Any) -> str | None:
    """Dispatch a request. Return the trace context that it carries."""
    delivery = MemoryDelivery()
    with Dispatcher(delivery):
        new_product().name("Tea").create_async("worker-1", "context-1", KEY, **options).wait()
    (request,) = delivery.envelopes
    return request.traceparent


def test_without_open_telemetry_there_is_none_and_it_is_not_imported() -> None:
    assert dispatch() is None
    assert "opentelemetry" not in sys.modules


def test_the_current_span_of_open_telemetry_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    use_open_telemetry(monkeypatch)
    assert dispatch() == TRACEPARENT


def test_a_span_that_is_not_valid_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    use_open_telemetry(monkeypatch, is_valid=False)
    assert dispatch() is None


def test_a_module_that_is_still_being_imported_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    assert dispatch() is None


def test_the_argument_goes_before_open_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    use_open_telemetry(monkeypatch, trace_id=1)
    assert dispatch(traceparent=TRACEPARENT) == TRACEPARENT


def test_an_invalid_argument_is_ignored_because_no_payment_may_fail_for_it() -> None:
    assert dispatch(traceparent="junk") is None
