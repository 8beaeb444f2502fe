"""Reads every call that the official `stripe` library can make, without importing it.

A service class of the library has the calls of one kind of object. Each method has the HTTP method and the path as
literals, and an annotation that names the type of its parameters.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = "stripe._v1_services"


@dataclass(frozen=True)
class Call:
    """One call of the library."""

    object: str
    """The path in the library's client, in the singular: `billing_portal_session`, `customer_balance_transaction`."""

    name: str
    """The method of the service: `create`, `finalize_invoice`."""

    method: str
    """`GET`, `POST` or `DELETE`."""

    path: str
    """The path template: `/v1/payment_intents/{intent}/capture`."""

    host: str
    """The host that answers it: `api`, or `files` for an upload."""

    params: tuple[str, str]
    """The module and the class of the parameters. Both are empty for a call without parameters."""

    answer: str
    """The annotation of the answer: `PaymentIntent`, `ListObject[PaymentIntent]`."""


def library_calls(sources: Path) -> list[Call]:
    """Return the calls of the library's client, in the order of the client."""
    services = _subservices(_module(sources, ROOT))
    return [call for module, name in services for call in _calls(sources, module, name)]


def _calls(sources: Path, module: str, name: str) -> Iterator[Call]:
    """Yield the calls of a service, and then those of the services inside it."""
    tree = _module(sources, module)
    imported = _imports(tree)
    for function in _methods(tree, name):
        yield from _call(_object(module, name), function, imported)
    for inner_module, inner_name in _subservices(tree):
        yield from _calls(sources, inner_module, inner_name)


def _module(sources: Path, module: str) -> ast.Module:
    path = sources / (module.replace(".", "/") + ".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _subservices(tree: ast.Module) -> list[tuple[str, str]]:
    """Return the module and the class of each service that a service gives access to."""
    return [
        (module, name)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_subservices"
        for module, name in ast.literal_eval(node.value).values()
    ]


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return the module of each imported name, by the name."""
    return {
        name.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


def _methods(tree: ast.Module, name: str) -> list[ast.FunctionDef]:
    """Return the methods of a service. Each has a twin for asynchronous code, which is left out."""
    (service,) = [node for node in tree.body if isinstance(node, ast.ClassDef) if node.name == name]
    return [node for node in service.body if isinstance(node, ast.FunctionDef)]


def _object(module: str, name: str) -> str:
    """Return the object of a service: `BillingPortal.SessionService` is of `billing_portal_session`."""
    namespaces = module.split(".")[1:-1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removesuffix("Service")).lower()
    return "_".join([*namespaces, words])


def _call(object_name: str, function: ast.FunctionDef, imported: dict[str, str]) -> Iterator[Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._request":
            method, path = (_literal(argument) for argument in node.args[:2])
            hosts = {word.arg: _literal(word.value) for word in node.keywords if _is_text(word)}
            name = _params_class(function)
            yield Call(
                object=object_name,
                name=function.name,
                method=method.upper(),
                path=path,
                host=hosts["base_address"],
                params=(imported[name], name) if name else ("", ""),
                answer=_unquoted(function.returns),
            )


def _literal(node: ast.expr) -> str:
    """Return a text literal, or the template of a call of its `format`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return str(ast.literal_eval(node))


def _is_text(keyword: ast.keyword) -> bool:
    return isinstance(keyword.value, ast.Constant)


def _params_class(function: ast.FunctionDef) -> str:
    for argument in function.args.args:
        if argument.arg == "params":
            return _unquoted(argument.annotation).removeprefix("Optional[").removesuffix("]")
    return ""


def _unquoted(annotation: ast.expr | None) -> str:
    return ast.unparse(annotation).replace("'", "") if annotation else ""
