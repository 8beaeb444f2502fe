"""Free ports on loopback."""

import socket


def listen_on_loopback(port: int = 0) -> socket.socket:
    """Return a listening socket; 0 takes a free port. Raises `OSError` if the port is taken.

    A child that inherits it cannot lose the port to somebody else between choosing and binding.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=1024, reuse_port=False)
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def free_port() -> int:
    """A port that is free now, for programs that inherit no socket; they may still lose it."""
    with listen_on_loopback() as listener:
        return port_of(listener)
