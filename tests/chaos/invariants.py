"""The invariants of a chaos run. Each check is one sentence of the promise and yields the requests that break it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from tests.chaos.evidence import FLOW_FAILED
from tests.chaos.targets import UNPROVABLE

from paydispatch.domain.identity.request_ids import follow_up_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.chaos.evidence import Entry, Evidence

REDIS_DOWN_S = 10.0
"""The longest time for which Redis is down. A worker cannot acknowledge a flow that returned meanwhile."""

LAST_RECEIVE = "last_receive"
KEY_NOT_OPENED = "key_not_opened"
PROVED_LATER = frozenset({"not_found_after_horizon", "not_executed_after_horizon"})
"""The error codes of outcomes that the reconciler proved."""

LEAVE_DOUBT = frozenset({"reset", "cut_off", "not_json", "hang"})
"""Faults after which a caller cannot know whether Stripe executed the request."""


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    what: str
    request_id: str | None = None


def find_violations(evidence: Evidence) -> list[Violation]:
    return [violation for check in CHECKS for violation in check(evidence)]


def requests_with_follow_ups(evidence: Evidence) -> set[str]:
    """Return the ids of every accepted request and of every follow-up that their flows dispatched."""
    asked = set(evidence.book.submitted) | set(evidence.first_requests().values())
    follow_ups = {
        follow_up_request_id(line["request_id"], 1)
        for line in evidence.flows
        if line["ending"] == "response" and _script(evidence, line["request_id"]) == "follows_up"
    }
    return asked | follow_ups


def at_most_one_effect(evidence: Evidence) -> Iterator[Violation]:
    by_order: dict[str, set[str]] = defaultdict(set)
    for effect in evidence.effects:
        if n := (effect["metadata"] or {}).get("n"):
            by_order[n].add(effect["id"])
    for request_id, effects in evidence.effects_of().items():
        for operation, count in Counter(effect["operation"] for effect in effects).items():
            if request_id and count > 1:
                ids = [effect["id"] for effect in effects]
                yield Violation("effects per request", f"{count} of {operation}: {ids}", request_id)
    for n, made in by_order.items():
        if len(made) > 1:
            yield Violation("effects per request", f"{len(made)} objects for {n}: {sorted(made)}")


def never_provable(evidence: Evidence) -> set[str]:
    """Return the requests that stay unknown.

    Some operations have no proof. Of some poison a receive died, and its key opens for no reconciler.
    """
    book = evidence.book.submitted
    return {
        entry.request_id
        for entry in evidence.entries
        if entry.mark == "unknown"
        and (
            entry.operation in UNPROVABLE
            or ((entry.error or {})["code"] == KEY_NOT_OPENED and book[entry.request_id].poison)
        )
    }


def no_request_is_lost(evidence: Evidence) -> Iterator[Violation]:
    settled = {entry.request_id for entry in evidence.entries if entry.mark == "settled"}
    for request_id in sorted(
        requests_with_follow_ups(evidence) - settled - never_provable(evidence)
    ):
        yield Violation("requests lost", "no settled outcome", request_id)
    for left in evidence.leftovers:
        yield Violation("requests lost", f"left over: {left}")


def one_settled_outcome(evidence: Evidence) -> Iterator[Violation]:
    """Each request has at most one `unknown` outcome, followed by exactly one settled outcome."""
    for request_id, entries in evidence.entries_of().items():
        marks = [entry.mark for entry in entries if not entry.successor]
        if marks.count("settled") > 1 or marks.count("unknown") > 1:
            yield Violation("terminal flows", f"outcomes: {marks}", request_id)
        elif "unknown" in marks and marks[-1] == "unknown" and "settled" in marks:
            yield Violation("terminal flows", f"unknown after settled: {marks}", request_id)
    for request_id in evidence.entries_of().keys() - requests_with_follow_ups(evidence):
        yield Violation("terminal flows", "an outcome without an accepted request", request_id)


def each_outcome_ran_its_flow(evidence: Evidence) -> Iterator[Violation]:
    """The flow of every entry returned, or the entry is on the dead stream and its successor's flow returned."""
    flows = evidence.flows_of()
    for request_id, entries in evidence.entries_of().items():
        ran = {_outcome_of(line) for line in flows[request_id]}
        due = {e.outcome for e in entries if (e.worker_id, e.id) not in evidence.dead}
        if ran != due:
            yield Violation(
                "terminal flows", f"flows that returned: {ran}, outcomes: {due}", request_id
            )


