"""What happens to an object after its create, where that is more than a change of fields. A file for each object."""
