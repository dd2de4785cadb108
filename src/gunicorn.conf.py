"""Gunicorn's configuration, which follows from the settings in colophon/settings.py."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial

from gunicorn import glogging
from gunicorn.arbiter import Arbiter
from gunicorn.http import message
from gunicorn.workers.base import Worker

from colophon import settings
from colophon.web import request_log as logs
from colophon.web import state
from colophon.web.warmup import warm_up
from colophon.web.worker import PatientWorker

site = settings.load()


class Logger(glogging.Logger):  # type: ignore[misc]  # Gunicorn has no types
    """Gunicorn's log without lines of requests, which the site writes itself: making one takes 30 µs."""

    access_log_enabled = False


bind = site.bind
wsgi_app = "colophon:create_app()"
worker_class = PatientWorker
workers = site.web_concurrency
threads = site.web_threads
preload_app = True
control_socket_disable = True
# Threads of one process take turns at Python's lock: on two cores each turn wakes a thread on the other, ten times a
# request, and a core serves a third of the pages. So where there is a worker for each core, it stays on its own.
cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
if len(cores) > workers:
    cores = []
# Workers touch a file as their heartbeat. In memory, it neither waits for a disk nor needs a writable one
# (https://gunicorn.org/faq, "blocking in os.fchmod").
shared_memory = "/dev/shm"  # noqa: S108 -- gunicorn chooses the file's name
worker_tmp_dir = shared_memory if os.access(shared_memory, os.W_OK) else None
# Longer than a load balancer keeps an idle connection (60 s for an ALB), so that it never sends into a closed one.
keepalive = 75
# Below the 30 s after which ECS kills a task, above the time that a request has to arrive.
graceful_timeout = 25
# The site itself trusts proxies, by settings.trusted_proxies.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
logger_class = Logger
logconfig_dict = logs.config(site)
# Gunicorn's own limit, half of this, would refuse a long search without the site's error page.
limit_request_line = message.MAX_REQUEST_LINE = 16_384


def told_to_stop(server: Arbiter) -> bool:
    """Return True if a signal to stop is in the queue of the master, or in a new worker's copy of it."""
    while not server.SIG_QUEUE.empty():
        if server.SIG_QUEUE.get() in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            return True
    return False


def when_ready(server: Arbiter) -> None:
    """Warm up, and log the address of the site. Until then, its visitors wait in the backlog."""
    warm_up(server.app.wsgi())
    if told_to_stop(server):
        sys.exit()
    server.log.info("Colophon is at %s (Ctrl-C ends it)", site.site_url)


def pre_fork(server: Arbiter, worker: Worker) -> None:
    """Choose the worker's core: the one that the fewest others have."""
    taken = [other.core for other in server.WORKERS.values()]
    worker.core = min(cores, key=taken.count, default=None)


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Stay on the core, and keep the queue that signals go to until the worker has handlers of its own."""
    if worker.core is not None:
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setaffinity(0, {worker.core})
    worker.told_to_stop = partial(told_to_stop, server)


def post_worker_init(worker: Worker) -> None:
    """End the worker if it was told to stop while it started, as the signal is not sent again."""
    if worker.told_to_stop():
        sys.exit()


def worker_exit(_server: Arbiter, worker: Worker) -> None:
    """Close the database connections. Objects from before the fork are frozen, so nothing else closes them."""
    state.of(worker.app.wsgi()).engine.dispose()
