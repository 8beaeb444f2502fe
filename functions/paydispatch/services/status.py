"""Look up where a request stands, for its own tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.slots import slot_name

if TYPE_CHECKING:
    from paydispatch.ports import RequestRecord, RequestStore


def status_of(
    store: RequestStore, request_id: str, *, tenant: str, queue_tenant: str
) -> dict[str, Any] | None:
    """Return what is shown of a tenant's request. None: the tenant has no such request. Raises `Unavailable`.

    The tenant is part of the slot's name, so another tenant's request is not there.
    """
    # No id holds a space. In a slot's name it stands between another tenant and its request.
    if " " in request_id:
        return None
    record = store.get(slot_name(tenant, request_id, queue_tenant))
    return None if record is None else shown_status(record)


def shown_status(record: RequestRecord) -> dict[str, Any]:
    """Return everything that is known of a request but its tenant."""
    shown = {
        "request_id": record.request_id,
        "object": record.object,
        "operation": record.operation,
        "status": record.status,
        "worker_id": record.worker_id,
        "context_id": record.context_id,
        "attempts": record.attempts,
        "retry_at": record.retry_at,
        "parsed_data": record.parsed_data,
        "parsed_error": record.parsed_error,
    }
    return {name: value for name, value in shown.items() if value is not None}
