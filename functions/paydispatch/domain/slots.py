"""Name the places in Redis: a worker and a request belong to a tenant, and so do their slots.

The queue's tenant has the bare names. Every other tenant's stand behind the tenant and a space. No worker id, request
id or tenant holds a space, so two tenants never share a name.
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
    """Return the tenant's part of what is hashed for an id.

    It is empty for the queue's tenant, so that a program that writes to the queue need not know the tenant's name.
    """
    return "" if tenant == queue_tenant else tenant
