"""`KmsSealer` and `KmsVault` seal and open keys with a KMS and a Secrets Manager in this process."""

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
    from paydispatch.testing.memory_clock import MemoryClock

KEY = StripeKey("sk_test_one")


@pytest.fixture
def kms(aws: Any) -> Any:
    return aws("kms")


@pytest.fixture
def calls(kms: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every call to KMS with its parameters."""
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
    return KmsVault(kms, SecretsManagerStore(lambda: secrets, clock), queue_tenant="local")


@pytest.fixture
def seal(sealer: KmsSealer, envelope: Any) -> Any:
    """Make an envelope of the tenant acme with a key that is sealed for it."""

    def make(credential: StripeKey | SecretRef = KEY, **changed: Any) -> Envelope:
        made: Envelope = envelope("r1", **{"principal": "acme/alice", **changed})
        return replace(made, sealed_secret=sealer.seal(credential, made.binding))

    return make


async def test_a_sealed_key_opens_in_its_conversation(vault: KmsVault, seal: Any) -> None:
    assert await vault.open(seal()) == KEY


@pytest.mark.parametrize(
    "moved", [{"principal": "acme/bob"}, {"worker_id": "w2"}, {"context_id": "c2"}]
)
async def test_a_sealed_key_opens_in_no_other_conversation(
    vault: KmsVault, seal: Any, moved: Any
) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(replace(seal(), **moved))


async def test_a_message_of_another_principal_is_refused_after_the_data_key_is_known(
    vault: KmsVault, seal: Any
) -> None:
    await vault.open(seal())
    with pytest.raises(CannotOpen):
        await vault.open(replace(seal(), principal="acme/bob"))


@pytest.mark.parametrize(
    "text", ["", "1.", "1.AAAA", "2.AAAA", "1.ÄÖ", "sk_test_1", "1." + "A" * 400, "1.!!!!"]
)
async def test_a_text_that_was_never_sealed_does_not_open(
    vault: KmsVault, seal: Any, text: str
) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(replace(seal(), sealed_secret=text))


@pytest.mark.parametrize("place", [5, 40, -2])
async def test_an_altered_sealed_key_does_not_open(vault: KmsVault, seal: Any, place: int) -> None:
    message = seal()
    text = message.sealed_secret
    other = "A" if text[place] != "A" else "B"
    altered = text[:place] + other + text[place:][1:]

    # For an altered wrapped data key, KMS raises InvalidCiphertextException, and this stand-in raises AccessDenied.
    with pytest.raises((CannotOpen, NotPermitted)):
        await vault.open(replace(message, sealed_secret=altered))


async def test_kms_calls_carry_the_principal(
    vault: KmsVault, seal: Any, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    await vault.open(seal())

    assert [(name, params["EncryptionContext"]) for name, params in calls] == [
        ("GenerateDataKey", {"principal": "acme/alice"}),
        ("Decrypt", {"principal": "acme/alice"}),
    ]


async def test_fifty_concurrent_messages_need_one_decrypt(
    vault: KmsVault, seal: Any, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    messages = [seal(context_id=f"c{n}") for n in range(50)]

    keys = await asyncio.gather(*(vault.open(message) for message in messages))

    assert set(keys) == {KEY}
    assert [name for name, _ in calls] == ["GenerateDataKey", "Decrypt"]


@pytest.mark.parametrize(
    "written", ["sk_test_one\n", "sk_test_one\r\n", " sk_test_one ", "\tsk_test_one"]
)
async def test_white_space_around_a_secret_is_no_part_of_the_key(
    vault: KmsVault, secrets: Any, seal: Any, written: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/main", SecretString=written)

    assert await vault.open(seal(SecretRef("main"))) == KEY


@pytest.mark.parametrize("written", ['{"key": "sk_test_one"}', "whsec_one", "\n"])
async def test_a_secret_without_a_stripe_key_is_refused_without_quoting_it(
    vault: KmsVault, secrets: Any, seal: Any, written: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/main", SecretString=written)

    with pytest.raises(CannotOpen, match="must hold a Stripe secret key") as refusal:
        await vault.open(seal(SecretRef("main")))
    assert "one" not in str(refusal.value)


def test_a_data_key_is_replaced_when_it_is_old(
    seal: Any, calls: list[tuple[str, dict[str, Any]]], clock: MemoryClock
) -> None:
    seal()
    clock.advance(DATA_KEY_AGE_S - 1)
    seal()
    assert len(calls) == 1
    clock.advance(2)
    seal()
    assert len(calls) == 2


def test_a_warm_sealer_makes_no_call(
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
async def test_a_busy_kms_is_unavailable_and_retried(
    vault: KmsVault, kms: Any, seal: Any, code: str
) -> None:
    message = seal()
    with Stubber(kms) as stub:
        stub.add_client_error("decrypt", code)
        with pytest.raises(Unavailable):
            await vault.open(message)

    assert await vault.open(message) == KEY


async def test_a_key_without_permission_opens_after_the_permission_is_granted(
    vault: KmsVault, kms: Any, seal: Any
) -> None:
    message = seal()
    with Stubber(kms) as stub:
        stub.add_client_error("decrypt", "AccessDeniedException")
        with pytest.raises(NotPermitted):
            await vault.open(message)

    assert await vault.open(message) == KEY


def test_a_busy_kms_seals_nothing(seal: Any, kms: Any) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "ThrottlingException")
        with pytest.raises(Unavailable):
            seal()


def seal_many(sealer: KmsSealer, envelope: Any, *principals: str) -> list[Unavailable]:
    """Seal a key for each principal and return the errors."""
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


def test_a_principal_that_may_not_seal_does_not_block_others(
    sealer: KmsSealer, kms: Any, envelope: Any
) -> None:
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "AccessDeniedException")
        seal_many(sealer, envelope, "acme/alice")

    assert seal_many(sealer, envelope, "acme/bob") == []


def test_aws_s_message_about_users_and_keys_goes_only_to_the_log(
    sealer: KmsSealer, kms: Any, envelope: Any, caplog: pytest.LogCaptureFixture
) -> None:
    said = "User: arn:aws:iam::123456789012:user/alice is not authorized"
    with Stubber(kms) as stub:
        stub.add_client_error("generate_data_key", "AccessDeniedException", said)
        (refused,) = seal_many(sealer, envelope, "acme/alice")

    assert str(refused) == "The key service cannot be reached. Nothing was accepted."
    assert said in caplog.text


def test_threads_that_need_the_same_data_key_make_one_call(
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
def store_secrets(secrets: Any) -> None:
    for tenant in ("acme", "local"):
        secrets.create_secret(Name=f"paydispatch/{tenant}/main", SecretString=f"sk_test_{tenant}")


async def test_a_name_is_looked_up_for_the_principal_s_tenant(
    vault: KmsVault, seal: Any, store_secrets: None
) -> None:
    assert await vault.open(seal(SecretRef("main"))) == StripeKey("sk_test_acme")


async def test_an_unsealed_name_belongs_to_the_queue_s_tenant_even_with_another_principal(
    vault: KmsVault, envelope: Any, store_secrets: None
) -> None:
    claimed = envelope("r1", sealed_secret=None, secret_ref="main", principal="acme/alice")

    assert await vault.open(claimed) == StripeKey("sk_test_local")


async def test_a_missing_secret_does_not_open(
    vault: KmsVault, seal: Any, store_secrets: None
) -> None:
    with pytest.raises(CannotOpen):
        await vault.open(seal(SecretRef("other")))


@pytest.mark.parametrize("held", ["pk_test_1", "", '{"key": "sk_test_1"}'])
async def test_a_secret_that_holds_no_stripe_key_does_not_open_and_is_not_shown(
    vault: KmsVault, seal: Any, secrets: Any, held: str
) -> None:
    secrets.create_secret(Name="paydispatch/acme/odd", SecretString=held or " ")
    with pytest.raises(CannotOpen) as refused:
        await vault.open(seal(SecretRef("odd")))

    assert "test_1" not in str(refused.value)


async def test_a_rotated_key_is_read_again_after_a_minute(
    vault: KmsVault, seal: Any, secrets: Any, store_secrets: None, clock: MemoryClock
) -> None:
    message = seal(SecretRef("main"))
    await vault.open(message)
    secrets.put_secret_value(SecretId="paydispatch/acme/main", SecretString="sk_test_new")

    clock.advance(KEPT_S - 1)
    assert await vault.open(message) == StripeKey("sk_test_acme")
    clock.advance(2)
    assert await vault.open(message) == StripeKey("sk_test_new")


async def test_a_busy_secrets_manager_is_unavailable(
    vault: KmsVault, seal: Any, secrets: Any
) -> None:
    message = seal(SecretRef("main"))
    with Stubber(secrets) as stub:
        stub.add_client_error("get_secret_value", "ThrottlingException")
        with pytest.raises(Unavailable):
            await vault.open(message)