def repeats_are_explained(evidence: Evidence) -> Iterator[Violation]:
    """A flow that returned runs again only if its process or Redis died before the acknowledgement."""
    deaths = {kill["pid"]: kill["at"] for kill in evidence.kills if kill.get("pid")}
    redis = [kill["at"] for kill in evidence.kills if _strikes_redis(kill)]
    for request_id, lines in evidence.flows_of().items():
        excused = any(
            line["message"] == "flow.not_acknowledged" for line in evidence.lines[request_id]
        )
        for _, runs in groupby(sorted(lines, key=_outcome_key), key=_outcome_key):
            for first, second in pairwise(runs):
                killed = first["at"] <= deaths.get(first["pid"], 0.0) <= second["at"]
                down = any(first["at"] - REDIS_DOWN_S < at < second["at"] for at in redis)
                if not (killed or down or excused):
                    yield Violation("terminal flows", "its flow ran twice, unexplained", request_id)


def _strikes_redis(kill: dict[str, Any]) -> bool:
    return kill.get("target") in ("redis", "failover") or str(kill.get("point", "")).startswith(
        "redis"
    )


def verdicts_agree_with_the_ledger(evidence: Evidence) -> Iterator[Violation]:
    effects = evidence.effects_of()
    for entry in evidence.entries:
        ids = [effect["id"] for effect in effects[entry.request_id]]
        if entry.response is not None and entry.response["body"].get("id") not in ids:
            yield Violation(
                "verdicts",
                f"a response without its object at Stripe, which made: {ids}",
                entry.request_id,
            )
        if ids and _says_not_created(entry):
            yield Violation(
                "verdicts", f"not_created ({entry.error}), but {ids} exists", entry.request_id
            )
    yield from _statuses_agree(evidence)


def no_verdict_is_guessed(evidence: Evidence) -> Iterator[Violation]:
    """After an attempt without a known end, the verdict "not created" needs an answer or a proof, even if true."""
    attempts = evidence.attempts_of()
    for entry in evidence.entries:
        if _says_not_created(entry) and (entry.error or {})["code"] not in PROVED_LATER:
            own = attempts[entry.request_id]
            if any(map(_is_in_doubt, own)) and not any(map(_is_final, own)):
                yield Violation("verdicts", f"a guess: {entry.error}", entry.request_id)


def repeats_follow_an_end_without_effect(evidence: Evidence) -> Iterator[Violation]:
    """A key makes another request only after its first one ended without an effect and without an answer of Stripe."""
    entries = evidence.entries_of()
    for request_id, first in evidence.first_requests().items():
        ends = [one for one in entries.get(first, []) if one.mark == "settled"]
        if not ends or not all(_says_not_created(one) for one in ends):
            yield Violation("ways in", f"repeated as {request_id}", first)


def neighbours_of_poison_succeed(evidence: Evidence) -> Iterator[Violation]:
    book = evidence.book
    for entry in evidence.entries:
        submitted = book.submitted.get(entry.request_id)
        error = entry.error or {}
        dispatcher = error.get("kind") == "dispatcher" and not entry.successor
        poison = submitted is not None and submitted.poison
        if dispatcher and not poison and error["code"] != LAST_RECEIVE:
            yield Violation("neighbours of poison", f"failed: {error}", entry.request_id)
        if poison and not dispatcher and error.get("code") not in PROVED_LATER:
            yield Violation("neighbours of poison", "poison was not refused", entry.request_id)
    for body, reason in evidence.dead_letters:
        if reason is None:
            yield Violation("neighbours of poison", f"dead-lettered by the queue: {body[:300]}")
    bodies = "\n".join(body for body, _ in evidence.dead_letters)
    for n in book.unattributable:
        if not re.search(rf"\b{n}\b", bodies):
            yield Violation("requests lost", f"{n} is not on the dead-letter queue")


