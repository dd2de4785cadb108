"""The Docker engine that all tasks run in: containers made from container definitions, labelled for their removal."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import resource
from typing import TYPE_CHECKING, Any, NamedTuple

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Json
    from .pace import Pace

log = logging.getLogger("emulator.engine")

LABEL = "colophon.emulator"
MEBIBYTE = 1024 * 1024
SECOND = 1_000_000_000  # Docker counts nanoseconds
REFUSED = (
    *("mountPoints", "volumesFrom", "extraHosts", "privileged", "devices", "maxSwap", "swappiness"),
    *("pidMode", "ipcMode"),
)
PAUSE = ["sleep", "infinity"]
UNCHECKED = {"test": ["NONE"]}
HEALTH = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}


class EngineError(Exception):
    """The engine refused a request. The message is its own."""


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        raise EngineError(error.explanation or str(error)) from error


class Look(NamedTuple):
    """The state of a container at one moment."""

    running: bool
    exit_code: int
    out_of_memory: bool
    health: str  # in ECS's words
    address: str
    image_id: str
    ports: dict[int, int]


class Engine:
    """The containers of one emulator: in a network of their own, labelled with `owner`."""

    def __init__(self, owner: str) -> None:
        try:
            self._api: Any = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto", timeout=120)
            self._api.ping()
        except DockerException as error:
            raise EngineError(f"no Docker engine answers here: {error}") from error
        self.owner = owner
        self.network = f"colophon-emulator-{owner}"
        self.clean()  # of a killed one of the same name
        self._api.create_network(self.network, driver="bridge", labels={LABEL: owner})
        config = self._api.inspect_network(self.network)["IPAM"]["Config"][0]
        # An older engine names no gateway before the first container; it is always the first address.
        self.gateway = config.get("Gateway") or str(next(ipaddress.ip_network(config["Subnet"]).hosts()))

    def pull(self, image: str, credentials: Json) -> tuple[str, str]:
        """Fetch an image from its registry, and return its digest there and its ID here.

        A local copy does not count: an image that its registry has lost cannot be deployed. Raises EngineError.
        """
        repository, _, digest = image.partition("@")
        tag = digest or None
        if not digest and ":" in repository.rpartition("/")[2]:
            repository, _, tag = repository.rpartition(":")
        with _refusals():
            known = self._api.inspect_distribution(image, auth_config=credentials)["Descriptor"]["digest"]
            pulled = self._api.pull(repository, tag or "latest", stream=True, auth_config=credentials, decode=True)
            for line in pulled:
                if "error" in line:
                    raise EngineError(line["error"])
            return known, self._api.inspect_image(image)["Id"]

    def pause(self, name: str, image: str, ports: list[int]) -> str:
        """Start the container that holds a task's network namespace, and return its ID. Raises EngineError.

        Whichever of the task's containers ends, the others keep their address, and the ports that they listen at.
        """
        own = {"labels": {LABEL: self.owner}, "healthcheck": UNCHECKED, **self._reachable(ports)}
        with _refusals():
            made = self._api.create_container(image, name=name, entrypoint=PAUSE, **own)
            self._api.start(made["Id"])
        return str(made["Id"])

    def create(
        self, name: str, image: str, definition: Json, env: dict[str, str], task: Json, pace: Pace, pause: str
    ) -> str:
        """Make a container, and return its ID.

        `definition` is the container's and `task` the task's definition. `pause` holds the network namespace that the
        container is in; "" gives it one of its own. Raises EngineError.
        """
        linux = definition.get("linuxParameters") or {}
        refused = [key for key in REFUSED if definition.get(key) or linux.get(key) or task.get(key)]
        if refused:
            raise EngineError(f"the emulator does not imitate {', '.join(refused)}")
        limits: Json = {
            "shm_size": int(linux.get("sharedMemorySize") or 0) * MEBIBYTE or None,
            "ulimits": [_ulimit(each) for each in definition.get("ulimits") or []],
            "tmpfs": {mount["containerPath"]: _mount_options(mount) for mount in linux.get("tmpfs") or []},
            "init": bool(linux.get("initProcessEnabled")),
            "cap_add": (linux.get("capabilities") or {}).get("add") or None,
            "cap_drop": (linux.get("capabilities") or {}).get("drop") or None,
            "read_only": bool(definition.get("readonlyRootFilesystem")),
            "security_opt": definition.get("dockerSecurityOptions") or None,
            **_resources(definition, task),
        }
        if pause:
            own = {"host_config": self._api.create_host_config(network_mode=f"container:{pause}", **limits)}
        else:
            own = self._reachable(container_ports(definition), **limits)
        with _refusals():
            created = self._api.create_container(
                image,
                name=name,
                command=definition.get("command"),
                entrypoint=definition.get("entryPoint"),
                environment=env,
                user=definition.get("user"),
                working_dir=definition.get("workingDirectory"),
                hostname=definition.get("hostname"),
                labels={**(definition.get("dockerLabels") or {}), LABEL: self.owner},
                healthcheck=_health_check(definition.get("healthCheck"), pace),
                **own,
            )
        return str(created["Id"])

    def _reachable(self, ports: list[int], **limits: Any) -> Json:
        """Return the settings of a container with an address of its own, whose ports are reached from this machine."""
        host = self._api.create_host_config(port_bindings=dict.fromkeys(ports, ("127.0.0.1", None)), **limits)
        network = self._api.create_networking_config({self.network: self._api.create_endpoint_config()})
        return {"ports": ports, "host_config": host, "networking_config": network}

    def start(self, container: str) -> None:
        """Start a container. Raises EngineError."""
        with _refusals():
            self._api.start(container)

    def look(self, container: str) -> Look:
        """Return the state of a container. One that is gone counts as killed."""
        try:
            found = self._api.inspect_container(container)
        except NotFound:
            return Look(False, 137, False, "UNKNOWN", "", "", {})
        state, network = found["State"], found["NetworkSettings"]
        running, health = state["Status"] not in ("exited", "dead"), (state.get("Health") or {}).get("Status", "")
        published = {port.partition("/")[0]: bound for port, bound in (network.get("Ports") or {}).items() if bound}
        ports = {int(port): int(bound[0]["HostPort"]) for port, bound in published.items()}
        address = (network["Networks"].get(self.network) or {}).get("IPAddress", "")
        end = (state["ExitCode"], bool(state.get("OOMKilled")))
        return Look(running, *end, HEALTH.get(health, "UNKNOWN"), address, found["Image"], ports)

    def output(self, container: str) -> Iterator[bytes]:
        """Yield the output of a container, in pieces of any size, until it ends."""
        try:
            yield from self._api.logs(container, stream=True, follow=True)
        except (DockerException, OSError):
            return  # it was removed meanwhile

    def stop(self, container: str, seconds: int) -> None:
        """Send SIGTERM, and SIGKILL if the container still runs after so many seconds."""
        with contextlib.suppress(NotFound, APIError):
            self._api.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        """Remove a container with its anonymous volumes, running or not."""
        with contextlib.suppress(NotFound, APIError):
            self._api.remove_container(container, v=True, force=True)

    def clean(self, registry: str = "") -> None:
        """Remove this emulator's containers, its network, and the images that came from its registry."""
        mine = {"label": f"{LABEL}={self.owner}"}
        for container in self._api.containers(all=True, filters=mine):
            self.remove(container["Id"])
        for network in self._api.networks(filters=mine):
            with contextlib.suppress(NotFound, APIError):
                # A database that joined it stays, without it.
                for guest in self._api.inspect_network(network["Id"])["Containers"] or {}:
                    self._api.disconnect_container_from_network(guest, network["Id"], force=True)
                self._api.remove_network(network["Id"])
        for image in self._api.images() if registry else []:
            for name in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
                if name.startswith(f"{registry}/"):
                    with contextlib.suppress(NotFound, APIError, ImageNotFound):
                        self._api.remove_image(name)


