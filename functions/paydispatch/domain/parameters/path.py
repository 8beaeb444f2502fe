"""How Stripe writes the place of a parameter: `items[0][price]`."""

from collections.abc import Sequence

Path = tuple[str | int, ...]


def bracket_path(path: Sequence[str | int]) -> str:
    """`("items", 0, "price")` is `items[0][price]`; the empty path is empty."""
    if not path:
        return ""
    return str(path[0]) + "".join(f"[{part}]" for part in path[1:])


def value_at(value: object, path: Sequence[str | int]) -> object:
    """What is at `path` below `value`. Raises `KeyError` or `IndexError` where there is nothing."""
    for part in path:
        value = value[part]  # type: ignore[index]
    return value
