"""Run a flow in a test, as the worker runs it: with a real `Flow`, whose requests are checked and not sent."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.outcomes import Error, Response
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import unexecuted_word
from paydispatch.flow import Flow, ParsedError, RetryLater
from paydispatch.testing.flow_runs.flow_run import Dispatched, FlowRun, LogLine
from paydispatch.testing.flow_runs.parsed_data import answer_of
from paydispatch.testing.flow_runs.scripts import find_script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping

    from paydispatch.domain.outcomes import Outcome
    from paydispatch.testing.flow_runs.scripts import Script, ScriptNamed


def run_flow(
    script: ScriptNamed,
    *,
    parsed_data: Mapping[str, Any] | None = None,
    parsed_error: ParsedError | None = None,
    operation: str | None = None,
    params: Mapping[str, Any] | None = None,
    path: Mapping[str, str] | None = None,
    worker_id: str = "worker-1",
    context_id: str = "context-1",
    tenant: str | None = None,
    livemode: bool = False,
    inferred: bool = False,
    attempt: int = 1,
    runs: int = 1,
) -> FlowRun:
    """Run a flow and return its requests and its log. Nothing leaves the process.

        ran = run_flow("new_create_product_response", parsed_data={"metadata": {"monthly_price": "1500"}})
        ran.assert_dispatched("create_price", unit_amount=1500)

    `script` is a name in the flows folder (`FLOWS_DIR`, or `flows`), the path of a file, a module, or a function.
    `operation` is needed if the name of the script has none.

    `parsed_data` are the fields of Stripe's answer that matter here, and `answer_of` fills in the others.
    `parsed_error` comes from `declined()`, `refused()`, `unknown()`, `gave_up()` or `flow_failed()`.

    `params` and `path` are those of the request. `attempt` is the number of the first run, and `runs=2` runs the flow
    again, as the worker may.

    Raises the exception of the script, except `RetryLater`, which is in the result. Raises `PaydispatchError` for
    arguments that do not fit together.
    """
    found = find_script(script)
    _check_argument(found, parsed_data, parsed_error)
    named = found.operation(operation)
    if parsed_error is None:
        outcome = _response(named, params or {}, parsed_data or {}, livemode=livemode)
    else:
        outcome = _error(named, parsed_error)
    entry = OutcomeEntry(
        request_id=new_request_id(time.time()),
        object=operation_named(named).object,
        operation=named,
        worker_id=worker_id,
        context_id=context_id,
        params=params or {},
        path=path or _made_path(named, outcome),
        outcome=outcome,
        settled_at=time.time(),
        tenant=tenant,
        inferred=inferred,
        account=_account(livemode=livemode),
        secret_ref="test",  # noqa: S106 - a name that is never opened # nosec B106
    )
    flows = [Flow(entry, attempt=attempt + run, now_s=time.time()) for run in range(runs)]
    return _run_all(found, _argument(outcome), flows)


def _check_argument(
    script: Script, parsed_data: Mapping[str, Any] | None, parsed_error: ParsedError | None
) -> None:
    if (parsed_data is None) == (parsed_error is None):
        raise PaydispatchError("run_flow takes one of parsed_data and parsed_error.")
    given = "response" if parsed_error is None else "error"
    if script.end not in (None, given):
        wanted = "parsed_data" if script.end == "response" else "parsed_error"
        raise PaydispatchError(f"The flow {script.name} runs for the other end: pass {wanted}.")


def _response(
    operation: str, params: Mapping[str, Any], fields: Mapping[str, Any], *, livemode: bool
) -> Outcome:
    known: dict[str, Any] = {"livemode": True} if livemode else {}
    return Response(body=answer_of(operation, params, **{**known, **fields}), attempts=1)


def _error(operation: str, parsed_error: ParsedError) -> Outcome:
    """Return the error with the operation's word for "no effect"."""
    fields: dict[str, Any] = {
        name: getattr(parsed_error, name) for name in ParsedError.__annotations__
    }
    return Error(**fields).in_word(unexecuted_word(operation))


def _argument(outcome: Outcome) -> Any:
    return outcome.body if isinstance(outcome, Response) else ParsedError(outcome)


def _account(*, livemode: bool) -> AccountBinding:
    mode = "live" if livemode else "test"
    return AccountBinding(account_id="acct_test", mode=mode, key_sha256="")


def _made_path(operation: str, outcome: Outcome) -> dict[str, str]:
    """Return an id for each name in the path. The last one is the id in Stripe's answer, if the object is changed."""
    row = operation_named(operation)
    ids = {name: f"{name}_1" for name in row.path_names}
    if isinstance(outcome, Response) and ids and not row.creates:
        ids[row.path_names[-1]] = str(outcome.body.get("id"))
    return ids


def _run_all(script: Script, argument: Any, flows: list[Flow]) -> FlowRun:
    dispatched: dict[str, Dispatched] = {}
    lines: list[LogLine] = []
    retry_after_s: float | None = None
    for flow in flows:
        with _lines_of(flow, lines):
            retry_after_s = _run_once(script, argument, flow)
        if retry_after_s is None:
            dispatched |= {sent.request_id: Dispatched.from_envelope(sent) for sent in flow.outbox}
    return FlowRun(list(dispatched.values()), lines, retry_after_s)


def _run_once(script: Script, argument: Any, flow: Flow) -> float | None:
    """Return the seconds after which the script wants to run again. None: it returned. Raises as the script does."""
    try:
        returned = script.run(argument, flow)
        if inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            raise TypeError("run returned a generator: its body never runs.")
        if inspect.isawaitable(returned):
            _run_to_end(returned)
    except RetryLater as later:
        return later.after_s
    return None


def _run_to_end(returned: Awaitable[object]) -> None:
    """Run a coroutine in an event loop of its own, in a thread, because the test may run in a loop itself."""
    raised: list[BaseException] = []

    async def wait() -> None:
        await returned

    def work() -> None:
        try:
            asyncio.run(wait())
        except BaseException as error:  # passed on to the test
            raised.append(error)

    thread = threading.Thread(target=work, name="run_flow")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@contextmanager
def _lines_of(flow: Flow, lines: list[LogLine]) -> Iterator[None]:
    """Collect the lines that this flow logs, of every level. pytest's `caplog` still gets them."""
    logger, collector = flow.log.logger, _Collector(flow.request_id, lines)
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)


class _Collector(logging.Handler):
    def __init__(self, request_id: str, lines: list[LogLine]) -> None:
        super().__init__()
        self._request_id = request_id
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "request_id", None) == self._request_id:
            self._lines.append(LogLine(record.levelname, record.getMessage()))
