"""Return the status of a request to its own tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.identity.slots import slot_name

if TYPE_CHECKING:
    from paydispatch.ports import RequestRecord, RequestStore


def find_record(
    store: RequestStore, request_id: str, *, tenant: str, queue_tenant: str
) -> RequestRecord | None:
    """Return the record of a tenant's request. None: the tenant has no such request. Raises `Unavailable`.

    The tenant is part of the slot's name, so that it cannot read a request of another tenant.
    """
    # An id has no space. In a slot's name a space separates a tenant from its request.
    if " " in request_id:
        return None
    return store.get(slot_name(tenant, request_id, queue_tenant))


def format_status(record: RequestRecord) -> dict[str, Any]:
    """Return the fields of the record that have a value, without the tenant and the account."""
    waiting = record.waiting
    shown = {
        "request_id": record.request_id,
        "object": record.object,
        "operation": record.operation,
        "status": record.status,
        "worker_id": record.worker_id,
        "context_id": record.context_id,
        "attempts": record.attempts,
        "retry_at": record.retry_at,
        "waits_for": waiting and waiting.why.value,
        "lane": waiting and waiting.lane.value,
        "parsed_data": record.parsed_data,
        "parsed_error": record.parsed_error,
    }
    return {name: value for name, value in shown.items() if value is not None}
