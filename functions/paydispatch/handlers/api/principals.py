"""Read the principal of an HTTP request from the findings of API Gateway's authorizer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import NotAuthenticated
from paydispatch.domain.identity.principal import LOCAL, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_IN_A_SUBJECT = re.compile(r"[^A-Za-z0-9._:@=+,|/-]")


class PrincipalReader:
    """Reads principals. With a JWT the tenant is a claim. With IAM it is the AWS account of the caller's role."""

    def __init__(self, *, sign_in: bool, tenant_claim: str) -> None:
        self._sign_in = sign_in
        self._tenant_claim = tenant_claim

    def read(self, event: Mapping[str, Any]) -> Principal:
        """Return the caller's principal. Raises `NotAuthenticated` if sign-in is required and no authorizer ran."""
        authorizer = event.get("requestContext", {}).get("authorizer") or {}
        if authorizer.get("jwt") is not None:
            return self._from_claims(authorizer["jwt"].get("claims") or {})
        if authorizer.get("iam") is not None:
            return _from_iam(authorizer["iam"])
        if self._sign_in:
            raise NotAuthenticated
        return LOCAL

    def _from_claims(self, claims: Mapping[str, Any]) -> Principal:
        tenant, subject = claims.get(self._tenant_claim), claims.get("sub")
        if not tenant or not subject:
            raise NotAuthenticated(
                f"The token must carry the claims {self._tenant_claim!r} and 'sub'."
            )
        return Principal(str(tenant), str(subject))


def _from_iam(caller: Mapping[str, Any]) -> Principal:
    """Return the principal: `assumed-role:shop`, or `user:division/team/bob` for an IAM user with a path.

    The session name of a role is left out, because it changes from one session to the next.
    """
    arn = str(caller.get("userArn", ""))
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == "assumed-role":
        name = name.partition("/")[0]
    subject = ":".join(filter(None, (kind, name)))
    return Principal(str(caller.get("accountId", "")), _NOT_IN_A_SUBJECT.sub(":", subject))
