"""Reads the outputs of a deployed stack that name variables, and the secret with the URL of its Redis."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from paydispatch.domain.errors import BadSetting, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_secretsmanager import SecretsManagerClient

REDIS_URL_SECRET = "RedisUrlSecret"  # noqa: S105 - the name of an output # nosec B105
OPERATOR_FUNCTION = "OperatorFunctionName"
_VARIABLE = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:,.*)?")


class StackOutputs:
    """The outputs of one stack in CloudFormation."""

    def __init__(self, cloudformation: Any, secrets: SecretsManagerClient) -> None:
        self._cloudformation = cloudformation
        self._secrets = secrets

    def variables(self, stack: str) -> dict[str, str]:
        """Return the variables that the descriptions of the outputs name. Raises `BadSetting` and `Unavailable`."""
        return {
            named[1]: output["OutputValue"]
            for output in self._outputs(stack)
            if (named := _VARIABLE.fullmatch(output.get("Description", "")))
        }

    def redis_url(self, stack: str) -> str:
        """Return the REDIS_URL of an operator, with its password. Raises `BadSetting` and `Unavailable`."""
        secret = self._named(stack, REDIS_URL_SECRET)
        with _unavailable_for_errors():
            found = self._secrets.get_secret_value(SecretId=secret)
        return str(found["SecretString"])

    def operator_function(self, stack: str) -> str:
        """Return the ARN of the function that runs an operator's commands. Raises `BadSetting` and `Unavailable`."""
        return self._named(stack, OPERATOR_FUNCTION)

    def _named(self, stack: str, output: str) -> str:
        named = {each["OutputKey"]: each["OutputValue"] for each in self._outputs(stack)}
        if output not in named:
            raise BadSetting(
                f"The stack {stack!r} has no output {output}. Deploy this version of it first."
            )
        return named[output]

    def _outputs(self, stack: str) -> list[dict[str, str]]:
        with _unavailable_for_errors():
            try:
                (found,) = self._cloudformation.describe_stacks(StackName=stack)["Stacks"]
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
                region = self._cloudformation.meta.region_name
                raise BadSetting(
                    f"--stack must name a stack in {region}, but there is no {stack!r}."
                ) from None
        return list(found.get("Outputs", ()))


@contextmanager
def _unavailable_for_errors() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(f"AWS: {error}") from error
