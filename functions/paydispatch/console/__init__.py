"""The web page of operators: what waits and why, the path of each request, and the commands that help."""
