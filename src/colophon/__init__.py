"""Colophon: a book catalogue whose every release says how it was built, tested and shipped."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import api, pages
from . import settings as settings_module
from .release import passport
from .release.passport import Passport
from .settings import Settings
from .web import compression, errors, health, kept, request_log, security, state, templating, well_known


def create_app(settings: Settings | None = None, release: Passport | None = None) -> Flask:
    """Create the Flask app, by default with the settings of the environment and the passport of this copy.

    Raises SettingsError for a wrong setting, PassportError for a damaged release.json.
    """
    settings = settings or settings_module.load()
    release = release or passport.current()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes

    state.init_app(app, settings, release)
    templating.init_app(app)
    kept.init_app(app)
    security.init_app(app, settings)
    compression.init_app(app)
    errors.init_app(app)

    app.register_blueprint(pages.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(api.documentation.blueprint)
    app.register_blueprint(well_known.blueprint)
    app.register_blueprint(health.blueprint)

    served = templating.static_files(app.wsgi_app)
    if settings.trusted_proxies:
        # Not X-Forwarded-Host: load balancers pass on the visitor's Host, and any such header that a visitor sends.
        served = ProxyFix(served, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies, x_host=0)
    served = kept.KeptResponses(served, state.of(app))
    app.wsgi_app = request_log.RequestLog(passport.with_release_header(served, release))  # type: ignore[method-assign]
    return app
