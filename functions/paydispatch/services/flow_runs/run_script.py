"""Run one script within its time limit, and return how it ended. No script can end its runner."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.domain.outcomes import Response
from paydispatch.flow import CLEAN_UP_S, ParsedError, RetryLater, script_end

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.flow import Flow, FlowScripts


class NotBegun(Exception):
    """The runner stopped or lost its turn before the script began."""


ScriptEnd = MissingFlow | RetryLater | ScriptFailed | NotBegun | None
"""How a script ended. None: it returned."""


async def load_script(scripts: FlowScripts, name: str, stopping: asyncio.Event) -> ScriptEnd:
    """Import a script. If the runner stops, it does not wait for the import, because no script has run yet."""
    stopped = asyncio.create_task(stopping.wait())
    loading = asyncio.create_task(_run_to_end(scripts.load(name)))
    try:
        await asyncio.wait({loading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return loading.result() if loading.done() else NotBegun("the worker stops")
    finally:
        stopped.cancel()
        loading.cancel()


async def run_script(
    scripts: FlowScripts, name: str, entry: OutcomeEntry, flow: Flow, timeout_s: float
) -> ScriptEnd:
    """Run the script `name`. If it takes longer than `timeout_s`, it has failed and is cancelled.

    It runs in a task of its own, because a script may cancel the task that it runs in.
    """
    running = asyncio.create_task(_run_to_end(scripts.run(name, _make_argument(entry), flow)))
    try:
        await asyncio.wait({running}, timeout=timeout_s)
        if running.cancelled():  # the script cancelled its own task in its last step
            return ScriptFailed(asyncio.CancelledError.__name__)
        if running.done():
            return running.result()
        running.cancel()
        await asyncio.wait({running}, timeout=CLEAN_UP_S)
        return ScriptFailed(f"TimeoutError: no end within {timeout_s:g} s")
    finally:
        running.cancel()


def copy_for_script(entry: OutcomeEntry) -> OutcomeEntry:
    """Return a copy for the script, which may change it. The entry itself may have to go to the dead stream."""
    outcome = entry.outcome
    if isinstance(outcome, Response):
        outcome = replace(outcome, body=_copy(outcome.body))
    return replace(entry, params=_copy(entry.params), outcome=outcome)


async def _run_to_end(work: Coroutine[Any, Any, None]) -> ScriptEnd:
    """Do `work`, and return how it ended."""
    try:
        await work
    except (MissingFlow, RetryLater, ScriptFailed) as end:
        return end
    except BaseException as error:
        return script_end(error)
    return None


def _make_argument(entry: OutcomeEntry) -> Any:
    """Return the first argument of the script: the Stripe object, or the error."""
    outcome = entry.outcome
    return outcome.body if isinstance(outcome, Response) else ParsedError(outcome)


def _copy(value: Any) -> Any:
    """Return a deep copy of a JSON value."""
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
