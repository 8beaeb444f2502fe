"""The evidence after a run: Stripe's ledger, Redis, the queues, the flows' own log, and the output of each part."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from tests.chaos.chaos_flow import FLOW_LOG

from paydispatch.domain.identity.slots import bare_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.chaos.requests_made import Book
    from tests.chaos.stage import Stage

FLOW_FAILED = "flow_failed"
"""The code of the error that replaces a response when the response script keeps failing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a worker's stream."""

    id: str
    worker_id: str
    request_id: str
    context_id: str
    operation: str
    response: dict[str, Any] | None
    error: dict[str, Any] | None

    @property
    def successor(self) -> bool:
        return self.error is not None and self.error["code"] == FLOW_FAILED

    @property
    def at(self) -> float:
        """When Redis took the entry, in Unix seconds."""
        return int(self.id.partition("-")[0]) / 1000

    @property
    def mark(self) -> str:
        unknown = self.error is not None and self.error["certainty"] == "unknown"
        return "unknown" if unknown and not self.successor else "settled"

    @property
    def outcome(self) -> tuple[str, str | None, str | None]:
        """The ending, certainty and code of the entry, as in the line that its flow logs."""
        if self.error is None:
            return "response", None, None
        return "error", self.error["certainty"], self.error["code"]


@dataclass(slots=True)
class Evidence:
    book: Book
    effects: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    entries: list[Entry]
    dead: set[tuple[str, str]]
    """(worker, entry id)"""
    flows: list[dict[str, Any]]
    statuses: dict[str, dict[str, str]]
    leftovers: list[str]
    dead_letters: list[tuple[str, str | None]]
    """(body, reason). Without a reason, the queue moved the message there by itself."""
    kills: list[dict[str, Any]]
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """The log lines of all parts, by request."""
    events: Counter[str] = field(default_factory=Counter)
    receives: Counter[str] = field(default_factory=Counter)
    """How often each queue message was received."""
    keys_seen: list[str] = field(default_factory=list)
    fault_names: dict[str, str] = field(default_factory=dict)
    stripe_events: list[dict[str, Any]] = field(default_factory=list)
    """The events of the twin, oldest first."""
    deliveries: dict[str, int] = field(default_factory=dict)
    """How the deliveries of the events ended, and how many had which fault."""
    lists_back_at: float = 0.0
    """When the faults of the twin ended and the reconciler ran."""

    def entries_of(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            found[entry.request_id].append(entry)
        return found

    def first_requests(self) -> dict[str, str]:
        """Return the first request under the key of each repeat. Its own answer to the caller may have been lost."""
        return {
            request_id: bare_name(self.statuses[request_id]["repeat_of"])
            for request_id in self.book.submitted
            if "repeat_of" in self.statuses.get(request_id, {})
        }

    def flows_of(self) -> dict[str, list[dict[str, Any]]]:
        return _by("request_id", self.flows)

    def effects_of(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_request(self.effects, lambda effect: effect["id"])

    def attempts_of(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_request(self.attempts, lambda attempt: attempt["path"].rpartition("/")[2])

    def _by_request(
        self, writes: list[dict[str, Any]], target: Callable[[dict[str, Any]], str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the writes by request. Stripe gets no key with a DELETE, but each one has an object of its own.

        A request and its repeat act on one object. A write is the repeat's if it came after the repeat was accepted.
        """
        firsts = self.first_requests()
        acting_on: dict[str, list[str]] = defaultdict(list)
        for request_id, submitted in self.book.submitted.items():
            for each in submitted.wanted.path.values():
                acting_on[each] += [firsts.get(request_id, request_id), request_id]
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for write in writes:
            key = write["idempotency_key"]
            found[key or self._actor(acting_on[target(write)], write)].append(write)
        return found

    def _actor(self, request_ids: list[str], write: dict[str, Any]) -> str:
        at = write.get("at", write.get("created", 0.0))
        begun = [
            (self._accepted_at(request_id), request_id)
            for request_id in request_ids
            if self._accepted_at(request_id) <= at or len(set(request_ids)) == 1
        ]
        return max(begun, default=(0.0, ""))[1]

    def _accepted_at(self, request_id: str) -> float:
        return float(self.statuses.get(request_id, {}).get("accepted_at", 0.0))


def _by(name: str, items: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        found[item[name]].append(item)
    return found


def gather(stage: Stage, book: Book, keys: tuple[str, ...]) -> Evidence:
    base = stage.stack.addresses.stripe_base
    dead_letters = _drain(stage.stack.addresses.dead_letter_queue_url)
    with stage.redis.client() as client:
        entries = [entry for worker_id in _workers(client) for entry in _stream(client, worker_id)]
        evidence = Evidence(
            book=book,
            effects=httpx.get(f"{base}/_twin/ledger", timeout=60).json()["effects"],
            attempts=httpx.get(f"{base}/_twin/attempts", timeout=60).json()["attempts"],
            entries=entries,
            dead={pair for worker_id in _workers(client) for pair in _dead(client, worker_id)},
            flows=list(json_lines(stage.directory / FLOW_LOG)),
            statuses=_statuses(client),
            leftovers=[*_find_left_in_redis(client), *_find_left_on_queues(stage)],
            dead_letters=dead_letters,
            kills=list(json_lines(stage.directory / "kills.jsonl")),
            fault_names=stage.fault_names,
            stripe_events=httpx.get(f"{base}/_twin/events", timeout=60).json()["events"],
            deliveries=count_deliveries(base),
        )
    _read_logs(evidence, stage.stack.directory)
    evidence.keys_seen = _keys_seen(stage, dead_letters, keys)
    return evidence


def count_deliveries(stripe_base: str) -> dict[str, int]:
    """Return the counts of the deliveries of events and of their faults."""
    deliveries = httpx.get(f"{stripe_base}/_twin/webhooks", timeout=60).json()["deliveries"]
    faults = httpx.get(f"{stripe_base}/_twin/event-faults", timeout=60).json()["counts"]
    return {**deliveries, **faults}


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith('{"'):
                try:
                    yield json.loads(line)
                except ValueError:  # a kill cut the line off
                    continue


def queue_counts(url: str) -> Counter[str]:
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return Counter(
        {
            name: int(answer["Attributes"][f"ApproximateNumberOfMessages{name}"])
            for name in ("", "NotVisible", "Delayed")
        }
    )


def count_pending(client: Any) -> int:
    """Return the number of entries that no worker has acknowledged or even received."""
    left = 0
    for worker_id in _workers(client):
        for group in client.xinfo_groups(f"pd:{{{worker_id}}}:outcomes"):
            left += int(group["pending"]) + int(group.get("lag") or 0)
    return left


def _workers(client: Any) -> list[str]:
    """Return the slots of all workers with a stream of outcomes."""
    names = client.scan_iter("pd:{*}:outcomes", count=1000)
    return sorted(name.removeprefix("pd:{").removesuffix("}:outcomes") for name in names)


def _stream(client: Any, worker_id: str) -> Iterator[Entry]:
    for entry_id, fields in client.xrange(f"pd:{{{worker_id}}}:outcomes"):
        entry = json.loads(fields["entry"])
        yield Entry(
            entry_id,
            worker_id,
            entry["request_id"],
            entry["context_id"],
            entry["operation"],
            entry.get("response"),
            entry.get("error"),
        )


def _dead(client: Any, worker_id: str) -> Iterator[tuple[str, str]]:
    for _, fields in client.xrange(f"pd:{{{worker_id}}}:dead"):
        yield worker_id, fields["entry_id"]


def _statuses(client: Any) -> dict[str, dict[str, str]]:
    names = [name for name in client.scan_iter("pd:req:{*}", count=1000) if name.endswith("}")]
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(name)
    found = zip(names, pipe.execute(), strict=True)
    return {
        bare_name(name.removeprefix("pd:req:{").removesuffix("}")): fields for name, fields in found
    }


def _find_left_in_redis(client: Any) -> list[str]:
    """Describe the entries and keys that should be gone when all requests are done."""
    left = []
    if count := count_pending(client):
        left.append(f"{count} entries not acknowledged")
    for pattern in ("context:*", "lease:*", "later", "runs", "open"):
        names = list(client.scan_iter(f"pd:{{*}}:{pattern}", count=1000))
        left += [f"{name} ({client.type(name)})" for name in names[:5]]
    return left


def _find_left_on_queues(stage: Stage) -> list[str]:
    addresses = stage.stack.addresses
    counts = {
        url: sum(queue_counts(url).values())
        for url in (addresses.queue_url, addresses.batch_queue_url)
    }
    return [f"{count} messages on {url}" for url, count in counts.items() if count]


def _drain(url: str) -> list[tuple[str, str | None]]:
    sqs = boto3.client("sqs")
    found: list[tuple[str, str | None]] = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, MessageAttributeNames=["All"]
    ).get("Messages"):
        for message in messages:
            reason = message.get("MessageAttributes", {}).get("reason", {}).get("StringValue")
            found.append((message["Body"], reason))
    return found


def _read_logs(evidence: Evidence, directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        for line in json_lines(log):
            event = str(line.get("message"))
            evidence.events[event] += 1
            evidence.receives.update(line.get("ids", ()))
            if request_id := line.get("request_id"):
                evidence.lines[request_id].append({"log": log.stem, **line})


def _keys_seen(
    stage: Stage, dead_letters: list[tuple[str, str | None]], keys: tuple[str, ...]
) -> list[str]:
    """Describe each place with a key in the clear. Redis' append-only file holds every write of the run."""
    files = [*stage.stack.directory.glob("*.log"), *stage.directory.glob("*.log")]
    files += [file for file in stage.redis.files.rglob("*") if file.is_file()]
    files += stage.directory.glob("*.jsonl")
    bodies = "".join(body for body, _ in dead_letters).encode()
    places = [
        ("the dead-letter queue", bodies),
        *((str(file), file.read_bytes()) for file in files),
    ]
    return [
        f"{key} in {where}"
        for where, text in places
        for key in keys
        if any(form in text for form in forms_of(key))
    ]


def forms_of(key: str) -> set[bytes]:
    """Return the forms in which a text can contain a key: plain, escaped in JSON or a URL, and in base64."""
    escaped = {key, key.replace("_", "\\u005f"), key.replace("_", "%5F"), key.replace("_", "%5f")}
    encoded = {base64.b64encode(key.encode()), base64.urlsafe_b64encode(key.encode())}
    return {form.encode() for form in escaped} | {form.rstrip(b"=")[:-1] for form in encoded}
