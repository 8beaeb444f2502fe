"""The tables in the documents match the code: objects, error codes, fields, environment variables."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.settings import (
    ApiSettings,
    CallerSettings,
    MissingSetting,
    ReconcilerSettings,
    RunnerSettings,
    SdkSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
CODE = ROOT / "functions/paydispatch"
PROGRAMS: dict[str, Any] = {
    "api": ApiSettings,
    "caller": CallerSettings,
    "reconciler": ReconcilerSettings,
    "runner": RunnerSettings,
    "SDK": SdkSettings,
}

# {function that makes an error: position of the error code among its arguments}
_CODE_AT = {"NotSent": 1, "Unknown": 1, "Malformed": 0, "give_up": 1, "dispatcher_error": 1}
_MODULES_WITH_CODES = (
    "attempts",
    "envelope",
    "operators/lookups",
    "outcomes",
    "message/read_message",
    "operators/redrive",
    "retry",
)


_SWITCHES = {
    "REDIS_ALLOW_EVICTION": "true",
    "REDIS_ALLOW_PLAINTEXT": "true",
    "HTTPS_PROXY": "http://proxy:3128",
    "https_proxy": "",
    "no_proxy": "",
    "REDIS_URL": "rediss://host",
    "STRIPE_API_BASE": "https://host",
    "WARM_OPERATIONS": "create_product",
    "RATE_SHARE_BATCH": "0.8",
    "RATE_WAIT_BATCH_S": "1",
    "RATE_WAIT_INTERACTIVE_S": "2",
}
"""Values of the variables that are no numbers. Every other variable is "30"."""

_SLOT_WRITERS = ("claims", "request_slots", "request_store")
_SLOT_SCRIPTS = ("claim", "send", "end_send", "keep_message", "keep_event", "close", "write_status")


class RecordingEnvironment(dict[str, str]):
    """An environment that records the names of the variables that are read."""

    def __init__(self, *, without: str = "") -> None:
        super().__init__()
        self.names: set[str] = set()
        self._without = without

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default if name == self._without else _SWITCHES.get(name, "30")

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return True


@pytest.mark.parametrize("page", ["README.md", "docs/flows.md", "docs/envelope.md"])
def test_every_list_of_objects_names_every_object(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert [row.name for row in RESOURCES if f"`{row.name}`" not in text] == []


def test_every_error_code_is_documented() -> None:
    codes = {code for path in _code_makers() for code in _codes(path)}
    assert {"invocation_ending", "last_receive", "not_found_after_horizon"} <= codes
    pages = _text("docs/flows.md") + _text("docs/envelope.md")
    assert sorted(code for code in codes if f"`{code}`" not in pages) == []


def test_every_field_of_a_request_s_slot_is_in_operations() -> None:
    row = next(line for line in _text("docs/operations.md").splitlines() if "`pd:req:" in line)
    fields = {name for file in _SLOT_WRITERS for name in _fields(file)}
    fields |= {name for script in _SLOT_SCRIPTS for name in _fields_of_script(script)}
    assert {"queued", "last_sent_at", "first_sent_at", "maybe_executed", "parsed_error"} <= fields
    assert sorted(name for name in fields if f"`{name}`" not in row) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_table_of_variables_names_the_programs_that_read_each_variable(program: str) -> None:
    asked = RecordingEnvironment()
    PROGRAMS[program].from_env(asked)
    said = {name for name, (readers, _) in _variables().items() if program in readers}
    assert said == asked.names


def test_the_table_of_variables_marks_exactly_the_required_ones() -> None:
    said = {name for name, (_, default) in _variables().items() if default == "required"}
    assert said == {name for name in _variables() if _is_required(name)}


def _text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def _variables() -> Mapping[str, tuple[set[str], str]]:
    """Return the table of variables in operations.md: {name: (the programs that read it, default)}."""
    row = re.compile(r"^\| (`[A-Z].*?) \| (.*?) \| (.*?) \|", re.MULTILINE)
    rows = row.findall(_text("docs/operations.md"))
    return {
        name: (set(readers.split(", ")), default)
        for names, readers, default in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def _is_required(name: str) -> bool:
    readers = [program for program in PROGRAMS.values() if name in _read_variables(program)]
    return bool(readers) and all(_fails_without(program, name) for program in readers)


def _read_variables(program: Any) -> set[str]:
    asked = RecordingEnvironment()
    program.from_env(asked)
    return asked.names


def _fails_without(program: Any, name: str) -> bool:
    try:
        program.from_env(RecordingEnvironment(without=name))
    except MissingSetting:
        return True
    return False


def _code_makers() -> list[Path]:
    domain = [CODE / f"domain/{name}.py" for name in _MODULES_WITH_CODES]
    return [*domain, *CODE.glob("services/**/*.py"), CODE / "adapters/stripe/gateway.py"]


def _codes(path: Path) -> Iterator[str]:
    """Yield the literal codes of the errors that a file makes."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield from _codes_of(node)
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "code":
            yield from _texts_of(node.value)


def _codes_of(call: ast.Call) -> Iterator[str]:
    place = _CODE_AT.get(ast.unparse(call.func).rpartition(".")[2])
    if place is not None and len(call.args) > place:
        yield from _texts_of(call.args[place])
    yield from (
        word for said in call.keywords if said.arg == "code" for word in _texts_of(said.value)
    )


def _texts_of(value: ast.expr | None) -> Iterator[str]:
    """Yield the possible texts of an expression: itself, or both arms of a conditional."""
    arms = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    yield from (
        arm.value for arm in arms if isinstance(arm, ast.Constant) and isinstance(arm.value, str)
    )


def _fields(adapter: str) -> Iterator[str]:
    """Yield the fields of the request's slot that an adapter writes, from dictionaries, assignments and HSETNX."""
    text = (CODE / f"adapters/redis/requests/{adapter}.py").read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Dict):
            yield from (word for key in node.keys for word in _texts_of(key))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from _texts_of(node.slice)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("hsetnx"):
            yield from _texts_of(node.args[1])


def _fields_of_script(script: str) -> set[str]:
    """Return the fields that a script writes into the request's slot."""
    text = (CODE / f"adapters/redis/lua/requests/{script}.lua").read_text("utf-8")
    calls = re.findall(r"redis\.call\('HSET', KEYS\[1\],(.*?)\)\s*(?:--|\n|$)", text, re.DOTALL)
    return {name for call in calls for name in re.findall(r"'([a-z_]+)'", call)} - {"calling"}
