"""The rules of a submitted file: its lines, their identity, their faults, and how long they take."""
