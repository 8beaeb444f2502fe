"""The environment of an operator: every service is unreachable, and no region is set."""

from __future__ import annotations

import os

AWAY = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:1/dead",
    "PATH": os.environ["PATH"],
    "REDIS_URL": "redis://127.0.0.1:1",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:1/queue",
    "SEALING_KEY_ID": "none",
}
