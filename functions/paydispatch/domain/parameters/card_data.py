"""Find raw card data: the number and the security code of a card.

paydispatch refuses both at every way in, because they would be stored in queues, streams and dead letters. A `number`
or a `cvc` inside a card is always card data. Outside a card the value decides, because other things have numbers too:
an invoice has one, and a metadata pair may be named `number`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from paydispatch.domain.parameters.path import Path

CARD_FIELDS = frozenset({"number", "cvc"})
"""The names of the two parameters."""

OBJECTS_WITH_A_NUMBER = frozenset({"invoice"})
"""The objects with a parameter `number` of their own."""

HIDDEN = "[hidden]"
"""Takes the place of card data in a message that another program wrote."""

_CARD = re.compile(r"(?:^|_)card(?:$|_)")
_CARD_SIBLINGS = frozenset({"exp_month", "exp_year"})
_STEPS = re.compile(r"[\[\]]+")
_SEPARATORS = str.maketrans("", "", " -.\u00a0\t")
_NUMBER_LENGTHS = range(12, 20)
_CVC_LENGTHS = range(3, 5)

_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2})?"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|81\d\d)\d{12}(?:\d{3})?"  # Discover, UnionPay
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|(?:50|5[6-9]|6)\d{11,17}",  # Maestro
    re.ASCII,
)
"""The numbers of the card networks, by their first digits and their length."""

_IN_TEXT = re.compile(r'("(?:number|cvc)"\s*:\s*)("(?:[^"\\]|\\.)*"|[\d.eE+-]+)')


def places_of_card_data(object_name: str, params: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the path of each number and security code of a card in `params`, in breadth-first order."""
    pending: deque[tuple[Path, Path, Any]] = deque([((), (), params)])
    while pending:
        path, steps, value = pending.popleft()
        for name, member in _members(value):
            inner = _steps_of(steps, name)
            if _is_card_data(object_name, inner, value, member):
                yield (*path, name)
            else:
                pending.append(((*path, name), inner, member))


def faults_of_card_data(object_name: str, params: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return a fault for each place. No message repeats the card data."""
    if _names_no_card_field(params):
        return ()
    places = places_of_card_data(object_name, params)
    return tuple(fault_of_card_data(redact(bracket_path(path))) for path in places)


def _names_no_card_field(params: Mapping[str, Any]) -> bool:
    """Return whether certainly no name in the parameters is that of card data.

    Looks at the parameters as one JSON text, because a look at each name takes ten times as long. No letter outside
    ASCII becomes one of these names in lower case.
    """
    try:
        text = json.dumps(params).lower()
    except (TypeError, ValueError, RecursionError):  # they are no JSON, or nested too deeply
        return False
    return not any(name in text for name in CARD_FIELDS)


def fault_of_card_data(param: str) -> ParamError:
    return ParamError(
        param,
        "card_data_refused",
        f"{param} holds raw card data. paydispatch refuses it, because it would be stored in queues, streams and "
        "dead letters. Collect the card with Stripe.js or a mobile SDK of Stripe. Send the id of the payment method "
        "(payment_method) or the token (payment_method_data[card][token]) that Stripe returns.",
    )


def hide_card_data(object_name: str, params: Any) -> Any:
    """Return a copy of a JSON value without the numbers and the security codes of cards."""
    return _hide(object_name, params, ())


def hide_card_data_in_text(text: str) -> str:
    """Return the text of a queue message without the numbers and the security codes of cards.

    The text may be no JSON. Then each value that looks like the member `number` or `cvc` is hidden.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _IN_TEXT.sub(rf'\1"{HIDDEN}"', text)
    hidden = hide_card_data("", message)
    return text if hidden == message else json.dumps(hidden)


def _hide(object_name: str, value: Any, steps: Path) -> Any:
    if not isinstance(value, dict | list | tuple):
        return value
    hidden = {
        name: HIDDEN
        if _is_card_data(object_name, _steps_of(steps, name), value, member)
        else _hide(object_name, member, _steps_of(steps, name))
        for name, member in _members(value)
    }
    return hidden if isinstance(value, dict) else list(hidden.values())


def _members(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _steps_of(steps: Path, name: Any) -> Path:
    """Return the names on the way to a member. `a[b]` as one name means the same on the wire as `b` inside `a`."""
    if isinstance(name, int):
        return steps
    text = str(name)
    if "[" not in text and "]" not in text:
        return (*steps, text.strip().lower())
    return (*steps, *(step.strip().lower() for step in _STEPS.split(text) if step))


def _is_card_data(object_name: str, steps: Path, container: Any, value: Any) -> bool:
    name = steps[-1] if steps else ""
    if name not in CARD_FIELDS or value is None:
        return False
    if _is_card(steps[:-1], container):
        return True
    entries = value if isinstance(value, list | tuple) else (value,)
    return any(_looks_like_card_data(object_name, steps, entry) for entry in entries)


def _is_card(steps: Path, container: Any) -> bool:
    """Return whether the parameter at `steps` is a card: by its name, by its `object`, or by the fields beside."""
    if steps and _CARD.search(str(steps[-1])):
        return True
    if not isinstance(container, dict) or "metadata" in steps:
        return False
    return container.get("object") == "card" or not _CARD_SIBLINGS.isdisjoint(container)


def _looks_like_card_data(object_name: str, steps: Path, value: Any) -> bool:
    digits = _digits_of(value)
    if steps[-1] == "cvc":
        return len(digits) in _CVC_LENGTHS
    if len(digits) not in _NUMBER_LENGTHS:
        return False
    own = steps == ("number",) and object_name in OBJECTS_WITH_A_NUMBER
    return is_card_number(digits) if own or "metadata" in steps else True


def is_card_number(digits: str) -> bool:
    """Return whether a network issues cards with this number, and its check digit is right."""
    return bool(_ISSUED.fullmatch(digits)) and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return sum(map(int, digits[-1::-2])) + sum(number // 10 + number % 10 for number in doubled)


def _digits_of(value: Any) -> str:
    """Return the digits of a value that has only digits and separators, else an empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else 0
    if isinstance(value, int) and value.bit_length() > 80:
        return ""
    text = str(value).translate(_SEPARATORS)
    return "".join(str(int(digit)) for digit in text) if text.isdecimal() else ""
