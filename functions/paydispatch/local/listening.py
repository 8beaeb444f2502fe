"""Opens listening sockets and finds free ports on loopback."""

import socket


def listen_on_loopback(port: int = 0) -> socket.socket:
    """Return a listening socket. Port 0 picks a free port. Raises `OSError` if the port is in use.

    A child that inherits the socket keeps the port. No other program can take it before the child binds it.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=1024, reuse_port=False)
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def free_port() -> int:
    """Return a free port for a program that cannot inherit a socket. Another program may still take the port."""
    with listen_on_loopback() as listener:
        return port_of(listener)
