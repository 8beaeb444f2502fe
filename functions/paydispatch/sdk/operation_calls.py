"""The functions behind `paydispatch.operations`: one per row of the table of operations, made when it is asked for."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.stripe.operation_fields import check_path
from paydispatch.domain.stripe.operations import all_operations, operation_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from paydispatch.domain.credentials import SecretRef
    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.sdk.builder import Submit
    from paydispatch.sdk.dispatcher import Dispatcher, Receipt
    from paydispatch.sdk.options import Options


_F = TypeVar("_F", bound="Callable[..., Any]")


class Prepared:
    """One operation with the ids of its path and its parameters."""

    def __init__(
        self, operation: Operation, ids: tuple[str, ...], params: Mapping[str, Any]
    ) -> None:
        """Raises `TypeError` for a wrong number of ids, and `InvalidField` for a wrong id."""
        self.operation = operation.name
        """The name of the operation: `capture_payment_intent`."""
        self.path: dict[str, str] = _path(operation, ids)
        """The ids in Stripe's path, by name."""
        self._params = take_params(params)

    def params(self) -> dict[str, Any]:
        """Return a copy of the parameters in JSON values."""
        params: dict[str, Any] = take_params(self._params)
        return params

    def __repr__(self) -> str:
        return f"<{self.operation} {self.path}: {', '.join(self._params) or 'nothing set'}>"


class OperationCall(Prepared):
    """The object that a function of `paydispatch.operations` returns."""

    def call_async(
        self,
        worker_id: str,
        context_id: str,
        stripe_secret: str | SecretRef,
        *,
        dispatcher: Dispatcher | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """Hand the request to the running Dispatcher and return its receipt, without any I/O.

        The outcome runs a flow in the worker `worker_id`. Raises as `Builder.create_async` does.
        """
        from paydispatch.sdk.dispatcher import Dispatcher

        return (dispatcher or Dispatcher.current()).submit(
            self.operation,
            self._params,
            worker_id,
            context_id,
            stripe_secret,
            path=self.path,
            **options,
        )


class BoundOperationCall(Prepared):
    """An operation in a flow, bound to the flow's worker, context and key."""

    def __init__(
        self,
        operation: Operation,
        ids: tuple[str, ...],
        params: Mapping[str, Any],
        submit: Submit,
    ) -> None:
        super().__init__(operation, ids, params)
        self._submit = submit

    def call_async(self, **options: Unpack[Options]) -> Receipt:
        """Dispatch the next operation of this conversation. Raises as `OperationCall.call_async` does."""
        return self._submit(self.operation, self._params, path=self.path, **options)


@cache
def operation_function(name: str) -> Callable[..., OperationCall]:
    """Return the function of an operation. It takes the ids of the path, and the parameters as keywords.

    Raises `AttributeError`, which suggests names that are close.
    """
    operation = _operation(name)

    def function(*ids: str, **params: Any) -> OperationCall:
        return OperationCall(operation, ids, params)

    return _as_operation(function, operation)


def bound_function(name: str, submit: Submit) -> Callable[..., BoundOperationCall]:
    """Return the same function for a flow, which dispatches with `submit`. Raises as `operation_function` does."""
    operation = _operation(name)

    def function(*ids: str, **params: Any) -> BoundOperationCall:
        return BoundOperationCall(operation, ids, params, submit)

    return _as_operation(function, operation)


def operation_names() -> list[str]:
    """Return the names of all operations."""
    return [operation.name for operation in all_operations()]


def _operation(name: str) -> Operation:
    if name.startswith("_"):
        raise AttributeError(f"There is no {name!r}.")
    try:
        return operation_named(name)
    except UnknownOperation:
        close = get_close_matches(name[:64], operation_names(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise AttributeError(
            f"There is no operation {name!r}.{hint} dir(paydispatch.operations) lists all of them."
        ) from None


def _as_operation(function: _F, operation: Operation) -> _F:
    """Give the function the name, the signature and the docstring of its operation."""
    ids = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in operation.path_names
    ]
    params = inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD)
    function.__module__ = "paydispatch.operations"
    function.__name__ = function.__qualname__ = operation.name
    function.__doc__ = (
        f"Ask for `{operation.method} {operation.path}` of Stripe. `call_async` dispatches it."
    )
    function.__signature__ = inspect.Signature([*ids, params])  # type: ignore[attr-defined]
    return function


def _path(operation: Operation, ids: tuple[str, ...]) -> dict[str, str]:
    names = operation.path_names
    if len(ids) != len(names):
        takes = f"the ids {', '.join(names)}" if names else "no ids"
        raise TypeError(
            f"{operation.name}() takes {takes} before its parameters, and got {len(ids)} positional arguments. "
            "Parameters are keywords."
        )
    path: dict[str, str] = take_params(dict(zip(names, ids, strict=True)))
    check_path(operation, path)
    return path
