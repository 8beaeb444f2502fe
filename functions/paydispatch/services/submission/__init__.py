"""Submit a file of requests: plan it, hand its lines over once, and follow them to their outcomes."""
