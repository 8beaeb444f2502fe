"""Names that a run and the processes it starts must agree on."""

REPEATED_SHARE = "CHAOS_REPEATED_SHARE"
"""Variable: of the received messages, the share that is sent once more."""

SEED = "CHAOS_SEED"

POISONED_KEY = "sk_test_poison"
"""The one key that is sent in the clear on purpose: it must be refused, and seen nowhere."""