def container_ports(definition: Json) -> list[int]:
    """Return the ports that a container definition maps."""
    return [int(mapping["containerPort"]) for mapping in definition.get("portMappings") or []]


def _mount_options(mount: Json) -> str:
    return ",".join([*mount.get("mountOptions", []), f"size={mount['size']}m"])


def _ulimit(wanted: Json) -> Any:
    """Return Docker's form of a limit, at most this machine's own: an engine without all privileges cannot raise it."""
    name, soft, hard = str(wanted["name"]), int(wanted["softLimit"]), int(wanted["hardLimit"])
    kind = getattr(resource, f"RLIMIT_{name.upper()}", None)
    own = resource.RLIM_INFINITY if kind is None else resource.getrlimit(kind)[1]
    most = hard if own == resource.RLIM_INFINITY else min(hard, own)
    return docker.types.Ulimit(name=name, soft=min(soft, most), hard=most)


def _resources(definition: Json, task: Json) -> Json:
    """Return Docker's limits: a hard one that kills, a soft one, and shares of the processors."""
    hard = definition.get("memory") or task.get("memory")
    # Without a share of its own, a container has that of its task. Docker's own default stands where neither has one:
    # the two shares that ECS then gives would, on a machine with other work, be nothing at all.
    limits: Json = {"cpu_shares": int(definition.get("cpu") or task.get("cpu") or 0) or None}
    if hard:
        limits["mem_limit"] = limits["memswap_limit"] = int(hard) * MEBIBYTE
    if definition.get("memoryReservation"):
        limits["mem_reservation"] = int(definition["memoryReservation"]) * MEBIBYTE
    return limits


def _health_check(check: Json | None, pace: Pace) -> Json:
    """Return Docker's form of a container health check. The image's own never counts in ECS.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """
    if not check:
        return UNCHECKED
    return {
        "test": check["command"],
        "interval": int(pace.container_interval(float(check.get("interval") or 30)) * SECOND),
        "timeout": int(check.get("timeout") or 5) * SECOND,
        "retries": int(check.get("retries") or 3),
        "start_period": int(pace.grace(float(check.get("startPeriod") or 0)) * SECOND),
    }
