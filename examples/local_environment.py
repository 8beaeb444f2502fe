"""Turn the output of `paydispatch local --json` into the environment variables of a program that uses the stack.

    paydispatch local --json > stack.json &
    eval "$(python examples/local_environment.py < stack.json)"

With a deployed stack the same variables come from its outputs. Set the AWS variables as you always do.
"""

from __future__ import annotations

import json
import os
import shlex
import sys

_FROM_STACK = {
    "REQUEST_QUEUE_URL": "queue_url",
    "BATCH_QUEUE_URL": "batch_queue_url",
    "DEAD_LETTER_QUEUE_URL": "dead_letter_queue_url",
    "SEALING_KEY_ID": "sealing_key_id",
    "REDIS_URL": "redis_url",
    "STRIPE_API_BASE": "stripe_base",
    "AWS_ENDPOINT_URL": "aws_endpoint",
    "PAYDISPATCH_API": "api",
}

_LOCAL_AWS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def main() -> None:
    stack = json.load(sys.stdin)
    variables = {name: stack[field] for name, field in _FROM_STACK.items()} | _LOCAL_AWS
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
