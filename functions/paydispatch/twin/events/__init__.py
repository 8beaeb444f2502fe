"""The events of the twin: which ones a write causes, their list, and the webhooks that receive them."""
