"""The files that docs/cluster.md shows are those that ninefold reads and writes."""

import re
from pathlib import Path

import pytest

from ninefold.clusters import read_cluster
from ninefold.clusters.scripts import REQUIRED, job_name, queue_script, values_of
from ninefold.run.up import pilot_command

TEXT = Path(__file__).resolve().parents[2].joinpath("docs", "cluster.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[1]


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "helix.yaml").write_text(block("yaml"))
    return read_cluster(str(tmp_path / "helix.yaml"))


def test_the_script_is_that_of_the_settings(cluster):
    command = pilot_command(cluster, Path("/home/ada/.config/ninefold/clusters/helix.yaml"), "dft")
    script = queue_script(
        cluster, cluster.of("dft"), command, name=job_name(cluster, "dft"), folder=Path("/home/ada/ninefold-work/logs")
    )
    assert script == block("bash")


def test_every_key_of_a_template_is_named(cluster):
    for key in (*values_of(cluster, cluster.of("cpu"), name="x", folder=Path("/x")), *REQUIRED):
        assert f"`{key}`" in TEXT


def test_every_key_of_the_settings_is_named(cluster):
    for model in (type(cluster), type(cluster.of("cpu"))):
        for key in set(model.model_fields) - {"name", "description"}:
            assert re.search(rf"`\.?{key}[`.]", TEXT), key


def test_every_command_of_the_page_is_one():
    from typer.main import get_command

    from ninefold.cli.main import command_line

    known = get_command(command_line()).commands
    named = set(re.findall(r"ninefold ([a-z][a-z-]+)(?: |`|'|$)", TEXT, re.MULTILINE))
    assert {"cluster", "submit", "up", "status", "failures", "query"} <= named <= set(known)
    assert set(re.findall(r"ninefold cluster ([a-z]+)", TEXT)) <= set(known["cluster"].commands)
