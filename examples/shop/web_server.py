"""gunicorn for the shop: two forked processes. Each runs the lifespan, so each has a Dispatcher of its own."""

wsgi_app = "shop.app:app"
worker_class = "asgi"
workers = 2
