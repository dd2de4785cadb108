"""The rehearsal on a real account, up to where one would be needed."""

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from delivery import environments
from delivery.deployment.outcomes import Outcome
from tests.rehearsal import __main__ as rehearsal
from tests.rehearsal import real
from tests.rehearsal.account import SetupError
from tests.rehearsal.clone import git
from tests.rehearsal.scenes import SCENES
from tests.rehearsal.stage import Scene

RUN = subprocess.run
TOML = """
[staging]
project = "books"
account = "111122223333"
address = "https://books.example.org"
[staging.stacks.load-balancer]
Domain = "books.example.org"
HostedZoneId = "Z0123"
[staging.stacks.delivery]
GitLabProject = "group/books"
[production]
"""


def sources(folder):
    """Make a repository with nothing in it but the file of names, in the place of this checkout's clone."""
    clone = folder / "colophon"
    clone.mkdir()
    (clone / "delivery.toml").touch()
    git("init", "--quiet", cwd=clone)
    git("config", "user.name", "A contributor", cwd=clone)
    git("config", "user.email", "contributor@example.org", cwd=clone)
    git("add", "--all", cwd=clone)
    return clone


@pytest.fixture
def called(tmp_path, monkeypatch):
    """The delivery's commands that were called, in the place of which a script gives exit codes."""
    (tmp_path / "ecs").mkdir()
    shutil.copy(real.ROOT / "ecs/README.md", tmp_path / "ecs")
    (tmp_path / "delivery.toml").write_text(TOML)
    monkeypatch.setattr(real, "ROOT", tmp_path)
    monkeypatch.setattr(real, "PAUSE", 0)
    monkeypatch.setattr(rehearsal, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(rehearsal, "RESULT", tmp_path / "rehearsal.json")
    monkeypatch.setattr(rehearsal, "sources", sources)
    monkeypatch.setattr(rehearsal.signal, "signal", lambda *_: None)

    def run(command, **options):
        if "delivery" not in command:
            return RUN(command, **options)
        words = " ".join(command[3:])
        calls.append(re.sub(r"rehearsal-[0-9a-f]{6}", "PROJECT", words))
        what = codes.get(words.split()[1], [0])
        code = what.pop(0) if len(what) > 1 else what[0]
        if isinstance(code, type):
            raise code
        return subprocess.CompletedProcess(command, code)

    calls, codes = [], {}
    monkeypatch.setattr(real.subprocess, "run", run)
    return calls, codes


def play(monkeypatch, *arguments, given="", scene=lambda _: None):
    monkeypatch.setattr(rehearsal, "SCENES", (Scene("good release", scene, Outcome.LIVE, needs=0),))
    return CliRunner().invoke(rehearsal.main, ["--env", "staging", *arguments], input=given)


def broken(_stage):
    raise RuntimeError("a scene that breaks")


@pytest.mark.parametrize("given", ["", "no\n", "y\n", "\n"])
def test_without_a_yes_nothing_is_called(called, monkeypatch, given):
    said = play(monkeypatch, given=given)
    assert said.exit_code == 1
    assert called[0] == []


def test_a_scene_that_needs_the_emulator_is_wrong_usage(called):
    said = CliRunner().invoke(rehearsal.main, ["--env", "staging", "--yes", "missing-secret"])
    assert said.exit_code == 2
    assert "these scenes can be played: good release" in said.output
    assert called[0] == []


def test_the_cost_is_shown_first_with_its_source(called, monkeypatch):
    said = play(monkeypatch, given="no\n").output
    assert "in the account 111122223333" in said
    dollars = re.search(r"about (\d\.\d\d) US dollars an hour .* \(ecs/README.md, What it costs\)", said)
    assert 0.1 < float(dollars[1]) < 1


WHOLE = ["stacks --diff", "stacks --yes", "stacks --delete --confirm PROJECT"]


@pytest.mark.parametrize("arguments", [{"given": "yes\n"}, {}])
def test_all_is_made_and_deleted_and_a_report_is_left(called, monkeypatch, tmp_path, arguments):
    said = play(monkeypatch, *([] if arguments else ["--yes"]), **arguments, scene=broken)
    assert said.exit_code == 1
    assert called[0] == WHOLE
    report = json.loads((tmp_path / "rehearsal.json").read_text())
    assert report["scenes"][0]["problems"] == ["RuntimeError: a scene that breaks"]
    assert "GitLab" in {each["what"] for each in report["not_rehearsed"]}


def test_stacks_that_could_not_be_made_are_deleted(called, monkeypatch):
    called[1]["--yes"] = [1]
    said = play(monkeypatch, "--yes")
    assert "The stacks could not be made" in said.output
    assert called[0] == WHOLE


def test_a_ctrl_c_while_they_are_made_deletes_them(called, monkeypatch):
    called[1]["--yes"] = [KeyboardInterrupt]
    assert play(monkeypatch, "--yes").exit_code == 130
    assert called[0] == WHOLE


def test_a_ctrl_c_in_a_scene_deletes_them(called, monkeypatch):
    def interrupt(_stage):
        raise KeyboardInterrupt

    assert play(monkeypatch, "--yes", scene=interrupt).exit_code == 130
    assert called[0] == WHOLE


def test_a_stack_that_cannot_be_deleted_yet_is_deleted_later(called, monkeypatch):
    called[1]["--delete"] = [1, 1, 0]
    play(monkeypatch, "--yes", scene=broken)
    assert called[0] == [*WHOLE, WHOLE[-1], WHOLE[-1]]


def test_stacks_that_stay_are_told(called, monkeypatch):
    called[1]["--delete"] = [1]
    said = play(monkeypatch, "--yes", scene=broken).output
    assert re.search(r"Stacks of rehearsal-[0-9a-f]{6} are still there, and cost", said)
    assert called[0].count(WHOLE[-1]) == real.TRIES


def test_where_the_account_cannot_be_reached_nothing_is_made(called, monkeypatch):
    called[1]["--diff"] = [1]
    assert "nothing was made" in play(monkeypatch, "--yes").output
    assert called[0] == WHOLE[:1]


def test_the_throwaway_project_shares_no_name_with_the_environment(called, tmp_path):
    of = real.environment("staging")
    (tmp_path / "delivery.toml").write_text(real.table(of, "rehearsal-1a2b3c"))
    made = environments.environment(tmp_path, {"ENV": real.NAME})
    assert (made.project, made.account, made.address) == ("rehearsal-1a2b3c", "111122223333", None)
    assert made.stacks["load-balancer"]["Domain"] == "rehearsal-1a2b3c.books.example.org"
    assert made.stacks["delivery"] == {"Trust": "runner"}


def test_an_environment_without_a_zone_is_refused(called):
    with pytest.raises(SetupError, match="production has no Domain with a HostedZoneId"):
        real.environment("production")


def test_its_scenes_are_known_and_touch_neither_the_emulator_nor_a_token():
    scenes = {scene.name: scene for scene in SCENES}
    for name in real.SCENES:
        source = inspect.getsource(scenes[name].play)
        assert not re.search(r"account\.|aws\(|token|\.pipeline\(", source), name


def test_its_visitors_are_counted_with_their_failures():
    with real.Visitors("http://127.0.0.1:9") as visitors:
        while not visitors._meters[0].tally().failed:
            pass
    found = visitors.report()
    assert found.requests
    assert "refused" in str(found.reasons)


def test_it_is_small_enough_to_be_read():
    assert len(Path(real.__file__).read_text().splitlines()) < 200
