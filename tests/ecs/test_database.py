"""The database: its users, and the instance that serves, which may be one that was restored."""

import json
import re

import psycopg
import pytest

from colophon import database, settings
from tests.conftest import postgresql_only
from tests.postgres import PASSWORD

DATABASE = "arn:aws:ssm:eu-central-1:123456789012:parameter/colophon/database-url"


def container(resources, definition="TaskDefinition", **given):
    found = resources("service", **given)[definition]["ContainerDefinitions"]
    return next(one for one in found if one["Name"] == "site")


def secrets(container):
    return {one["Name"]: one["ValueFrom"] for one in container["Secrets"]}


@pytest.fixture
def clean(monkeypatch):
    for name in settings.Settings.__dataclass_fields__:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_the_site_accepts_its_environment(resources, clean):
    parameter = resources("database")["DatabaseUrl"]
    assert DATABASE.endswith(f":parameter{parameter['Name']}")
    url = re.sub(
        "<Database.Endpoint.(Address|Port)>",
        lambda found: {"Address": "db", "Port": "5432"}[found[1]],
        parameter["Value"],
    )
    clean.setenv("DATABASE_URL", url)
    for one in container(resources)["Environment"]:
        clean.setenv(one["Name"], one["Value"].replace("<import colophon-SiteUrl>", "https://books.example.org"))
    loaded = settings.load()
    assert loaded.database_url == "postgresql://db:5432/colophon"
    assert "books.example.org" in loaded.allowed_hosts
    assert (loaded.https, loaded.trusted_proxies, loaded.host, loaded.port) == (True, 1, "127.0.0.1", 8001)


