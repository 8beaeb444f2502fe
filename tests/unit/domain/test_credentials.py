"""`StripeKey` holds a plaintext key and never shows it."""

import pickle
import traceback
from typing import Any

import pytest
from tests.unit.examples import KEY

from paydispatch.domain.credentials import SecretRef, StripeKey, looks_like_key, redact
from paydispatch.domain.errors import InvalidField


@pytest.mark.parametrize("prefix", ["sk_test_", "sk_live_", "rk_test_", "rk_live_", "sk_org_"])
def test_every_kind_of_secret_key_is_accepted(prefix: str) -> None:
    assert StripeKey(prefix + "1").reveal() == prefix + "1"


def test_a_publishable_key_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidField) as refusal:
        StripeKey("pk_test_1")
    assert refusal.value.code == "secret_key_required"
    assert refusal.value.param == "stripe_secret"


@pytest.mark.parametrize("value", [None, "", 7, b"sk_test_1", ["sk_test_1"]])
def test_a_value_that_is_no_text_is_refused_as_a_key(value: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        StripeKey(value)
    assert refusal.value.code == "api_key_missing"


@pytest.mark.parametrize(
    "text", ["whsec_1", " sk_test_1", "sk_test_1\r\nX: y", "sk_test_a b", "sk_test_ü", "SK_TEST_1"]
)
def test_a_text_that_cannot_be_a_header_is_refused_as_a_key_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        StripeKey(text)
    assert refusal.value.code == "api_key_invalid"
    shown = "".join(traceback.format_exception(refusal.value)).partition("InvalidField")[2]
    assert text not in shown


def test_no_text_form_of_a_key_shows_it() -> None:
    key = StripeKey(KEY)
    shown = [repr(key), str(key), f"{key}", f"{key!r}", f"{[key]}", "%s" % key]  # noqa: UP031
    assert all(KEY not in text for text in shown)


def test_a_key_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="seal it"):
        pickle.dumps(StripeKey(KEY))


def test_keys_are_compared_by_their_text() -> None:
    assert StripeKey(KEY) == StripeKey(KEY)
    assert StripeKey(KEY) != StripeKey(KEY + "1")
    assert len({StripeKey(KEY), StripeKey(KEY)}) == 1


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", "x" * 129, None, 7, KEY])
def test_a_secret_ref_is_a_plain_name_and_no_key(name: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        SecretRef(name)
    assert refusal.value.param == "secret_ref"
    assert KEY not in str(refusal.value)


def test_a_text_that_looks_like_a_key_is_recognised() -> None:
    assert looks_like_key(KEY)
    assert not looks_like_key("1.c2VhbGVk")
    assert not looks_like_key(None)


@pytest.mark.parametrize("key", [KEY, "rk_live_1aB_2", "sk_org_live_1", "sk_orgX1"])
def test_redact_hides_every_key_of_a_text(key: str) -> None:
    kept = redact(f'{{"stripe_secret": "{key}", "note": "{key}"}}')
    assert key not in kept
    assert kept.count("[hidden]") == 2


def test_redact_leaves_a_text_without_a_key_unchanged() -> None:
    assert redact("risk_test and 3 + 4") == "risk_test and 3 + 4"
