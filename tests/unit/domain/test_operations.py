"""The table of operations."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch.domain.errors import InvalidField, UnknownOperation
from paydispatch.domain.stripe.operations import (
    LONGEST_ID,
    Operation,
    all_operations,
    check_path_ids,
    create_operation,
    operation_at,
    operation_named,
)
from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named

OPERATIONS = all_operations()
IDS = st.text(min_size=1, max_size=LONGEST_ID)
EVERY_ROW = pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)


def is_id(text: str) -> bool:
    return text.isprintable() and text not in (".", "..") and not {"/", "\\"} & set(text)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Operation, dict[str, str]]:
    operation = draw(st.sampled_from(OPERATIONS))
    return operation, {name: draw(IDS.filter(is_id)) for name in operation.path_names}


@given(calls())
def test_a_path_leads_back_to_its_operation_and_its_ids(
    call: tuple[Operation, dict[str, str]],
) -> None:
    operation, ids = call

    assert operation_at(operation.method, operation.endpoint(ids)) == (operation, ids)


@given(calls())
def test_an_id_never_changes_the_number_of_words_in_a_path(
    call: tuple[Operation, dict[str, str]],
) -> None:
    operation, ids = call
    path = operation.endpoint(ids)

    assert path.count("/") == operation.path.count("/")
    assert set(path) <= set(string.ascii_letters + string.digits + "_.-~%/")


@given(st.text(max_size=300))
def test_a_text_either_leads_back_to_itself_or_is_refused_by_name(text: str) -> None:
    capture = operation_named("capture_payment_intent")
    try:
        path = capture.endpoint({"intent": text})
    except InvalidField as error:
        assert error.param == "path[intent]"  # noqa: PT017 - a text need not be refused
    else:
        assert operation_at("POST", path) == (capture, {"intent": text})


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ".",
        "..",
        "../",
        "a/b",
        "a\\b",
        "a\n",
        "\x00",
        "\x7f",
        "\u2028",
        "\ud800",
        "x" * 300,
        5,
        None,
    ],
)
def test_a_text_that_is_no_id_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_path_ids(operation_named("update_product"), {"id": wrong})

    assert refused.value.param == "path[id]"


@pytest.mark.parametrize("encoded", ["a%2Fb", "%2e%2e", "%252F", "50% off", "ä", "a?b#c"])
def test_an_id_is_encoded_as_it_is_and_decoded_once(encoded: str) -> None:
    update = operation_named("update_coupon")
    path = update.endpoint({"coupon": encoded})

    assert path.count("/") == 3
    assert operation_at("POST", path) == (update, {"coupon": encoded})


def test_a_missing_and_an_unknown_id_are_named() -> None:
    capture = operation_named("capture_payment_intent")

    with pytest.raises(InvalidField, match="Missing required param") as missing:
        check_path_ids(capture, {})
    with pytest.raises(InvalidField, match="takes only intent") as unknown:
        check_path_ids(capture, {"intent": "pi_1", "id": "pi_1"})
    with pytest.raises(InvalidField, match="takes no ids"):
        check_path_ids(operation_named("create_product"), {"id": "prod_1"})

    assert (missing.value.param, unknown.value.param) == ("path[intent]", "path[id]")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_word_of_a_path_is_no_id(operation: Operation) -> None:
    """The id `create_preview` would make an invoice's update the preview of an invoice."""
    for other in OPERATIONS:
        templates, words = operation.path.split("/"), other.path.split("/")
        if other.method != operation.method or len(words) != len(templates) or other is operation:
            continue
        pairs = [pair for pair in zip(templates, words, strict=True) if pair[0] != pair[1]]
        if all(template.startswith("{") for template, _ in pairs):
            ids = dict.fromkeys(operation.path_names, "x")
            ids |= {template[1:-1]: word for template, word in pairs}
            with pytest.raises(InvalidField, match="another operation"):
                operation.endpoint(ids)


def test_a_word_of_a_path_wins_over_an_id() -> None:
    assert operation_at("POST", "/v1/invoices/create_preview") == (
        operation_named("create_preview_invoice"),
        {},
    )


