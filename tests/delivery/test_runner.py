"""The runner's configuration, as `delivery/runner/start` writes it. The tokens are fake and say so."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
START = ROOT / "delivery/runner/start"


@pytest.fixture
def start(tmp_path):
    """Start the runner with these tokens; what runs is not GitLab's, but prints how it was called."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gitlab-runner"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    config = tmp_path / "config.toml"

    def run(one_machine="yes", **tokens):
        for name, token in tokens.items():
            (tmp_path / f"runner-{name}").write_text(token)
        environment = {
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "SECRETS": str(tmp_path),
            "CONFIG": str(config),
            "GITLAB_URL": "https://gitlab.example.org",
            "ONE_MACHINE": one_machine,
        }
        ended = subprocess.run([START], env=environment, capture_output=True, text=True)
        return ended, config

    return run


def entries(config):
    return tomllib.loads(config.read_text())["runners"]


def test_two_tokens_make_two_entries(start):
    ended, config = start(branches="glrt-fake_branches-1", master="glrt-t3_FAKE.master\n")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"run --config {config}\n"
    assert [(entry["name"], entry["token"], entry["url"]) for entry in entries(config)] == [
        ("colophon, every branch", "glrt-fake_branches-1", "https://gitlab.example.org"),
        ("colophon, master", "glrt-t3_FAKE.master", "https://gitlab.example.org"),
    ]
    assert all(entry["executor"] == "docker" for entry in entries(config))
    assert all(not entry["docker"].get("privileged") for entry in entries(config))


@pytest.mark.parametrize("word", ["", "no", "1"])
def test_two_tokens_on_one_machine_need_a_word(start, word):
    ended, config = start(word, branches="glrt-fake", master="glrt-fake")
    assert ended.returncode == 1
    assert "keep one of them on another machine. ONE_MACHINE=yes runs both here all the same" in ended.stderr
    assert not list(config.parent.glob("config.toml*"))
    assert start(word, branches="glrt-fake", master="")[0].returncode == 0


def test_compose_hands_the_word_on_and_waits_for_the_jobs_that_run():
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["runner"]
    assert service["environment"]["ONE_MACHINE"] == "${ONE_MACHINE:-}"
    # Signals of the runner: https://docs.gitlab.com/runner/commands/#signals
    assert (service["stop_signal"], service["stop_grace_period"]) == ("SIGQUIT", "1h")


def test_a_job_has_an_engine_and_shares_its_files_and_the_loopback_address_with_it(start):
    _, config = start(branches="glrt-fake", master="glrt-fake")
    for entry in entries(config):
        folder, container = entry["builds_dir"], entry["docker"]
        assert {"/var/run/docker.sock:/var/run/docker.sock", f"{folder}:{folder}"} <= set(container["volumes"])
        assert container["network_mode"] == "host"


def test_no_other_user_can_read_it(start):
    _, config = start(branches="glrt-fake")
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("given", "other"), [("branches", "master"), ("master", "branches")])
def test_a_machine_takes_only_the_jobs_that_it_has_a_token_for(start, given, other):
    ended, config = start(**{given: "glrt-fake", other: ""})
    assert ended.returncode == 0
    assert f"this machine takes no jobs of the {other} runner" in ended.stderr
    assert len(entries(config)) == 1


def test_the_cache_of_branches_is_not_shared_with_master(start):
    _, config = start(branches="glrt-fake", master="glrt-fake")
    branches, master = entries(config)
    assert "/cache" in branches["docker"]["volumes"]
    assert "/cache" not in master["docker"]["volumes"]


@pytest.mark.parametrize("token", ["GR1348941FAKE", "glrt-", "glrt", "glpat-fake", "glrt-a b", 'glrt-a"|e', "g"])
def test_what_is_no_runner_token_is_refused_and_nothing_written(start, token):
    ended, config = start(branches=token)
    assert ended.returncode == 1
    assert "runner-branches is no runner authentication token" in ended.stderr
    assert not list(config.parent.glob("config.toml*"))


def test_without_any_token_it_says_where_to_get_one(start):
    ended, config = start()
    assert ended.returncode == 1
    assert "delivery/runner/README.md" in ended.stderr
    assert not list(config.parent.glob("config.toml*"))
