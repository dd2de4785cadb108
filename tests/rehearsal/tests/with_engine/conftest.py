"""The emulator with a service on it, as its own tests have it."""

from tests.emulator.tests.with_engine.conftest import aws, live, ready, service

__all__ = ["aws", "live", "ready", "service"]
