"""The entry point of a web server. `manage.py migrate` and its like do not import it, so they start no Dispatcher."""

import os

from django.core.wsgi import get_wsgi_application

from paydispatch import Dispatcher

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_shop.settings")
application = get_wsgi_application()
Dispatcher.from_env(delivery_timeout_s=20).start()
