"""The numbers the domain promises, in one place, each with its reason."""

QUEUE_MESSAGE_LIMIT_BYTES = 1_048_576
"""What SQS takes in one message, its attributes included, and in one batch of ten."""

COPY_ROOM_BYTES = 512
"""Kept back from that in what is accepted, for the copies of it: a deferred one says more of its attempts, and a parked
one has the attributes `reason` (a code, of Stripe's at the longest) and `kind`. They take less than half of it."""

QUEUE_BATCH_LIMIT = 10
"""Entries SQS takes in one SendMessageBatch."""

QUEUE_DELAY_LIMIT_S = 900
"""The longest `DelaySeconds` SQS takes."""

DEFAULT_DEADLINE_S = 6 * 3600.0
"""How long a request is tried when its caller names no deadline: outlives every Stripe outage so far."""

LONGEST_DEADLINE_S = 7 * 86_400.0
"""The request queues keep a message for 10 days (template.yaml): even in a backlog a deadline comes before they forget.

Only a request that is never sent has all of it: from its first POST on it is tried for `HORIZON_S` at the most.
"""

HORIZON_S = 23 * 3600.0
"""Stripe may prune an idempotency key once it is 24 h old; an hour before, we stop POSTing under it."""

REMEMBER_S = 25 * 86_400
"""How long an identity is remembered after it was last touched: 10 days of the request queue, 14 of the dead-letter
queue, and one to spare."""

FORGOTTEN_S = 24 * 86_400
"""A message that was accepted longer ago than this and finds an empty slot is not sent: its slot may have expired."""

SEND_AGE_S = 5.0
"""A POST leaves within this time after its send was asked for, or the send is asked again. A process may be frozen in
between, and the horizon may pass meanwhile."""

MOST_ATTEMPTS = 200
"""A bound for the endless: at the longest backoff, 150 s on average, it is met after some eight hours of refusals.

That is after the default deadline, and before the longest or the horizon.
"""

BATCH_ITEMS_LIMIT = 1_000
"""Requests in one `POST /v1/batches`."""
