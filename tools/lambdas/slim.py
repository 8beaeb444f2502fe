"""Removes from a function's libraries what our programs never use: models of other AWS services, symbols, dead parts.

`tests/integration/test_built_functions.py` runs the rest on every event, and finds every module that our code imports.
"""

from __future__ import annotations

import json
import shutil
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The services that the Lambdas call, and those from which botocore may fetch credentials.
AWS_SERVICES = frozenset({"kms", "lambda", "secretsmanager", "sqs", "sso", "sso-oidc", "sts"})

# Not needed at run time. METADATA stays, because Amazon Inspector finds vulnerable libraries by it.
_JUNK = ("bin", "tests", "test", ".lock", "py.typed", "RECORD", "WHEEL", "INSTALLER", "REQUESTED")
_JUNK_SUFFIXES = (".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h")

_FOR_BROWSERS = ("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",)

# Parts of libraries that none of our programs loads.
_UNUSED = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_j]*",  # all but jmespath_utils, which the logger loads
    "botocore/data/*/*/examples-1.json*",  # only for botocore's documentation
    "cffi",  # cryptography loads only its C part, _cffi_backend
    "dateutil/zoneinfo/*.tar.gz",  # botocore asks for no zone by its name
    "multidict/_testcapi*",
    "redis/asyncio/http",
    "redis/asyncio/multidb",
    "redis/commands/bf",
    "redis/commands/json",
    "redis/commands/search",
    "redis/commands/timeseries",
    "redis/commands/vectorset",
    "redis/http",
    "redis/multidb",
)


def slim(out: Path, *, whole: bool = False) -> None:
    """Remove all of it from the libraries in `out`. `whole` keeps every module, because flows may import any."""
    _remove_all(path for path in list(out.rglob("*")) if _is_junk(path))
    for pattern in _FOR_BROWSERS if whole else (*_FOR_BROWSERS, *_UNUSED):
        _remove_all(list(out.glob(pattern)))
    if not whole:
        _keep_services(out / "botocore" / "data")
    for library in out.rglob("*.so"):
        drop_symbols(library)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_junk(path: Path) -> bool:
    return path.name in _JUNK or path.suffix in _JUNK_SUFFIXES


def _remove_all(paths: Iterable[Path]) -> None:
    for path in paths:
        remove(path)


def _keep_services(data: Path) -> None:
    """Remove the models of all other services.

    botocore looks into each folder of its data when it makes its first client, and reads all of `endpoints.json`.
    """
    if not data.is_dir():
        return
    _remove_all(path for path in data.iterdir() if path.is_dir() and path.name not in AWS_SERVICES)
    endpoints = data / "endpoints.json"
    kept = services_of(json.loads(endpoints.read_text("utf-8")))
    _replace(endpoints, json.dumps(kept, separators=(",", ":")).encode())


def services_of(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Return botocore's `endpoints.json` without the services that the Lambdas never call."""
    return {**endpoints, "partitions": [_partition(each) for each in endpoints["partitions"]]}


def _partition(partition: dict[str, Any]) -> dict[str, Any]:
    services = partition["services"]
    kept = {name: services[name] for name in services if name in AWS_SERVICES}
    return {**partition, "services": kept}


_ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_ELF_HEADER_BYTES = 64


def drop_symbols(library: Path) -> None:
    """Cut the debug information off a shared library, as `strip` does, for any architecture.

    The loader reads only what the program headers name. The section headers and the tables behind that are for linkers
    and debuggers.
    """
    content = library.read_bytes()
    if not content.startswith(_ELF_64_LITTLE_ENDIAN):
        return
    header = bytearray(content[:_ELF_HEADER_BYTES])
    end = _end_of_segments(content)
    struct.pack_into("<Q", header, 40, 0)  # e_shoff: there are no section headers
    struct.pack_into("<HHH", header, 58, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    _replace(library, bytes(header) + content[_ELF_HEADER_BYTES:end])


def _end_of_segments(content: bytes) -> int:
    """Return the end of the last byte that a program header names."""
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    segments = [struct.unpack_from("<Q16xQ", content, table + n * size + 8) for n in range(count)]
    return max(
        _ELF_HEADER_BYTES, table + size * count, *(start + length for start, length in segments)
    )


def _replace(file: Path, content: bytes) -> None:
    """Write a new file, because uv hard-links a library's files to those of its cache."""
    mode = file.stat().st_mode
    file.unlink()
    file.write_bytes(content)
    file.chmod(mode)
