"""Who can reach whom."""

import ipaddress

import pytest

from delivery.aws.stacks.update import STACKS

ANYWHERE = ("0.0.0.0/0", "::/0")


@pytest.fixture
def openings(resources):
    """Every rule that lets something in, as (group, port, from), and out, as (group, port, to); in all stacks."""
    ways_in, ways_out = set(), set()
    for stack in STACKS:
        for name, properties in resources(stack.name).items():
            for rule in properties.get("SecurityGroupIngress", []):
                ways_in.add((name, rule["FromPort"], rule.get("CidrIp") or rule["SourceSecurityGroupId"]))
            for rule in properties.get("SecurityGroupEgress", []):
                ways_out.add((name, rule.get("FromPort"), rule.get("CidrIp") or rule["DestinationSecurityGroupId"]))
            if "SourceSecurityGroupId" in properties:
                ways_in.add((properties["GroupId"], properties["FromPort"], properties["SourceSecurityGroupId"]))
    return ways_in, ways_out


def test_visitors_reach_the_load_balancer_it_the_tasks_and_they_the_database(openings):
    assert openings[0] == {
        ("LoadBalancerSecurityGroup", 443, "0.0.0.0/0"),
        ("LoadBalancerSecurityGroup", 80, "0.0.0.0/0"),
        ("<ServiceSecurityGroup>", 8000, "<LoadBalancerSecurityGroup>"),
        ("<DatabaseSecurityGroup>", 5432, "<ServiceSecurityGroup>"),
    }


def test_nobody_reaches_further_than_that_but_instances_which_call_aws(openings):
    assert openings[1] == {
        ("LoadBalancerSecurityGroup", 8000, "<ServiceSecurityGroup>"),
        ("ServiceSecurityGroup", 5432, "<DatabaseSecurityGroup>"),
        ("DatabaseSecurityGroup", None, "127.0.0.1/32"),
        ("InstanceSecurityGroup", 443, "0.0.0.0/0"),
    }


def test_every_group_says_where_it_may_reach_as_it_might_reach_all_otherwise(templates):
    groups = [
        resource["Properties"]
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    ]
    assert len(groups) == 4
    assert all(group["SecurityGroupEgress"] for group in groups)


def test_on_fargate_a_task_may_call_aws_too(resources):
    assert "FargateToAws" not in resources("service")
    rule = resources("service", LaunchType="FARGATE")["FargateToAws"]
    assert (rule["FromPort"], rule["ToPort"], rule["CidrIp"]) == (443, 443, "0.0.0.0/0")


@pytest.mark.parametrize(("gateways", "number"), [("one", 1), ("one-per-zone", 3)])
def test_there_is_one_way_out_or_one_in_each_zone(stack, gateways, number):
    network = stack("network", NatGateways=gateways)["Resources"]
    made = [name for name, one in network.items() if one["Type"] == "AWS::EC2::NatGateway"]
    routes = [network[f"PrivateRoute{zone}"]["Properties"]["NatGatewayId"] for zone in "ABC"]
    assert len(made) == len(set(routes)) == number
    assert set(routes) == {f"<{name}>" for name in made}


def test_only_the_public_subnets_lead_to_the_internet(resources):
    network = resources("network")
    leading = {name for name, one in network.items() if one.get("GatewayId") == "<InternetGateway>"}
    assert {network[name]["RouteTableId"] for name in leading} == {"<PublicRouteTable>"}
    for zone in "ABC":
        assert network[f"PrivateRoutes{zone}"]["RouteTableId"] == f"<PrivateRouteTable{zone}>"


@pytest.mark.parametrize("network", ["10.20.0.0/16", "10.20.0.0/20"])
def test_every_subnet_has_addresses_of_its_own_in_the_smallest_network_too(templates, network):
    subnets = [
        one["Properties"] for one in templates["network"]["Resources"].values() if "CidrBlock" in one["Properties"]
    ]
    chosen = []
    for cidr in (subnet["CidrBlock"] for subnet in subnets if "Fn::Select" in subnet["CidrBlock"]):
        index, blocks = cidr["Fn::Select"]
        _, count, bits = blocks["Fn::Cidr"]
        assert index < count
        chosen.append(list(ipaddress.ip_network(network).subnets(new_prefix=32 - bits))[index])
    assert len(chosen) == len(set(chosen)) == 6


def test_what_is_refused_is_recorded(resources):
    assert resources("network")["FlowLog"]["TrafficType"] == "REJECT"
    assert resources("network")["FlowLogGroup"]["RetentionInDays"] == 30


def test_the_database_and_the_tasks_are_where_the_internet_does_not_reach(resources):
    private, public = ["<import colophon-PrivateSubnetIds>"], ["<import colophon-PublicSubnetIds>"]
    tasks = resources("service")["Service"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (tasks["Subnets"], tasks["AssignPublicIp"]) == (private, "DISABLED")
    assert resources("database")["SubnetGroup"]["SubnetIds"] == private
    assert resources("cluster")["Instances"]["VPCZoneIdentifier"] == private
    assert resources("load-balancer")["LoadBalancer"]["Subnets"] == public
