"""All keys of a request share a hash tag, and all keys of a worker too, because a script may touch one slot only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from redis.cluster import key_slot

from paydispatch.adapters.redis import keys
from paydispatch.domain.identity.slots import bare_name, beside, slot_name

NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="{}"), min_size=1
)
SLOTS = st.builds(slot_name, NAMES, NAMES, st.just("main"))


@given(SLOTS)
def test_all_keys_of_a_request_share_a_hash_tag(slot: str) -> None:
    assert hash_slots(keys.request(slot), keys.sends(slot)) == {key_slot(slot.encode())}


@given(SLOTS, NAMES, NAMES)
def test_all_keys_of_a_worker_share_a_hash_tag(worker: str, request: str, context: str) -> None:
    of_worker = (
        keys.outcomes,
        keys.dead,
        keys.open_requests,
        keys.unknown,
        keys.later,
        keys.runs,
        keys.bell,
    )
    names = [keys.seen(worker, request), keys.context(worker, context), keys.lease(worker, context)]

    assert hash_slots(*names, *(key(worker) for key in of_worker)) == {key_slot(worker.encode())}


@given(SLOTS)
def test_the_name_of_a_bell_gives_its_worker(worker: str) -> None:
    assert keys.worker_of_bell(keys.bell(worker)) == worker


@given(NAMES, NAMES, NAMES)
def test_a_slot_beside_another_belongs_to_the_same_tenant(
    tenant: str, worker: str, request: str
) -> None:
    slot = slot_name(tenant, worker, "main")

    assert beside(slot, request) == slot_name(tenant, request, "main")
    assert bare_name(slot) == worker


def hash_slots(*names: str) -> set[int]:
    return {key_slot(name.encode()) for name in names}
