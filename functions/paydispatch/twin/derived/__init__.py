"""The objects that a create makes beside its own: the charge of a payment intent, the first invoice of a subscription …

`follow.follow` returns them all. Their ids end like the id of the object they follow from: `ch_X` belongs to `pi_X`.
"""
