"""The context a local handler gets."""

from paydispatch.local.lambdas.lambda_context import LambdaContext


def test_the_remaining_time_counts_down_from_the_timeout() -> None:
    context = LambdaContext("caller", timeout_s=10)
    first = context.get_remaining_time_in_millis()
    while context.get_remaining_time_in_millis() == first:
        pass
    assert first <= 10_000
    assert context.get_remaining_time_in_millis() < first


def test_the_remaining_time_is_never_negative() -> None:
    assert LambdaContext("caller", timeout_s=-1).get_remaining_time_in_millis() == 0


def test_each_invocation_has_a_request_id_of_its_own() -> None:
    assert LambdaContext("f", 1).aws_request_id != LambdaContext("f", 1).aws_request_id


def test_the_arn_names_the_function() -> None:
    assert LambdaContext("caller", 1).invoked_function_arn.endswith(":function:caller")
