"""Act on the result of a look: publish the outcome that it proves, or leave the request unknown with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.operators.lookups import StaysUnknown, decide
from paydispatch.domain.outcomes import Certainty, Outcome, Response
from paydispatch.domain.stripe.proofs import unexecuted_word
from paydispatch.domain.unknown_outcomes import beyond_memory
from paydispatch.services.calls.publish_outcome import PublishPorts, publish_outcome
from paydispatch.services.log_ids import log_ids, log_trace
from paydispatch.services.looks.verdicts import Reconciled, Verdict, make_reconciled

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.lookup_results import LookupResult
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import Clock, EventLog, UnknownOutcomes


class SettlePorts(PublishPorts, Protocol):
    """The ports of settling an unknown outcome."""

    @property
    def unknown_outcomes(self) -> UnknownOutcomes: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def log(self) -> EventLog: ...


async def act_on(
    ports: SettlePorts, unknown: UnknownOutcome, result: LookupResult, began_at: float
) -> Reconciled:
    """Settle the request, or leave it unknown. `began_at` is the time (unix seconds) at which the look began."""
    decided = decide(unknown, result, began_at)
    if isinstance(decided, StaysUnknown):
        reconciled = await _leave_unknown(ports, unknown, decided)
    else:
        reconciled = await _settle(ports, unknown, decided)
    log_reconciled(ports, unknown, reconciled)
    return reconciled


async def _settle(ports: SettlePorts, unknown: UnknownOutcome, outcome: Outcome) -> Reconciled:
    """Publish the outcome that the look proved."""
    settled = unknown.entry.settled_by_look(outcome, ports.clock.now_s())
    first = await publish_outcome(ports, settled, unknown.worker)
    if first:
        await _forget(ports, unknown)
    return make_reconciled(unknown, _verdict_of(settled) if first else Verdict.SETTLED_BEFORE)


async def make_sure_of_status(ports: SettlePorts, unknown: UnknownOutcome) -> Reconciled:
    """Write the status of a settled outcome, because its publisher may have died before it did so."""
    await ports.requests.write_status(unknown.entry)
    await _forget(ports, unknown)
    reconciled = make_reconciled(unknown, Verdict.SETTLED_BEFORE)
    log_reconciled(ports, unknown, reconciled)
    return reconciled


async def _leave_unknown(
    ports: SettlePorts, unknown: UnknownOutcome, decided: StaysUnknown
) -> Reconciled:
    """Leave the request to the next look, or drop it from the index after `REMEMBER_S`."""
    if not beyond_memory(unknown.entry, ports.clock.now_s()):
        return make_reconciled(unknown, Verdict.UNKNOWN, decided)
    await _forget(ports, unknown)
    return make_reconciled(unknown, Verdict.FORGOTTEN, decided)


async def _forget(ports: SettlePorts, unknown: UnknownOutcome) -> None:
    await ports.unknown_outcomes.forget(unknown.worker, unknown.entry.request_id)


def log_reconciled(ports: SettlePorts, unknown: UnknownOutcome, reconciled: Reconciled) -> None:
    entry, verdict = unknown.entry, reconciled.verdict
    settled = verdict not in (Verdict.UNKNOWN, Verdict.FORGOTTEN)
    write = ports.log.info if settled else ports.log.warning
    write(
        "request.reconciled" if settled else "request.still_unknown",
        **log_ids(entry),
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        verdict=verdict.value,
        why=reconciled.why,
        until=reconciled.until,
        attempts=entry.outcome.attempts,
        first_sent_at=entry.first_sent_at,
        unknown_s=round(ports.clock.now_s() - entry.settled_at),
        **log_trace(entry.traceparent),
    )


def _verdict_of(settled: OutcomeEntry) -> Verdict:
    """Return the verdict in the words of the operation: created or executed, `not_created` or `not_executed`."""
    unexecuted = unexecuted_word(settled.operation)
    if not isinstance(settled.outcome, Response):
        return Verdict(unexecuted.value)
    return Verdict.CREATED if unexecuted is Certainty.NOT_CREATED else Verdict.EXECUTED
