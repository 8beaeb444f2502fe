"""The addresses of a running local stack."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URL of each part, and the id of the sealing key."""

    api: str
    aws_endpoint: str
    queue_url: str
    batch_queue_url: str
    dead_letter_queue_url: str
    look_queue_url: str
    exhausted_queue_url: str
    redis_url: str
    stripe_base: str
    sealing_key_id: str
    console: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the fields of the line that `paydispatch local --json` prints once every part answers."""
        return asdict(self)