@pytest.mark.parametrize(
    ("bundle", "tls"),
    [("", {"PGSSLMODE": "require"}), ("/rds.pem", {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/rds.pem"})],
)
@pytest.mark.parametrize("definition", ["TaskDefinition", "PrepareTaskDefinition"])
def test_what_tasks_send_the_database_is_encrypted(resources, bundle, tls, definition):
    given = container(resources, definition, DatabaseCaBundle=bundle)["Environment"]
    assert {one["Name"]: one["Value"] for one in given if one["Name"].startswith("PGSSL")} == tls


def test_the_site_serves_as_a_user_of_its_own(resources):
    assert secrets(container(resources)) == {
        "DATABASE_URL": DATABASE,
        "PGUSER": "<import colophon-DatabaseSiteUserArn>:username::",
        "PGPASSWORD": "<import colophon-DatabaseSiteUserArn>:password::",
    }


def test_the_owner_prepares_the_database_and_makes_the_site_s_users(resources, clean):
    assert secrets(container(resources, "PrepareTaskDefinition")) == {
        "DATABASE_URL": DATABASE,
        "PGUSER": "<import colophon-DatabaseOwnerArn>:username::",
        "PGPASSWORD": "<import colophon-DatabaseOwnerArn>:password::",
        "DATABASE_SITE_USER": "<import colophon-DatabaseSiteUserArn>",
        "DATABASE_NEXT_USER": "<import colophon-DatabaseNextUserArn>",
    }
    clean.setenv("DATABASE_URL", "postgresql://db:5432/colophon")
    for name in ("SiteUser", "NextUser"):
        made = resources("database")[name]["GenerateSecretString"]
        assert made["ExcludePunctuation"]
        value = json.loads(made["SecretStringTemplate"]) | {made["GenerateStringKey"]: "fake"}
        clean.setenv(f"DATABASE_{name.replace('User', '').upper()}_USER", json.dumps(value))
    users = settings.load().database_users
    assert [name for name, _ in users] == ["site_1", "site_2"]
    owner = resources("database")["Owner"]["GenerateSecretString"]
    assert json.loads(owner["SecretStringTemplate"])["username"] == resources("database")["Database"]["MasterUsername"]


@postgresql_only
def test_libpq_finds_user_and_password_by_itself(fresh_url, monkeypatch):
    user, address = re.fullmatch(r"postgresql://([^:]+):.*@([^@]+)", fresh_url).groups()
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    engine = database.connect(f"postgresql://{address}")
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT current_user").scalar_one() == user
    engine.dispose()


@postgresql_only
def test_a_password_that_was_rotated_away_is_refused(fresh_url, monkeypatch):
    user, address = re.fullmatch(r"postgresql://([^:]+):.*@([^@]+)", fresh_url).groups()
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", "the one before")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{address}")


def test_the_database_is_hard_to_lose_and_easy_to_restore(stack):
    database = stack("database")["Resources"]["Database"]
    assert database["DeletionPolicy"] == database["UpdateReplacePolicy"] == "Snapshot"
    properties = database["Properties"]
    assert properties["DeletionProtection"] == "true"
    assert properties["BackupRetentionPeriod"] == "14"
    assert properties["DeleteAutomatedBackups"] is False


def test_the_database_is_private_and_encrypted(resources):
    properties = resources("database")["Database"]
    assert properties["PubliclyAccessible"] is False
    assert properties["StorageEncrypted"] is True
    assert properties["MasterUserPassword"] == "{{resolve:secretsmanager:<Owner.Id>:SecretString:password}}"
    assert resources("database")["ParameterGroup"]["Parameters"] == {"rds.force_ssl": "1"}
    assert str(properties["EngineVersion"]) == "17"


RESTORES = {
    "a snapshot": ({"RestoreSnapshot": "before"}, {"DBSnapshotIdentifier": "before"}),
    "a moment": (
        {"RestoreMoment": "2026-11-28T09:00:00Z"},
        {"SourceDBInstanceIdentifier": "colophon", "RestoreTime": "2026-11-28T09:00:00Z"},
    ),
    "the latest": (
        {"RestoreMoment": "latest"},
        {"SourceDBInstanceIdentifier": "colophon", "UseLatestRestorableTime": True},
    ),
    "the latest of a restored one": (
        {"RestoreMoment": "latest", "RestoreInstance": "colophon-database-1"},
        {"SourceDBInstanceIdentifier": "colophon-database-1", "UseLatestRestorableTime": True},
    ),
}
OF_A_NEW_ONE = {
    "DBInstanceIdentifier",
    "DBName",
    "MasterUsername",
    "MasterUserPassword",
    "StorageEncrypted",
    "AllocatedStorage",
}


@pytest.mark.parametrize(("given", "source"), RESTORES.values(), ids=RESTORES)
def test_a_restored_instance_serves_beside_the_first(resources, given, source):
    """What it inherits must not be said: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html."""
    made = resources("database", **given)
    first, restored = made["Database"], made["RestoredDatabase"]
    assert first == resources("database")["Database"]
    assert {key: value for key, value in first.items() if key not in OF_A_NEW_ONE} | source == restored
    assert made["DatabaseUrl"]["Value"] == (
        "postgresql://<RestoredDatabase.Endpoint.Address>:<RestoredDatabase.Endpoint.Port>/colophon"
    )


@pytest.mark.parametrize(("given", "_source"), RESTORES.values(), ids=RESTORES)
def test_a_restore_changes_nothing_that_other_stacks_have_taken_over(stack, given, _source):
    assert stack("database", **given)["Outputs"] == stack("database")["Outputs"]


def test_what_a_restore_replaces_stays(stack):
    restored = stack("database", RestoreMoment="latest")["Resources"]["RestoredDatabase"]
    assert (restored["UpdateReplacePolicy"], restored["DeletionPolicy"]) == ("Retain", "Snapshot")
    assert "RestoredDatabase" not in stack("database")["Resources"]


@pytest.mark.parametrize(("given", "there"), [({}, True), ({"RestoreSnapshot": "before"}, False)])
def test_the_first_instance_goes_only_where_another_one_serves(resources, given, there):
    made = resources("database", FirstDatabase="removed", **given)
    assert ("Database" in made) is there
    assert ("<Database." in made["DatabaseUrl"]["Value"]) is there


@pytest.mark.parametrize(
    ("given", "watched"), [({}, "<Database>"), ({"RestoreSnapshot": "before"}, "<RestoredDatabase>")]
)
def test_the_alarms_are_of_the_instance_that_serves(resources, given, watched):
    alarms = [one for one in resources("database", **given).values() if "AlarmName" in one]
    assert [one["Dimensions"][0]["Value"] for one in alarms] == [watched] * 3


@pytest.mark.parametrize(
    ("moment", "fits"),
    [("", True), ("latest", True), ("2026-11-28T09:00:00Z", True), ("2026-11-28 09:00", False), ("yesterday", False)],
)
def test_a_moment_is_written_as_rds_takes_it(templates, moment, fits):
    pattern = templates["database"]["Parameters"]["RestoreMoment"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, moment)) is fits
