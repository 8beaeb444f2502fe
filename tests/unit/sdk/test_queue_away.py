"""A web request ends soon, whatever state the queue is in: the program of `docs/programs/timeouts.md`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY

from paydispatch import NotDelivered
from paydispatch.sdk.dispatcher import Dispatcher

if TYPE_CHECKING:
    from tests.unit.sdk.conftest import StuckDelivery

    from paydispatch.testing.memory_delivery import MemoryDelivery

PROGRAM = Path(__file__).parents[3] / "examples" / "programs" / "queue_away.py"


@pytest.fixture
def program() -> Any:
    spec = importlib.util.spec_from_file_location("queue_away", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_queue_that_answers_is_a_202(program: Any, delivery: MemoryDelivery) -> None:
    with Dispatcher(delivery):
        assert program.pay("order-1", KEY) == (202, "The queue has it.")


def test_a_queue_that_is_away_is_a_503(program: Any, delivery: MemoryDelivery) -> None:
    delivery.away = True
    dispatcher = Dispatcher(delivery, delivery_timeout_s=0).start()
    status, why = program.pay("order-1", KEY)
    assert (status, "not on the queue" in why) == (503, True)
    with pytest.raises(NotDelivered):
        dispatcher.close()


def test_a_lost_answer_is_a_503_that_says_so(program: Any, delivery: MemoryDelivery) -> None:
    delivery.loses_answers = True
    dispatcher = Dispatcher(delivery, delivery_timeout_s=0).start()
    status, why = program.pay("order-1", KEY)
    assert (status, "may be on the queue" in why) == (503, True)
    with pytest.raises(NotDelivered):
        dispatcher.close()


def test_a_full_buffer_is_a_503_and_a_silent_queue_a_202(
    program: Any, stuck: StuckDelivery
) -> None:
    with Dispatcher(stuck, buffer_size=1):
        status, why = program.pay("order-1", KEY)
        assert (status, "in the buffer" in why) == (202, True)
        assert program.pay("order-2", KEY)[0] == 503
        stuck.release()
