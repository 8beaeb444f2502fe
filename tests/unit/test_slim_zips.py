"""`tools/lambdas/slim.py` removes parts of libraries from a zip, and leaves the rest as it was."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import _cffi_backend
import botocore
from botocore.regions import EndpointResolver
from slim import AWS_SERVICES, drop_symbols, services_of, slim

_ENDPOINTS = Path(botocore.__file__).parent / "data" / "endpoints.json"
_LIBRARY = Path(_cffi_backend.__file__)


def test_the_services_in_use_have_the_same_endpoints_in_every_region() -> None:
    whole = json.loads(_ENDPOINTS.read_text("utf-8"))

    cut = services_of(whole)

    assert _endpoints(cut) == _endpoints(whole)
    assert len(json.dumps(cut)) < len(json.dumps(whole)) / 5


def _endpoints(data: dict[str, object]) -> dict[tuple[str, str], object]:
    resolver = EndpointResolver(data)
    partitions = resolver.get_available_partitions()
    regions = [
        region
        for partition in partitions
        for region in resolver.get_available_endpoints("sqs", partition, allow_non_regional=True)
    ]
    assert len(regions) > 30
    return {
        (service, region): resolver.construct_endpoint(service, region)
        for service in AWS_SERVICES
        for region in [*regions, "mars-north-1"]
    }


def test_a_library_without_symbols_still_loads(tmp_path: Path) -> None:
    copy = tmp_path / _LIBRARY.name
    shutil.copy(_LIBRARY, copy)
    program = "import sys; sys.path.insert(0, sys.argv[1]); import _cffi_backend; print(_cffi_backend.__file__)"

    drop_symbols(copy)

    loaded = subprocess.run(
        [sys.executable, "-S", "-c", program, tmp_path], check=True, text=True, capture_output=True
    )
    assert loaded.stdout.strip() == str(copy)
    assert copy.stat().st_size < _LIBRARY.stat().st_size
    assert struct.unpack_from("<Q", copy.read_bytes(), 40) == (0,)  # no section headers


def test_a_file_that_is_no_library_of_linux_stays_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    other.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(100))

    drop_symbols(other)

    assert other.read_bytes() == b"\xcf\xfa\xed\xfe" + bytes(100)


def test_a_file_of_uv_s_cache_is_replaced_and_not_changed(tmp_path: Path) -> None:
    cached, out = tmp_path / _LIBRARY.name, tmp_path / "out"
    out.mkdir()
    shutil.copy(_LIBRARY, cached)
    (out / cached.name).hardlink_to(cached)

    slim(out)

    assert cached.read_bytes() == _LIBRARY.read_bytes()
    assert (out / cached.name).stat().st_size < cached.stat().st_size
