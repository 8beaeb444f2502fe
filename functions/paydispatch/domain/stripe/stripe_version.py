"""The version of Stripe's API. The `Stripe-Version` header names it, and the schemas are generated from it."""

STRIPE_API_VERSION = "2026-05-27.dahlia"
