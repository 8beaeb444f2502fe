"""Who asks. A principal belongs to one tenant; the tenant decides which secrets a name can reach."""

from __future__ import annotations

import re
from dataclasses import dataclass

from paydispatch.domain.credentials import check_holds_no_key
from paydispatch.domain.errors import InvalidField

_WORD = re.compile(r"[A-Za-z0-9._:@=+-]{1,128}")


QUEUE = "queue"
"""The principal of whoever writes to the queue directly; its tenant is the queue's."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`tenant/subject`; written as one word where both are the same."""

    tenant: str
    subject: str

    def __post_init__(self) -> None:
        # A slash in a tenant would let `paydispatch/a/b/...` be read as another tenant's secret.
        if not _WORD.fullmatch(self.tenant) or not _WORD.fullmatch(self.subject):
            raise InvalidField(
                "principal",
                "A tenant and a subject are 1 to 128 letters, digits or any of . _ : @ = + -",
            )
        check_holds_no_key("principal", str(self))
        if str(self) == QUEUE:  # it would reach the secrets of the queue's tenant
            raise InvalidField("principal", f"{QUEUE!r} is not a name to sign in with.")

    def __str__(self) -> str:
        return self.tenant if self.tenant == self.subject else f"{self.tenant}/{self.subject}"


LOCAL = Principal("local", "local")
"""Everybody, on a machine without sign-in."""


def tenant_of(principal: str, queue_tenant: str) -> str:
    """The tenant a message's principal stands for."""
    return queue_tenant if principal == QUEUE else principal.partition("/")[0]
