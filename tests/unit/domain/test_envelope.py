"""`Envelope` as a queue message: it is read as it was written, and a read_malformed message is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import FARTHEST, KEY, NOW_S, PARAMS, envelope, message, message_text

from paydispatch.domain.envelope import Envelope, check_copy_size, check_operation, check_size
from paydispatch.domain.errors import BadRequest, TooLarge
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import request_id_for_message
from paydispatch.domain.limits import (
    COPY_ROOM_BYTES,
    DEFAULT_DEADLINE_S,
    QUEUE_MESSAGE_LIMIT_BYTES,
)
from paydispatch.domain.message.read_message import UNREADABLE, Malformed, read_message
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.text.redaction import holds_key


def read(text: str, *, sent_at: float = NOW_S) -> Envelope | Malformed:
    return read_message(text, message_id="message-1", sent_at=sent_at)


def read_malformed(text: str) -> Malformed:
    result = read(text)
    assert isinstance(result, Malformed)
    return result


texts = st.text(st.characters(exclude_categories=["Cs"]))
visible = st.text("!#$%&'()*+,-./09:;<=>?@AZ[]^_`az|~", min_size=1, max_size=128)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
LATEST_S = 2e11
moments = st.floats(1, LATEST_S)
envelopes = st.builds(
    envelope,
    request_id=visible,
    worker_id=visible,
    context_id=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255),
    params=st.dictionaries(texts, json_values, max_size=4),
    accepted_at=moments,
    progress=st.builds(
        Progress,
        deadline_at=moments,
        attempt=st.integers(1, 10_000),
        maybe_executed=st.booleans(),
        first_sent_at=st.none() | moments,
    ),
    lane=st.sampled_from(Lane),
    stripe_account=st.none() | st.just("acct_1"),
    principal=st.sampled_from(["queue", "local", "shop/checkout"]),
    traceparent=st.none() | st.just(f"00-{'a' * 32}-{'b' * 16}-01"),
).filter(lambda sent: not holds_key(sent.as_message()))
"""Messages without a key. Hypothesis takes key prefixes from the code, and a message that holds a key is refused."""


@given(envelopes)
def test_a_written_envelope_is_read_unchanged(sent: Envelope) -> None:
    assert read(sent.as_message(), sent_at=LATEST_S) == sent


def test_first_sent_at_is_never_later_than_its_message() -> None:
    """A later time would postpone the horizon, and reconcile would search the wrong span of time."""
    received = read(message_text(first_sent_at=NOW_S + 86_400))
    assert received.progress.first_sent_at == NOW_S


@given(envelopes)
def test_a_message_is_ascii(sent: Envelope) -> None:
    assert sent.as_message().isascii()


LARGEST_ACCEPTED = QUEUE_MESSAGE_LIMIT_BYTES - COPY_ROOM_BYTES


def envelope_of_size(size_bytes: int, **changes: Any) -> Envelope:
    """Return an envelope that is `size_bytes` long as a message."""
    empty = envelope(params={"description": ""}, **changes)
    filler = "x" * (size_bytes - len(empty.as_message()))
    return replace(empty, params={"description": filler})


def test_the_largest_accepted_message_leaves_room_for_its_copies() -> None:
    assert check_size(envelope_of_size(LARGEST_ACCEPTED).as_message()) == LARGEST_ACCEPTED
    with pytest.raises(TooLarge, match=f"at most {LARGEST_ACCEPTED} fit"):
        check_size(envelope_of_size(LARGEST_ACCEPTED + 1).as_message())


def test_a_copy_of_an_accepted_message_is_never_too_large() -> None:
    check_copy_size(envelope_of_size(LARGEST_ACCEPTED).at(FARTHEST))


def test_a_message_that_only_sqs_checked_may_be_too_large_for_a_copy() -> None:
    with pytest.raises(TooLarge):
        check_copy_size(envelope_of_size(QUEUE_MESSAGE_LIMIT_BYTES))


def test_an_unescaped_message_is_measured_by_the_size_of_its_copy() -> None:
    fields = message(params={"description": "\U0001f375" * (QUEUE_MESSAGE_LIMIT_BYTES // 8)})
    text = json.dumps(fields, ensure_ascii=False)
    assert len(text.encode()) < QUEUE_MESSAGE_LIMIT_BYTES
    received = read(text)
    assert isinstance(received, Envelope)
    with pytest.raises(TooLarge):
        check_copy_size(received)


def test_a_sealed_key_survives_the_queue() -> None:
    sent = envelope(sealed_secret="1.c2VhbGVk")
    assert read(sent.as_message()) == sent


def test_a_direct_producer_may_omit_every_field_with_a_default() -> None:
    assert read(message_text()) == envelope(
        request_id=request_id_for_message("message-1"),
        progress=Progress(deadline_at=NOW_S + DEFAULT_DEADLINE_S),
        principal="queue",
    )


def test_numbers_that_json_cannot_hold_are_not_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        envelope(params={"amount": float("nan")}).as_message()


@pytest.mark.parametrize(
    "change",
    [
        {"v": 3},
        {"v": "1"},
        {"request_id": ""},
        {"request_id": "has a space"},
        {"request_id": "r" * 256},
        {"request_id": "r{1}"},
        {"object": "Payment Intent"},
        {"params": [1]},
        {"params": "amount=1"},
        {"context_id": ""},
        {"context_id": "c" * 256},
        {"context_id": "c\n"},
        {"context_id": 7},
        {"secret_ref": "../other-tenant/key"},
        {"lane": "express"},
        {"stripe_account": "acct 1"},
        {"accepted_at": "today"},
        {"accepted_at": -1},
        {"deadline_at": -1},
        {"attempt": 0},
        {"attempt": 1.5},
        {"attempt": "1"},
        {"first_sent_at": "yesterday"},
        {"maybe_executed": "no"},
        {"principal": "a/b c"},
        {"principal": ""},
    ],
    ids=str,
)
def test_an_invalid_field_is_named_and_the_address_is_kept(change: dict[str, Any]) -> None:
    refusal = read_malformed(message_text(**change))
    assert refusal.code == "message_invalid"
    assert refusal.param in (*change, None)
    assert (refusal.address is None) == ("object" in change)


@pytest.mark.parametrize(
    "invalid", ["t" * 129, "a\ud800", "junk", 7, None, {"a": []}, ["x"]], ids=str
)
def test_an_invalid_traceparent_is_ignored_because_no_payment_may_fail_for_it(
    invalid: object,
) -> None:
    assert read(message_text(traceparent=invalid)) == read(message_text())


def test_the_error_flow_of_an_unreadable_message_keeps_its_trace() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    address = read_malformed(message_text(lane="express", traceparent=trace)).address
    assert address is not None
    assert address.traceparent == trace


def test_a_field_of_a_newer_release_is_ignored() -> None:
    assert read(message_text(added_later="x")) == read(message_text())


@pytest.mark.parametrize("missing", ["v", "params", "context_id", "secret_ref"])
def test_a_message_with_a_missing_field_is_refused_with_its_address(missing: str) -> None:
    refusal = read_malformed(message_text(**{missing: None}))
    assert refusal.code == "message_invalid"
    assert refusal.address is not None


def test_a_message_with_two_keys_is_refused() -> None:
    assert read_malformed(message_text(sealed_secret="1.abc")).code == "message_invalid"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"v": NaN}',
        '{"v": Infinity}',
        '{"v": -Infinity}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"v": 1' + "0" * 5_000 + "}",
    ],
    ids=["empty", "cut", "text", "NaN", "inf", "-inf", "deep list", "deep object", "long number"],
)
def test_text_that_is_not_json_has_no_address(text: str) -> None:
    refusal = read_malformed(text)
    assert (refusal.code, refusal.address) == ("message_not_json", None)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"text"', "true"])
def test_json_that_is_no_object_has_no_address(text: str) -> None:
    refusal = read_malformed(text)
    assert (refusal.code, refusal.address) == ("message_not_an_object", None)


@pytest.mark.parametrize(
    "change", [{"worker_id": None}, {"worker_id": "w{1}"}, {"worker_id": 7}, {"object": None}]
)
def test_a_message_without_a_valid_worker_and_object_has_no_address(change: dict[str, Any]) -> None:
    assert read_malformed(message_text(**change)).address is None


def test_the_valid_fields_of_a_malformed_message_are_its_address() -> None:
    address = read_malformed(message_text(v=3)).address
    assert address is not None
    assert (address.object, address.principal) == ("payment_intent", QUEUE)
    assert (address.worker_id, address.context_id) == ("worker-1", "context-1")
    assert address.params == PARAMS


def test_an_address_has_defaults_for_invalid_fields() -> None:
    address = read_malformed(message_text(request_id="", context_id="", params=[])).address
    assert address is not None
    assert (address.context_id, address.params) == ("unknown", {})


def test_a_malformed_message_gets_another_id_than_it_names() -> None:
    first, again = (read_malformed(message_text(v=3, request_id="pdr_1")) for _ in range(2))
    other = read_malformed(message_text(v=3, request_id="pdr_1", context_id="context-2"))
    ids = [read.address.request_id for read in (first, again, other) if read.address]
    assert ids[0] == ids[1] != ids[2]
    assert "pdr_1" not in ids


def test_an_invalid_principal_is_not_read_as_the_queue() -> None:
    address = read_malformed(message_text(principal="a/b c")).address
    assert address is not None
    assert address.principal == UNREADABLE


def test_version_1_is_read_as_a_create_of_its_object() -> None:
    result = read(message_text(v=1, operation="delete_coupon", path={"coupon": "c_1"}))
    assert isinstance(result, Envelope)
    assert (result.operation, result.path) == ("create_payment_intent", {})


def test_version_2_without_an_operation_is_a_create_of_its_object() -> None:
    result = read(message_text(v=2))
    assert isinstance(result, Envelope)
    assert (result.operation, result.path) == ("create_payment_intent", {})


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"operation": "capture_payment_intent"}, "path[intent]"),
        ({"path": {"intent": "pi_1"}}, "path[intent]"),
        ({"operation": "capture_payment_intent", "path": {"intent": ""}}, "path[intent]"),
        ({"operation": "capture_payment_intent", "path": {"intent": "pi/1"}}, "path[intent]"),
        ({"operation": "capture_payment_intent", "path": {"id": "pi_1"}}, "path[id]"),
        ({"operation": "delete_coupon", "path": {"coupon": "SUMMER"}}, "object"),
        ({"operation": "grow_tea"}, "operation"),
        ({"object": "tea"}, "object"),
    ],
)
def test_an_operation_that_does_not_fit_the_table_is_refused_by_its_field(
    change: dict[str, Any], param: str
) -> None:
    result = read(message_text(v=2, **change))
    assert isinstance(result, Envelope)
    with pytest.raises(BadRequest) as refusal:
        check_operation(result)
    assert refusal.value.param == param


def test_an_operation_of_the_table_with_the_ids_of_its_path_is_returned() -> None:
    asked = read(message_text(v=2, operation="capture_payment_intent", path={"intent": "pi_1"}))
    assert isinstance(asked, Envelope)
    assert check_operation(asked) is operation_named("capture_payment_intent")


def test_an_unreadable_message_names_its_operation_in_its_error_flow() -> None:
    path = {"intent": "pi_1"}
    broken = read(message_text(v=2, operation="capture_payment_intent", path=path, params=[]))
    assert isinstance(broken, Malformed)
    assert broken.address is not None
    assert (broken.address.operation, broken.address.path) == ("capture_payment_intent", path)


@pytest.mark.parametrize("path", [{"intent": "sk_test_" + "Hush" * 6}, {"intent": 1}, [], "pi_1"])
def test_an_unreadable_path_is_left_out_of_the_error_flow(path: Any) -> None:
    broken = read(message_text(v=2, operation="capture_payment_intent", path=path, params=[]))
    assert isinstance(broken, Malformed)
    assert broken.address is not None
    assert broken.address.path == {}


@pytest.mark.parametrize("name", ["accepted_at", "deadline_at", "first_sent_at", "attempt"])
@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400])
def test_a_number_too_large_for_a_clock_is_refused(name: str, number: str) -> None:
    text = message_text(**{name: 123456789}).replace("123456789", number)
    refusal = read_malformed(text)
    assert (refusal.code, refusal.param) == ("message_invalid", name)


def test_an_attempt_written_as_a_whole_float_is_read_as_an_integer() -> None:
    result = read(message_text(attempt=2.0))
    assert isinstance(result, Envelope)
    assert f"{result.progress.attempt}" == "2"


@pytest.mark.parametrize("name", ["context_id", "worker_id", "request_id"])
def test_half_a_surrogate_pair_in_a_field_is_refused(name: str) -> None:
    refusal = read_malformed(message_text(**{name: "a\ud800"}))
    assert refusal.code == "message_invalid"
    assert (refusal.address is None) == (name == "worker_id")


PLAINTEXT = {
    "as stripe_secret": {"stripe_secret": KEY},
    "in place of the sealed one": {"sealed_secret": KEY, "secret_ref": None},
    "as the name of a secret": {"secret_ref": KEY},
}


@pytest.mark.parametrize("change", PLAINTEXT.values(), ids=PLAINTEXT)
def test_a_plaintext_key_is_refused_and_never_repeated(change: dict[str, Any]) -> None:
    refusal = read_malformed(message_text(**change))
    assert refusal.code == "plaintext_key_refused"
    assert refusal.address is not None
    assert KEY not in repr(refusal)


@pytest.mark.parametrize(
    "name",
    [
        *("request_id", "object", "worker_id", "context_id", "sealed_secret", "secret_ref", "lane"),
        *("stripe_account", "stripe_context", "principal", "traceparent", "v", "colour"),
    ],
)
def test_a_key_in_a_wrong_field_is_refused_by_the_name_of_the_field(name: str) -> None:
    refusal = read_malformed(message_text(**{name: f"x{KEY}"}))
    assert (refusal.code, refusal.param) == ("plaintext_key_refused", name)
    assert KEY not in repr(refusal)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"metadata": {"note": KEY}}, "metadata[note]"),
        ({"metadata": {KEY: "note"}}, "metadata[sk_test_[hidden]]"),
        ({KEY: 1}, "sk_test_[hidden]"),
        ({"items": [{"price": f"Bearer {KEY}"}]}, "items[0][price]"),
    ],
)
def test_a_key_in_the_parameters_is_refused_and_never_repeated(
    params: dict[str, Any], param: str
) -> None:
    refusal = read_malformed(message_text(params=params))
    assert (refusal.code, refusal.param) == ("plaintext_key_refused", param)
    assert refusal.address is not None
    assert KEY not in repr(refusal)


@pytest.mark.parametrize("depth", [33, 254, 500, 979, 5_000, 100_000])
def test_parameters_nested_too_deeply_are_refused_with_the_address_of_their_worker(
    depth: int,
) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    refusal = read_malformed(
        message_text(params="here").replace('"here"', f'{{"metadata":{nested}}}')
    )
    assert (refusal.code, refusal.param) == ("message_invalid", "metadata")
    assert "at most 32 levels" in refusal.message
    assert refusal.address is not None


def test_32_levels_below_params_are_read() -> None:
    params = json.loads('{"metadata":' + '{"a":' * 32 + "1" + "}" * 33)
    assert read(message_text(params=params)).params == params  # type: ignore[union-attr]


@given(st.dictionaries(st.sampled_from(sorted(message())), json_values))
def test_reading_never_raises(changes: dict[str, Any]) -> None:
    text = json.dumps({**message(), **changes})
    assert isinstance(read(text), Envelope | Malformed)


@given(st.text())
def test_reading_any_text_never_raises(text: str) -> None:
    assert isinstance(read(text), Envelope | Malformed)
