"""Checks of the host, of cross-site requests (CSRF) and of the body's length, and the security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from werkzeug.exceptions import BadHost
from werkzeug.sansio.utils import host_is_trusted

if TYPE_CHECKING:
    from ..settings import Settings

# Load balancers check health by the task's IP address, which is not a name of the site.
ANY_HOST = frozenset({"health.alive", "health.ready"})
UNKNOWN_HOST = "This site does not answer to that host name. Its operator can add it to ALLOWED_HOSTS."
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STRICT_TRANSPORT_SECURITY = "max-age=31536000"


def init_app(app: Flask, settings: Settings) -> None:
    """Register the checks and the headers."""
    own_names = {_hostname(host) for host in settings.allowed_hosts}
    # The hosts below the site's may be others', who have no HTTPS.
    strict_transport = STRICT_TRANSPORT_SECURITY + ("; includeSubDomains" if settings.hsts_subdomains else "")

    def refuse_unknown_hosts() -> Response | None:
        if isinstance(request.routing_exception, BadHost):
            # Such as a..b, for which the links of an error page cannot be made.
            return Response(f"{UNKNOWN_HOST}\n", 400, mimetype="text/plain")
        well_formed = host_is_trusted(request.host)
        if request.endpoint not in ANY_HOST and not (well_formed and _hostname(request.host) in own_names):
            abort(400, UNKNOWN_HOST)
        return None

    def refuse_other_sites_forms() -> None:
        """Refuse a request that another site makes a browser send (CSRF), by headers that no page can set.

        Programs send neither header. See the Fetch Metadata and Fetch standards for Sec-Fetch-Site and Origin.
        """
        if request.method in SAFE_METHODS:
            return
        fetched_from = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if fetched_from is not None:
            own = fetched_from in ("same-origin", "none")
        else:
            own = origin in (None, settings.site_url, f"{request.scheme}://{request.host}")
        if not own:
            abort(403, "This form was sent from another site.")

    def add_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if settings.https:
            response.headers["Strict-Transport-Security"] = strict_transport
        return response

    def refuse_unmeasured_bodies() -> None:
        """Refuse a body of unknown length, which cannot be held to the limit before it is read."""
        if request.headers.get("Transfer-Encoding"):
            abort(411)

    app.before_request(refuse_unknown_hosts)
    app.before_request(refuse_unmeasured_bodies)
    app.before_request(refuse_other_sites_forms)
    app.after_request(add_headers)


def _hostname(host: str) -> str | None:
    return urlsplit(f"//{host}").hostname
