"""The principal of a request. It belongs to one tenant, and its secret names resolve only to that tenant's secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from paydispatch.domain.credentials import check_holds_no_key
from paydispatch.domain.errors import InvalidField

_TENANT = re.compile(r"[A-Za-z0-9._:@=+-]{1,128}")
_SUBJECT = re.compile(r"[A-Za-z0-9._:@=+,|/-]{1,640}")
"""A subject may be the path of an IAM user, up to 512 characters and its name, or a subject such as `auth0|5f7c`."""

QUEUE = "queue"
"""The principal of a program that writes to the queue directly. Its tenant is the queue's tenant."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`tenant/subject`, or one word if both are the same."""

    tenant: str
    subject: str

    def __post_init__(self) -> None:
        # A slash in a tenant would let `paydispatch/a/b/...` be read as another tenant's secret.
        if not _TENANT.fullmatch(self.tenant):
            raise InvalidField(
                "principal",
                "The tenant of a principal must be 1 to 128 letters, digits or any of . _ : @ = + -",
            )
        if not _SUBJECT.fullmatch(self.subject):
            raise InvalidField(
                "principal",
                "The subject of a principal must be 1 to 640 letters, digits or any of . _ : @ = + - , | /",
            )
        check_holds_no_key("principal", str(self))
        if str(self) == QUEUE:  # it would open the secrets of the queue's tenant
            raise InvalidField(
                "principal",
                f"The principal must not be {QUEUE!r}, which stands for direct producers.",
            )

    def __str__(self) -> str:
        return self.tenant if self.tenant == self.subject else f"{self.tenant}/{self.subject}"


LOCAL = Principal("local", "local")
"""The principal of every caller of the local stack, which has no sign-in."""


def tenant_of(principal: str, queue_tenant: str) -> str:
    """Return the tenant of a message's principal."""
    return queue_tenant if principal == QUEUE else principal.partition("/")[0]
