"""The result of a check: errors, or warnings about parameters that are accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

if TYPE_CHECKING:
    from paydispatch.domain.errors import ParamError


@dataclass(frozen=True, slots=True)
class ParamWarning:
    """One parameter that is accepted, although Stripe's version of today does not have it."""

    param: str
    """Stripe's bracket path: `items[0][price]`."""

    message: str
    """Two sentences: the part that is unknown, and the reason why it is accepted all the same."""

    def as_dict(self) -> dict[str, str]:
        return {"param": self.param, "message": self.message}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The errors of refused parameters, or the warnings of accepted ones."""

    errors: tuple[ParamError, ...] = ()
    warnings: tuple[ParamWarning, ...] = ()


ACCEPTED = Verdict()


def warn(refusal: ParamError, version: str) -> ParamWarning:
    """Return the warning for a parameter that the schema of today refuses and the wider one of `version` accepts."""
    param = refusal.param
    unknown = refusal.code == "parameter_unknown"
    return ParamWarning(
        param,
        f"{refusal.message if unknown else f'Received unknown value of {param}.'} {_reason(version)}",
    )


def _reason(version: str) -> str:
    if version == STRIPE_API_VERSION:
        return f"It is of Stripe's API version {OLDER_API_VERSION}, and version {version} may refuse it."
    return f"It is sent to Stripe, because the API version {version} is set and only {STRIPE_API_VERSION} is known."
