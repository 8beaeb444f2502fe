"""Names that a run and the processes it starts must agree on."""

REPEATED_SHARE = "CHAOS_REPEATED_SHARE"
"""Variable: of the received messages, the share that is sent once more."""

LOST_SHARE = "CHAOS_LOST_SHARE"
"""Variable: of the API's sends, the share whose answer is lost after SQS has the messages."""

SEED = "CHAOS_SEED"

TENANT_HEADER = "x-chaos-tenant"
"""Header: the tenant that the API's authorizer is made to find."""

SUBJECT = "shop"
"""The subject of every tenant's principal."""

POISONED_KEY = "sk_test_" + "poison" * 5
"""The one key that is sent in the clear on purpose: it must be refused, and seen nowhere."""
