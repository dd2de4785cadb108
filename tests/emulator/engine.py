"""The one Docker engine that all tasks run in.

Containers from container definitions, labelled so that none is left behind.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Json
    from .pace import Pace

log = logging.getLogger("rehearsal.engine")

LABEL = "colophon.rehearsal"
MEBIBYTE = 1024 * 1024
SECOND = 1_000_000_000  # Docker counts nanoseconds
HEALTH = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}


class EngineError(Exception):
    """The engine refused. The message is its own."""


class Look(NamedTuple):
    """A container, as it was when someone looked."""

    running: bool
    exit_code: int
    out_of_memory: bool
    health: str  # as ECS says it
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
        self.network = f"colophon-rehearsal-{owner}"
        self.clean()  # what one of the same name left that was killed
        self._api.create_network(self.network, driver="bridge", labels={LABEL: owner})
        config = self._api.inspect_network(self.network)["IPAM"]["Config"][0]
        # An older engine names no gateway until a container asks for it; it is always the first address.
        self.gateway = config.get("Gateway") or str(next(ipaddress.ip_network(config["Subnet"]).hosts()))

    def pull(self, image: str, credentials: Json) -> tuple[str, str]:
        """Fetch an image from its registry, and return its digest there and its ID here.

        What is here already does not count: an image that its registry has not cannot be deployed. Raises EngineError.
        """
        repository, _, digest = image.partition("@")
        tag = digest or None
        if not digest and ":" in repository.rpartition("/")[2]:
            repository, _, tag = repository.rpartition(":")
        try:
            known = self._api.inspect_distribution(image, auth_config=credentials)["Descriptor"]["digest"]
            for line in self._api.pull(
                repository, tag=tag or "latest", auth_config=credentials, stream=True, decode=True
            ):
                if "error" in line:
                    raise EngineError(line["error"])
            return known, self._api.inspect_image(image)["Id"]
        except (APIError, ImageNotFound) as error:
            raise EngineError(error.explanation or str(error)) from error

    def create(self, name: str, image: str, definition: Json, env: dict[str, str], task: Json, pace: Pace) -> str:
        """Make a container, and return its ID.

        `definition` is the container's and `task` the task's definition. Raises EngineError.
        """
        ports = [int(mapping["containerPort"]) for mapping in definition.get("portMappings") or []]
        linux = definition.get("linuxParameters") or {}
        host = self._api.create_host_config(
            port_bindings=dict.fromkeys(ports, ("127.0.0.1", None)),
            binds=_binds(definition, task),
            tmpfs={
                entry["containerPath"]: ",".join([*entry.get("mountOptions", []), f"size={entry['size']}m"])
                for entry in linux.get("tmpfs") or []
            },
            init=bool(linux.get("initProcessEnabled")),
            cap_add=(linux.get("capabilities") or {}).get("add") or None,
            cap_drop=(linux.get("capabilities") or {}).get("drop") or None,
            shm_size=int(linux["sharedMemorySize"]) * MEBIBYTE if linux.get("sharedMemorySize") else None,
            privileged=bool(definition.get("privileged")),
            read_only=bool(definition.get("readonlyRootFilesystem")),
            security_opt=definition.get("dockerSecurityOptions") or None,
            extra_hosts={h["hostname"]: h["ipAddress"] for h in definition.get("extraHosts") or []} or None,
            ulimits=[
                docker.types.Ulimit(name=u["name"], soft=u["softLimit"], hard=u["hardLimit"])
                for u in definition.get("ulimits") or []
            ],
            **_resources(definition, task),
        )
        try:
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
                ports=ports,
                volumes=_own_volumes(definition, task),
                healthcheck=_health_check(definition.get("healthCheck"), pace),
                host_config=host,
                networking_config=self._api.create_networking_config(
                    {self.network: self._api.create_endpoint_config()}
                ),
            )
        except APIError as error:
            raise EngineError(error.explanation or str(error)) from error
        return str(created["Id"])

    def start(self, container: str) -> None:
        """Start a container. Raises EngineError."""
        try:
            self._api.start(container)
        except APIError as error:
            raise EngineError(error.explanation or str(error)) from error

    def look(self, container: str) -> Look:
        """Look at a container. One that is gone looks as if it had been killed."""
        try:
            found = self._api.inspect_container(container)
        except NotFound:
            return Look(False, 137, False, "UNKNOWN", "", "", {})
        state, network = found["State"], found["NetworkSettings"]
        health = HEALTH.get((state.get("Health") or {}).get("Status", ""), "UNKNOWN")
        ports = {
            int(port.partition("/")[0]): int(bound[0]["HostPort"])
            for port, bound in (network.get("Ports") or {}).items()
            if bound
        }
        address = (network["Networks"].get(self.network) or {}).get("IPAddress", "")
        return Look(
            state["Status"] not in ("exited", "dead"),
            state["ExitCode"],
            bool(state.get("OOMKilled")),
            health,
            address,
            found["Image"],
            ports,
        )

    def output(self, container: str) -> Iterator[bytes]:
        """Give what a container writes, line by line or in larger pieces, until it ends."""
        try:
            yield from self._api.logs(container, stream=True, follow=True)
        except (DockerException, OSError):
            return  # it was removed meanwhile

    def stop(self, container: str, seconds: int) -> None:
        """Send SIGTERM, and SIGKILL when the container has not ended after so many seconds."""
        with contextlib.suppress(NotFound, APIError):
            self._api.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        """Remove a container with its anonymous volumes, running or not."""
        with contextlib.suppress(NotFound, APIError):
            self._api.remove_container(container, v=True, force=True)

    def clean(self, registry: str = "") -> None:
        """Remove everything of this emulator: containers, the network, and what was pulled from its registry."""
        mine = {"label": f"{LABEL}={self.owner}"}
        for container in self._api.containers(all=True, filters=mine):
            self.remove(container["Id"])
        for network in self._api.networks(filters=mine):
            with contextlib.suppress(NotFound, APIError):
                # A database that was put into it stays, without it.
                for guest in self._api.inspect_network(network["Id"])["Containers"] or {}:
                    self._api.disconnect_container_from_network(guest, network["Id"], force=True)
                self._api.remove_network(network["Id"])
        for image in self._api.images() if registry else []:
            for name in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
                if name.startswith(f"{registry}/"):
                    with contextlib.suppress(NotFound, APIError, ImageNotFound):
                        self._api.remove_image(name)


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


def _binds(definition: Json, task: Json) -> list[str]:
    """Return the folders of the host that a container mounts."""
    sources = _sources(task)
    return [
        f"{sources[point['sourceVolume']]}:{point['containerPath']}:{'ro' if point.get('readOnly') else 'rw'}"
        for point in definition.get("mountPoints") or []
        if sources[point["sourceVolume"]]
    ]


def _own_volumes(definition: Json, task: Json) -> list[str]:
    """Return where a container mounts volumes that Docker makes for it."""
    sources = _sources(task)
    return [p["containerPath"] for p in definition.get("mountPoints") or [] if not sources[p["sourceVolume"]]]


def _sources(task: Json) -> dict[str, str | None]:
    return {volume["name"]: (volume.get("host") or {}).get("sourcePath") for volume in task.get("volumes") or []}


def _health_check(check: Json | None, pace: Pace) -> Json:
    """Return Docker's form of a container health check. The image's own never counts in ECS:

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """
    if not check:
        return {"test": ["NONE"]}
    return {
        "test": check["command"],
        "interval": int(pace.container_interval(float(check.get("interval") or 30)) * SECOND),
        "timeout": int(check.get("timeout") or 5) * SECOND,
        "retries": int(check.get("retries") or 3),
        "start_period": int(pace.grace(float(check.get("startPeriod") or 0)) * SECOND),
    }