def contexts_keep_their_order(evidence: Evidence) -> Iterator[Violation]:
    """The flows of a context returned in the order of its stream. A repeated run follows its first run directly."""
    due: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for entry in evidence.entries:
        if not entry.successor:
            due[entry.worker_id, entry.context_id].append((entry.request_id, entry.mark))
    ran: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for line in evidence.flows:
        mark = "unknown" if _is_provisional(line) else "settled"
        ran[line["worker_id"], line["context_id"]].append((line["request_id"], mark))
    for context, runs in ran.items():
        if [run for run, _ in groupby(runs)] != due[context]:
            off = next(
                (run for run, want in zip(runs, due[context], strict=False) if run != want),
                runs[-1],
            )
            yield Violation("order", f"{context}: ran {runs}, stream {due[context]}", off[0])


def the_key_is_nowhere(evidence: Evidence) -> Iterator[Violation]:
    for where in evidence.keys_seen:
        yield Violation("keys", where)
    if count := evidence.events["chaos.key_on_queue"]:
        yield Violation("keys", f"in the clear in {count} queue messages")


def the_ways_in_answered_as_documented(evidence: Evidence) -> Iterator[Violation]:
    for surprise in evidence.book.surprises:
        yield Violation("ways in", surprise)


CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    at_most_one_effect,
    no_request_is_lost,
    one_settled_outcome,
    each_outcome_ran_its_flow,
    repeats_are_explained,
    verdicts_agree_with_the_ledger,
    no_verdict_is_guessed,
    repeats_follow_an_end_without_effect,
    neighbours_of_poison_succeed,
    contexts_keep_their_order,
    the_key_is_nowhere,
    the_ways_in_answered_as_documented,
)


def _statuses_agree(evidence: Evidence) -> Iterator[Violation]:
    for request_id, entries in evidence.entries_of().items():
        settled = [e for e in entries if e.mark == "settled" and not e.successor]
        if not settled:
            continue
        wanted = "succeeded" if settled[-1].response is not None else "failed"
        status = evidence.statuses.get(request_id, {}).get("status")
        if status != wanted:
            yield Violation("verdicts", f"status {status}, outcome {wanted}", request_id)


def _says_not_created(entry: Entry) -> bool:
    """Return whether the entry denies the effect. A declined card does not, because it leaves a payment intent."""
    error = entry.error or {"certainty": None, "http_status": None}
    denied = error["certainty"] in ("not_created", "not_executed")
    return denied and bool(error["http_status"] != 402)


def _is_in_doubt(attempt: dict[str, Any]) -> bool:
    status = attempt["status"]
    return attempt["fault"] in LEAVE_DOUBT or status is None or status >= 500


def _is_final(attempt: dict[str, Any]) -> bool:
    answered = attempt["replayed"] or attempt["status"] in (200, 402)
    return bool(answered) and not _is_in_doubt(attempt)


def _script(evidence: Evidence, request_id: str) -> str | None:
    submitted = evidence.book.submitted.get(request_id)
    if submitted is None or submitted.poison:
        return None
    metadata = submitted.wanted.params.get("metadata")
    return str(metadata["script"]) if metadata else None


def _outcome_of(line: dict[str, Any]) -> tuple[str, str | None, str | None]:
    return line["ending"], line["certainty"], line["code"]


def _outcome_key(line: dict[str, Any]) -> str:
    return repr(_outcome_of(line))


def _is_provisional(line: dict[str, Any]) -> bool:
    return (line["certainty"], line["code"] == FLOW_FAILED) == ("unknown", False)
