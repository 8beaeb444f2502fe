"""Compose the console: its page, the operator's commands behind it, and on a local stack the trials."""
