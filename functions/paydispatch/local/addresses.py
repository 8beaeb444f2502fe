"""Where the parts of a running local stack listen."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    api: str
    aws_endpoint: str
    queue_url: str
    batch_queue_url: str
    dead_letter_queue_url: str
    redis_url: str
    stripe_base: str
    sealing_key_id: str
    console: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The line `paydispatch local --json` prints when everything answers."""
        return asdict(self)
