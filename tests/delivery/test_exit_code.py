"""The exit code of a step, which a pipeline reads in build/exit-code, as make and GitLab's runner hand none on."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from delivery.cli import main
from delivery.environments import ROOT

LINE = "make {} || exit $(cat build/exit-code)"


@pytest.fixture
def menu(tmp_path):
    """Run a pipeline's line in a folder with the menu, where a stand-in for Python ends as it is told to."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    program = tmp_path / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    code = tmp_path / "build/exit-code"

    def run(step, python, ends=0):
        """`python` ends with `ends`, having left that in the file, or kills itself; or it does not start."""
        left = f"[ {ends} = 0 ] && rm -f {code} || echo {ends} >{code}; exit {ends}"
        bodies = {"ends": left, "is killed": "kill -KILL $$", "does not start": "exit 127"}
        program.write_text(f'#!/bin/sh\ncase "$*" in *"-m delivery"*) {bodies[python]};; *-c*) exit 0;; esac\n')
        program.chmod(0o755)
        if python == "does not start":
            program.write_text("#!/nowhere\n")
        return subprocess.run(
            ["bash", "-c", LINE.format(step)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )

    run.code = code
    return run


@pytest.mark.parametrize("code", [0, 1, 3, 9])
def test_a_pipeline_s_line_ends_with_the_code_of_its_step(menu, code):
    assert menu("deploy", "ends", code).returncode == code
    assert menu.code.exists() is (code != 0)


@pytest.mark.parametrize("python", ["is killed", "does not start"])
def test_the_code_of_an_earlier_step_is_never_read(menu, python):
    menu.code.parent.mkdir()
    for earlier in ("0", "9"):
        menu.code.write_text(earlier)
        ended = menu("deploy", python)
        assert ended.returncode == 1, ended.stderr


def test_every_step_of_the_delivery_leaves_its_code():
    (steps,) = re.findall(r"^STEPS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(steps.split()) == set(main.commands)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["no-such-step"], 2)])
def test_the_command_leaves_its_code_and_nothing_after_a_success(tmp_path, words, code):
    shutil.copytree(ROOT / "delivery", tmp_path / "delivery")
    left = tmp_path / "build/exit-code"
    left.parent.mkdir()
    left.write_text("7\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "delivery", *words], cwd=tmp_path, env=environment, capture_output=True
    )
    assert ended.returncode == code
    assert (left.read_text() if left.exists() else None) == (f"{code}\n" if code else None)
