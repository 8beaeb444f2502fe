"""The version of Stripe's API, named here alone: the header says it, the schemas are of it."""

STRIPE_API_VERSION = "2026-05-27.dahlia"
