"""The image: what is in it, what is not, and how it runs."""

import json
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from delivery.release.image_digest import digest
from tests.cloudformation import parse, resolve
from tests.image.containers import commit, docker, fetch, probe, sh
from tests.waiting import LONGEST, until

ROOT = Path(__file__).parents[2]
SIZE = Path(__file__).with_name("size.json")
LIMIT = 70_000_000
STOP_THE_WORKERS = """
import os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    if process.name not in ("1", str(os.getpid())):
        os.kill(int(process.name), signal.SIGSTOP)
"""


def layers(image):
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))


def added_bytes(image):
    """How many bytes src/Dockerfile adds to its base."""
    label = '{{index .Config.Labels "org.opencontainers.image.base.name"}}'
    base = docker("image", "inspect", "--format", label, image)
    sizes, base_sizes = (
        [int(size) for size in docker("history", "--human=false", "--format", "{{.Size}}", name).split()]
        for name in (image, base)
    )
    return sum(sizes) - sum(base_sizes)


def test_it_runs_as_one_user_who_is_not_root(image, container):
    assert docker("image", "inspect", "--format", "{{.Config.User}}", image) == "10001:10001"
    assert docker("exec", container.name, "sh", "-c", "id -u; id -g").split() == ["10001", "10001"]


def test_it_serves_from_a_file_system_that_nobody_can_write(container):
    status, _, body = fetch(container.url)
    assert status == 200
    assert b"A catalogue of 515 books" in body
    refused = docker("exec", container.name, "sh", "-c", "touch /srv/colophon/x /opt/x /x 2>&1 || true")
    assert refused.count("Read-only file system") == 3
    assert docker("diff", container.name) == ""


def test_its_files_belong_to_root_and_nobody_else_may_write_them(image):
    writable = "find /opt /srv ! -type l ( ! -user root -o -perm /022 )".replace("(", r"\(").replace(")", r"\)")
    assert sh(image, writable) == ""


@pytest.mark.parametrize("module", ["pip", "ensurepip", "pytest"])
def test_it_has_nothing_to_install_or_test_with(image, module):
    assert f"No module named {module}" in sh(image, f"python3 -m {module}")


def test_it_has_no_compiler_no_tests_and_no_caches(image):
    assert sh(image, "command -v cc gcc c++ make git curl wget") == ""
    assert sh(image, "ls /srv/colophon").split() == ["colophon", "gunicorn.conf.py", "release.json", "requirements.txt"]
    assert (
        sh(
            image,
            "find /opt /srv /tmp /var/cache -name .cache -o -name __pycache__ -o -name '*.deb'",
        )
        == ""
    )


def test_every_module_that_it_starts_with_is_compiled_already(image):
    script = (
        "import sys, os, colophon, colophon.web.worker, gunicorn.app.wsgiapp; colophon.create_app();"
        "print([m.__name__ for m in list(sys.modules.values())"
        " if (c := getattr(m, '__cached__', None)) and not os.path.exists(c)])"
    )
    assert sh(image, f'DATABASE_URL=sqlite:////tmp/x.db python3 -c "{script}"') == "[]"


def test_it_says_what_it_is_in_the_terms_of_the_oci(image, described):
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    passport = json.loads((ROOT / "build/release.json").read_text())
    told = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert told["title"] == "Colophon"
    assert told["licenses"] == "MIT"
    assert told["revision"] == described["commit"] == passport["commit"]
    assert told["version"] == passport["version"]
    assert told["created"] == passport["built_at"]


def test_it_shows_the_passport_that_it_was_given(container, described):
    status, headers, body = fetch(f"{container.url}/release.json")
    shown = json.loads(body)
    assert status == 200
    assert shown == json.loads((ROOT / "build/release.json").read_text())
    assert shown["state"] == "released"
    assert headers["Colophon-Release"] == described["commit"]
    assert described["commit"][:7] in fetch(f"{container.url}/colophon")[2].decode()


def test_the_passport_names_every_package_that_is_installed_and_no_other(image, container):
    listing = (
        "import importlib.metadata as m, site;"
        "print(*(f'{x.name}=={x.version}' for x in m.distributions(path=site.getsitepackages())))"
    )
    components = json.loads(fetch(f"{container.url}/release.json")[2])["components"]
    named = {f"{part['name']}=={part['version']}" for part in components}
    assert named == set(sh(image, f'python3 -c "{listing}"').split())


