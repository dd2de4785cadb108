"""The emulator with a service on it, as its own tests have it."""

from tests.emulator.tests.with_engine.conftest import cloud, live, ready, service

__all__ = ["cloud", "live", "ready", "service"]
