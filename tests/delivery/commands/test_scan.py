"""The scans, each proven by something planted for it to find. What is planted says that it is fake."""

import fcntl
import json
import tarfile
import textwrap
from io import BytesIO

import click
import pytest

from delivery.cli import main
from delivery.deployment.outcomes import Outcome
from delivery.release import trivy
from delivery.terminal.shell import output

# Put together here, so that this file is not itself a find.
FAKE_KEY = "AKIA" + "FAKEFAKE" + "FAKE" + "2345"
FAKE_SECRET = "".join(["fake0FAKE1fake2FAKE3", "fake4FAKE5fake6FAKE7"])


def scan(runner, root, *options):
    return runner.invoke(main, ["scan", "--root", str(root), "--offline", *options])


def verdicts(root):
    return {scan["name"]: scan["verdict"] for scan in json.loads((root / "build/scans.json").read_text())["scans"]}


@pytest.mark.usefixtures("trivy")
def test_a_clean_checkout_passes_and_says_what_did_not_run(runner, root, git):
    ended = scan(runner, root)
    assert ended.exit_code == 0, ended.output
    passed = dict.fromkeys(("secrets", "misconfigurations", "licences"), "passed")
    assert verdicts(root) == passed | {"vulnerabilities": "not run"}
    report = json.loads((root / "build/scans.json").read_text())
    assert report["commit"] == git("rev-parse", "HEAD")
    assert report["scans"][0]["tool"].startswith("trivy 0.")


@pytest.mark.usefixtures("trivy")
def test_a_secret_is_found_before_it_is_committed(runner, root):
    (root / "src/keys.ini").write_text(f"aws_access_key_id = {FAKE_KEY}\naws_secret_access_key = {FAKE_SECRET}\n")
    ended = scan(runner, root)
    assert ended.exit_code == 1
    assert verdicts(root)["secrets"] == "failed"
    assert "src/keys.ini:1: aws-access-key-id, critical" in ended.output
    assert FAKE_KEY not in ended.output


@pytest.mark.usefixtures("trivy")
def test_what_git_ignores_is_not_scanned(runner, root):
    (root / "build").mkdir()
    (root / "build/keys.ini").write_text(f"aws_access_key_id = {FAKE_KEY}\n")
    assert scan(runner, root).exit_code == 0


@pytest.mark.usefixtures("trivy")
def test_an_image_whose_process_is_root_is_found(runner, root):
    (root / "src/Dockerfile").write_text("FROM scratch\nCOPY site.py /\nUSER root\n")
    ended = scan(runner, root)
    assert ended.exit_code == 1
    assert verdicts(root)["misconfigurations"] == "failed"
    assert "src/Dockerfile:3: DS-0002, high" in ended.output


@pytest.mark.usefixtures("trivy")
def test_a_scan_that_cannot_run_is_no_success(runner, root, monkeypatch):
    # An address of this machine where nothing answers.
    monkeypatch.setenv("TRIVY_DB_REPOSITORY", "127.0.0.1:9/no-such-database")
    ended = runner.invoke(main, ["scan", "--root", str(root)])
    assert ended.exit_code == Outcome.UNAVAILABLE.code
    assert verdicts(root)["vulnerabilities"] == "not run"
    assert "vulnerabilities: not run, the database of vulnerabilities could not be downloaded" in ended.output


@pytest.mark.usefixtures("trivy")
def test_a_scan_of_an_image_waits_for_no_other_on_the_machine(tmp_path, monkeypatch):
    archive, cache = tmp_path / "image.tar", tmp_path / "cache/fanal/fanal.db"
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["fake:1"], "Layers": []}]).encode()
    with tarfile.open(archive, "w") as image:
        for name, content in (("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            image.addfile(entry, BytesIO(content))
    cache.parent.mkdir(parents=True)
    monkeypatch.setenv("TRIVY_CACHE_DIR", str(tmp_path / "cache"))
    with cache.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as another scan's
        output("trivy", "image", "--quiet", "--config", str(trivy.CONFIG), "--scanners=secret", f"--input={archive}")


def write_exceptions(folder, text):
    path = folder / "exceptions.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def exception(until):
    return f"""
        misconfigurations:
          - id: DS-0002
            paths: [src/Dockerfile]
            statement: The process of this fake image is of no interest.
            expired_at: {until}
        """


@pytest.mark.usefixtures("trivy")
@pytest.mark.parametrize(("until", "code"), [("2999-01-01", 0), ("2020-01-01", 1)])
def test_an_exception_holds_until_its_day(runner, root, tmp_path, monkeypatch, until, code):
    (root / "src/Dockerfile").write_text("FROM scratch\nCOPY site.py /\nUSER root\n")
    monkeypatch.setattr(trivy, "EXCEPTIONS", write_exceptions(tmp_path, exception(until)))
    assert scan(runner, root).exit_code == code
    granted = json.loads((root / "build/scans.json").read_text())["exceptions"]
    assert [(one["id"], one["until"]) for one in granted] == ([("DS-0002", until)] if code == 0 else [])


@pytest.mark.parametrize("missing", ["statement", "expired_at"])
def test_an_exception_without_a_reason_or_an_end_is_refused(tmp_path, missing):
    lines = [line for line in exception("2999-01-01").splitlines() if missing not in line]
    with pytest.raises(click.ClickException, match="DS-0002 of misconfigurations needs a `statement` and a date"):
        trivy.exceptions(write_exceptions(tmp_path, "\n".join(lines)))


def test_no_exception_is_a_good_list_of_them(tmp_path):
    assert trivy.exceptions(write_exceptions(tmp_path, "# none\n")) == []
