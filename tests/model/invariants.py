"""The invariants of every run: after each move (`check`), at certain steps, and at the end (`check_rest`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.model.asks import Ask, AskIdentity, identify

from paydispatch.domain.claims import Go
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import HORIZON_S, REMEMBER_S, SEND_AGE_S
from paydispatch.domain.outcomes import Error, Response

if TYPE_CHECKING:
    from tests.model.choices import Choices
    from tests.model.model_queue import ModelQueue
    from tests.model.model_redis import ModelRedis
    from tests.model.model_stripe import Account, Made, ModelStripe
    from tests.model.stage import Process
    from tests.model.virtual_time import ModelClock

    from paydispatch.domain.claims import Claim
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import Outcome

GUARD_SLACK_S = 60.0
"""Allowance for the time between the send and the arrival of the POST at Stripe."""

REUSED, NOT_ACCEPTED = "idempotency_key_reused", "not_accepted"


class Invariants:
    stripe: ModelStripe
    queue: ModelQueue
    redis: ModelRedis
    clock: ModelClock
    broken: list[str]
    choices: Choices
    last_look_at: int | None

    def __init__(self) -> None:
        self.accepted: dict[Ask, AskIdentity] = {}
        """Every request that the queue accepted, with the identity in its message."""
        self.published: list[OutcomeEntry] = []
        """Every outcome that was published."""
        self._sent: set[tuple[str, str]] = set()
        """{(slot, fingerprint)} of every send that was ever open"""

    # --- events of the run

    def accept(self, ask: Ask, body: str) -> None:
        asked = identify(body)
        assert asked is not None, body
        self._check_repeat(ask)
        self.accepted[ask] = asked

    def note_send(self, claim: Claim, answer: object) -> None:
        if isinstance(answer, Go):
            self._sent.add((claim.slot, claim.fingerprint))

    def publish(self, entry: OutcomeEntry) -> bool:
        if not entry.outcome.settled:
            self._check_doubt(entry)
        first = self.redis.publish(entry)
        if first:
            self.published.append(entry)
            self._check_place(entry)
        return first

    def entries_of(self, ask: Ask) -> list[OutcomeEntry]:
        """Return the published outcomes of a request in order, under its id or the derived id after a reused one."""
        asked = self.accepted.get(ask)
        if asked is None:
            return []
        ids = (asked.request_id, ask.derived_id)
        return [
            entry
            for entry in self.published
            if (entry.tenant, entry.fingerprint) == (ask.tenant, asked.fingerprint)
            and entry.request_id in ids
        ]

    # --- always

    def check(self) -> None:
        for ask in self.accepted:
            self._check_ends(ask)
            self._check_not_lost(ask)
        self._check_no_other_is_published()
        self._check_effects()
        self._check_one_effect_per_key()
        self._check_final_means_published()
        self._check_status_follows()

    def _check_ends(self, ask: Ask) -> None:
        entries = self.entries_of(ask)
        outcomes = [entry.outcome for entry in entries]
        twice = len({outcome.settled for outcome in outcomes}) != len(outcomes)
        assert not twice, f"{ask.request_id}: published twice: {outcomes}"
        unproven = entries and not self.is_proven(ask)
        assert not unproven, f"{ask.request_id}: published for an unproven principal"
        for entry in entries:
            self._check_verdict(ask, entry.outcome)

    def is_proven(self, ask: Ask) -> bool:
        """Return whether at least one message of this request was sent by the principal that it names."""
        same = [each for each, asked in self.accepted.items() if asked == self.accepted[ask]]
        return not all(each.forged for each in same)

    def _check_verdict(self, ask: Ask, outcome: Outcome) -> None:
        name, made = ask.request_id, self._objects_made_for(ask)
        if isinstance(outcome, Response):
            right = [each.id for each in made if not each.declined] == [outcome.body["id"]]
            assert right, f"{name}: published as created, but it is not"
        elif outcome.code == "card_declined":
            declined = (ask.request_id, ask.fingerprint) in self.stripe.declined
            assert declined, f"{name}: published as declined, but it was not"
            assert all(each.declined for each in made), (
                f"{name}: published as declined, but it was created"
            )
        elif outcome.settled:
            assert not made, f"{name}: published as not created, but it is"

    def _objects_made_for(self, ask: Ask) -> list[Made]:
        asked = self.accepted[ask]
        mine = asked.request_id, asked.fingerprint
        return [made for made in self.stripe.made if (made.request_id, made.fingerprint) == mine]

    def _check_not_lost(self, ask: Ask) -> None:
        settled = any(entry.outcome.settled for entry in self.entries_of(ask))
        held = settled or self.accepted[ask] in map(identify, self.queue.bodies())
        assert held, f"{ask.request_id} for {ask.worker_id} is lost"

    def _check_no_other_is_published(self) -> None:
        known = [entry for ask in self.accepted for entry in self.entries_of(ask)]
        assert all(entry in known for entry in self.published), (
            f"no request has this outcome: {self.published[-1]}"
        )

    def _check_effects(self) -> None:
        effects: dict[tuple[str, str], int] = {}
        for made in self.stripe.made:
            name = made.account.tenant, made.request_id
            effects[name] = effects.get(name, 0) + 1
            assert effects[name] == 1, f"{name}: {effects[name]} objects at Stripe"
            self._check_made(made)

    def _check_one_effect_per_key(self) -> None:
        """Check that all requests of one thing under one idempotency key made one object at most."""
        made: dict[tuple[str, str, str], set[str]] = {}
        for ask in self.accepted:
            if ask.idempotency_key is not None:
                under = made.setdefault((ask.tenant, ask.idempotency_key, ask.fingerprint), set())
                under |= {each.id for each in self._objects_made_for(ask)}
        for (_, key, _), objects in made.items():
            assert len(objects) <= 1, f"{key}: {len(objects)} objects under one key"

    def _check_made(self, made: Made) -> None:
        assert made.params["metadata"].get(MARK) == made.request_id, f"{made}: without a mark"
        askers = [ask for ask in self.accepted if made in self._objects_made_for(ask)]
        assert askers, f"{made}: no request asked for it"
        assert any(not ask.forged for ask in askers), f"{made}: for an unproven principal"
        own = all(ask.tenant == made.account.tenant for ask in askers)
        assert own, f"{made}: with another tenant's key"

    def _check_final_means_published(self) -> None:
        settled = {
            (_slot_of(entry), entry.request_id) for entry in self.published if entry.outcome.settled
        }
        for slot in self.redis.slots.values():
            published = (slot.claim.worker_slot, slot.claim.request_id) in settled
            assert published or not slot.final, f"{slot.claim.slot}: final, but not published"

    def _check_status_follows(self) -> None:
        """Check that a message or the index brings about each missing status of a published settled outcome."""
        for ask in self.accepted:
            entries = self.entries_of(ask)
            for entry in entries:
                slot = self.redis.slots.get(_request_slot(entry))
                if not entry.outcome.settled or slot is None or slot.final:
                    continue
                listed = (_slot_of(entry), entry.request_id) in self.redis.outcomes.unknown
                follows = listed or self._is_on_a_queue(ask, was_unknown=len(entries) > 1)
                assert follows, f"{entry.request_id}: its status stays {slot.status}"

    def _is_on_a_queue(self, ask: Ask, *, was_unknown: bool) -> bool:
        """Return whether a message of the request is left. After an unknown outcome a parked one does not count."""
        live = (queued.body for queued in self.queue.messages.values())
        return self.accepted[ask] in map(identify, live if was_unknown else self.queue.bodies())

    # --- at certain steps

    def _check_repeat(self, ask: Ask) -> None:
        """Check that a repeat goes to the queue only after the first request ended without an effect or an answer."""
        if ask.idempotency_key is None or ask.request_id == ask.first_id:
            return
        ends = [each.outcome for each in self.entries_of(replace(ask, request_id=ask.first_id))]
        freed = any(
            isinstance(end, Error) and end.settled and not end.answered and end.code != REUSED
            for end in ends
        )
        if not freed:
            self.broken.append(f"{ask.request_id}: repeats a request that ended with {ends}")

    def check_claim(self, claim: Claim) -> None:
        """Check that no claim is written for an unproven principal."""
        wanted = AskIdentity(claim.tenant, claim.request_id, claim.fingerprint)
        asks = [ask for ask, asked in self.accepted.items() if asked == wanted]
        if asks and not self.is_proven(asks[0]):
            self.broken.append(f"{claim.slot}: claimed for an unproven principal")

    def check_accepted(self, ask: Ask) -> None:
        """Check that the request is on the queue when the API answers 202."""
        asked = AskIdentity(ask.tenant, ask.request_id, ask.fingerprint)
        if asked not in self.accepted.values():
            self.broken.append(f"{ask.request_id}: answered 202, but the queue never had it")

    def check_post(self, process: Process, request_id: str, account: Account) -> Claim:
        """Check that a POST follows its send soon enough and is not past the horizon, and return its claim."""
        now_s = self.clock.now_s()
        claim, answered_at = process.may_post.pop(request_id, (None, 0.0))
        assert claim is not None, f"{request_id}: POST without a send"
        if now_s - answered_at > SEND_AGE_S:
            self.broken.append(f"{request_id}: POST {now_s - answered_at:.0f} s after its send")
        first = min(self.stripe.posts.get((account.tenant, request_id), [now_s]))
        if now_s - first >= HORIZON_S + GUARD_SLACK_S:
            self.broken.append(f"{request_id}: POST under a key {(now_s - first) / 3600:.1f} h old")
        return claim

    def check_park(self, body: str, reason: str) -> None:
        asked = identify(body)
        if asked is None or reason == NOT_ACCEPTED:
            return
        asks = [ask for ask, known in self.accepted.items() if known == asked]
        published = any(self.entries_of(ask) or not self.is_proven(ask) for ask in asks)
        assert published, f"{asked.request_id} was parked before its outcome was published"

    def _check_place(self, entry: OutcomeEntry) -> None:
        """Check that an outcome is published in the worker's slot of the tenant that asked."""
        marks = self.redis.outcomes.marks
        for ask in self.accepted:
            if entry in self.entries_of(ask) and (ask.worker_slot, entry.request_id) not in marks:
                self.broken.append(f"{entry.request_id}: not published in {ask.worker_slot!r}")

    def _check_doubt(self, entry: OutcomeEntry) -> None:
        """Check that unknown is published only where a send may have left, or a message says that one did."""
        says_so = any(ask.maybe_executed or ask.first_sent_s is not None for ask in self.accepted)
        slot = self.redis.slots.get(_request_slot(entry))
        claim = slot.claim if slot else None
        # A redrive assumes a send when the slot is empty, because an empty slot proves nothing.
        forgotten = claim is None or claim.older_than_memory or claim.maybe_executed
        sent = (_request_slot(entry), entry.fingerprint or "") in self._sent
        if not sent and not says_so and not forgotten:
            self.broken.append(
                f"{entry.request_id}: published as unknown, but nothing was ever sent"
            )

    # --- at rest

    def check_rest(self) -> None:
        """Check that each request is settled, or is published as unknown and listed for the reconciler."""
        for ask, asked in self.accepted.items():
            if not self.is_proven(ask):
                continue
            ends = [entry.outcome for entry in self.entries_of(ask)]
            assert ends, f"{ask.request_id} for {ask.worker_id}: no outcome was published"
            listed = (ask.worker_slot, asked.request_id) in self.redis.outcomes.unknown
            known = any(end.settled for end in ends)
            looked_for = listed or self._is_beyond_memory(ask)
            assert known or looked_for, (
                f"{ask.request_id}: unknown, but not listed for the reconciler"
            )
            sure = known or self._could_not_know()
            assert sure, (
                f"{ask.request_id}: unknown after a day, though nothing disturbed reconcile"
            )

    def _is_beyond_memory(self, ask: Ask) -> bool:
        published_at = min((entry.settled_at for entry in self.entries_of(ask)), default=0.0)
        return self.clock.now_s() - published_at >= REMEMBER_S

    def _could_not_know(self) -> bool:
        """Return whether a fault disturbed the last reconciler run, or its key may belong to another account."""
        looked_at = self.last_look_at
        disturbed = looked_at is not None and any(
            move.startswith("*") for move in self.choices.story[looked_at:]
        )
        moved = any("another key" in move for move in self.choices.story)
        redrivable = any(slot.first_sent_at is None for slot in self.redis.slots.values())
        # The outcome may come from the message with the other key.
        keys = {ask.key for ask in self.accepted}
        return disturbed or moved or redrivable or looked_at is None or len(keys) > 1


def short_names(ends: list[OutcomeEntry]) -> tuple[str, ...]:
    """Return a short name for each outcome."""
    return tuple(_short_name(entry.outcome) for entry in ends)


def _short_name(outcome: Outcome) -> str:
    if isinstance(outcome, Response):
        return "created"
    return _short_error_name(outcome)


def _short_error_name(error: Error) -> str:
    named = {REUSED: "reused", "card_declined": "declined"}
    return named.get(error.code or "", "not_created") if error.settled else "unknown"


def _slot_of(entry: OutcomeEntry) -> str:
    return slot_name(entry.tenant or "local", entry.worker_id, "local")


def _request_slot(entry: OutcomeEntry) -> str:
    return slot_name(entry.tenant or "local", entry.request_id, "local")
