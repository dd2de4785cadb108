"""The pace: AWS's waits pass faster, a container's own time does not."""

import pytest

from tests.emulator.pace import Pace


@pytest.mark.parametrize(
    ("wait", "seconds", "shortened"),
    [
        (Pace.interval, 10, 1),
        (Pace.interval, 1, 0.3),  # no faster than this machine can ask
        (Pace.container_interval, 60, 6),
        (Pace.container_interval, 10, 3),
        (Pace.container_interval, 1, 1),
        (Pace.drain, 20, 2),
        (Pace.bake, 180, 1.8),
        (Pace.boot, 120, 12),
        (Pace.grace, 30, 12),
    ],
)
def test_waits_are_shortened(wait, seconds, shortened):
    assert wait(Pace(10), seconds) == pytest.approx(shortened)


def test_waits_are_whole_at_awss_own_pace():
    pace = Pace(1)
    assert (pace.interval(10), pace.drain(20), pace.grace(30), pace.bake(180)) == (10, 20, 30, 180)
