"""Each entry point loads only its own libraries, so that no Lambda pays for the imports of another.

Each test starts an entry point in a new process in which every other library is missing, as in the function's zip.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

AWS = {"botocore", "jmespath", "dateutil", "six", "urllib3"}
POWERTOOLS = {"aws_lambda_powertools", "typing_extensions", "botocore", "jmespath"}
"""Powertools adds its name to botocore's user agent, for which it loads the top of botocore alone."""
SEALING = {"cryptography", "_cffi_backend"}
AIOHTTP = {
    "aiohttp",
    "aiohappyeyeballs",
    "aiosignal",
    "attr",
    "frozenlist",
    "multidict",
    "propcache",
    "yarl",
    "idna",
}
REDIS = {"redis", "hiredis"}

LOADED = {
    "paydispatch": set(),
    "paydispatch.flow": set(),
    "paydispatch.sdk.builders": set(),
    "paydispatch.sdk.dispatcher": set(),
    "api.app": AWS | POWERTOOLS | SEALING | REDIS | {"jsonschema_rs"},
    "stripe_caller.app": AWS
    | POWERTOOLS
    | SEALING
    | AIOHTTP
    | REDIS
    | {"certifi", "jsonschema_rs"},
    "reconciler.app": AWS | POWERTOOLS | SEALING | AIOHTTP | REDIS | {"certifi"},
    "flow_runner.app": POWERTOOLS | REDIS | {"msgspec"},
    "operators.app": POWERTOOLS,  # each command loads its own
}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:1/dead",
    "PATH": os.environ["PATH"],
    "RECONCILE_FUNCTION": "reconciler",
    "REDIS_URL": "redis://127.0.0.1:1",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:1/queue",
    "SEALING_KEY_ID": "none",
}

IMPORTED = """
import importlib, json, socket, sys

allowed = set(json.loads(sys.argv[2])) | sys.stdlib_module_names
allowed |= {"paydispatch", "api", "stripe_caller", "reconciler", "flow_runner", "operators"}
allowed |= {"sitecustomize", "usercustomize"}

class OnlyAllowed:
    # Finds only the modules that are in the zip.

    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in allowed:
            return self._finder.find_spec(name, path, target)
        return None

def refuse(*_):
    raise AssertionError("the network was used while importing")

sys.meta_path[:] = map(OnlyAllowed, sys.meta_path)
socket.socket.connect = socket.getaddrinfo = refuse
before = set(sys.modules)
importlib.import_module(sys.argv[1])
loaded = set(sys.modules) - before
files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in loaded}
tops = {name.partition(".")[0] for name, file in files.items() if "site-packages" in file}
print(json.dumps(sorted(tops)))
"""


@pytest.mark.parametrize("entry_point", LOADED)
def test_an_entry_point_loads_its_own_libraries_and_no_other(entry_point: str) -> None:
    allowed = sorted(LOADED[entry_point])

    loaded = python(IMPORTED, entry_point, json.dumps(allowed))

    assert json.loads(loaded) == allowed


SPARED = {
    "api.app": {
        "aws_lambda_powertools.event_handler",
        "cffi",
        "multiprocessing",
    },
    "stripe_caller.app": {"aiohttp.web", "anyio", "cffi", "httpcore", "multiprocessing"},
    "reconciler.app": {"aiohttp.web", "anyio", "cffi", "httpcore", "multiprocessing"},
    "flow_runner.app": {"botocore.client", "botocore.session", "multiprocessing", "urllib3"},
    "operators.app": {"botocore.client", "botocore.session", "multiprocessing", "redis", "urllib3"},
}
"""Parts of libraries that an entry point has no use for, because they take long to load or are not in its zip."""


@pytest.mark.parametrize("entry_point", SPARED)
def test_an_entry_point_spares_the_heavy_parts(entry_point: str) -> None:
    program = f"import json, sys, {entry_point}; print(json.dumps(list(sys.modules)))"

    assert not SPARED[entry_point] & set(json.loads(python(program)))


def python(program: str, *arguments: str) -> str:
    """Run the program in a new process with a minimal environment, and return its output."""
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
