"""The builders behind every `new_<object>()`: the same two classes for all objects.

Each create parameter of the object is a method that sets the parameter and returns the builder. The generated schemas
list the parameters. `paydispatch.sdk.builders` has the functions that users call.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self

from paydispatch.domain.errors import InvalidParams
from paydispatch.domain.parameters.check import parameter_names
from paydispatch.domain.parameters.messages import unknown
from paydispatch.domain.parameters.plain_values import take_param, take_params
from paydispatch.domain.stripe.resources import RESOURCES, create_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from paydispatch.domain.credentials import SecretRef
    from paydispatch.sdk.dispatcher import Dispatcher, Receipt
    from paydispatch.sdk.options import Options


class UnknownParameter(InvalidParams, AttributeError):
    """Stripe has no parameter of this name. It is an `AttributeError` too, so that `hasattr` works."""

    def __init__(self, operation: str, name: str) -> None:
        super().__init__((unknown((name,), sorted(parameter_names(operation))),))


class Parameters:
    """The parameters of one create, which are set one by one and checked together at the dispatch."""

    def __new__(cls, object_name: str, *_: object) -> Self:
        made: Any = cls
        with_methods: type[Self] = _with_methods(made, object_name)
        return object.__new__(with_methods)

    def __init__(self, object_name: str, params: Mapping[str, Any] | None = None) -> None:
        self.object_name = object_name
        """Stripe's name of the object: `payment_intent`."""
        self.operation_name = create_of(object_name)
        self._params = take_params(params or {})

    def params(self) -> dict[str, Any]:
        """Return a copy of the parameters in JSON values. A change to it does not change the builder."""
        params: dict[str, Any] = take_params(self._params)
        return params

    if not TYPE_CHECKING:  # so that a type checker knows only the parameters of `builders.pyi`

        def __getattr__(self, name: str) -> Callable[[Any], Self]:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise UnknownParameter(self.operation_name, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _copy_of, (type(self).__base__, self.object_name), vars(self)

    def __repr__(self) -> str:
        return f"<{self.object_name}: {', '.join(self._params) or 'nothing set'}>"


@cache
def _with_methods(cls: Any, object_name: str) -> Any:
    """Return a class with a method for each parameter of the object.

    Python finds a method of a class five times as fast as it calls `__getattr__`, which must fail to find one first.
    """
    names = sorted(parameter_names(create_of(object_name)))
    return type(cls.__name__, (cls,), {name: _setter(name) for name in names})


def _setter(name: str) -> Callable[[Parameters, Any], Parameters]:
    def set_parameter(self: Parameters, value: Any, /) -> Parameters:
        self._params[name] = take_param(name, value)
        return self

    set_parameter.__name__ = set_parameter.__qualname__ = name
    return set_parameter


def _copy_of(cls: type[Parameters], object_name: str) -> Parameters:
    """Return an empty object for `copy` and `pickle`, which find no class that `_with_methods` makes."""
    return cls.__new__(cls, object_name)


class Builder(Parameters):
    """The builder that `new_<object>()` returns."""

    def create_async(
        self,
        worker_id: str,
        context_id: str,
        stripe_secret: str | SecretRef,
        *,
        dispatcher: Dispatcher | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """Hand the request to the running Dispatcher and return its receipt, without any I/O.

        The outcome runs a flow in the worker `worker_id`. Raises `InvalidParams`, `InvalidField`,
        `BufferFull`, and `NoDispatcher` when none is passed and `Dispatcher.current()` finds none.
        """
        from paydispatch.sdk.dispatcher import Dispatcher

        return (dispatcher or Dispatcher.current()).submit(
            self.operation_name,
            self._params,
            worker_id,
            context_id,
            stripe_secret,
            **options,
        )


class Submit(Protocol):
    """The function that dispatches the requests of a flow. It knows worker, context and key."""

    def __call__(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        path: Mapping[str, str] | None = None,
        **options: Unpack[Options],
    ) -> Receipt: ...


class BoundBuilder(Parameters):
    """The builder in a flow, bound to the flow's worker, context and key."""

    def __init__(self, object_name: str, submit: Submit) -> None:
        super().__init__(object_name)
        self._submit = submit

    def create_async(self, **options: Unpack[Options]) -> Receipt:
        """Dispatch the next create of this conversation. Raises as `Builder.create_async` does."""
        return self._submit(self.operation_name, self._params, **options)


def builder_of(object_name: str, obj: Builder | Mapping[str, Any]) -> Builder:
    """Return `obj` if it is a builder, else a builder of these parameters.

    Raises `TypeError` for a builder of another object.
    """
    builder = obj if isinstance(obj, Builder) else Builder(object_name, obj)
    if builder.object_name != object_name:
        raise TypeError(
            f"obj must be a builder of a {object_name}, and is one of a {builder.object_name}."
        )
    return builder


def no_such_builder(name: str) -> AttributeError:
    """Return the error for a `new_<object>` that does not exist. It lists those that do."""
    names = ", ".join(f"new_{row.identifier}" for row in RESOURCES)
    return AttributeError(f"There is no {name!r}. There are: {names}.")
