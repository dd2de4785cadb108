"""The emulator's own fixtures: an emulator, and a service on it."""

from tests.emulator.tests.with_engine.conftest import aws, live, ready, service

__all__ = ["aws", "live", "ready", "service"]
