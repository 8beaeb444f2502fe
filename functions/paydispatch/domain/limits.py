"""The limits of the domain, each with its reason."""

QUEUE_MESSAGE_LIMIT_BYTES = 1_048_576
"""SQS' limit for one message with its attributes, and for one batch of ten."""

COPY_ROOM_BYTES = 512
"""The part of that limit which an accepted message must leave free for its copies.

A deferred copy has more fields about its attempts. A parked copy has the attributes `reason` (a code, at most one of
Stripe's) and `kind`. These take less than half of the room."""

QUEUE_BATCH_LIMIT = 10
"""SQS' limit for the entries of one SendMessageBatch."""

QUEUE_DELAY_LIMIT_S = 900
"""SQS' limit for `DelaySeconds`."""

DEFAULT_DEADLINE_S = 6 * 3600.0
"""The deadline of a request without one. It is longer than every outage of Stripe so far."""

LONGEST_DEADLINE_S = 7 * 86_400.0
"""The longest deadline that a caller may ask for.

The request queues keep a message for 10 days (template.yaml). Therefore a deadline passes before the queue drops its
message, even in a backlog. After its first POST a request is tried for `HORIZON_S` at most.
"""

HORIZON_S = 23 * 3600.0
"""No POST is made under an idempotency key that is older.

Stripe may prune a key once it is 24 h old (docs.stripe.com/api/idempotent_requests), and another POST could then create
a second object. One hour is a margin."""

REMEMBER_S = 25 * 86_400
"""How long Redis remembers a request after the last access: 10 days of the request queue, 14 of the dead-letter queue,
and one more."""

FORGOTTEN_S = 24 * 86_400
"""A message that was accepted longer ago than this is not sent if its slot is empty, because the slot may have
expired after a send."""

SEND_AGE_S = 5.0
"""The longest time between the request for a send and its POST. If more passes, the send is requested again.

The process may be frozen in between, and the horizon may pass meanwhile."""

MOST_ATTEMPTS = 200
"""The greatest number of attempts.

With the longest backoff, 150 s on average, they take some eight hours of refusals. That is longer than the default
deadline, and shorter than the longest deadline or the horizon.
"""

BATCH_ITEMS_LIMIT = 1_000
"""The greatest number of requests in one `POST /v1/batches`."""
