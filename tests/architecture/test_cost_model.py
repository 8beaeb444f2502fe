"""The cost model has the memory and the batch sizes of template.yaml."""

from stack_template import load

from paydispatch.domain.cost.model import API_MB, CALLER_MB, LANE_COSTS, RUNNER_MB
from paydispatch.domain.requests import Lane

RESOURCES = load().resources


def test_the_model_has_the_memory_of_each_function() -> None:
    functions = ("StripeCallerFunction", "FlowRunnerFunction", "ApiFunction")
    memory = [RESOURCES[name]["Properties"]["MemorySize"] for name in functions]
    assert memory == [CALLER_MB, RUNNER_MB, API_MB]


def test_the_batch_lane_of_the_model_has_the_batch_size_of_its_mapping() -> None:
    size = RESOURCES["BatchLane"]["Properties"]["BatchSize"]
    assert size == LANE_COSTS[Lane.BATCH].per_invocation
