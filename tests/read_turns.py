"""Turns of reads at Stripe, for tests that do not measure limits."""


async def at_once() -> None:
    """Let the read go."""
