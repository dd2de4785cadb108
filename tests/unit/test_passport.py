from importlib import metadata

import pytest

from colophon import passport


def test_a_working_copy_does_not_pretend_to_be_a_release():
    found = passport.current()
    assert (found.state, found.commit, found.label) == ("working-copy", None, "working copy")


def test_every_component_names_its_licence():
    components = passport.current().components
    assert {"Flask", "gunicorn", "SQLAlchemy"} <= {component.name for component in components}
    assert [component for component in components if component.licence == "not stated"] == []


def test_a_component_of_another_platform_is_not_listed(monkeypatch, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("flask==3\nno-such-package==1 ; sys_platform == 'win32'\n    --hash=sha256:0\n")
    monkeypatch.setattr(passport, "REQUIREMENTS", lock)
    assert [component.name for component in passport._components()] == ["Flask"]


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: Apache-2.0", "Apache-2.0"),
        ("Summary: x", "not stated"),
    ],
)
def test_a_licence_is_read_from_wherever_a_package_states_it(headers, licence, tmp_path):
    folder = tmp_path / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: thing\nVersion: 1\n{headers}\n")
    assert passport._licence(metadata.PathDistribution(folder).metadata) == licence


def test_the_label_of_a_release_is_its_commit():
    release = passport.Passport("released", "1.0.0", "3.13.0", "0123456789abcdef", ())
    assert release.label == "release 0123456"
