"""`reconcile`: look up unknown outcomes in runs. It runs where keys may be opened, which may be another function."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.services.operate.arguments import text, texts

if TYPE_CHECKING:
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts
    from paydispatch.services.reconcile import Reconciler

RECONCILE = "reconcile"
"""The name of the command, which the reconciler's function knows too."""

Asked = tuple[str, str]
"""The worker and the id of a request."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The requests that the operator wants to be looked up."""

    worker_ids: list[str] | None
    same_account: str | None
    seen: frozenset[Asked]
    """Those that the runs before have looked up."""


async def reconcile(ports: OperatorPorts, asked: Arguments) -> Document:
    """Check the arguments here, and reconcile where that is done."""
    _read(asked)
    return await ports.reconcile(asked.known)


async def reconcile_once(
    reconciler: Reconciler, asked: Arguments, *, until: float | None = None
) -> Document:
    """Look up the outcomes until `until` (unix seconds). The document has a cursor if there was no time for all."""
    wanted = _read(asked)
    if wanted.same_account:
        report = await reconciler.reconcile_in_same_account(wanted.same_account, wanted.worker_ids)
    else:
        report = await reconciler.reconcile(wanted.worker_ids, until=until, without=wanted.seen)
    document: Document = {
        "counts": dict(report.counts),
        "left": report.left,
        "requests": [asdict(one) for one in report.reconciled],
    }
    if until is None or not (report.left and report.reconciled):
        return document
    looked_up = {(one.worker_id, one.request_id) for one in report.reconciled}
    return {**document, "cursor": sorted(wanted.seen | looked_up)}


def join_reports(first: Document, second: Document) -> Document:
    """Return the document of two runs."""
    counts: Counter[str] = Counter(first["counts"])
    counts.update(second["counts"])
    requests = [*first["requests"], *second["requests"]]
    return {**second, "counts": dict(counts), "requests": requests}


def _read(asked: Arguments) -> _Wanted:
    wanted = _Wanted(
        asked.optional("worker_ids", texts),
        asked.optional("same_account", text),
        asked.optional("cursor", _seen) or frozenset(),
    )
    asked.end()
    return wanted


def _seen(value: Any) -> frozenset[Asked]:
    if not isinstance(value, list):
        raise ValueError("it must be the cursor of an answer")
    return frozenset(_pair(each) for each in value)


def _pair(value: Any) -> Asked:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("it must be the cursor of an answer")
    worker_id, request_id = value
    return text(worker_id), text(request_id)
