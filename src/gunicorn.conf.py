"""The server's configuration. What can be set stands in colophon/settings.py; this says what follows from it."""

import os
import signal
import sys
from functools import partial

from gunicorn.arbiter import Arbiter
from gunicorn.http import message
from gunicorn.workers.base import Worker

from colophon import settings
from colophon.web import request_log as logs
from colophon.web import state
from colophon.web.warmup import warm_up
from colophon.web.worker import PatientWorker

site = settings.load()

bind = f"[{site.host}]:{site.port}" if ":" in site.host else f"{site.host}:{site.port}"
wsgi_app = "colophon:create_app()"
worker_class = PatientWorker
workers = site.web_concurrency
threads = site.web_threads
preload_app = True
control_socket_disable = True
# Workers show that they live by a file's time. In memory it waits for no disk, and needs none that can be written to
# (https://gunicorn.org/faq, "blocking in os.fchmod").
shared_memory = "/dev/shm"  # noqa: S108 -- gunicorn makes up the file's name
worker_tmp_dir = shared_memory if os.access(shared_memory, os.W_OK) else None
# Longer than a load balancer keeps an idle connection (60 s for an ALB), so that it never sends into a closed one.
keepalive = 75
# Below the 30 s after which ECS kills a task, above the time that a request has to arrive.
graceful_timeout = 25
# Which proxies to believe is settings.trusted_proxies, and the site's own business.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
logconfig_dict = logs.config(site)
# Gunicorn's own ceiling, half of this, would answer a long search without the site's error page.
limit_request_line = message.MAX_REQUEST_LINE = 16_384


def told_to_stop(server: Arbiter) -> bool:
    """Whether a signal to stop waits in the master's queue, or in the copy that a worker is born with."""
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            return True
    return False


def when_ready(server: Arbiter) -> None:
    """Say where the site is, once it answers there. Until then its visitors wait at the door."""
    warm_up(server.app.wsgi())
    if told_to_stop(server):
        sys.exit()
    server.log.info("Colophon is at %s (Ctrl-C ends it)", site.site_url)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Remember where signals go to until the worker has handlers of its own."""
    worker.told_to_stop = partial(told_to_stop, server)


def post_worker_init(worker: Worker) -> None:
    """End the worker if it was told to while it started: it is not told again, but killed in the end."""
    if worker.told_to_stop():
        sys.exit()


def worker_exit(_server: Arbiter, worker: Worker) -> None:
    """Close the database. What was made before the fork is no garbage to a worker, so nothing else would."""
    state.of(worker.app.wsgi()).engine.dispose()
