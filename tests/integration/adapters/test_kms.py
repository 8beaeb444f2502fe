"""Sealing and opening with a KMS and a Secrets Manager in this process."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from paydispatch.adapters.aws.kms import DATA_KEY_AGE_S, FAIL_FAST_S, KmsSealer, KmsVault
from paydispatch.adapters.aws.secrets_manager import KEPT_S, SecretsManagerStore
from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import CannotOpen, NotPermitted, Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope
    from paydispatch.testing.memory import MemoryClock

KEY = StripeKey("sk_test_one")


@pytest.fixture
def kms(aws: Any) -> Any:
    return aws("kms")


@pytest.fixture
def calls(kms: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every call that goes to KMS, with its parameters."""
    made: list[tuple[str, dict[str, Any]]] = []
    kms.meta.events.register(
        "provide-client-params.kms.*", lambda params, model, **_: made.append((model.name, params))
    )
    return made


@pytest.fixture
def secrets(aws: Any) -> Any:
    return aws("secretsmanager")


@pytest.fixture
def sealer(kms: Any, clock: MemoryClock) -> KmsSealer:
    return KmsSealer(kms, kms.create_key()["KeyMetadata"]["KeyId"], clock)


@pytest.fixture
def vault(kms: Any, secrets: Any, clock: MemoryClock) -> KmsVault:
    return KmsVault(kms, SecretsManagerStore(secrets, clock), queue_tenant="local")


@pytest.fixture
def sealed(sealer: KmsSealer, envelope: Any) -> Any:
    """An envelope of acme's, with a key sealed for it."""

    def make(credential: StripeKey | SecretRef = KEY, **changed: Any) -> Envelope:
        made: Envelope = envelope("r1", **{"principal": "acme/alice", **changed})
        return replace(made, sealed_secret=sealer.seal(credential, made.binding))

    return make


async def test_a_sealed_key_opens_in_its_conversation(vault: KmsVault, sealed: Any) -> None:
    assert await vault.open(sealed()) == KEY


@pytest.mark.parametrize(
    "moved", [{"principal": "acme/bob"}, {"worker_id": "w2"}, {"context_id": "c2"}]
)
async def test_a_sealed_key_opens_in_no_other(vault: KmsVault, sealed: Any, moved: Any) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(replace(sealed(), **moved))


async def test_a_message_of_another_principal_is_refused_after_the_data_key_is_known(
    vault: KmsVault, sealed: Any
) -> None:
    await vault.open(sealed())
    with pytest.raises(CannotOpen):
        await vault.open(replace(sealed(), principal="acme/bob"))


@pytest.mark.parametrize(
    "text", ["", "1.", "1.AAAA", "2.AAAA", "1.ÄÖ", "sk_test_1", "1." + "A" * 400, "1.!!!!"]
)
async def test_what_was_never_sealed_does_not_open(vault: KmsVault, sealed: Any, text: str) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(replace(sealed(), sealed_secret=text))


@pytest.mark.parametrize("place", [5, 40, -2])
async def test_an_altered_sealed_key_does_not_open(
    vault: KmsVault, sealed: Any, place: int
) -> None:
    message = sealed()
    text = message.sealed_secret
    other = "A" if text[place] != "A" else "B"
    altered = text[:place] + other + text[place:][1:]

    # Where the wrapped data key was altered, KMS says InvalidCiphertextException and this stand-in says AccessDenied.
    with pytest.raises((CannotOpen, NotPermitted)):
        await vault.open(replace(message, sealed_secret=altered))


async def test_kms_is_told_the_principal(
    vault: KmsVault, sealed: Any, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    await vault.open(sealed())

    assert [(name, params["EncryptionContext"]) for name, params in calls] == [
        ("GenerateDataKey", {"principal": "acme/alice"}),
        ("Decrypt", {"principal": "acme/alice"}),
    ]


async def test_fifty_messages_at_once_cost_one_decrypt(
    vault: KmsVault, sealed: Any, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    messages = [sealed(context_id=f"c{n}") for n in range(50)]

    keys = await asyncio.gather(*(vault.open(message) for message in messages))

    assert set(keys) == {KEY}
    assert [name for name, _ in calls] == ["GenerateDataKey", "Decrypt"]


@pytest.mark.parametrize(
    "written", ["sk_test_one\n", "sk_test_one\r\n", " sk_test_one ", "\tsk_test_one"]
)
async def test_white_space_around_a_secret_is_no_part_of_the_key(
    vault: KmsVault, secrets: Any, sealed: Any, written: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/main", SecretString=written)

    assert await vault.open(sealed(SecretRef("main"))) == KEY


@pytest.mark.parametrize("written", ['{"key": "sk_test_one"}', "whsec_one", "\n"])
async def test_a_secret_that_holds_anything_else_is_told_and_not_repeated(
    vault: KmsVault, secrets: Any, sealed: Any, written: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/main", SecretString=written)

    with pytest.raises(CannotOpen, match="must hold a Stripe secret key") as refusal:
        await vault.open(sealed(SecretRef("main")))
    assert "one" not in str(refusal.value)


def test_a_data_key_is_replaced_when_it_is_old(
    sealed: Any, calls: list[tuple[str, dict[str, Any]]], clock: MemoryClock
) -> None:
    sealed()
    clock.advance(DATA_KEY_AGE_S - 1)
    sealed()
    assert len(calls) == 1
    clock.advance(2)
    sealed()
    assert len(calls) == 2


def test_a_warm_sealer_asks_nobody(
    sealer: KmsSealer, envelope: Any, calls: list[Any], clock: MemoryClock
) -> None:
    sealer.warm("queue")
    for _ in range(4):
        clock.advance(DATA_KEY_AGE_S / 2 - 1)
        sealer.warm("queue")
        before = len(calls)
        sealer.seal(KEY, envelope().binding)
        assert len(calls) == before


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "KMSInternalException", "DependencyTimeoutException"]
)
async def test_a_busy_kms_is_unavailable_and_asked_again(
    vault: KmsVault, kms: Any, sealed: Any, code: str
) -> None:
    message = sealed()
    with Stubber(kms) as stub:
        stub.add_client_error("decrypt", code)
        with pytest.raises(Unavailable):
            await vault.open(message)

    assert await vault.open(message) == KEY


async def test_a_key_that_may_not_be_used_is_waited_for_until_somebody_grants_it(
    vault: KmsVault, kms: Any, sealed: Any
) -> None:
    message = sealed()
    with Stubber(kms) as stub:
        stub.add_client_error("decrypt", "AccessDeniedException")
        with pytest.raises(NotPermitted):
            await vault.open(message)

    assert await vault.open(message) == KEY


def test_a_busy_kms_seals_nothing(sealed: Any, kms: Any) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "ThrottlingException")
        with pytest.raises(Unavailable):
            sealed()


def seal_many(sealer: KmsSealer, envelope: Any, *principals: str) -> list[Unavailable]:
    """Seal a key for each; return what refused it."""
    refused = []
    for principal in principals:
        try:
            sealer.seal(KEY, envelope(principal=principal).binding)
        except Unavailable as error:
            refused.append(error)
    return refused


def test_the_items_of_a_batch_share_one_failure_of_kms(
    sealer: KmsSealer, kms: Any, envelope: Any, calls: list[Any]
) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "ThrottlingException")
        refused = seal_many(sealer, envelope, *["acme/alice"] * 20)

    assert len(refused) == 20
    assert len(calls) == 1


