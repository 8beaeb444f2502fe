"""Find the status of requests in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.services.status import find_record, format_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.ports import RequestStore


class StoredStatuses:
    """`Outcomes` of the requests that were submitted to the queue itself, which belong to the queue's tenant."""

    def __init__(self, store: RequestStore, queue_tenant: str) -> None:
        self._store = store
        self._tenant = queue_tenant

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        return [self._find(request_id) for request_id in request_ids]

    def _find(self, request_id: str) -> Mapping[str, Any] | None:
        record = find_record(
            self._store, request_id, tenant=self._tenant, queue_tenant=self._tenant
        )
        return None if record is None else format_status(record)
