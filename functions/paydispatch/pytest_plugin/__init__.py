"""A pytest plugin with a Stripe and a whole stack on this machine. It does nothing until a test uses a fixture.

    def test_a_lost_answer_is_no_second_payment(stripe_twin, paydispatch_stack):
        stripe_twin.lose_next_answer("create_payment_intent")
        receipt = pay("order-1001")                      # your program, with Dispatcher.from_env()
        assert receipt.outcome(30).status == "succeeded"
        stripe_twin.assert_effects(1)

`docs/testing.md` describes both fixtures. They need `pip install 'paydispatch[testing]'`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.pytest_plugin.running_stack import RunningStack as RunningStack
    from paydispatch.pytest_plugin.twin_control import TwinControl as TwinControl

_HOMES = {"RunningStack": "running_stack", "TwinControl": "twin_control"}


def __getattr__(name: str) -> Any:
    """Import the types of the fixtures when they are first used, because pytest loads this package in every project."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
