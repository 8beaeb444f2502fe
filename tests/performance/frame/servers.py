"""The servers that the programs of a benchmark share: one embedded Valkey, and the stub of SQS, KMS and Stripe."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import environment_without_aws
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

STUB = Path(__file__).parent / "stub.py"
START_WITHIN_S = 60.0
STRIPE_MS = 300


@contextmanager
def shared_servers() -> Iterator[dict[str, str]]:
    """Start the servers. Yield the environment of the programs."""
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    supervisor = Supervisor(directory, tell=print)
    stub = subprocess.Popen(
        (sys.executable, str(STUB), "--stripe-ms", str(STRIPE_MS)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        valkey = Valkey(supervisor, directory, durable=False)
        valkey.launch()
        valkey.await_ready(START_WITHIN_S)
        assert stub.stdout is not None
        url = f"http://127.0.0.1:{stub.stdout.readline().strip()}"
        yield {
            **environment_without_aws(),
            "BENCH_REDIS_URL": valkey.url,
            "BENCH_AWS_URL": url,
            "BENCH_STRIPE_URL": url,
        }
    finally:
        stub.terminate()
        stub.communicate()
        supervisor.close()
        shutil.rmtree(directory, ignore_errors=True)
