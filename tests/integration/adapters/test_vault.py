"""The contract of `Sealer` and `Vault`, for the twins and for KMS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.aws.kms import KmsSealer, KmsVault
from paydispatch.adapters.aws.secrets_manager import SecretsManagerStore
from paydispatch.domain.credentials import Credential, SecretRef, StripeKey
from paydispatch.domain.errors import CannotOpen
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import Sealer, Vault
    from paydispatch.testing.memory_clock import MemoryClock

    Sealed = Callable[..., Envelope]

NAMED = {("acme", "main"): "sk_test_acme", ("local", "main"): "sk_test_local"}


@dataclass
class Keys:
    sealer: Sealer
    vault: Vault


@pytest.fixture(params=["memory", "aws"])
def keys(request: pytest.FixtureRequest, clock: MemoryClock) -> Keys:
    if request.param == "memory":
        sealer = MemorySealer()
        return Keys(sealer, MemoryVault(sealer, NAMED))
    aws = request.getfixturevalue("aws")
    kms, secrets = aws("kms"), aws("secretsmanager")
    for (tenant, name), key in NAMED.items():
        secrets.create_secret(Name=f"paydispatch/{tenant}/{name}", SecretString=key)
    store = SecretsManagerStore(lambda: secrets, clock)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    return Keys(KmsSealer(kms, key_id, clock), KmsVault(kms, store, queue_tenant="local"))


@pytest.fixture
def seal(keys: Keys, envelope: Any) -> Sealed:
    def make(credential: Credential, **changed: Any) -> Envelope:
        made: Envelope = envelope("r1", **{"principal": "acme/alice", **changed})
        return replace(made, sealed_secret=keys.sealer.seal(credential, made.binding))

    return make


async def test_a_key_opens_for_every_message_of_its_conversation(keys: Keys, seal: Sealed) -> None:
    first = seal(StripeKey("sk_test_1"))
    follow_up = replace(first, request_id="r2", object="price")

    assert (
        await keys.vault.open(first) == await keys.vault.open(follow_up) == StripeKey("sk_test_1")
    )


@pytest.mark.parametrize(
    "moved", [{"principal": "acme/bob"}, {"worker_id": "w2"}, {"context_id": "c2"}]
)
async def test_a_key_opens_for_no_other_conversation(keys: Keys, seal: Sealed, moved: Any) -> None:
    with pytest.raises(CannotOpen):
        await keys.vault.open(replace(seal(StripeKey("sk_test_1")), **moved))


async def test_an_unsealed_text_does_not_open(keys: Keys, envelope: Any) -> None:
    with pytest.raises(CannotOpen):
        await keys.vault.open(envelope(sealed_secret="1.somebody-s-guess"))


async def test_a_sealed_name_belongs_to_its_principal_s_tenant(keys: Keys, seal: Sealed) -> None:
    assert await keys.vault.open(seal(SecretRef("main"))) == StripeKey("sk_test_acme")


async def test_a_direct_producer_s_name_belongs_to_the_queue_s_tenant(
    keys: Keys, seal: Sealed
) -> None:
    by_queue = seal(SecretRef("main"), principal="queue")

    assert await keys.vault.open(by_queue) == StripeKey("sk_test_local")


async def test_an_unsealed_name_proves_no_principal(keys: Keys, envelope: Any) -> None:
    claimed = envelope(sealed_secret=None, secret_ref="main", principal="acme/alice")

    assert await keys.vault.open(claimed) == StripeKey("sk_test_local")


async def test_the_name_of_a_missing_secret_does_not_open(keys: Keys, seal: Sealed) -> None:
    with pytest.raises(CannotOpen):
        await keys.vault.open(seal(SecretRef("other")))
