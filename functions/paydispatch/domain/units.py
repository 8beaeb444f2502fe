"""The numbers the domain promises, in one place, each with its reason."""

QUEUE_MESSAGE_LIMIT_BYTES = 1_048_576
"""What SQS takes in one message, and in one batch of ten."""

QUEUE_BATCH_LIMIT = 10
"""Entries SQS takes in one SendMessageBatch."""

QUEUE_DELAY_LIMIT_S = 900
"""The longest `DelaySeconds` SQS takes."""

DEFAULT_DEADLINE_S = 6 * 3600.0
"""How long a request is tried when its caller names no deadline: outlives every Stripe outage so far."""

LONGEST_DEADLINE_S = 7 * 86_400.0
"""Half of the longest SQS retention, so that a deadline always comes before the queue forgets."""

HORIZON_S = 23 * 3600.0
"""Stripe may prune an idempotency key once it is 24 h old; an hour before, we stop POSTing under it."""

REMEMBER_S = 15 * 86_400
"""How long an identity is remembered: longer than a message can live on a queue (14 days)."""

MOST_ATTEMPTS = 200
"""A bound for the endless: with the longest backoff it lies far beyond the longest deadline in practice."""

BATCH_ITEMS_LIMIT = 1_000
"""Requests in one `POST /v1/batches`."""
