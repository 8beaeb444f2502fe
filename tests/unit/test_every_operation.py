"""Every operation comes in by every way as the same request, with the same fingerprint."""

from __future__ import annotations

import pytest
from tests.every_way_in import EveryWayIn
from tests.rich_params import rich_params
from tests.unit.examples import NOW_S

from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.parameters.check import judge_params
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.parameters.verdict import ACCEPTED
from paydispatch.domain.stripe.operations import Operation, all_operations

EVERY_OPERATION = pytest.mark.parametrize("operation", all_operations(), ids=lambda row: row.name)


@EVERY_OPERATION
def test_every_way_in_gives_the_same_request(operation: Operation) -> None:
    ids = {name: f"{name}_1-50%25" for name in operation.path_names}
    params = rich_params(operation)
    wanted = (operation.name, operation.object, ids, take_params(params))
    fingerprints = set()
    for way, message in EveryWayIn().messages(operation, ids, params):
        one = read_message(message, message_id="m", sent_at=NOW_S)
        assert isinstance(one, Envelope), way
        assert (one.operation, one.object, one.path, one.params) == wanted, way
        fingerprints.add(fingerprint_of(one, "local"))
    assert len(fingerprints) == 1


@EVERY_OPERATION
def test_the_check_accepts_every_field_that_a_body_can_have(operation: Operation) -> None:
    assert judge_params(operation.name, take_params(rich_params(operation))) == ACCEPTED
