"""The delivery to an AWS that behaves as AWS does, with the real `aws` command: the faults of the short rehearsal."""

import pytest

from tests.conftest import unavailable
from tests.emulator.interface import PROGRAMS
from tests.rehearsal import awkward


@pytest.fixture(autouse=True)
def installed():
    if not (PROGRAMS / "python").exists():
        unavailable("the emulator's libraries are not installed (make setup FOR=rehearsal)")


@pytest.mark.parametrize("fault", [awkward.COMBINED, "clock"])
def test_releases_end_right_under_a_fault(tmp_path, fault):
    logs = tmp_path / "logs"
    logs.mkdir()
    for released in awkward.under(fault, tmp_path, logs):
        assert awkward.right(fault, released), f"{released}\n{(logs / f'{fault}.log').read_text()}"
