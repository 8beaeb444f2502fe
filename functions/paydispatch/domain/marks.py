"""The metadata pair by which a create can be found again in Stripe's lists.

paydispatch alone writes it. A caller's own pair of that name is refused at every way in, so that a look at Stripe's
lists never takes the object of another request for the one it looks for.
"""

MARK = "paydispatch_request_id"
"""The name of the pair. Its value is the request's id."""
