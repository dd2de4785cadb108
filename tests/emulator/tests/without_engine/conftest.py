"""A service without containers, whose first release is live."""

import pytest

from tests.emulator.tests.without_engine.scripted_service import ScriptedService


@pytest.fixture
def scripted():
    scripted = ScriptedService()
    scripted.settle()
    assert scripted.service.primary.state == "COMPLETED"
    return scripted
