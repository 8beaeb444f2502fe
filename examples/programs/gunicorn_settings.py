"""gunicorn for the Flask application: it is loaded once, then forked."""

from paydispatch import Dispatcher, NotDelivered

wsgi_app = "flask_app:create_app()"
preload_app = True
workers = 2


def worker_exit(server, _):
    """Send what is left before the worker ends. gunicorn kills it after `graceful_timeout`, 30 s by default."""
    try:
        Dispatcher.current().close(timeout_s=20)
    except NotDelivered as left:
        server.log.error("%s", left)
