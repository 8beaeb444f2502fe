"""The name under which Python imports a flows folder, in a worker, in the Lambda and in a user's tests."""

from __future__ import annotations

import keyword
import re


def package_name(folder: str) -> str:
    """Return the folder's name, changed into the nearest package name if it is none: `my-flows` becomes `my_flows`."""
    name = re.sub(r"\W", "_", folder) or "flows"
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"
