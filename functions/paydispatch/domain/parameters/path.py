"""The path of a parameter, as Stripe writes it: `items[0][price]`."""

import re
from collections.abc import Mapping, Sequence

Path = tuple[str | int, ...]

_PATH = re.compile(r"[^\[\]]+(?:\[[^\[\]]+\])*")
_PART = re.compile(r"[^\[\]]+")
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")


def bracket_path(path: Sequence[str | int]) -> str:
    """Return the path as Stripe writes it: `("items", 0, "price")` is `items[0][price]`. The empty path is empty."""
    if not path:
        return ""
    return str(path[0]) + "".join(f"[{part}]" for part in path[1:])


def read_path(text: str) -> Path:
    """Return the parts of a path as Stripe writes it: `items[0][price]` is `("items", 0, "price")`.

    Raises `ValueError` for any other text.
    """
    if not _PATH.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a path such as amount, metadata[order] or items[0][price]"
        )
    first, *others = _PART.findall(text)
    return (first, *(int(part) if _INDEX.fullmatch(part) else part for part in others))


def value_at(value: object, path: Sequence[str | int]) -> object:
    """Return the member of `value` at `path`. Raises `KeyError` or `IndexError` if there is none.

    The path may be one of the schema engine, which reports a name such as `"007"` as the integer 7, and leaves out an
    empty name.
    """
    for part in path:
        value = _member(value, part)
    return value


def _member(value: object, part: str | int) -> object:
    if not isinstance(value, Mapping):
        return value[part]  # type: ignore[index]
    name = _name_of(part, value)
    unnamed = value.get("")
    if name not in value and isinstance(unnamed, Mapping):
        return _member(unnamed, part)
    return value[name]


def _name_of(part: str | int, members: Mapping[str, object]) -> str:
    named = str(part)
    if named in members or isinstance(part, str):
        return named
    return next((name for name in members if _is_index(name, part)), named)


def _is_index(name: str, index: int) -> bool:
    return name.removeprefix("+").isdecimal() and int(name) == index
