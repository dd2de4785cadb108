"""The version of ministack that the emulator extends: one, and no other."""

import pytest

from tests.emulator import upstream


def test_the_supported_version_is_accepted():
    upstream.check(upstream.VERSION)


@pytest.mark.parametrize("installed", ["1.5.34", "none"])
def test_another_version_is_refused_by_name(installed):
    with pytest.raises(upstream.VersionError, match=rf"ministack 1\.5\.33, and {installed} is installed"):
        upstream.check(installed)


def test_the_lock_holds_that_version(pytestconfig):
    locked = (pytestconfig.rootpath / "tests/emulator/requirements.txt").read_text()
    assert f"ministack=={upstream.VERSION} " in locked
