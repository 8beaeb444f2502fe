"""A subscription is there: the end of the conversation product → price → subscription."""


def run(parsed_data, flow):
    flow.log.info(
        "subscription %s of %s is %s",
        parsed_data["id"],
        parsed_data["customer"],
        parsed_data["status"],
    )
