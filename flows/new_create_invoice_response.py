"""An invoice is there. What should follow it goes here: `flow` can dispatch the next create."""


def run(parsed_data, flow):
    flow.log.info("invoice %s is there", parsed_data["id"])
    flow.log.info("next: nothing, %s ends here", flow.context_id)
