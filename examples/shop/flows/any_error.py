"""An outcome that the shop has no rule for, such as a cancel that failed. A person looks at the log."""

from paydispatch import Flow, ParsedError


def run(parsed_error: ParsedError, flow: Flow) -> None:
    flow.log.error("%s of %s: %s", flow.operation, flow.context_id, parsed_error)
