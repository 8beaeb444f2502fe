"""The check of a project's flows before they run. Pure: names and source texts in, faults out."""
