"""The environment of a checkout: made once, left alone, and made again when it does not fit; with locks of a line."""

import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.commands import setup
from delivery.commands.setup import MAIN
from tests.delivery.commands.wheels import locked, wheel, without_index

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# What a shell, a script's first line or a path file may stumble over.
NAME = 'it\'s "my" ü $HOME `site`'


class Checkout:
    """A folder with the Makefile and the script, and locks of a package each: press for the site, ink for the tests."""

    def __init__(self, folder, wheels):
        self.folder, self.wheels = folder, wheels

    def lay_out(self):
        folder = self.folder
        for name in ("Makefile", "delivery/commands/setup.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        (folder / "src/colophon").mkdir(parents=True)
        (folder / "src/colophon/__init__.py").touch()
        self.lock("src", press="1.0")
        self.lock("tests", ink="1.0")
        return self

    def lock(self, place, **versions):
        (self.folder / place).mkdir(exist_ok=True)
        wheels = [self.wheels / f"{name}-{version}-py3-none-any.whl" for name, version in versions.items()]
        (self.folder / place / "requirements.txt").write_text(locked(*wheels))

    def start(self, *words, **variables):
        given = without_index(self.wheels) | {"PYTHON": setup.PYTHON} | variables
        return subprocess.Popen(
            ["make", "setup", *words],
            cwd=self.folder,
            env={name: value for name, value in given.items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def setup(self, *words, **variables):
        """Run `make setup`, and return its exit code and what it said."""
        made = self.start(*words, **variables)
        said, _ = made.communicate()
        assert "Traceback" not in said
        return made.returncode, said

    def run(self, program, *words):
        command = [self.folder / ".venv/bin" / program, *words]
        given = without_index(self.wheels)
        return subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout.strip()

    @property
    def stamp(self):
        return self.folder / ".venv/stamp.json"

    def change_stamp(self, **changed):
        self.stamp.write_text(json.dumps(json.loads(self.stamp.read_text()) | changed))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    wheel(folder, "press", "1.0")
    wheel(folder, "press", "2.0")
    wheel(folder, "ink", "1.0", "press")
    wheel(folder, "lead", "1.0")
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory, wheels):
    """A checkout in which `make setup` ran once, and what that said. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("first") / NAME
    checkout = Checkout(folder, wheels).lay_out()
    return checkout, checkout.setup()


@pytest.fixture
def checkout(first, tmp_path, monkeypatch):
    """A copy of it, for a test to change, whose environment says that it was made there."""
    folder = tmp_path / NAME
    shutil.copytree(first[0].folder, folder, symlinks=True, copy_function=copied)
    copy = Checkout(folder, first[0].wheels)
    copy.change_stamp(where=str(folder / ".venv"))
    monkeypatch.chdir(folder)
    return copy


def copied(source, copy):
    """Copy a file. Those of pip are many, and no test writes into them."""
    os.link(source, copy) if "/site-packages/pip/" in source else shutil.copy2(source, copy)


def fault():
    return setup.fault(MAIN, setup.read(MAIN))


def test_it_is_made_from_the_locks_wherever_it_lies(first):
    checkout, (code, said) = first
    assert (code, said) == (0, "Installing what the site needs (once) ...\n")
    assert checkout.run("press") == "1.0"
    found = checkout.run("python", "-c", "import colophon; print(ascii(colophon.__file__))")
    assert found == ascii(str(checkout.folder / "src/colophon/__init__.py"))
    assert checkout.setup() == (0, "")


def test_it_keeps_its_python_unless_another_is_named(first):
    assert first[0].setup(PYTHON="") == (0, "")


def test_what_fits_has_no_fault(checkout):
    assert fault() == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"where": "/old/.venv"}, "was made in /old/.venv"),
        ({"python": [sys.version, "/old/python3.11"]}, "was made with /old/python3.11, which is gone"),
        ({"python": ["3.11.0 (main)", setup.PYTHON]}, "was made with Python 3.11.0 ("),
        ({"python": [sys.version, "/bin/sh"]}, "(/bin/sh), and this is "),
        ({"another": "form"}, "was never finished"),
    ],
)
def test_a_stamp_that_does_not_match_is_a_fault(checkout, changed, said):
    checkout.change_stamp(**changed)
    assert said in fault()


@pytest.mark.parametrize("lost", ["press.py", "press-1.0.dist-info", "colophon.pth", "pip/__main__.py", "pip"])
def test_a_file_that_was_deleted_is_a_fault(checkout, lost):
    [path] = MAIN.glob(f"lib/*/site-packages/{lost}")
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert fault().startswith("lacks lib/")


@pytest.mark.parametrize("lost", ["bin/press", "pyvenv.cfg", "bin/python", "bin"])
def test_a_program_that_was_deleted_is_a_fault(checkout, lost):
    shutil.rmtree(MAIN / lost) if lost == "bin" else (MAIN / lost).unlink()
    assert fault().startswith("lacks ")


def test_a_python_that_no_longer_starts_is_a_fault(checkout):
    (MAIN / "bin/python").unlink()
    (MAIN / "bin/python").symlink_to("/old/python3")
    assert fault() == "lacks its Python"


@pytest.mark.parametrize("stamp", ["", "{", "[]", "{}"])
def test_a_damaged_stamp_is_a_fault(checkout, stamp):
    checkout.stamp.write_text(stamp)
    assert fault() == "was never finished"


def test_bytecode_and_added_files_are_no_fault(checkout):
    [packages] = MAIN.glob("lib/*/site-packages")
    shutil.rmtree(packages / "__pycache__")
    (packages / "added.py").touch()
    assert fault() == ""


def test_what_has_a_fault_is_made_again_in_one_sentence(checkout):
    moved = checkout.folder.with_name("moved")
    checkout.folder.rename(moved)
    (moved / ".venv/bin/python").unlink()  # and its Python is gone
    elsewhere = Checkout(moved, checkout.wheels)
    code, said = elsewhere.setup(PYTHON="")
    assert code == 0
    assert said == (
        f".venv was made in {checkout.folder}/.venv: making it again.\nInstalling what the site needs (once) ...\n"
    )
    assert elsewhere.run("press") == "1.0"
    assert elsewhere.setup(PYTHON="") == (0, "")


def test_a_link_to_another_environment_is_taken_away_alone(checkout, tmp_path):
    (tmp_path / "link").symlink_to(MAIN.absolute())
    setup.remove(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert fault() == ""


def test_a_lock_that_changed_is_installed_in_place(checkout):
    assert checkout.setup("FOR=test") == (0, "Installing what the tests need (once) ...\n")
    assert checkout.run("ink") == "1.0"
    kept = MAIN / "kept"
    kept.touch()
    checkout.lock("src", press="2.0")
    checkout.lock("tests", lead="1.0")
    code, said = checkout.setup()
    assert code == 0
    assert said == "Installing what the site needs (once) ...\nInstalling what the tests need (once) ...\n"
    assert (checkout.run("press"), checkout.run("lead")) == ("2.0", "1.0")
    assert not (MAIN / "bin/ink").exists(), "no lock names it any more"
    assert kept.exists()
    assert checkout.setup() == (0, "")


def test_locks_that_are_not_whole_are_refused(checkout):
    checkout.lock("src", ink="1.0")
    code, said = checkout.setup()
    assert code != 0
    assert "The locks do not make .venv whole: ink 1.0 requires press, which is not installed." in said
    assert fault() == "was never finished"


def test_what_has_another_hash_is_refused_in_a_sentence(checkout):
    checkout.lock("src", press="2.0")
    path = checkout.folder / "src/requirements.txt"
    path.write_text(path.read_text().replace("sha256:", "sha256:0000")[:-5] + "\n")
    code, said = checkout.setup()
    assert code != 0
    assert "src/requirements.txt could not be installed: THESE PACKAGES DO NOT MATCH THE HASHES" in said


def test_what_the_index_has_not_is_named(checkout):
    (checkout.folder / "src/requirements.txt").write_text(f"pulp==1.0 --hash=sha256:{'0' * 64}\n")
    code, said = checkout.setup()
    assert code != 0
    assert "src/requirements.txt could not be installed: No matching distribution found for pulp==1.0" in said


def test_an_index_that_cannot_be_reached_is_said_to_be(checkout):
    (checkout.folder / "src/requirements.txt").write_text(f"pulp==1.0 --hash=sha256:{'0' * 64}\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        index = f"http://127.0.0.1:{probe.getsockname()[1]}/simple"
    code, said = checkout.setup(PIP_NO_INDEX="", PIP_INDEX_URL=index, PIP_RETRIES="1")
    assert code != 0
    assert "src/requirements.txt could not be installed: the index of packages cannot be reached." in said


def test_an_installation_that_is_interrupted_is_done_again(checkout):
    (checkout.folder / "src/requirements.txt").write_text(f"pulp==1.0 --hash=sha256:{'0' * 64}\n")
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        made = checkout.start(PIP_NO_INDEX="", PIP_INDEX_URL=address)
        with index.accept()[0]:
            os.killpg(made.pid, signal.SIGINT)
            said, _ = made.communicate()
    assert made.returncode != 0
    assert "Traceback" not in said
    assert fault() == "was never finished"


def test_of_two_that_start_together_one_waits_for_the_other(checkout):
    held = os.open(checkout.folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    made = checkout.start("FOR=test")
    assert made.stdout.readline() == "Waiting for another make, which sets up .venv ...\n"
    os.close(held)
    assert made.communicate()[0] == "Installing what the tests need (once) ...\n"
    assert made.returncode == 0


def test_a_python_without_ensurepip_leads_to_the_package_that_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=rf"apt-get install python3\.{sys.version_info.minor}-venv$"):
        setup.main(["run"])
    assert not MAIN.exists()


def test_a_folder_in_which_no_environment_can_be_is_refused_in_a_sentence(tmp_path, wheels):
    folder = tmp_path / "a:b"
    code, said = Checkout(folder, wheels).lay_out().setup()
    assert code != 0
    assert "Python could not make .venv: Refusing to create a venv in " in said
    assert not (folder / ".venv").exists()


def test_a_group_that_there_is_not_is_refused_with_those_that_there_are(checkout):
    code, said = checkout.setup("FOR=tests")
    assert code != 0
    assert "There is no tests to set up, only run, test, delivery, bench, lock, rehearsal." in said


def test_every_lock_that_a_group_names_is_there_and_renewed():
    renewed = (ROOT / "Makefile").read_text()
    for _, path, _ in setup.GROUPS.values():
        assert (ROOT / path).exists()
        assert f"--output-file {path}\n" in renewed
