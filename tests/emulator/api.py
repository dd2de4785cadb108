"""The actions of ECS about services and tasks. All others stay ministack's."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import ecs

from . import capacity, responses, scheduler, store
from .model import Container, Service, Task, identifier
from .store import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Deployment, Json, World
    from .tasks import Runner

Answer = Any  # status, headers, body, as ministack hands responses on

# Changing one of these makes a new deployment; the others take effect at once.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
REDEPLOYING = """
taskDefinition networkConfiguration loadBalancers capacityProviderStrategy platformVersion enableExecuteCommand
placementConstraints placementStrategy serviceRegistries
"""
CHANGEABLE = f"{REDEPLOYING} deploymentConfiguration healthCheckGracePeriodSeconds propagateTags enableECSManagedTags"
OWN = """
CreateService UpdateService DeleteService DescribeServices ListServices ListServiceDeployments
DescribeServiceDeployments StopServiceDeployment DescribeServiceRevisions RunTask StopTask ListTasks DescribeTasks
ListContainerInstances DescribeContainerInstances
"""


class Api:
    """The handlers of these actions; each is named as its action, in botocore's spelling."""

    def __init__(self, world: World, runner: Runner) -> None:
        self.world = world
        self.runner = runner
        runner.place = self.place
        self._runs: dict[tuple[str, str], tuple[Json, list[Task]]] = {}  # by cluster and token: the call, its tasks

    def install(self) -> None:
        """Replace these actions of ministack."""
        for action in OWN.split():
            handler = getattr(self, xform_name(action))
            ecs._ACTION_MAP[action] = functools.partial(self._answer, handler)
        ecs._ACTION_MAP["RegisterTaskDefinition"] = store.register_task_definition
        providers = ecs._ACTION_MAP["DescribeCapacityProviders"]
        ecs._ACTION_MAP["DescribeCapacityProviders"] = functools.partial(responses.capacity_providers, providers)
        ecs._recount_cluster = self._recount
        for action in ("CreateService", "UpdateService", "DeleteService"):  # which CloudFormation calls
            setattr(ecs, f"_{xform_name(action)}", ecs._ACTION_MAP[action])

    def _answer(self, handler: Callable[[Json], Json], data: Json) -> Answer:
        try:
            with self.world.lock:
                return json_response(handler(data))
        except RefusedError as refused:
            return error_response_json(refused.code, str(refused), 400)

    def _recount(self, name: str) -> None:
        """Update the counts that ministack shows of a cluster."""
        cluster = ecs._clusters.get(name)
        if cluster:
            tasks = [task for task in self.world.tasks.values() if task.cluster_arn == cluster["clusterArn"]]
            services = [s for s in self.world.services.values() if s.cluster_arn == cluster["clusterArn"]]
            cluster["runningTasksCount"] = sum(task.last_status == "RUNNING" for task in tasks)
            cluster["pendingTasksCount"] = sum(task.last_status in ("PENDING", "PROVISIONING") for task in tasks)
            cluster["activeServicesCount"] = sum(service.status == "ACTIVE" for service in services)
            cluster["registeredContainerInstancesCount"] = len(self._instances(cluster))

    # -- services

    def create_service(self, data: Json) -> Json:
        cluster = store.cluster(data)
        settings = {key: value for key, value in data.items() if key not in ("cluster", "desiredCount", "tags")}
        settings["taskDefinition"] = store.definition(data.get("taskDefinition"))["taskDefinitionArn"]
        settings.setdefault("deploymentController", {"type": "ECS"})
        settings.setdefault("schedulingStrategy", "REPLICA")
        settings.setdefault("propagateTags", "NONE")
        configuration = settings.get("deploymentConfiguration") or {}
        usual = {"strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100, "bakeTimeInMinutes": 0}
        settings["deploymentConfiguration"] = {**usual, **configuration}
        if not settings.get("launchType") and not settings.get("capacityProviderStrategy"):
            default = cluster.get("defaultCapacityProviderStrategy")
            settings.update({"capacityProviderStrategy": default} if default else {"launchType": "EC2"})
        store.check_targets(settings)
        arn = cluster["clusterArn"].replace(":cluster/", ":service/") + f"/{data['serviceName']}"
        known = self.world.services.get(arn)
        if known and known.status == "ACTIVE":
            raise RefusedError("InvalidParameterException", "Creation of service was not idempotent.")
        place = (get_account_id(), get_region(), cluster["clusterArn"])
        service = Service(arn, *place, settings, int(data.get("desiredCount", 1)))
        self.world.services[arn] = service
        ecs._tags[arn] = data.get("tags") or []
        scheduler.deploy(service, store.alarmed(service))
        return {"service": responses.service(self.world, service)}

    def update_service(self, data: Json) -> Json:
        service = self._service(data)
        if service.status != "ACTIVE":
            raise RefusedError("ServiceNotActiveException", "Service was not ACTIVE.")
        changes = {key: data[key] for key in CHANGEABLE.split() if data.get(key) is not None}
        if "taskDefinition" in changes:
            changes["taskDefinition"] = store.definition(changes["taskDefinition"])["taskDefinitionArn"]
        if "deploymentConfiguration" in changes:
            changes["deploymentConfiguration"] = {**service.configuration, **changes["deploymentConfiguration"]}
        store.check_targets({**service.settings, **changes})
        redeploys = any(service.settings.get(key) != changes[key] for key in REDEPLOYING.split() if key in changes)
        service.settings = {**service.settings, **changes}
        if data.get("desiredCount") is not None and int(data["desiredCount"]) != service.desired:
            service.desired = int(data["desiredCount"])
            service.steady = False
        if redeploys or data.get("forceNewDeployment"):
            scheduler.deploy(service, store.alarmed(service))
        return {"service": responses.service(self.world, service)}

    def delete_service(self, data: Json) -> Json:
        service = self._service(data)
        if service.desired and not data.get("force"):
            raise RefusedError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired = "DRAINING", 0
        return {"service": responses.service(self.world, service)}

    def describe_services(self, data: Json) -> Json:
        prefix = store.cluster(data)["clusterArn"].replace(":cluster/", ":service/")
        tagged = "TAGS" in (data.get("include") or [])

        def shown(arn: str) -> Json | None:
            service, tags = self.world.services.get(arn), {"tags": ecs._tags.get(arn, [])} if tagged else {}
            return {**responses.service(self.world, service), **tags} if service else None

        names = [f"{prefix}/{reference.rsplit('/', 1)[-1]}" for reference in data.get("services") or []]
        return responses.described("services", names, shown)

    def list_services(self, data: Json) -> Json:
        arn = store.cluster(data)["clusterArn"]
        services = [service for service in self.world.services.values() if service.cluster_arn == arn]
        return {"serviceArns": [service.arn for service in services if service.status != "INACTIVE"]}

    # -- service deployments

    def list_service_deployments(self, data: Json) -> Json:
        service, wanted = self._service(data), data.get("status") or []
        shown = [release for release in service.releases if not wanted or release.status in wanted]
        return {"serviceDeployments": [responses.release_brief(service, release) for release in shown]}

    def describe_service_deployments(self, data: Json) -> Json:
        def shown(arn: str) -> Json | None:
            owner, release = self._release(arn)
            return responses.release(self.world, owner, release) if owner else None

        return responses.described("serviceDeployments", data.get("serviceDeploymentArns") or [], shown)

    def stop_service_deployment(self, data: Json) -> Json:
        arn = str(data.get("serviceDeploymentArn"))
        _, release = self._release(arn)
        if release is None:
            missing = "The service deploy ARN that you specified doesn't exist."
            raise RefusedError("ServiceDeploymentNotFoundException", missing)
        if data.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise RefusedError("UnsupportedFeatureException", "The stop type ABORT is not supported here.")
        if not release.ongoing:
            raise RefusedError("ConflictException", f"The service deployment is in a terminal state: {release.status}.")
        if release.status in ("PENDING", "IN_PROGRESS"):
            reason = "Rollback was requested by a call to StopServiceDeployment."
            release.reach("ROLLBACK_REQUESTED", reason, "stoppedAt")
        return {"serviceDeploymentArn": arn}

    def describe_service_revisions(self, data: Json) -> Json:
        owners = {arn: service for service in self.world.services.values() for arn in service.revisions}

        def shown(arn: str) -> Json | None:
            owner = owners.get(arn)
            definition = store.definition(owner.revisions[arn]["taskDefinition"]) if owner else {}
            return responses.revision(owner, arn, definition) if owner else None

        return responses.described("serviceRevisions", data.get("serviceRevisionArns") or [], shown)

    def _release(self, arn: str) -> tuple[Service | None, Any]:
        pairs = ((service, release) for service in self.world.services.values() for release in service.releases)
        return next(((service, release) for service, release in pairs if release.arn == arn), (None, None))

    # -- tasks

    def launch(self, service: Service, deployment: Deployment) -> Task:
        """Place and start one task of a service. Raises capacity.PlacementError. The caller holds the world's lock."""
        with store.scope(service):
            definition = store.definition(deployment.task_definition)
            constraints = service.settings.get("placementConstraints") or []
            group, cluster = f"service:{service.name}", ecs._clusters[service.cluster]
            apart = group if any(each.get("type") == "distinctInstance" for each in constraints) else ""
            return self._launch(service.settings, cluster, definition, group, deployment, apart)

    def run_task(self, data: Json) -> Json:
        cluster, definition = store.cluster(data), store.definition(data.get("taskDefinition"))
        store.check_roles(definition)
        made: list[Task] = []
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
        if token := data.get("clientToken"):
            first, made = self._runs.setdefault((cluster["clusterArn"], token), (data, made))
            if first != data:
                raise RefusedError("ConflictException", "The clientToken is already in use with a different request.")
            if made:
                return {"tasks": [responses.task(task) for task in made], "failures": []}
        failures = []
        for _ in range(int(data.get("count") or 1)):
            try:
                made.append(
                    self._launch(data, cluster, definition, data.get("group") or f"family:{definition['family']}")
                )
            except capacity.PlacementError as full:
                failures.append({"arn": full.instance, "reason": full.short})
        return {"tasks": [responses.task(task) for task in made], "failures": failures}

    def _launch(
        self, data: Json, cluster: Json, definition: Json, group: str, by: Deployment | None = None, apart: str = ""
    ) -> Task:
        arn, instance = cluster["clusterArn"], None
        launch_type, provider = ecs._task_capacity(data.get("launchType"), data.get("capacityProviderStrategy"))
        try:
            instance = capacity.place(self.world, arn, store.fleet(cluster), definition, apart_from=apart)
        except capacity.PlacementError:
            store.grow(cluster)
            if not (provider and store.scales(cluster)):
                raise
        prefix = arn.replace(":cluster/", ":container/")
        containers = [Container(entry, f"{prefix}/{identifier()}") for entry in definition["containerDefinitions"]]
        name = f"{arn.replace(':cluster/', ':task/')}/{identifier()}"
        task = Task(name, get_account_id(), get_region(), arn, definition, containers, group)
        task.started_by, task.deployment = by.id if by else str(data.get("startedBy") or ""), by
        task.instance, task.launch_type, task.capacity_provider = instance, launch_type, provider
        task.network, task.overrides = data.get("networkConfiguration") or {}, data.get("overrides") or {}
        task.tags = data.get("tags") or []
        self.world.tasks[task.arn] = task
        self.runner.run(task)
        return task

    def place(self, task: Task) -> bool:
        """Place a task that waits for an instance, once one with room has joined. The caller holds the world's lock."""
        fleet = store.fleet(ecs._clusters[task.cluster])
        with contextlib.suppress(capacity.PlacementError):
            task.instance = task.instance or capacity.place(self.world, task.cluster_arn, fleet, task.definition)
        return task.instance is not None

    def stop_task(self, data: Json) -> Json:
        task = self._task(data, str(data.get("task")))
        if task is None:
            raise RefusedError("InvalidParameterException", "The referenced task was not found.")
        task.stop(data.get("reason") or "Task stopped by user", "UserInitiated")
        return {"task": responses.task(task)}

    def list_tasks(self, data: Json) -> Json:
        arn, wanted = store.cluster(data)["clusterArn"], data.get("desiredStatus", "RUNNING")
        tasks = [task for task in self.world.tasks.values() if task.cluster_arn == arn]
        tasks = [task for task in tasks if task.desired_status == wanted]
        group = f"service:{str(data.get('serviceName')).rsplit('/', 1)[-1]}"
        tasks = [task for task in tasks if task.group == group or not data.get("serviceName")]
        tasks = [task for task in tasks if data.get("family") in (None, task.definition["family"])]
        tasks = [task for task in tasks if data.get("startedBy") in (None, task.started_by)]
        return {"taskArns": [task.arn for task in tasks]}

    def describe_tasks(self, data: Json) -> Json:
        prefix = store.cluster(data)["clusterArn"].replace(":cluster/", ":task/")

        def shown(arn: str) -> Json | None:
            task = self._task(data, arn)
            return responses.task(task) if task else None

        names = [name if name.startswith("arn:") else f"{prefix}/{name}" for name in data.get("tasks") or []]
        return responses.described("tasks", names, shown)

    def _task(self, data: Json, reference: str) -> Task | None:
        arn, name = store.cluster(data)["clusterArn"], reference.rsplit("/", 1)[-1]
        return next((task for task in self.world.tasks.values() if task.id == name and task.cluster_arn == arn), None)

    def _service(self, data: Json) -> Service:
        arn = store.cluster(data)["clusterArn"]
        name = str(data.get("service") or "").rsplit("/", 1)[-1]
        service = self.world.services.get(f"{arn.replace(':cluster/', ':service/')}/{name}")
        if service is None:
            raise RefusedError("ServiceNotFoundException", "Service not found.")
        return service

    # -- container instances

    def _instances(self, cluster: Json) -> list[Any]:
        return capacity.instances(self.world, cluster["clusterArn"], store.fleet(cluster))

    def list_container_instances(self, data: Json) -> Json:
        return {"containerInstanceArns": [instance.arn for instance in self._instances(store.cluster(data))]}

    def describe_container_instances(self, data: Json) -> Json:
        known = {instance.arn.rsplit("/", 1)[-1]: instance for instance in self._instances(store.cluster(data))}
        names = [str(reference).rsplit("/", 1)[-1] for reference in data.get("containerInstances") or []]
        shown = lambda name: responses.instance(self.world, known[name]) if name in known else None  # noqa: E731
        return responses.described("containerInstances", names, shown)