def test_its_health_check_tells_a_site_that_answers_from_one_that_does_not(start):
    assert health_of(start("--health-interval=1s"), "healthy") == "healthy"
    silent = start("--health-interval=1s", "--health-start-period=1s", "--health-retries=2").wait()
    docker("exec", silent.name, "python3", "-c", STOP_THE_WORKERS)
    assert health_of(silent, "unhealthy") == "unhealthy"


def test_so_does_the_one_that_ecs_runs(start):
    task = resolve(parse((ROOT / "ecs/service.yml").read_text()))["Resources"]["TaskDefinition"]["Properties"]
    check = next(one["HealthCheck"] for one in task["ContainerDefinitions"] if one["Name"] == "site")
    site = start().wait()
    assert probe(site.name, check["Command"]) == 0
    docker("exec", site.name, "python3", "-c", STOP_THE_WORKERS)
    began = time.monotonic()
    assert probe(site.name, check["Command"]) == 1
    # By itself, before ECS takes it for failed: its own word is what the log then has.
    assert time.monotonic() - began < check["Timeout"]


def health_of(container, wanted):
    """Return the container's health as soon as it is the wanted one."""
    until(lambda: container.inspect("{{.State.Health.Status}}") == wanted)
    return container.inspect("{{.State.Health.Status}}")


def test_ended_under_load_it_loses_no_request(start):
    site = start().wait()
    # Its own address: the engine's proxy for the published port takes a connection before it knows whether it is good.
    address = f"http://{site.inspect('{{.NetworkSettings.IPAddress}}')}:8000"
    answers, ended = Counter(), threading.Event()

    def visit():
        while not ended.is_set():
            try:
                answers[fetch(f"{address}/books?q=sea", Host="localhost")[0]] += 1
            except OSError as error:
                # Refused before it was sent: the server listens no more, so nothing was lost.
                refused = isinstance(getattr(error, "reason", None), ConnectionRefusedError)
                answers["refused" if refused else repr(error)] += 1
                ended.set()

    visitors = [threading.Thread(target=visit) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    until(lambda: answers[200] >= 100 or ended.is_set())
    docker("kill", "--signal=TERM", site.name)
    code = docker("wait", site.name)
    ended.set()
    for visitor in visitors:
        visitor.join(LONGEST)
    assert code == "0"
    assert set(answers) <= {200, "refused"}


def test_it_adds_little_to_its_base_and_no_more_than_it_did(image):
    """After a growth that is wanted: write the new figure, which the failure shows, into size.json."""
    added = added_bytes(image)
    assert added <= LIMIT
    assert added <= json.loads(SIZE.read_text())["added_bytes"] * 1.05


def test_two_builds_of_one_commit_hold_the_same_files(clone, build, described):
    again = build(clone, "--no-cache", "--reports", str(ROOT / "build"))
    assert again["commit"] == described["commit"]
    assert again["content"] == described["content"]


def test_a_file_of_another_time_owner_or_text_is_another_content(image, named, tmp_path):
    (tmp_path / "Dockerfile").write_text(
        f"FROM {named}\nUSER root\nARG CHANGE\nRUN $CHANGE && touch --date=@0 /srv/colophon\n"
    )

    def changed(by):
        made = docker("build", "--quiet", "--build-arg", f"CHANGE={by}", str(tmp_path))
        return digest(made)

    file = "/srv/colophon/gunicorn.conf.py"
    same = changed(f"touch --date=@0 {file}")
    assert same == digest(image)
    assert len({same, changed(f"touch --date=@1 {file}"), changed(f"chown 5 {file}"), changed(f"rm {file}")}) == 4


def test_a_change_of_a_template_reuses_the_layers_of_the_libraries(clone, build):
    template = clone / "src/colophon/templates/pages/about.html"
    # Each is new to the engine: one that was built before could be found in the cache with layers of its own.
    template.write_text(template.read_text().replace("</p>", f" {uuid.uuid4()}</p>", 1))
    commit(clone, "Say something")
    before = layers(build(clone)["id"])
    template.write_text(template.read_text().replace("</p>", f" {uuid.uuid4()}</p>", 1))
    commit(clone, "Say more")
    after = layers(build(clone)["id"])
    first_changed = next(number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
    # The copy of the site, the times of its folders, its passport, and the time of that.
    assert len(before) - first_changed == 4


def test_what_is_not_committed_is_not_in_it(clone, build):
    commit(clone, "Change nothing")
    (clone / "src/colophon/unfinished.py").write_text("")
    made = build(clone)["id"]
    assert "passport.py" in sh(made, "find /srv")
    assert "unfinished" not in sh(made, "find /srv /opt")
