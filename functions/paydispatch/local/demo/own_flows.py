"""The flows that the demo runs. The wheel has a copy of the folder `flows` of the repository."""

from __future__ import annotations

from pathlib import Path

PACKAGED = Path(__file__).with_name("flows")
CHECKOUT = Path(__file__).parents[4] / "flows"


def own_flows() -> Path:
    """Return the folder in the installed package, or that of the checkout, which has no copy."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT
