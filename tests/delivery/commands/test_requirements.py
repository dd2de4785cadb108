"""Installing from a lock: no index changes it, whichever pip does it; and every line that installs does so."""

import hashlib
import re
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from delivery.commands.setup import CHECK, RECIPE
from tests.conftest import unavailable
from tests.delivery.commands.wheels import locked, wheel, without_index

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# The pip of each Python's first release.
OLDEST = {11: "22.3", 12: "23.2.1", 13: "24.2"}

WHOLE = ["ink", "lead", "letters", "paper", "press"]


@pytest.fixture(scope="module", params=["oldest", "newest"])
def pip(request, tmp_path_factory):
    """A pip from the index, as its wheel has it: the oldest that came with this Python, and the newest."""
    folder = tmp_path_factory.mktemp("pip")
    wanted = {"oldest": f"pip=={OLDEST.get(sys.version_info.minor, '25.2')}", "newest": "pip"}[request.param]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, wanted]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        unavailable(f"no index gives {wanted}")
    with ZipFile(next(folder.iterdir())) as archive:
        archive.extractall(folder)
    return folder / "pip"


@pytest.fixture
def house(tmp_path, pip):
    """An empty environment, wheels, and a newer release of each, which an index would offer today."""
    return House(tmp_path, pip)


class House:
    def __init__(self, folder, pip):
        self.wheels, self.python, self._pip = folder / "wheels", folder / "environment/bin/python", pip
        self.lock = folder / "requirements.txt"
        self.wheels.mkdir()
        venv.create(folder / "environment")
        for version in ("1.0", "2.0"):
            wheel(self.wheels, "press", version, "letters[metal]>=1", "paper>=1", "ink")
            wheel(self.wheels, "letters", version, "lead>=1; extra == 'metal'", extras=("metal",))
            wheel(self.wheels, "paper", version)
            wheel(self.wheels, "ink", version, "paper>=1")
            wheel(self.wheels, "lead", version)

    def write_lock(self, names):
        """Lock these, as they were in their first release."""
        self.lock.write_text(locked(*(self.wheels / f"{name}-1.0-py3-none-any.whl" for name in names)))

    def install(self, recipe=RECIPE):
        return self.run([*recipe, self.lock])

    def run(self, words):
        command = [self.python, self._pip, *words[1:]]
        return subprocess.run(
            command,
            env=without_index(self.wheels),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def installed(self):
        return sorted(self.run(["pip", "freeze", "--disable-pip-version-check"]).stdout.split())


def test_what_is_locked_is_installed_whatever_is_newer(house):
    house.write_lock(WHOLE)
    done = house.install()
    assert (done.returncode, done.stdout) == (0, "")
    assert house.installed() == [f"{name}==1.0" for name in WHOLE]
    assert house.run(CHECK).returncode == 0


def test_a_lock_that_lacks_a_dependency_is_found(house):
    house.write_lock([name for name in WHOLE if name != "ink"])
    assert house.install().returncode == 0
    done = house.run(CHECK)
    assert done.returncode != 0
    assert "press 1.0 requires ink, which is not installed" in done.stdout


def test_what_has_another_hash_is_not_installed(house):
    house.write_lock(["paper"])
    wheel(house.wheels, "paper", "1.0", "lead")
    done = house.install()
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stdout
    assert house.installed() == []


def test_what_has_no_hash_is_not_installed(house):
    house.lock.write_text("paper==1.0\n")
    done = house.install()
    assert done.returncode != 0
    assert "Hashes are required in --require-hashes mode" in done.stdout


def test_what_would_have_to_be_built_is_not_installed(house):
    """Building it would take what the index has today."""
    sources = house.wheels / "pulp-1.0.tar.gz"
    sources.write_bytes(b"")
    house.lock.write_text(f"pulp==1.0 --hash=sha256:{hashlib.sha256(b'').hexdigest()}\n")
    done = house.install()
    assert done.returncode != 0
    assert "No matching distribution found for pulp==1.0" in done.stdout


if sys.version_info < (3, 13):  # whose first pip resolves such a lock

    @pytest.mark.parametrize("pip", ["oldest"], indirect=True)
    def test_a_pip_that_resolves_stops(house):
        house.write_lock(WHOLE)
        done = house.install([word for word in RECIPE if word != "--no-deps"])
        assert done.returncode != 0
        assert "In --require-hashes mode, all requirements must have their versions pinned" in done.stdout


# What installs packages for Python and for Node. In a program's source its words are apart by quotes.
INSTALLS = re.compile(
    r"""\bpip3?["', ].*\binstall\b|\buv["', ]+(pip["', ]+(install|sync)|sync|add|tool|run)\b|\b(uvx|pipx|npx)\b"""
    r"""|\b(npm|yarn|pnpm)["', ].*\b(install|i|add|update)\b"""
)


def install_lines(text):
    """Return the lines that install, each with those that it goes on over: in a shell, or as a list in a source."""
    joined = re.sub(r"\\\n\s*|(?<=,)\n\s*(?=[\"'])", " ", text)
    return [line for line in joined.splitlines() if INSTALLS.search(line)]


def follows_the_recipe(line):
    words = re.findall(r"[^\s\"',]+", line)
    return not re.search(r"\b(uv|npm|yarn|pnpm)\b", line) and all(word in words for word in RECIPE)


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        unavailable("this is no Git repository, so nothing says which files are its own")
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__) and path.suffix not in (".png", ".webp", ".br", ".gz"):
            yield name, path.read_text(errors="replace")


def test_every_line_that_installs_is_the_recipe():
    found = [(name, line) for name, text in tracked() for line in install_lines(text)]
    assert {name for name, _ in found} >= {"src/Dockerfile", "delivery/commands/setup.py"}
    assert [(name, line) for name, line in found if not follows_the_recipe(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "python3 -m pip install flask",
        "pip3 install --require-hashes -r requirements.txt",
        "pip --python /opt/site/bin/python3 install --no-deps --requirement requirements.txt",
        '["pip", "install", "--quiet", "uv"]',
        "RUN pip install \\\n  --no-deps --require-hashes flask",
        "uv pip sync --require-hashes requirements.txt",
        "uv sync",
        "npm --prefix assets install",
        "npm i sass",
    ],
)
def test_a_line_that_installs_otherwise_is_found(line):
    assert [found for found in install_lines(f"first\n{line}\nlast\n") if not follows_the_recipe(found)]
