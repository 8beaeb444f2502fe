"""The signing secrets of webhooks in Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from paydispatch.adapters.aws.secrets_manager import KEPT_S
from paydispatch.adapters.aws.webhook_secrets import MOST_KEPT, SecretsManagerWebhooks
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.testing.memory_clock import MemoryClock

NAME = "paydispatch/acme/webhook/main"


@pytest.fixture
def manager(aws: Any) -> Any:
    return aws("secretsmanager")


@pytest.fixture
def reads(manager: Any) -> list[str]:
    """The names of the secrets that were read."""
    made: list[str] = []
    manager.meta.events.register(
        "provide-client-params.secretsmanager.GetSecretValue",
        lambda params, **_: made.append(params["SecretId"]),
    )
    return made


@pytest.fixture
def webhooks(manager: Any, clock: MemoryClock) -> SecretsManagerWebhooks:
    return SecretsManagerWebhooks(lambda: manager, clock)


def texts(webhooks: SecretsManagerWebhooks, tenant: str = "acme") -> list[str] | None:
    found = webhooks.find(tenant, "main")
    return None if found is None else [secret.text for secret in found]


@pytest.mark.parametrize("stored", ["whsec_a\nwhsec_b\n", '["whsec_a", "whsec_b"]'])
def test_both_secrets_of_a_rotation_are_found(
    webhooks: SecretsManagerWebhooks, manager: Any, stored: str
) -> None:
    manager.create_secret(Name=NAME, SecretString=stored)
    assert texts(webhooks) == ["whsec_a", "whsec_b"]


def test_another_tenant_does_not_find_them(webhooks: SecretsManagerWebhooks, manager: Any) -> None:
    manager.create_secret(Name=NAME, SecretString="whsec_a")
    assert texts(webhooks, "bank") is None


def test_a_rotated_secret_is_read_again_after_a_minute(
    webhooks: SecretsManagerWebhooks, manager: Any, clock: MemoryClock, reads: list[str]
) -> None:
    manager.create_secret(Name=NAME, SecretString="whsec_a")
    assert [texts(webhooks) for _ in range(2)] == [["whsec_a"]] * 2
    manager.put_secret_value(SecretId=NAME, SecretString="whsec_b")
    clock.advance(KEPT_S + 1)
    assert texts(webhooks) == ["whsec_b"]
    assert reads == [NAME, NAME]


def test_an_unknown_webhook_is_asked_for_once_a_minute(
    webhooks: SecretsManagerWebhooks, reads: list[str]
) -> None:
    assert [texts(webhooks) for _ in range(3)] == [None] * 3
    assert reads == [NAME]


def test_strangers_cannot_fill_the_memory_with_names(clock: MemoryClock, manager: Any) -> None:
    webhooks = SecretsManagerWebhooks(lambda: manager, clock)
    with Stubber(manager) as stub:
        for number in range(MOST_KEPT + 10):
            stub.add_client_error("get_secret_value", "ResourceNotFoundException")
            assert webhooks.find("acme", str(number)) is None
    assert len(webhooks._kept) == MOST_KEPT


def test_a_text_that_is_no_signing_secret_is_unavailable_and_not_shown(
    webhooks: SecretsManagerWebhooks, manager: Any
) -> None:
    manager.create_secret(Name=NAME, SecretString="sk_live_wrong")
    with pytest.raises(Unavailable, match="no signing secret") as refused:
        webhooks.find("acme", "main")
    assert "sk_live" not in str(refused.value)


def test_a_busy_secrets_manager_is_unavailable(
    webhooks: SecretsManagerWebhooks, manager: Any
) -> None:
    with Stubber(manager) as stub:
        stub.add_client_error("get_secret_value", "ThrottlingException")
        with pytest.raises(Unavailable):
            webhooks.find("acme", "main")
