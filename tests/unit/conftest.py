"""The property tests of this suite are small, because it runs before every commit."""

from hypothesis import settings

settings.register_profile("unit", max_examples=50, deadline=None)
settings.load_profile("unit")
