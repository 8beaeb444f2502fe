"""The in-memory twins of the sealer and the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import CannotOpen, Unavailable
from paydispatch.domain.identity.principal import QUEUE, tenant_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.credentials import Binding, Credential
    from paydispatch.domain.envelope import Envelope


class MemorySealer:
    """A `Sealer` that keeps each sealed credential and returns a token for it."""

    def __init__(self) -> None:
        self.sealed: dict[str, tuple[Credential, Binding]] = {}
        self.away = False

    def seal(self, credential: Credential, binding: Binding) -> str:
        if self.away:
            raise Unavailable("the sealing key is unavailable")
        token = f"sealed-{len(self.sealed) + 1}"
        self.sealed[token] = (credential, binding)
        return token


class MemoryVault:
    """A `Vault` that opens the tokens of a `MemorySealer`, and has named secrets, {(tenant, name): key}."""

    def __init__(
        self, sealer: MemorySealer, secrets: Mapping[tuple[str, str], str] | None = None
    ) -> None:
        self._sealer = sealer
        self._secrets = secrets or {}
        self.away = False

    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        if self.away:
            raise Unavailable("the vault is unavailable")
        self._unseal(binding, sealed_secret)

    async def open(self, envelope: Envelope) -> StripeKey:
        if self.away:
            raise Unavailable("the vault is unavailable")
        if envelope.sealed_secret is None:
            return self._find_secret(QUEUE, envelope.secret_ref or "")
        credential = self._unseal(envelope.binding, envelope.sealed_secret)
        if isinstance(credential, StripeKey):
            return credential
        return self._find_secret(envelope.principal, credential.name)

    def _unseal(self, binding: Binding, sealed_secret: str) -> Credential:
        credential, sealed_for = self._sealer.sealed.get(sealed_secret, (None, None))
        if credential is None or binding != sealed_for:
            raise CannotOpen(
                "The sealed key does not belong to this principal, worker and context."
            )
        return credential

    def _find_secret(self, principal: str, name: str) -> StripeKey:
        tenant = tenant_of(principal, "local")
        if (tenant, name) not in self._secrets:
            raise CannotOpen(f"There is no secret {name!r} of {tenant!r}.")
        return StripeKey(self._secrets[tenant, name])
