"""A stateful stand-in for Stripe's API that applies the rules a correct caller has to follow.

`twin.StripeTwin` does no I/O. It takes a `Call` and returns an `Exchange`: the answer, and the fault that the transport
applies to it. `serving/server.py` serves it over HTTP. The differences between objects are data: the schemas in
`objects/fresh/` are generated from Stripe's OpenAPI document, and `traits.json` and `cards.json` add to them.
`derived/` makes the objects that follow from a create. The page `docs/twin.md` has the limits of the twin.
"""
