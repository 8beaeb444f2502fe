"""The path of a parameter, as Stripe writes it: `items[0][price]`."""

from collections.abc import Sequence

Path = tuple[str | int, ...]


def bracket_path(path: Sequence[str | int]) -> str:
    """Return the path as Stripe writes it: `("items", 0, "price")` is `items[0][price]`. The empty path is empty."""
    if not path:
        return ""
    return str(path[0]) + "".join(f"[{part}]" for part in path[1:])


def value_at(value: object, path: Sequence[str | int]) -> object:
    """Return the member of `value` at `path`. Raises `KeyError` or `IndexError` if there is none."""
    for part in path:
        value = value[part]  # type: ignore[index]
    return value
