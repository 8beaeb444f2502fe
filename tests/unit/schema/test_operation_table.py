"""The generated table of operations has every write of the official library."""

import json
from pathlib import Path

import pytest
import stripe
from schemas.left_out import Write, reason_against
from schemas.services import Call, library_calls

from paydispatch.domain.stripe.operations import TABLE, all_operations, operation_at

CALLS = [call for call in library_calls(Path(stripe.__file__).parents[1]) if call.method != "GET"]


def as_write(call: Call) -> Write:
    return Write(f"{call.name}_{call.object}", call.object, call.path, call.host == "files")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.name}_{call.object}")
def test_each_write_of_the_library_is_an_operation_or_has_a_reason_against_it(call: Call) -> None:
    found = operation_at(call.method, call.path.replace("{", "").replace("}", ""))

    assert found is not None or reason_against(as_write(call))


def test_the_table_is_sorted_so_that_a_new_row_moves_no_other() -> None:
    assert list(json.loads(TABLE.read_bytes())) == sorted(row.name for row in all_operations())
