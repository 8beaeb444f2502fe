"""`find_record` shows a request only to its own tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.examples import create_request

from paydispatch.domain.identity.principal import Principal
from paydispatch.services.status import find_record, format_status

if TYPE_CHECKING:
    from tests.unit.services.conftest import Api

SHOP = Principal("shop", "checkout")


def read_status(api: Api, request_id: str, tenant: str) -> dict[str, Any] | None:
    found = find_record(api.requests, request_id, tenant=tenant, queue_tenant="local")
    return None if found is None else format_status(found)


def test_the_status_of_an_accepted_request_is_dispatched(api: Api) -> None:
    accepted = api.accept(create_request())
    assert read_status(api, accepted.request_id, "local") == {
        "request_id": accepted.request_id,
        "object": "payment_intent",
        "operation": "create_payment_intent",
        "status": "dispatched",
        "worker_id": "worker-1",
        "context_id": "context-1",
        "attempts": 0,
    }


def test_a_request_is_shown_to_its_tenant_only(api: Api) -> None:
    id_ = api.accept(create_request(), SHOP).request_id
    assert read_status(api, id_, "shop") is not None
    assert read_status(api, id_, "bank") is None
    assert read_status(api, id_, "local") is None
    assert read_status(api, "pdr_unknown", "shop") is None


def test_no_tenant_reads_a_request_of_another_tenant_by_naming_its_slot(api: Api) -> None:
    id_ = api.accept(create_request(), SHOP).request_id
    assert read_status(api, f"shop {id_}", "local") is None
