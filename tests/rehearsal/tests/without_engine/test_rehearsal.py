"""The rehearsal without containers: its list of scenes, its changes to a release, and its report."""

import ast
import base64
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from delivery.deployment.outcomes import Outcome
from tests.emulator import Failure, Report, Sight
from tests.rehearsal import changes, report, stage
from tests.rehearsal.__main__ import main
from tests.rehearsal.clone import git, sources, token
from tests.rehearsal.command import Ended
from tests.rehearsal.scenes import SCENES
from tests.rehearsal.stage import Played, Scene

ROOT = Path(__file__).parents[4]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources, for changes."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "static"))
    return tmp_path


def files(root):
    return {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.suffix in (".py", ".html")}


@pytest.mark.parametrize(
    "change",
    [
        *("EXITS", "BOOTS_SLOWLY", "EATS_MEMORY", "MIGRATES", "FAILS_TO_MIGRATE"),
        *("edge_exits", "not_ready", "another_footer"),
    ],
)
def test_a_change_changes_one_file_which_is_still_a_program(checkout, change):
    before = files(checkout)
    getattr(changes, change)(checkout)
    changed = {path: text for path, text in files(checkout).items() if before.get(path) != text}
    assert len(changed) == 1
    for path, text in changed.items():
        if path.suffix == ".py":
            ast.parse(text)


def test_migrations_follow_each_other(checkout):
    newest = max((checkout / changes.MIGRATIONS).glob("0*.py")).name[:4]
    changes.MIGRATES(checkout)
    changes.FAILS_TO_MIGRATE(checkout)
    second = max((checkout / changes.MIGRATIONS).glob("0*.py"))
    assert f'revision = "{int(newest) + 2:04}"' in second.read_text()
    assert f'down_revision = "{int(newest) + 1:04}"' in second.read_text()


def test_a_token_names_its_job():
    claims = token("arn:of-a-role", branch="feature/covers", project="another/project", lasts=-60).split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert said["sub"] == "project_path:another/project:ref_type:branch:ref:feature/covers"
    assert said["aud"] == "arn:of-a-role"


def test_it_builds_commits_that_nothing_else_has_built(tmp_path):
    clone = sources(tmp_path)
    assert git("rev-parse", "HEAD~", cwd=clone) == git("rev-parse", "HEAD", cwd=ROOT)
    assert git("diff", "HEAD~", cwd=clone) == ""


def rehearse(*arguments):
    return CliRunner().invoke(main, arguments)


def test_the_scenes_are_listed_by_number_and_name():
    said = rehearse("--list")
    assert said.exit_code == 0
    assert len(said.output.splitlines()) == len(SCENES) == len({scene.slug for scene in SCENES})
    short = rehearse("--list", "--short").output.splitlines()
    assert 0 < len(short) < len(SCENES)
    assert set(short) < set(said.output.splitlines())


def test_scenes_are_chosen_by_number_or_name_and_played_in_order():
    chosen = rehearse("--list", "rollback", "2").output
    assert [line.split()[1] for line in chosen.splitlines()] == ["first-release", "rollback"]


def test_an_unknown_scene_is_wrong_usage():
    said = rehearse("no-such-scene")
    assert said.exit_code == 2
    assert "There is no scene 'no-such-scene'" in said.output


def receipt(**facts):
    return {"diagnosis": None, "seconds": {"preflight": 5.0}, **facts}


def test_seconds_are_from_the_update_to_the_proof():
    ended = Ended(0, "", receipt(seconds={"preflight": 5.0, "rollout": 8.5, "proof": 2.0}))
    assert ended.seconds == 10.5
    assert Ended(3, "", receipt()).seconds is None
    assert Ended(3, "", None).seconds is None


def test_a_diagnosis_is_read_from_the_receipt_or_from_the_output():
    written = receipt(diagnosis={"sentence": "It exits.", "kind": "exits"})
    assert Ended(5, "", written).diagnosis == "It exits."
    refused = Outcome.REFUSED
    said = f"== Preflight\n{refused.title.capitalize()}: {refused.meaning}.\nNo role.\n  | evidence\n"
    assert Ended(3, said, None).diagnosis == "No role."
    assert Ended(0, "Live", None).diagnosis is None


class Clone:
    """A clone in which nothing runs."""

    def stop(self):
        pass


class Visited:
    """Visitors of one second, who met what a test sets."""

    def __init__(self, **met):
        self.met = {"seconds": 1.0, "requests": 25, "failures": [], "seen": {"good": Sight(0, 1, 25)}} | met

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def report(self):
        return Report(p50=0.01, p95=0.02, slowest=0.03, **self.met)


class Stage:
    """A stage whose site is live, or is not."""

    def __init__(self, live="good", shows="good", **met):
        self.live, self.shows, self.clone, self.to_be_seen = live, shows, Clone(), set()
        self.account = SimpleNamespace(visitors=lambda: Visited(**met))

    def shown(self):
        if isinstance(self.shows, Exception):
            raise self.shows
        return self.shows


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch):
    monkeypatch.setattr(stage, "LINGER", 0)


def ends(code, diagnosis=None, **receipt_has):
    """Return a scene's play that ends like this at once."""
    written = receipt(diagnosis=diagnosis and {"sentence": diagnosis}, **receipt_has)
    return lambda _stage: Ended(code, "", written)


def problems(stage, outcome=Outcome.LIVE, cause="", play=None):
    return Scene("a scene", play or ends(outcome.code), outcome, cause).played(stage).problems


def test_a_scene_that_ends_as_expected_has_no_problems():
    assert problems(Stage()) == []
    assert problems(Stage(live=None)) == []
    assert problems(Stage(), Outcome.REFUSED, "is older", ends(3, "It is older.")) == []


def test_a_scene_that_ends_otherwise_is_no_success():
    ended = problems(Stage(), Outcome.REFUSED, "is older", ends(0))
    assert ended == ["ended with 0, not with 3", "the diagnosis is None"]
    assert problems(Stage(), Outcome.REFUSED, "is older", ends(3, "No token.")) == ["the diagnosis is 'No token.'"]


def test_a_rollback_of_what_was_never_rolled_out_is_no_success():
    assert problems(Stage(), Outcome.ROLLED_BACK) == ["the service was never changed"]
    assert problems(Stage(), Outcome.ROLLED_BACK, play=ends(5, seconds={"rollout": 3.0})) == []


def test_a_site_that_shows_another_release_or_none_is_no_success():
    assert problems(Stage(shows="bad")) == ["the site shows bad, not good"]
    assert problems(Stage(shows=OSError("refused"))) == ["OSError: refused"]


@pytest.mark.parametrize("error", [AssertionError("it never said so"), KeyError("commit")])
def test_a_scene_that_breaks_off_is_no_success(error):
    def play(_stage):
        raise error

    result = Scene("a scene", play, Outcome.LIVE).played(Stage())
    assert result.outcome == "aborted"
    assert len(result.problems) == 1
    assert str(error) in result.problems[0]


def test_a_failed_request_is_no_success():
    met = [Failure(0.5, 0.1, "/books", "502 Bad Gateway")] * 2
    result = Scene("a scene", ends(0), Outcome.LIVE).played(Stage(failures=met))
    assert (result.requests, result.failed_requests) == (25, 2)
    assert result.problems == ["2 visitors met 502 Bad Gateway"]


def test_visitors_who_do_not_come_are_no_success():
    assert problems(Stage(requests=0)) == ["only 0 requests in 1 seconds"]


def test_a_release_that_visitors_should_not_see_is_no_success():
    assert problems(Stage(seen={"good": Sight(0, 1, 20), "bad": Sight(0, 1, 5)})) == ["visitors saw bad"]


PLAYED = [
    Played("good release", "live", "live", 0, None, 900, 0, 10.5),
    Played("older commit", "refused: older", "live", 0, "x" * 400, 20, 3, None, ["3 visitors met 502 Bad Gateway"]),
]


def test_the_table_has_a_row_for_each_scene_and_its_problems_below():
    head, good, bad, problem = report.table(PLAYED, 120)
    assert good.split() == ["ok", "good", "release", "live", "0", "10.5", "900", "0"]
    assert bad.startswith("NO  older commit")
    assert len(bad) <= 120
    assert bad.endswith("…")
    assert problem.strip() == "3 visitors met 502 Bad Gateway"
    assert head.index("seconds") > head.index("outcome")
    assert all(len(line) <= 60 for line in report.table(PLAYED, 60)[3:])


def test_the_result_lists_the_scenes_and_what_was_not_rehearsed(tmp_path):
    report.write(tmp_path / "rehearsal.json", PLAYED, 40.0, 90.0, report.NOT_REHEARSED)
    found = json.loads((tmp_path / "rehearsal.json").read_text())
    first, second = found["scenes"]
    assert first | {"passed": True} == first
    assert (second["passed"], second["failed_requests"], second["exit_code"]) == (False, 3, 0)
    keys = "name expected outcome exit_code diagnosis requests failed_requests seconds"
    assert set(keys.split()) < first.keys()
    assert all(each["what"] and each["why"] for each in found["not_rehearsed"])
    assert len(found["commit"]) == 40
