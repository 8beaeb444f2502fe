"""The writes of Stripe that are no operations of paydispatch, each with the reason. The lists are kept by hand."""

from collections.abc import Mapping
from dataclasses import dataclass

HIDDEN_OBJECT = "The object is a secret, and answers lie in streams and in the status of a request."
SIGNS_EVENTS = "The answer has the secret that signs events, and no later answer has it."
UPLOAD = "It uploads a file, which is no form and does not fit into a queue message."
TEST_HELPER = "It simulates an event in a sandbox."

SECRET_OBJECTS = frozenset(
    {
        "account_session",
        "apps_secret",
        "customer_session",
        "ephemeral_key",
        "terminal_connection_token",
    }
)

SAME_CALL: Mapping[str, str] = {"detach_source": "delete_customer_payment_source"}
"""Operations that are the same call as another one, by their name."""


@dataclass(frozen=True)
class Write:
    """A write with its name, before the decision whether it is an operation."""

    name: str
    object: str
    path: str
    is_upload: bool


def reason_against(write: Write) -> str:
    """Return the reason why a write is left out, or an empty text if it is an operation."""
    if write.path.startswith("/v1/test_helpers/"):
        return TEST_HELPER
    if write.is_upload:
        return UPLOAD
    if write.object in SECRET_OBJECTS:
        return HIDDEN_OBJECT
    if write.name == "create_webhook_endpoint":
        return SIGNS_EVENTS
    if write.name in SAME_CALL:
        return f"It is the same call as `{SAME_CALL[write.name]}`."
    return ""
