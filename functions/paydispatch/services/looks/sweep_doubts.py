"""The hourly sweep: it looks up what is unknown, and finds doubts and looks that were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.services.looks.note_doubt import note_doubt
from paydispatch.services.looks.verdicts import Verdict

if TYPE_CHECKING:
    from paydispatch.services.looks.run_look import LookPorts, Looks
    from paydispatch.services.looks.verdicts import Reconciled, ReconcileReport
    from paydispatch.services.reconcile import Reconciler


class DoubtSweep:
    """Runs the reconciler once, and makes the plan of looks whole again."""

    def __init__(self, ports: LookPorts, reconciler: Reconciler, looks: Looks) -> None:
        self._ports = ports
        self._reconciler = reconciler
        self._looks = looks

    async def reconcile(self, *, until: float) -> ReconcileReport:
        """Look up as many unknown outcomes as the time allows. Raises `Unavailable` without Redis."""
        await self._looks.plan_lost()
        report = await self._reconciler.reconcile(until=until)
        for one in report.reconciled:
            if one.verdict is Verdict.UNKNOWN:
                await self._note(one)
        return report

    async def _note(self, one: Reconciled) -> None:
        """Note the doubt if the caller died before it did so. A doubt that is noted keeps its time."""
        try:
            unknown = await self._ports.unknown_outcomes.read(one.worker_id, one.request_id)
        except ValueError:  # an entry that cannot be read
            return
        if unknown is not None and not unknown.entry.outcome.settled:
            await note_doubt(self._ports, unknown)