def test_kms_is_asked_again_soon_after_it_failed(
    sealer: KmsSealer, kms: Any, envelope: Any, clock: MemoryClock
) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "ThrottlingException")
        seal_many(sealer, envelope, "acme/alice")
    clock.advance(FAIL_FAST_S)

    assert seal_many(sealer, envelope, "acme/alice") == []


def test_a_principal_that_may_not_seal_stops_no_other(
    sealer: KmsSealer, kms: Any, envelope: Any
) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "AccessDeniedException")
        seal_many(sealer, envelope, "acme/alice")

    assert seal_many(sealer, envelope, "acme/bob") == []


def test_what_aws_says_of_its_users_and_keys_is_told_to_the_log_alone(
    sealer: KmsSealer, kms: Any, envelope: Any, caplog: pytest.LogCaptureFixture
) -> None:
    said = "User: arn:aws:iam::123456789012:user/alice is not authorized"
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "AccessDeniedException", said)
        (refused,) = seal_many(sealer, envelope, "acme/alice")

    assert str(refused) == "The key service cannot be reached. Nothing was accepted."
    assert said in caplog.text


def test_threads_that_need_the_same_data_key_make_one_fetch(
    sealer: KmsSealer, kms: Any, envelope: Any, calls: list[Any]
) -> None:
    started, answer = threading.Barrier(9), threading.Event()
    kms.meta.events.register(
        "before-send.kms.GenerateDataKey", lambda **_: answer.wait(10) and None
    )
    binding = envelope(principal="acme/alice").binding

    def work() -> None:
        started.wait(10)
        sealer.seal(KEY, binding)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait(10)
    answer.set()
    for thread in threads:
        thread.join(10)
    assert len(calls) == 1


@pytest.fixture
def stored(secrets: Any) -> None:
    for tenant in ("acme", "local"):
        secrets.create_secret(Name=f"paydispatch/{tenant}/main", SecretString=f"sk_test_{tenant}")


async def test_a_name_is_looked_up_for_the_principal_s_tenant(
    vault: KmsVault, sealed: Any, stored: None
) -> None:
    assert await vault.open(sealed(SecretRef("main"))) == StripeKey("sk_test_acme")


async def test_a_name_in_the_clear_is_the_queue_tenant_s_whatever_the_message_claims(
    vault: KmsVault, envelope: Any, stored: None
) -> None:
    claimed = envelope("r1", sealed_secret=None, secret_ref="main", principal="acme/alice")

    assert await vault.open(claimed) == StripeKey("sk_test_local")


async def test_a_name_nobody_stored_does_not_open(
    vault: KmsVault, sealed: Any, stored: None
) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(sealed(SecretRef("other")))


@pytest.mark.parametrize("held", ["pk_test_1", "", '{"key": "sk_test_1"}'])
async def test_a_secret_that_holds_no_stripe_key_does_not_open_and_is_not_shown(
    vault: KmsVault, sealed: Any, secrets: Any, held: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/odd", SecretString=held or " ")
    with pytest.raises(CannotOpen) as refused:
        await vault.open(sealed(SecretRef("odd")))

    assert "test_1" not in str(refused.value)


async def test_a_rotated_key_is_read_again_after_a_minute(
    vault: KmsVault, sealed: Any, secrets: Any, stored: None, clock: MemoryClock
) -> None:
    message = sealed(SecretRef("main"))
    await vault.open(message)
    secrets.put_secret_value(SecretId="paydispatch/acme/main", SecretString="sk_test_new")

    clock.advance(KEPT_S - 1)
    assert await vault.open(message) == StripeKey("sk_test_acme")
    clock.advance(2)
    assert await vault.open(message) == StripeKey("sk_test_new")


async def test_a_busy_secrets_manager_is_unavailable(
    vault: KmsVault, sealed: Any, secrets: Any
) -> None:
    message = sealed(SecretRef("main"))
    with Stubber(secrets) as stub:
        stub.add_client_error("get_secret_value", "ThrottlingException")
        with pytest.raises(Unavailable):
            await vault.open(message)
