"""The server's configuration. What can be set stands in colophon/settings.py; this says what follows from it."""

from gunicorn.arbiter import Arbiter
from gunicorn.http import message

from colophon import logging as logs
from colophon import settings

site = settings.load()

bind = f"[{site.host}]:{site.port}" if ":" in site.host else f"{site.host}:{site.port}"
wsgi_app = "colophon:create_app()"
# Threads, so that a few slow visitors do not keep the health check waiting.
worker_class = "gthread"
workers = site.web_concurrency
threads = site.web_threads
preload_app = True
control_socket_disable = True
logconfig_dict = logs.config(site)
# Gunicorn's own ceiling, half of this, would answer a long search without the site's error page.
limit_request_line = message.MAX_REQUEST_LINE = 16_384


def when_ready(server: Arbiter) -> None:
    """Say where the site is, once it answers there."""
    server.log.info("Colophon is at %s (Ctrl-C ends it)", site.site_url)
