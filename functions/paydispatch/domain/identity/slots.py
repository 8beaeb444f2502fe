"""The names of slots in Redis. A worker and a request belong to a tenant, and so do their slots.

A slot of the queue's tenant has a bare name. The name of any other slot begins with its tenant and a space. No worker
id, request id or tenant holds a space, so that two tenants never share a name.
"""


def slot_name(tenant: str, name: str, queue_tenant: str) -> str:
    """Return the name of a tenant's worker or request in Redis: `w`, or `acme w`."""
    return name if tenant == queue_tenant else f"{tenant} {name}"


def beside(slot: str, name: str) -> str:
    """Return the slot of `name` that belongs to the same tenant as `slot`."""
    tenant, space, _ = slot.rpartition(" ")
    return f"{tenant}{space}{name}"


def bare_name(slot: str) -> str:
    """Return the worker id or request id in a slot's name."""
    return slot.rpartition(" ")[2]


def key_space(tenant: str, queue_tenant: str) -> str:
    """Return the tenant's part of the text that is hashed to an id.

    It is empty for the queue's tenant, because a program that writes to the queue may not know the tenant's name.
    """
    return "" if tenant == queue_tenant else tenant
