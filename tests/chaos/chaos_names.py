"""Names that a run shares with the processes that it starts."""

REPEATED_SHARE = "CHAOS_REPEATED_SHARE"
"""Environment variable: the share of received messages that the caller sends to the queue once more."""

LOST_SHARE = "CHAOS_LOST_SHARE"
"""Environment variable: the share of the API's sends that lose their answer after SQS has the messages."""

SEED = "CHAOS_SEED"

TENANT_HEADER = "x-chaos-tenant"
"""Header: the tenant that the API takes from the authorizer."""

SUBJECT = "shop"
"""The subject of every tenant's principal."""

POISONED_KEY = "sk_test_" + "poison" * 5
"""The only key that a run sends in the clear on purpose. paydispatch must refuse it and write it nowhere."""
