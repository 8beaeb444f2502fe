"""The ports of a lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.services.look_turns import TurnPorts

if TYPE_CHECKING:
    from paydispatch.ports import (
        Accounts,
        EventLog,
        RequestSlots,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )


class LookupPorts(TurnPorts, Protocol):
    """The ports of a lookup."""

    @property
    def unknown_outcomes(self) -> UnknownOutcomes: ...

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def lists(self) -> StripeLists: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def vault(self) -> Vault: ...

    @property
    def log(self) -> EventLog: ...
