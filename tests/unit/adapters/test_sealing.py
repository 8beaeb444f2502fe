"""A sealed credential opens only for its principal, worker and context."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import BINDING, KEY, NAMED

from paydispatch.adapters.aws.sealing import (
    DataKey,
    Sealed,
    _bind,
    open_sealed,
    seal,
    take_apart,
)
from paydispatch.domain.credentials import Binding, Credential, SecretRef, StripeKey
from paydispatch.domain.errors import CannotOpen

DATA_KEY = DataKey(plain=b"k" * 32, wrapped=b"wrapped by KMS")


def unseal(text: str, binding: object = BINDING, plain: bytes = DATA_KEY.plain) -> Credential:
    return open_sealed(take_apart(text), binding, plain)  # type: ignore[arg-type]


@pytest.mark.parametrize("credential", [StripeKey(KEY), NAMED], ids=["key", "name"])
def test_a_sealed_credential_opens_unchanged(credential: Credential) -> None:
    assert unseal(seal(credential, BINDING, DATA_KEY)) == credential


def test_a_secret_name_that_looks_like_a_sealed_key_stays_a_name() -> None:
    tricky = SecretRef("key.sk_test_")
    assert unseal(seal(tricky, BINDING, DATA_KEY)) == tricky


def test_the_sealed_text_contains_the_wrapped_data_key() -> None:
    assert take_apart(seal(NAMED, BINDING, DATA_KEY)).wrapped == b"wrapped by KMS"


def test_neither_the_key_nor_the_data_key_can_be_read_in_the_sealed_text() -> None:
    text = seal(StripeKey(KEY), BINDING, DATA_KEY)
    raw = base64.urlsafe_b64decode(text.removeprefix("1."))
    assert KEY.encode() not in raw
    assert DATA_KEY.plain not in raw
    assert text.isascii()
    assert DATA_KEY.plain.decode() not in repr(DATA_KEY)


def test_the_same_key_is_never_sealed_to_the_same_text() -> None:
    assert seal(NAMED, BINDING, DATA_KEY) != seal(NAMED, BINDING, DATA_KEY)


@pytest.mark.parametrize(
    "change", [{"principal": "shop"}, {"worker_id": "worker-2"}, {"context_id": "context-2"}]
)
def test_a_sealed_key_does_not_open_for_another_binding(change: dict[str, str]) -> None:
    text = seal(StripeKey(KEY), BINDING, DATA_KEY)
    with pytest.raises(CannotOpen) as refusal:
        unseal(text, replace(BINDING, **change))
    assert KEY not in str(refusal.value)


def test_a_sealed_text_does_not_open_for_a_binding_with_shifted_parts() -> None:
    text = seal(NAMED, replace(BINDING, worker_id="ab", context_id="c"), DATA_KEY)
    with pytest.raises(CannotOpen):
        unseal(text, replace(BINDING, worker_id="a", context_id="bc"))


def test_a_sealed_text_does_not_open_with_another_data_key() -> None:
    with pytest.raises(CannotOpen):
        unseal(seal(NAMED, BINDING, DATA_KEY), plain=b"x" * 32)


@given(place=st.integers(2, 200), bit=st.integers(0, 7))
def test_an_altered_sealed_text_does_not_open(place: int, bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(seal(StripeKey(KEY), BINDING, DATA_KEY)[2:]))
    begins = 2 + len(DATA_KEY.wrapped)  # KMS itself checks the bytes that it wrapped
    raw[begins + place % (len(raw) - begins)] ^= 1 << bit
    with pytest.raises(CannotOpen):
        unseal("1." + base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize(
    "text", ["", "1.", "1.!!!!", "1.AAAA", "2.AAAA", "sealed-1", "1.ü", "1.AAAAA", "1.____"]
)
def test_a_text_that_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(CannotOpen):
        unseal(text)


NO_KEYS = {
    "a publishable key": b"key:pk_test_hush",
    "nothing": b"",
    "two lines": b"key:sk_test_hush\nhush",
    "bytes that are no text": b"key:sk_test_hush\xff",
    "a name with a space": b"ref:hush hush",
    "a key as a name": b"ref:sk_test_hush",
}


def seal_by_hand(inside: bytes) -> Sealed:
    """Seal `inside`, as a producer without paydispatch may do."""
    bound = [BINDING.principal, BINDING.worker_id, BINDING.context_id]
    nonce = b"n" * 12
    ciphertext = AESGCM(DATA_KEY.plain).encrypt(nonce, inside, json.dumps(bound).encode())
    return Sealed(DATA_KEY.wrapped, nonce, ciphertext)


def test_white_space_around_a_sealed_key_is_removed() -> None:
    sealed = seal_by_hand(b"key:sk_test_hush\n")
    assert open_sealed(sealed, BINDING, DATA_KEY.plain) == StripeKey("sk_test_hush")


@pytest.mark.parametrize("inside", NO_KEYS.values(), ids=NO_KEYS)
def test_a_sealed_text_that_is_no_key_does_not_open_and_is_not_shown(inside: bytes) -> None:
    with pytest.raises(CannotOpen) as refusal:
        open_sealed(seal_by_hand(inside), BINDING, DATA_KEY.plain)
    assert "hush" not in str(refusal.value)
    assert refusal.value.__suppress_context__


@given(st.text(), st.text(), st.text())
def test_a_seal_is_bound_to_the_json_list_of_its_conversation_in_every_release(
    principal: str, worker_id: str, context_id: str
) -> None:
    sealed = take_apart(seal(NAMED, Binding(principal, worker_id, context_id), DATA_KEY))
    bound_to = json.dumps([principal, worker_id, context_id]).encode()
    plain = AESGCM(DATA_KEY.plain).decrypt(sealed.nonce, sealed.ciphertext, bound_to)
    assert plain == b"ref:shop"


@given(st.text(), st.text(), st.text())
def test_the_binding_is_the_json_text_that_messages_on_the_queue_were_sealed_with(
    principal: str, worker_id: str, context_id: str
) -> None:
    bound = _bind(Binding(principal, worker_id, context_id))
    assert bound == json.dumps([principal, worker_id, context_id]).encode()
