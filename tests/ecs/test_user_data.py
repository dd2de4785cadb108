"""UserData, read by cloud-init and run by it: an instance joins the cluster by nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.environments import ROOT
from tests.conftest import unavailable

# Where .ci/packages unpacks it, and where Debian installs it.
PLACES = [Path("/usr/local/lib/cloud-init/usr/lib/python3/dist-packages"), Path("/usr/lib/python3/dist-packages")]
CONFIG = "etc/ecs/ecs.config"


@pytest.fixture(scope="module")
def cloud_init():
    """The folder of cloud-init's modules."""
    for place in PLACES:
        if (place / "cloudinit").is_dir():
            return place
    return unavailable("cloud-init is not on this machine (Debian: .ci/packages tests)")


@pytest.fixture(scope="module")
def as_root():
    """The words before a command by which it may change its root."""
    words = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    if subprocess.run([*words, sys.executable, "-c", "import os; os.chroot('/')"], capture_output=True).returncode:
        unavailable("only root may change the root folder here")
    return words


@pytest.fixture
def instance(tmp_path):
    """The file system of an instance, as far as a script of the shell needs one; in it, the agent's configuration."""
    for folder in ("bin", "dev", "etc/ecs", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dev/null").touch()
    for name in ("bash", "cat"):
        program = shutil.which(name, path="/bin")
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for file in [program, *re.findall(r"/\S+", needed)]:
            copy = tmp_path / file.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    return tmp_path


@pytest.fixture
def start(cloud_init, as_root, instance):
    """Start the instance with this UserData, and return what that said."""

    def run(user_data):
        command = [*as_root, sys.executable, "-m", "tests.ecs.first_boot", instance, cloud_init]
        ended = subprocess.run(command, cwd=ROOT, input=user_data.encode(), capture_output=True, check=False)
        return (ended.stdout + ended.stderr).decode()

    return run


@pytest.fixture
def user_data(resources):
    made = resources("cluster", Project="books")
    text = made["LaunchTemplate"]["LaunchTemplateData"]["UserData"]
    return text.replace("<Cluster>", made["Cluster"]["ClusterName"])


def configured(instance):
    """Return the agent's configuration as ecs-init reads it: quotes and spaces stay, and the last of a name holds."""
    lines = (instance / CONFIG).read_text().split("\n")
    return dict(line.strip().split("=", 1) for line in lines if "=" in line)


def test_an_instance_joins_this_cluster_and_keeps_its_credentials_from_tasks(start, user_data, instance):
    assert start(user_data) == ""
    assert configured(instance) == {
        "ECS_CLUSTER": "books",
        "ECS_AWSVPC_BLOCK_IMDS": "true",
        "ECS_SELINUX_CAPABLE": "true",
    }


def test_what_its_image_configured_stays(start, user_data, instance):
    (instance / CONFIG).write_text("ECS_LOGLEVEL=warn\n")
    assert start(user_data) == ""
    assert configured(instance)["ECS_LOGLEVEL"] == "warn"


def test_to_run_it_twice_changes_nothing(start, user_data, instance):
    start(user_data)
    once = configured(instance)
    assert start(user_data) == ""
    assert configured(instance) == once


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("#!", "# !", "Unhandled non-multipart (text/x-not-multipart) userdata"),
        ("#!", "\n#!", "Runparts: 1 failures"),
        ("=books", '="books"', ""),
        ("=books", " = books", ""),
    ],
    ids=["a space", "an empty line above", "quotes", "spaces"],
)
def test_what_an_instance_would_not_join_with_is_found(start, user_data, instance, right, wrong, said):
    assert right in user_data
    assert said in start(user_data.replace(right, wrong))
    assert not (instance / CONFIG).exists() or configured(instance).get("ECS_CLUSTER") != "books"
