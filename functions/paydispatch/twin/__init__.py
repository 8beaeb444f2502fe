"""A stateful stand-in for Stripe's API, with the rules a correct caller has to honour.

`twin.StripeTwin` is pure: a `Call` comes in, an `Exchange` comes out (the answer, and what the
transport does to it). `server` puts it behind HTTP. What differs between objects is data:
`objects/` is generated from Stripe's own document, `traits.json` and `cards.json` hold the rest.
"""
