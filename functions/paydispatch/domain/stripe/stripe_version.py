"""The versions of Stripe's API, named here alone."""

STRIPE_API_VERSION = "2026-10-28.endive"
"""The version that each call names in its header, and that the schemas are of."""

OLDER_API_VERSION = "2026-05-27.dahlia"
"""The version of the newest OpenAPI document. The schemas also have the parameters that only this version has."""
