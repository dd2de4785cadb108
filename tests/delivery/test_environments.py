"""delivery.toml, the file of names."""

import click
import pytest

from delivery.environments import ROOT, Environment, environment, site_name


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "delivery.toml").write_text(text)
        return tmp_path

    return write


def test_the_file_of_this_checkout_is_what_a_key_that_is_not_there_defaults_to():
    assert environment(ROOT, {}) == Environment("production", stacks={"load-balancer": {}, "delivery": {}})
    assert site_name() == "Colophon"


@pytest.mark.parametrize("text", [None, "", '[site]\nname = "Books"\n', "[production]\n"])
def test_a_key_that_is_not_there_has_a_default(written, tmp_path, text):
    root = tmp_path if text is None else written(text)
    assert environment(root, {}) == Environment("production")


def test_env_chooses_among_the_environments(written):
    root = written('[production]\nproject = "books"\n[staging]\nproject = "books-2"\nbranch = "next"\n')
    assert environment(root, {}).project == "books"
    chosen = environment(root, {"ENV": "staging"})
    assert (chosen.name, chosen.project, chosen.branch) == ("staging", "books-2", "next")
    with pytest.raises(click.UsageError, match=r"delivery\.toml has no environment test\. It has production, staging"):
        environment(root, {"ENV": "test"})


def test_a_stack_s_parameters_stand_under_it(written):
    root = written("[production.stacks.database]\nMultiAZ = false\nBackupDays = 7\n")
    assert environment(root, {}).stacks == {"database": {"MultiAZ": "false", "BackupDays": "7"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[production\n", "is not TOML: "),
        ('project = "x"\n', "project is outside any table; put it under [production]."),
        ('[production]\nprojekt = "x"\n', "[production] has no key projekt. It may have account, address,"),
        ("[production]\nregion = [1]\n", "[production] region must be a string, a number, true or false."),
        ("[production]\nstacks = 1\n", "write a stack's parameters under it, as in [production.stacks.network]."),
        ("[production.stacks]\nnetwork = 1\n", "write a stack's parameters under it"),
        ("[production.stacks.network]\nNat = [1]\n", "[production.stacks.network] Nat must be a string"),
        ('[production]\ntarget = "moon"\n', "[production] target is 'moon', and must be ecs."),
        *(
            (
                f'[production]\nproject = "{project}"\n',
                f"project is '{project}', and must be 3 to 20 lower-case letters",
            )
            for project in ("Colophon", "a" * 21, "ab", "aws-books", "a--b", "ssm", "sg-x", "internal-x", "default")
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name_and_the_key(written, text, sentence):
    root = written(text)
    with pytest.raises(click.ClickException) as refused:
        environment(root, {})
    assert refused.value.message.startswith(str(root / "delivery.toml"))
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "delivery.toml").mkdir()
    with pytest.raises(click.ClickException, match="cannot be read"):
        environment(tmp_path, {})


def test_no_command_works_on_another_account_than_the_environment_s(deliver, aws, commits, root):
    (root / "delivery.toml").write_text('[production]\naccount = "999999999999"\n')
    result = deliver("status")
    assert result.exit_code == 3
    assert "The credentials are of the account 111122223333, and production is in 999999999999." in result.output
    assert aws.operations == ["sts get-caller-identity"]


def test_the_region_and_the_project_are_the_environment_s(deliver, aws, commits, root):
    (root / "delivery.toml").write_text('[production]\nregion = "eu-north-1"\n')
    deliver("status")
    assert {each["AWS_DEFAULT_REGION"] for each in aws.program.environments} == {"eu-north-1"}
