"""Generates `operations.pyi`, the types of `paydispatch.operations` and of the same functions in a flow.

The parameters of an operation have the type of the official library, where the library knows the operation. No module
imports that type at run time, so that the SDK works without the library.
"""

from collections.abc import Iterable
from keyword import iskeyword

from naming import pascal
from operation_table import Sources
from typing_files import NOTE

from paydispatch.domain.stripe.operations import Operation, operation_named

HEAD = f'''"""The types of `operations.py`. {NOTE}

The parameters have the types of Stripe's library where it is installed and knows the operation.
"""

# fmt: off
# ruff: noqa: A002, E501, I001, PYI021
from typing import Unpack
'''

IMPORTS = """
from paydispatch.sdk.operation_calls import BoundOperationCall, OperationCall
"""

BOUND = """class _BoundOperations:
    \"\"\"The functions of a flow, which knows its worker, its context and its key.\"\"\"
"""


def operations_stub(writes: Iterable[Sources]) -> str:
    """Return the text of `operations.pyi`."""
    known = [(operation_named(write.name), write) for write in writes]
    imports = sorted(_import(write) for _, write in known if _is_typed(write))
    functions = [_function(operation, write) for operation, write in known]
    methods = [_method(operation, write) for operation, write in known]
    head = HEAD + "\n" + "\n".join(imports) + "\n" + IMPORTS
    return "\n".join([head, *functions, "", BOUND + "\n".join(methods)]) + "\n"


def _is_typed(write: Sources) -> bool:
    return write.typed is not None and bool(write.typed.params[1])


def _import(write: Sources) -> str:
    module, name = write.typed.params if write.typed else ("", "")
    return f"from {module} import {name} as {_alias(write)}"


def _alias(write: Sources) -> str:
    return f"_{pascal(write.name)}"


def _function(operation: Operation, write: Sources) -> str:
    arguments = ", ".join([*_ids(operation), _params(write)])
    docstring = f'"""`{operation.method} {operation.path}`."""'
    return f"def {operation.name}({arguments}) -> OperationCall:\n    {docstring}"


def _method(operation: Operation, write: Sources) -> str:
    arguments = ", ".join(["self", *(_ids(operation) or ["/"]), _params(write)])
    return f"    def {operation.name}({arguments}) -> BoundOperationCall: ..."


def _ids(operation: Operation) -> list[str]:
    """Return the arguments for the ids. They are positional, so that a parameter may have the name of one."""
    ids = [f"{name}_" if iskeyword(name) else name for name in operation.path_names]
    return [*(f"{name}: str" for name in ids), "/"] if ids else []


def _params(write: Sources) -> str:
    return f"**params: Unpack[{_alias(write)}]" if _is_typed(write) else "**params: object"
