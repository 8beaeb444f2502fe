"""The figures of a chaos run, and the complete trail of each request that broke a promise."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.chaos.invariants import never_provable, requests_with_follow_ups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.chaos.evidence import Entry, Evidence
    from tests.chaos.invariants import Violation

MAX_TRAILS = 8
INVARIANTS = (
    "effects per request",
    "terminal flows",
    "verdicts",
    "requests lost",
    "neighbours of poison",
    "order",
    "keys",
    "ways in",
)


class PromiseBroken(Exception):
    """Raised when a promise broke, after the trails are printed. The stage then keeps the files of the run."""


def judge(evidence: Evidence, violations: Sequence[Violation], took_s: float) -> dict[str, Any]:
    """Return the run's figures. If a promise broke, print them and some trails, then raise `PromiseBroken`."""
    counted = figures(evidence, violations, took_s)
    if not violations:
        return counted
    show(counted)
    for violation in violations[:MAX_TRAILS]:
        show_trail(evidence, violation)
    sys.stdout.flush()
    raise PromiseBroken(f"{len(violations)} promises broken")


def figures(evidence: Evidence, violations: Sequence[Violation], took_s: float) -> dict[str, Any]:
    """Return all figures of one run, ready for JSON."""
    ages_ms = sorted(_first_ends_ms(evidence))
    settled = [one for one in evidence.entries if one.mark == "settled" and not one.successor]
    after_event = sorted(_waits_after_event(evidence, settled))
    broken = Counter(violation.invariant for violation in violations)
    return {
        "requests": len(evidence.book.submitted),
        "by_way": Counter(one.way for one in evidence.book.submitted.values()),
        "with_follow_ups": len(requests_with_follow_ups(evidence)),
        "poison": sum(one.poison for one in evidence.book.submitted.values())
        + len(evidence.book.unattributable),
        "kills": kills(evidence.kills),
        "faults_injected": _faults(evidence),
        "stripe_events": len(evidence.stripe_events),
        "deliveries_of_events": evidence.deliveries,
        "settled_before_reconcile": sum(one.at < evidence.lists_back_at for one in settled),
        "settled_later": sum(one.at >= evidence.lists_back_at for one in settled),
        "after_event_p50_s": _quantile(after_event, 0.50),
        "after_event_p99_s": _quantile(after_event, 0.99),
        "after_event_max_s": _quantile(after_event, 1.0),
        "posts": len(evidence.attempts),
        "effects": len(evidence.effects),
        "outcomes": _outcomes(evidence),
        "messages": len(evidence.receives),
        "receives_per_message": round(receives_per_message(evidence), 3),
        "messages_by_receives": dict(sorted(Counter(evidence.receives.values()).items())),
        "never_provable": len(never_provable(evidence)),
        "redeliveries": evidence.receives.total() - len(evidence.receives),
        "repeated_messages": evidence.events["chaos.repeated"],
        "duplicates_recognised": evidence.events["request.duplicate"]
        + evidence.events["request.settled_before"],
        "deferrals": evidence.events["request.deferred"],
        "flow_runs": len(evidence.flows),
        "flow_repeats": _repeats(evidence),
        "flows_dead": evidence.events["flow.dead"],
        "dead_letters": Counter(reason or "by the queue" for _, reason in evidence.dead_letters),
        "p50_ms": _quantile(ages_ms, 0.50),
        "p99_ms": _quantile(ages_ms, 0.99),
        "seconds": round(took_s, 1),
        "broken": {**dict.fromkeys(INVARIANTS, 0), **broken},
    }


def _first_ends_ms(evidence: Evidence) -> Iterator[float]:
    """Yield the time from acceptance to the end of each request's first flow.

    Later flows are left out, because reconcile publishes after the run has moved the twin's clock.
    """
    for lines in evidence.lines.values():
        ends = [line["age_ms"] for line in lines if line["message"] == "flow.finished"]
        if ends:
            yield min(ends)


def _waits_after_event(evidence: Evidence, settled: list[Entry]) -> Iterator[float]:
    """Yield how long each request stayed unsettled after its first event arrived. Leave out those settled before."""
    arrived: dict[str, float] = {}
    for event in evidence.stripe_events:
        key, at = event["idempotency_key"], event["delivered_at"]
        if key and at:
            arrived[key] = min(at, arrived.get(key, at))
    for entry in settled:
        if arrived.get(entry.request_id, entry.at) < entry.at < evidence.lists_back_at:
            yield round(entry.at - arrived[entry.request_id], 3)


def receives_per_message(evidence: Evidence) -> float:
    """Return the average receives per message. A deferred copy counts as a message of its own."""
    return evidence.receives.total() / max(1, len(evidence.receives))


def kills(log: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count the kills by process and by named point. The counts of `caller`, `worker` … include both kinds of kill."""
    counted: Counter[str] = Counter()
    for kill in log:
        target = kill.get("target") or str(kill["point"]).partition(":")[0]
        counted[target] += 1
        if point := kill.get("point"):
            counted[f"at {point}"] += 1
    return dict(sorted(counted.items(), key=lambda pair: (pair[0].startswith("at "), pair[0])))


def show(found: dict[str, Any]) -> None:
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, count in value.items():
                print(f"    {key}: {count}")
        else:
            print(f"{name}: {value}")


def show_trail(evidence: Evidence, violation: Violation) -> None:
    """Print everything that is known about the request that broke a promise."""
    print(f"\nBROKEN {violation.invariant}: {violation.what[:2000]}")
    if violation.request_id is not None:
        for source, fact in _trail(evidence, violation.request_id):
            print(f"  {source:<8} {fact if isinstance(fact, str) else json.dumps(fact)[:700]}")


def _trail(evidence: Evidence, request_id: str) -> Iterator[tuple[str, Any]]:
    yield "request", f"{request_id}: {evidence.book.submitted.get(request_id)}"
    for source, found in (
        ("POST", evidence.attempts_of()[request_id]),
        ("ledger", evidence.effects_of()[request_id]),
        ("kill", [kill for kill in evidence.kills if kill.get("request_id") == request_id]),
        ("flow", evidence.flows_of()[request_id]),
    ):
        yield from ((source, one) for one in found)
    for entry in evidence.entries_of()[request_id]:
        yield "stream", f"{entry.id} {entry.outcome} {entry.mark}"
    for line in sorted(evidence.lines[request_id], key=lambda line: str(line["timestamp"])):
        yield line["log"], line
    yield "status", evidence.statuses.get(request_id)


def _faults(evidence: Evidence) -> dict[str, int]:
    names = evidence.fault_names
    fault_ids = (attempt["fault_id"] for attempt in evidence.attempts if attempt["fault_id"])
    return dict(sorted(Counter(names.get(fault_id, fault_id) for fault_id in fault_ids).items()))


def _outcomes(evidence: Evidence) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for entry in evidence.entries:
        error = entry.error
        counted["response" if error is None else f"{error['certainty']} {error['code']}"] += 1
    return dict(counted.most_common())


def _repeats(evidence: Evidence) -> int:
    distinct = {
        (line["request_id"], line["ending"], line["certainty"], line["code"])
        for line in evidence.flows
    }
    return len(evidence.flows) - len(distinct)


def _quantile(values: Sequence[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(share * len(values)))] if values else None
