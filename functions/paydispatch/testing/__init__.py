"""Test your flows and the programs that dispatch.

    from paydispatch.testing import declined, run_flow

    def test_a_declined_card_asks_for_another_one():
        ran = run_flow("new_create_payment_intent_error", parsed_error=declined("insufficient_funds"))
        assert "ask the customer for another card" in ran.log

Run a flow          run_flow() runs a script as the worker does. Its FlowRun has the requests and the log of the script
Make its argument   answer_of() makes an answer of Stripe. declined(), refused(), unknown(), gave_up() and flow_failed()
                    make a parsed_error for each kind of end
Look at requests    FlowRun.assert_dispatched() and FlowRun.assert_effects()

The fixtures `stripe_twin` and `paydispatch_stack` come with the pytest plugin of this package (`docs/testing.md`). The
modules `memory_…` hold the ports of paydispatch in memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.testing.flow_runs.flow_run import Dispatched as Dispatched
    from paydispatch.testing.flow_runs.flow_run import FlowRun as FlowRun
    from paydispatch.testing.flow_runs.flow_run import LogLine as LogLine
    from paydispatch.testing.flow_runs.parsed_data import answer_of as answer_of
    from paydispatch.testing.flow_runs.parsed_errors import declined as declined
    from paydispatch.testing.flow_runs.parsed_errors import flow_failed as flow_failed
    from paydispatch.testing.flow_runs.parsed_errors import gave_up as gave_up
    from paydispatch.testing.flow_runs.parsed_errors import refused as refused
    from paydispatch.testing.flow_runs.parsed_errors import unknown as unknown
    from paydispatch.testing.flow_runs.run_flow import run_flow as run_flow

_HOMES = {
    "run_flow": "run_flow",
    "answer_of": "parsed_data",
    **dict.fromkeys(("FlowRun", "Dispatched", "LogLine"), "flow_run"),
    **dict.fromkeys(("declined", "refused", "unknown", "gave_up", "flow_failed"), "parsed_errors"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that the pytest plugin costs no test run anything."""
    if name == "__all__":
        return __dir__()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.flow_runs.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(_HOMES)
