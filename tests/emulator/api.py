"""The actions of ECS that the scheduler and the tasks here stand behind. All others stay ministack's."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

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
REDEPLOYING = (
    "taskDefinition",
    "networkConfiguration",
    "loadBalancers",
    "capacityProviderStrategy",
    "platformVersion",
    "enableExecuteCommand",
    "placementConstraints",
    "placementStrategy",
    "serviceRegistries",
)
CHANGEABLE = (
    *REDEPLOYING,
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "propagateTags",
    "enableECSManagedTags",
)


class Api:
    """The handlers of these actions."""

    def __init__(self, world: World, runner: Runner) -> None:
        self.world = world
        self.runner = runner

    def install(self) -> None:
        """Take the actions over."""
        own: dict[str, Callable[[Json], Json]] = {
            "CreateService": self.create_service,
            "UpdateService": self.update_service,
            "DeleteService": self.delete_service,
            "DescribeServices": self.describe_services,
            "ListServices": self.list_services,
            "ListServiceDeployments": self.list_service_deployments,
            "DescribeServiceDeployments": self.describe_service_deployments,
            "StopServiceDeployment": self.stop_service_deployment,
            "DescribeServiceRevisions": self.describe_service_revisions,
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "ListTasks": self.list_tasks,
            "DescribeTasks": self.describe_tasks,
            "ListContainerInstances": self.list_container_instances,
            "DescribeContainerInstances": self.describe_container_instances,
        }
        for action, handler in own.items():
            ecs._ACTION_MAP[action] = functools.partial(self._answer, handler)
        ecs._ACTION_MAP["RegisterTaskDefinition"] = store.register_task_definition
        ecs._recount_cluster = self._recount
        # What CloudFormation calls.
        ecs._create_service = ecs._ACTION_MAP["CreateService"]
        ecs._update_service = ecs._ACTION_MAP["UpdateService"]
        ecs._delete_service = ecs._ACTION_MAP["DeleteService"]

    def _answer(self, handler: Callable[[Json], Json], data: Json) -> Answer:
        try:
            with self.world.lock:
                return json_response(handler(data))
        except RefusedError as refused:
            return error_response_json(refused.code, str(refused), 400)

    def _recount(self, name: str) -> None:
        """Count what ministack shows of a cluster."""
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
        settings["deploymentConfiguration"] = {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            **(settings.get("deploymentConfiguration") or {}),
        }
        if not settings.get("launchType") and not settings.get("capacityProviderStrategy"):
            default = cluster.get("defaultCapacityProviderStrategy")
            settings.update({"capacityProviderStrategy": default} if default else {"launchType": "EC2"})
        arn = cluster["clusterArn"].replace(":cluster/", ":service/") + f"/{data['serviceName']}"
        known = self.world.services.get(arn)
        if known and known.status == "ACTIVE":
            raise RefusedError("InvalidParameterException", "Creation of service was not idempotent.")
        service = Service(
            arn, get_account_id(), get_region(), cluster["clusterArn"], settings, int(data.get("desiredCount", 1))
        )
        self.world.services[arn] = service
        ecs._tags[arn] = data.get("tags") or []
        scheduler.deploy(service)
        return {"service": responses.service(self.world, service)}

    def update_service(self, data: Json) -> Json:
        service = self._service(data)
        if service.status != "ACTIVE":
            raise RefusedError("ServiceNotActiveException", "Service was not ACTIVE.")
        changes = {key: data[key] for key in CHANGEABLE if data.get(key) is not None}
        if "taskDefinition" in changes:
            changes["taskDefinition"] = store.definition(changes["taskDefinition"])["taskDefinitionArn"]
        if "deploymentConfiguration" in changes:
            changes["deploymentConfiguration"] = {**service.configuration, **changes["deploymentConfiguration"]}
        redeploys = any(service.settings.get(key) != changes[key] for key in REDEPLOYING if key in changes)
        service.settings = {**service.settings, **changes}
        if data.get("desiredCount") is not None and int(data["desiredCount"]) != service.desired:
            service.desired = int(data["desiredCount"])
            service.steady = False
        if redeploys or data.get("forceNewDeployment"):
            scheduler.deploy(service)
        return {"service": responses.service(self.world, service)}

    def delete_service(self, data: Json) -> Json:
        service = self._service(data)
        if service.desired and not data.get("force"):
            raise RefusedError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired = "DRAINING", 0
        return {"service": responses.service(self.world, service)}

    def describe_services(self, data: Json) -> Json:
        found, missing = [], []
        for reference in data.get("services") or []:
            try:
                service = self._service({**data, "service": reference})
            except RefusedError:
                prefix = store.cluster(data)["clusterArn"].replace(":cluster/", ":service/")
                missing.append({"arn": f"{prefix}/{reference.rsplit('/', 1)[-1]}", "reason": "MISSING"})
            else:
                tags = {"tags": ecs._tags.get(service.arn, [])} if "TAGS" in (data.get("include") or []) else {}
                found.append({**responses.service(self.world, service), **tags})
        return {"services": found, "failures": missing}

    def list_services(self, data: Json) -> Json:
        arn = store.cluster(data)["clusterArn"]
        return {
            "serviceArns": [
                s.arn for s in self.world.services.values() if s.cluster_arn == arn and s.status != "INACTIVE"
            ]
        }

    # -- service deployments

    def list_service_deployments(self, data: Json) -> Json:
        service, wanted = self._service(data), data.get("status") or []
        shown = [release for release in service.releases if not wanted or release.status in wanted]
        return {"serviceDeployments": [responses.release_brief(service, release) for release in shown]}

    def describe_service_deployments(self, data: Json) -> Json:
        found, missing = [], []
        for arn in data.get("serviceDeploymentArns") or []:
            owner, release = self._release(arn)
            if owner is None or release is None:
                missing.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(responses.release(self.world, owner, release))
        return {"serviceDeployments": found, "failures": missing}

    def stop_service_deployment(self, data: Json) -> Json:
        arn = str(data.get("serviceDeploymentArn"))
        _, release = self._release(arn)
        if release is None:
            raise RefusedError(
                "ServiceDeploymentNotFoundException", "The service deploy ARN that you specified doesn't exist."
            )
        if data.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise RefusedError("UnsupportedFeatureException", "The stop type ABORT is not supported here.")
        if not release.ongoing:
            raise RefusedError("ConflictException", f"The service deployment is in a terminal state: {release.status}.")
        if release.status in ("PENDING", "IN_PROGRESS"):
            release.reach(
                "ROLLBACK_REQUESTED", "Rollback was requested by a call to StopServiceDeployment.", "stoppedAt"
            )
        return {"serviceDeploymentArn": arn}

    def describe_service_revisions(self, data: Json) -> Json:
        found, missing = [], []
        for arn in data.get("serviceRevisionArns") or []:
            owner = next((service for service in self.world.services.values() if arn in service.revisions), None)
            if owner is None:
                missing.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(responses.revision(owner, arn, store.definition(owner.revisions[arn]["taskDefinition"])))
        return {"serviceRevisions": found, "failures": missing}

    def _release(self, arn: str) -> tuple[Service | None, Any]:
        pairs = ((service, release) for service in self.world.services.values() for release in service.releases)
        return next(((service, release) for service, release in pairs if release.arn == arn), (None, None))

    # -- tasks

    def launch(self, service: Service, deployment: Deployment) -> Task:
        """Place and start one task of a service. Raises capacity.PlacementError. The caller holds the world's lock."""
        with store.scope(service):
            definition = store.definition(deployment.task_definition)
            constraints = service.settings.get("placementConstraints") or []
            apart = any(constraint.get("type") == "distinctInstance" for constraint in constraints)
            group = f"service:{service.name}"
            return self._launch(
                service.settings, ecs._clusters[service.cluster], definition, group, deployment, apart=apart
            )

    def run_task(self, data: Json) -> Json:
        cluster, definition = store.cluster(data), store.definition(data.get("taskDefinition"))
        store.check_roles(definition)
        started, failures = [], []
        for _ in range(int(data.get("count") or 1)):
            try:
                task = self._launch(data, cluster, definition, data.get("group") or f"family:{definition['family']}")
                started.append(responses.task(task))
            except capacity.PlacementError as full:
                failures.append({"arn": full.instance, "reason": full.short})
        return {"tasks": started, "failures": failures}

    def _launch(
        self,
        data: Json,
        cluster: Json,
        definition: Json,
        group: str,
        deployment: Deployment | None = None,
        *,
        apart: bool = False,
    ) -> Task:
        try:
            fleet, arn = store.fleet(cluster), cluster["clusterArn"]
            instance = capacity.place(self.world, arn, fleet, definition, apart_from=group if apart else "")
        except capacity.PlacementError:
            store.grow(cluster)
            raise
        launch_type, provider = ecs._task_capacity(data.get("launchType"), data.get("capacityProviderStrategy"))
        prefix = cluster["clusterArn"].replace(":cluster/", ":container/")
        task = Task(
            f"{cluster['clusterArn'].replace(':cluster/', ':task/')}/{identifier()}",
            get_account_id(),
            get_region(),
            cluster["clusterArn"],
            definition,
            [Container(entry, f"{prefix}/{identifier()}") for entry in definition["containerDefinitions"]],
            group,
            deployment.id if deployment else str(data.get("startedBy") or ""),
            deployment,
            instance,
            launch_type,
            provider,
            data.get("networkConfiguration") or {},
            data.get("overrides") or {},
            data.get("tags") or [],
        )
        self.world.tasks[task.arn] = task
        self.runner.run(task)
        return task

    def stop_task(self, data: Json) -> Json:
        task = self._task(data, str(data.get("task")))
        if task is None:
            raise RefusedError("InvalidParameterException", "The referenced task was not found.")
        task.stop(data.get("reason") or "Task stopped by user", "UserInitiated")
        return {"task": responses.task(task)}

    def list_tasks(self, data: Json) -> Json:
        arn, wanted = store.cluster(data)["clusterArn"], data.get("desiredStatus", "RUNNING")
        tasks = [
            task for task in self.world.tasks.values() if task.cluster_arn == arn and task.desired_status == wanted
        ]
        if data.get("serviceName"):
            tasks = [task for task in tasks if task.group == f"service:{str(data['serviceName']).rsplit('/', 1)[-1]}"]
        if data.get("family"):
            tasks = [task for task in tasks if task.definition["family"] == data["family"]]
        if data.get("startedBy"):
            tasks = [task for task in tasks if task.started_by == data["startedBy"]]
        return {"taskArns": [task.arn for task in tasks]}

    def describe_tasks(self, data: Json) -> Json:
        arn, found, missing = store.cluster(data)["clusterArn"], [], []
        for reference in data.get("tasks") or []:
            task = self._task(data, reference)
            if task:
                found.append(responses.task(task))
            else:
                name = (
                    reference if reference.startswith("arn:") else f"{arn.replace(':cluster/', ':task/')}/{reference}"
                )
                missing.append({"arn": name, "reason": "MISSING"})
        return {"tasks": found, "failures": missing}

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
        wanted = [str(reference).rsplit("/", 1)[-1] for reference in data.get("containerInstances") or []]
        known = {instance.arn.rsplit("/", 1)[-1]: instance for instance in self._instances(store.cluster(data))}
        return {
            "containerInstances": [responses.instance(self.world, known[name]) for name in wanted if name in known],
            "failures": [{"arn": name, "reason": "MISSING"} for name in wanted if name not in known],
        }