@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1", "/v1/teas", "/v1/products/", "/v1//", "/v1/products/a/b", "/v1/products/%ff"],
)
def test_a_path_without_an_operation_leads_nowhere(path: str) -> None:
    assert operation_at("POST", path) is None


def test_a_method_without_an_operation_leads_nowhere() -> None:
    assert operation_at("GET", "/v1/products") is None
    assert operation_at("DELETE", "/v1/products") is None


def test_each_operation_has_a_name_of_its_own_and_a_call_of_its_own() -> None:
    names = {operation.name for operation in OPERATIONS}
    calls = {(operation.method, operation.path) for operation in OPERATIONS}

    assert len(names) == len(calls) == len(OPERATIONS)


def test_each_name_is_a_name_of_python_and_names_the_flows() -> None:
    for operation in OPERATIONS:
        assert operation.name.isidentifier()
        assert operation.response_flow == f"new_{operation.name}_response"
        assert operation.error_flow == f"new_{operation.name}_error"


@EVERY_ROW
def test_the_create_of_an_object_is_the_one_of_the_table_of_objects(row: Resource) -> None:
    create = create_operation(row.name)

    assert create is create_operation(row.identifier) is operation_named(row.operation)
    assert (create.object, create.method, create.path) == (row.name, "POST", row.endpoint)
    assert (create.response_flow, create.error_flow) == (row.response_flow, row.error_flow)
    assert create.creates
    assert create.marked


@EVERY_ROW
def test_each_of_the_ten_objects_has_a_list_that_needs_no_parameter(row: Resource) -> None:
    listing = create_operation(row.name).listing

    assert listing is not None
    assert listing.queries
    assert listing.needs == ()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("checkout.session", "/v1/checkout/sessions"),
        ("payment_intent", "/v1/payment_intents"),
    ],
)
def test_the_table_of_operations_has_the_path_of_an_object(name: str, path: str) -> None:
    assert resource_named(name).endpoint == path


def test_an_unknown_operation_is_refused_with_close_names() -> None:
    with pytest.raises(UnknownOperation, match="capture_payment_intent"):
        operation_named("capture_paymentintent")


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("capture_payment_intent", "POST", "/v1/payment_intents/{intent}/capture"),
        ("update_product", "POST", "/v1/products/{id}"),
        ("cancel_subscription", "DELETE", "/v1/subscriptions/{subscription_exposed_id}"),
        ("finalize_invoice", "POST", "/v1/invoices/{invoice}/finalize"),
        ("void_credit_note", "POST", "/v1/credit_notes/{id}/void"),
        ("delete_coupon", "DELETE", "/v1/coupons/{coupon}"),
        ("create_billing_portal_session", "POST", "/v1/billing_portal/sessions"),
        (
            "create_customer_balance_transaction",
            "POST",
            "/v1/customers/{customer}/balance_transactions",
        ),
        ("update_balance_settings", "POST", "/v1/balance_settings"),
        ("refund_charge", "POST", "/v1/charges/{charge}/refund"),
        ("create_charge_refund", "POST", "/v1/charges/{charge}/refunds"),
    ],
)
def test_an_operation_is_named_by_its_verb_and_its_object(
    name: str, method: str, path: str
) -> None:
    operation = operation_named(name)

    assert (operation.method, operation.path) == (method, path)


def test_only_a_create_is_marked() -> None:
    """A pair in an update would overwrite the mark of the create."""
    assert all(operation.creates for operation in OPERATIONS if operation.marked)
    assert not operation_named("update_customer").marked
    assert not operation_named("create_preview_invoice").creates
    assert not operation_named("create_token").marked


@pytest.mark.parametrize(
    "path",
    [
        "/v1/account_sessions",
        "/v1/apps/secrets",
        "/v1/customer_sessions",
        "/v1/ephemeral_keys",
        "/v1/files",
        "/v1/terminal/connection_tokens",
        "/v1/webhook_endpoints",
        "/v1/test_helpers/test_clocks",
    ],
)
def test_secrets_uploads_and_test_helpers_are_no_operations(path: str) -> None:
    assert operation_at("POST", path) is None
