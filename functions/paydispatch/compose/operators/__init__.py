"""Compose the commands of an operator: `ports` for every place, and `function` for the Lambda."""
