"""The commands of an operator, as data: a name and arguments in JSON go in, and a document in JSON comes out."""
