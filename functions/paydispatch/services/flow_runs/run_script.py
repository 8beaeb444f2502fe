"""Run one script within its time limit, and return how it ended. No script can end its runner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.domain.outcomes import Response
from paydispatch.flow import ParsedError, RetryLater, script_end

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
    """Run the script `name`. If it takes longer than `timeout_s`, it has failed and is cancelled."""
    try:
        async with asyncio.timeout(timeout_s):
            await scripts.run(name, _make_argument(entry), flow)
    except (MissingFlow, RetryLater, ScriptFailed) as end:
        return end
    except TimeoutError:
        return ScriptFailed(f"TimeoutError: no end within {timeout_s:g} s")
    except Exception as error:  # there could be no thread for it
        return script_end(error)
    return None


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
