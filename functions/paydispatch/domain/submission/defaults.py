"""Fill in the fields that the lines of a file leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import SecretRef
from paydispatch.domain.requests import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.credentials import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The values for a line without its own. A field that is `null` counts as left out."""

    worker_id: str | None = None
    credential: Credential | None = None
    """For a line with neither a key nor a `secret_ref`."""

    def fill_in(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a line with the defaults. Without a lane a line is batch work."""
        filled = {"lane": Lane.BATCH.value, **fields}
        if filled.get("worker_id") is None:
            filled["worker_id"] = self.worker_id
        if self.credential is not None and not holds_credential(fields):
            filled |= _field_of(self.credential)
        return filled


def holds_credential(fields: Mapping[str, Any]) -> bool:
    """Return whether a line has a key or a `secret_ref` of its own."""
    return fields.get("stripe_secret") is not None or fields.get("secret_ref") is not None


def _field_of(credential: Credential) -> dict[str, str]:
    if isinstance(credential, SecretRef):
        return {"secret_ref": credential.name}
    return {"stripe_secret": credential.reveal()}
