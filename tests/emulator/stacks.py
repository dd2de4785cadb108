"""The types of stack resources that ministack lacks, or makes differently from this package's needs."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, ecs, iam, rds, ssm
from ministack.services.cloudformation import provisioners, stacks

from . import drift, groups, properties

if TYPE_CHECKING:
    from .load_balancers import Balancers
    from .model import Json, Release, World

Made = tuple[str, dict[str, Any]]  # physical ID, and what Fn::GetAtt finds

STABLE = 180.0  # seconds that a stack waits for its service, which on AWS are three hours
RESTORED = "restored-"  # begins the name of the host that stands for an instance that was restored
PATIENCE = 50.0  # seconds that DescribeStacks waits for changes to end

# Recorded with the stack, and nothing more; each with the attributes that Fn::GetAtt finds.
RECORDED: dict[str, tuple[str, ...]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("Id",),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("Arn",),
    "AWS::EC2::EIP": ("AllocationId", "PublicIp"),
    "AWS::EC2::FlowLog": ("Id",),
    "AWS::EC2::NatGateway": ("NatGatewayId",),
    "AWS::EC2::SecurityGroupEgress": ("Id",),
    "AWS::EC2::SecurityGroupIngress": ("Id",),
    "AWS::ECR::RegistryScanningConfiguration": ("RegistryId",),
    "AWS::SecretsManager::ResourcePolicy": ("Id",),
    "AWS::SecretsManager::RotationSchedule": ("Id",),
    "AWS::WAFv2::WebACLAssociation": (),
}


@dataclass(frozen=True)
class Stacks:
    """The resource types. `database` is the URL of a database that stands for RDS's, or None."""

    world: World
    balancers: Balancers
    database: str | None = None

    def install(self) -> None:
        """Add the types to CloudFormation."""
        types = provisioners._RESOURCE_HANDLERS
        for name, attributes in RECORDED.items():
            types.setdefault(name, _recorded(name, attributes))
        types["AWS::ECS::TaskDefinition"] |= {"create": _create_task_definition, "update": _update_task_definition}
        service = {"create": self._create_service, "update": self._update_service, "delete": self._delete_service}
        types["AWS::ECS::Service"] = service
        types["AWS::ECS::CapacityProvider"] = {"create": _create_capacity_provider, "delete": _delete_capacity_provider}
        types["AWS::ECS::ClusterCapacityProviderAssociations"] = {"create": _associate, "delete": _dissociate}
        types["AWS::IAM::OIDCProvider"] = {"create": _create_oidc_provider, "delete": _delete_oidc_provider}
        _extend(types["AWS::EC2::VPC"], lambda _, props: {"CidrBlock": props.get("CidrBlock", "")})
        _extend(types["AWS::ElasticLoadBalancingV2::LoadBalancer"], self._address)
        _extend(types["AWS::RDS::DBInstance"], self._database)
        blocking = stacks._runs_on_worker_thread
        stacks._runs_on_worker_thread = lambda name: name == "AWS::ECS::Service" or blocking(name)
        ssm._public_parameter = _public_parameter
        drift.install(self.world)
        groups.install()
        describe = cloudformation.handle_request

        async def handle(method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
            if b"Action=DescribeStacks" in body:
                await _settled()
            return await describe(method, path, headers, body, query)

        cloudformation.handle_request = handle

    # -- services

    def _create_service(self, logical_id: str, props: Json, stack: str) -> Made:
        wanted = properties.as_request("CreateService", {"ServiceName": f"{stack}-{logical_id}", **props})
        made = _call(ecs._create_service, wanted)["service"]
        self._wait(made["serviceArn"])
        return made["serviceArn"], {"ServiceArn": made["serviceArn"], "Name": made["serviceName"]}

    def _update_service(self, arn: str, _old: Json, props: Json, _stack: str) -> Made:
        wanted = properties.as_request("UpdateService", {**props, "Service": arn})
        before = self.world.services[arn].primary.release
        made = _call(ecs._update_service, wanted)["service"]
        ecs._tags[arn] = properties.as_request("CreateService", {"Tags": props.get("Tags") or []})["tags"]
        self._wait(arn, before)
        return arn, {"ServiceArn": arn, "Name": made["serviceName"]}

    def _delete_service(self, arn: str, props: Json) -> None:
        _call(ecs._delete_service, {"cluster": props.get("Cluster", "default"), "service": arn, "force": True})
        self._until(lambda service: service.status == "INACTIVE", arn)

    def _wait(self, arn: str, before: Release | None = None) -> None:
        """Wait until a service's newest deployment has ended, and the service is steady.

        Raises ValueError, which fails the stack, when a deployment that is not the one `before` did not end well.
        """
        release = self.world.services[arn].primary.release

        def good() -> bool:
            return release.status == "SUCCESSFUL" or release is before

        self._until(lambda service: not release.ongoing and (service.steady or not good()), arn)
        if not good():
            cause = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
            code = "(HandlerErrorCode: GeneralServiceException)"
            raise ValueError(f'Resource handler returned message: "{cause}" {code}: {release.reason}')

    def _until(self, done: Any, arn: str) -> None:
        until = time.monotonic() + STABLE
        while not done(self.world.services[arn]):
            if time.monotonic() > until:
                raise ValueError("Service did not stabilize.")
            time.sleep(0.1)

    # -- others

    def _address(self, arn: str, _props: Json) -> Json:
        return {"DNSName": self.balancers.adopt(provisioners._alb._lbs[arn])}

    def _database(self, name: str, props: Json) -> Json:
        """Give an RDS instance the address of the database that stands for it; a restored one, that of a second one."""
        stated = urlsplit(self.database or "")
        endpoint = rds._instances[name]["Endpoint"]
        if stated.hostname:
            restored = {"DBSnapshotIdentifier", "SourceDBInstanceIdentifier"} & props.keys()
            address = f"{RESTORED}{stated.hostname}" if restored else stated.hostname
            endpoint |= {"Address": address, "Port": stated.port or 5432}
        return {"Endpoint.Address": endpoint["Address"], "Endpoint.Port": str(endpoint["Port"])}


async def _settled() -> None:
    """Wait for stacks in progress: `aws cloudformation deploy` looks again only after half a minute."""
    for _ in range(int(PATIENCE * 20)):
        if not any(stack["StackStatus"].endswith("IN_PROGRESS") for stack in cloudformation._stacks.all_values()):
            return
        await asyncio.sleep(0.05)


def _call(action: Any, wanted: Json) -> Json:
    """Call an action of ECS as its API would. Raises ValueError with the API's message."""
    status, _, body = action(wanted)
    answer: Json = json.loads(body)
    if status >= 400:
        raise ValueError(answer.get("message") or answer)
    return answer


def _recorded(name: str, attributes: tuple[str, ...]) -> Json:
    def create(logical_id: str, _props: Json, stack: str) -> Made:
        made = f"{stack}-{logical_id}".lower()
        values = {"Arn": f"arn:aws:{name.split('::')[1].lower()}:{get_region()}:{get_account_id()}:{made}"}
        return made, {attribute: values.get(attribute, made) for attribute in attributes}

    def delete(_physical_id: str, _props: Json) -> None:
        """Nothing was made."""

    return {"create": create, "delete": delete}


def _extend(handler: Json, more: Any) -> None:
    """Add attributes for Fn::GetAtt to a type: `more(physical_id, properties)`."""
    create, update = handler["create"], handler["update"]

    def created(logical_id: str, props: Json, stack: str) -> Made:
        made, attributes = create(logical_id, props, stack)
        return made, {**attributes, **more(made, props)}

    def updated(made: str, old: Json, new: Json, *rest: Any) -> Made:
        made, attributes = update(made, old, new, *rest)
        return made, {**attributes, **more(made, new)}

    handler |= {"create": created, "update": updated}


def _create_task_definition(logical_id: str, props: Json, stack: str) -> Made:
    wanted = properties.as_request("RegisterTaskDefinition", {"Family": f"{stack}-{logical_id}", **props})
    arn = _call(ecs._register_task_definition, wanted)["taskDefinition"]["taskDefinitionArn"]
    return arn, {"TaskDefinitionArn": arn}


def _update_task_definition(arn: str, old: Json, new: Json, stack: str, logical_id: str | None = None) -> Made:
    if {**old, "Tags": None} == {**new, "Tags": None}:
        return arn, {"TaskDefinitionArn": arn}
    return _create_task_definition(logical_id or arn, new, stack)


def _create_capacity_provider(logical_id: str, props: Json, stack: str) -> Made:
    wanted = properties.as_request("CreateCapacityProvider", {"Name": f"{stack}-{logical_id}", **props})
    ecs._capacity_providers.pop(wanted["name"], None)
    made = _call(ecs._create_capacity_provider, wanted)["capacityProvider"]
    return made["name"], {"Arn": made["capacityProviderArn"]}


def _delete_capacity_provider(name: str, _props: Json) -> None:
    _call(ecs._delete_capacity_provider, {"capacityProvider": name})


def _associate(_logical_id: str, props: Json, _stack: str) -> Made:
    wanted = properties.as_request("PutClusterCapacityProviders", props)
    _call(ecs._put_cluster_capacity_providers, wanted)
    return wanted["cluster"], {}


def _dissociate(cluster: str, _props: Json) -> None:
    if cluster in ecs._clusters:
        _call(ecs._put_cluster_capacity_providers, {"cluster": cluster})


def _create_oidc_provider(_logical_id: str, props: Json, _stack: str) -> Made:
    host = str(props["Url"]).split("://", 1)[-1].rstrip("/")
    arn = f"arn:aws:iam::{get_account_id()}:oidc-provider/{host}"
    lists = {"ClientIDList": props.get("ClientIdList"), "ThumbprintList": props.get("ThumbprintList")}
    lists["Tags"] = props.get("Tags")
    made = {"Url": props["Url"], "Arn": arn, "CreateDate": iam._now()}
    iam._oidc_providers[arn] = {**made, **{name: value or [] for name, value in lists.items()}}
    return arn, {"Arn": arn}


def _delete_oidc_provider(arn: str, _props: Json) -> None:
    iam._oidc_providers.pop(arn, None)


def _public_parameter(name: str) -> Json | None:
    """Return a public parameter of AWS's. All name one image, as no machine starts from it."""
    if not str(name).startswith("/aws/service/"):
        return None
    arn = f"arn:aws:ssm:{get_region()}::parameter{name}"
    value = {"Type": "String", "Value": "ami-0c2023a1b2c3d4e5f", "Version": 1, "LastModifiedDate": 1728518400}
    return {"Name": name, "ARN": arn, **value}
