import re
from pathlib import Path

import pytest
import yaml

from ninefold.clusters import Cluster, find_cluster, list_clusters, read_cluster
from ninefold.clusters.files import TEMPLATES
from ninefold.clusters.settings import seconds_of
from ninefold.errors import InputError
from ninefold.shipped import config_path

SMALL = {
    "scheduler": "slurm",
    "resources": {"cpu": {"cores": 4, "memory_GB": 8, "wall_time": "01:00:00"}},
    "work_folder": "/shared/work",
    "database": "mongodb://db:27017/launchpad",
}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return path


def read(tmp_path, **changes):
    data = {**SMALL, **changes}
    return read_cluster(str(write(tmp_path / "mine.yaml", {k: v for k, v in data.items() if v is not None})))


@pytest.mark.parametrize("name", TEMPLATES)
def test_shipped_templates_are_valid_with_all_that_is_commented_out(name):
    path = config_path("clusters", f"{name}.yaml")
    cluster = read_cluster(str(path))
    assert cluster.name == name
    assert read_cluster(str(write(Path("uncommented") / f"{name}.yaml", uncommented(name)))).spool is not None


def test_a_template_shows_every_key():
    keys = set(yaml.safe_load(uncommented("slurm"))) | set(yaml.safe_load(uncommented("sge"))) | {"database"}
    assert keys == set(Cluster.model_fields) - {"name", "description"}


def uncommented(name):
    """As a user would who removes '# ' alone, with the template that it names."""
    text = re.sub(r"^database: .*\n", "", config_path("clusters", f"{name}.yaml").read_text(), flags=re.MULTILINE)
    write(Path("uncommented/my-queue.sh"), WHOLE)
    return re.sub(r"^(\s*)# (?=(?: *- | *[a-zA-Z_]+:))", r"\1", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:01:00", 60), ("04:00:00", 14400), ("1-00:00:00", 86400), ("72:00:00", 259200), ("4:00:00", 14400)],
)
def test_wall_times(text, seconds):
    assert seconds_of(text) == seconds


def test_a_kind_takes_what_it_does_not_say_from_the_cluster(tmp_path):
    cluster = read(
        tmp_path,
        queue="normal", account="paid", modules=["a"], max_queue_jobs=7,
        resources={
            "cpu": {"cores": 4, "memory_GB": 8, "wall_time": "01:00:00"},
            "gpu": {"cores": 4, "memory_GB": 8, "wall_time": "01:00:00", "gpus": 2, "queue": "gpu", "modules": ["b"]},
            "dft": {"cores": 4, "memory_GB": 8, "wall_time": "01:00:00", "account": "other", "max_queue_jobs": 99},
        },
    )  # fmt: skip
    cpu, gpu, dft = (cluster.of(kind) for kind in cluster.resources.kinds)
    assert (cpu.queue, cpu.account, cpu.jobs_at_once, cpu.max_queue_jobs) == ("normal", "paid", 4, 7)
    assert (gpu.queue, gpu.account, gpu.jobs_at_once, gpu.modules) == ("gpu", "paid", 2, ("a", "b"))
    assert (dft.queue, dft.account, dft.jobs_at_once, dft.max_queue_jobs) == ("normal", "other", 1, 7)
    assert cpu.working_seconds == 3300


def test_a_kind_that_the_cluster_does_not_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cluster mine: resources: 'dft' is no kind .*; allowed: cpu"):
        read(tmp_path).of("dft")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedular": "slurm"}, r"cluster: 'schedular' is not a known key; .*did you mean 'scheduler'\?"),
        ({"scheduler": "lsf"}, r"scheduler: 'lsf' is not allowed: .*allowed: 'slurm', 'pbs' or 'sge'"),
        ({"scheduler": None}, r"cluster: .* is missing the key 'scheduler'"),
        ({"work_folder": None}, r"cluster: .* is missing the key 'work_folder'"),
        ({"resources": {}}, r"resources: {} is not allowed: names no kind of resource; allowed: .*cpu, gpu, dft"),
        ({"resources": {"tpu": {}}}, r"resources: 'tpu' is not a known key; allowed: cpu, dft, gpu"),
        ({"resources": {"cpu": {"cores": 4}}}, r"resources.cpu: .* is missing the key 'memory_GB'"),
        (
            {"resources": {"cpu": {"cores": 4, "memory_GB": 8, "wall_time": "4 h"}}},
            r"resources.cpu.wall_time: '4 h' is not allowed: is no wall time; allowed: HOURS:MINUTES:SECONDS",
        ),
        (
            {"resources": {"cpu": {"cores": 4, "memory_GB": 8, "wall_time": "00:05:00"}}},
            r"resources.cpu.margin_minutes: 5.0 leaves no time to work: the wall time is 00:05:00",
        ),
        (
            {"resources": {"cpu": {"cores": 4, "memory_GB": 8, "walltime": "01:00:00", "wall_time": "01:00:00"}}},
            r"resources.cpu: 'walltime' is not a known key; .*did you mean 'wall_time'\?",
        ),
        ({"database": None}, r"cluster: .*is missing the key 'database' \(mongodb://.*or 'spool'"),
        ({"spool": "/s"}, r"spool: '/s' stands beside 'database'; allowed: one of both"),
        ({"database": "postgres://db/x"}, r"database: 'postgres://db/x' is no address of a MongoDB server"),
        ({"queue": "a b"}, r"queue: 'a b' is not allowed"),
        ({"queue": "a\nrm -rf"}, r"queue: 'a\\nrm -rf' is not allowed"),
        ({"scheduler_lines": ["#SBATCH --x"]}, r"lines.0: '#SBATCH --x' .*begins with #SBATCH, which is added"),
        ({"modules": ["a\nb"]}, r"modules.0: 'a\\nb' .*holds a line break"),
        ({"name": "other"}, r"name: 'other' differs from the file's name; allowed: mine"),
        ({"scheduler": "sge"}, r"resources.cpu.cores: 4 needs the key 'parallel_environment' with SGE"),
        ({"parallel_environment": "smp"}, r"parallel_environment: 'smp' means nothing to slurm"),
        ({"max_queue_jobs": 0}, r"max_queue_jobs: 0 is not allowed: input should be greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_field_and_what_is_allowed(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, **changes)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("other", [{}, {"scheduler": None}, {"queue": "a b"}])
def test_a_login_is_refused_and_never_shown(tmp_path, other):
    with pytest.raises(InputError, match=r"database: 'mongodb://\*\*\*@db/launchpad' holds a login") as caught:
        read(tmp_path, database="mongodb://ada:secret@db/launchpad", **other)
    assert "secret" not in str(caught.value)


def test_a_project_s_file_comes_before_the_user_s(tmp_path):
    write(tmp_path / "config/ninefold/clusters/one.yaml", SMALL)
    mine = write(tmp_path / "config/ninefold/clusters/both.yaml", SMALL)
    project = write(tmp_path / "configs/clusters/both.yaml", SMALL)
    assert set(list_clusters()) == {"one", "both"}
    assert find_cluster("both").resolve() == project.resolve() != mine.resolve()
    assert read_cluster("one").name == "one"


def test_unknown_names_are_answered_with_the_nearest(tmp_path):
    write(tmp_path / "configs/clusters/helix.yaml", SMALL)
    with pytest.raises(InputError, match=r"cluster: 'helics' is not known; allowed: helix; did you mean 'helix'\?"):
        read_cluster("helics")
    with pytest.raises(InputError, match=r"cluster: 'zzz' is not known; allowed: helix; 'ninefold cluster new'"):
        read_cluster("zzz")
    with pytest.raises(InputError, match=r"cluster: 'x/none.yaml' does not exist"):
        read_cluster("x/none.yaml")


WHOLE = "$${job_name} $${walltime}\n$${pre_rocket}\n$${rocket_launch}\n"


def test_a_template_is_relative_to_its_file(tmp_path):
    (tmp_path / "queue.sh").write_text(WHOLE)
    assert read(tmp_path, template="queue.sh").template == str(tmp_path / "queue.sh")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"template: '.*queue.sh' does not exist"),
        (WHOLE.replace("$${walltime}", ""), r"template .*queue.sh: .* is missing the key \$\$\{walltime\}"),
        (WHOLE + "$${qos}", r"template .*queue.sh: 'qos' is not a known key; allowed: account, array"),
        (b"\xff\xfe", r"template: '.*queue.sh' cannot be read as text"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_when_the_file_is_read(tmp_path, content, message):
    if content is not None:
        (tmp_path / "queue.sh").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, template="queue.sh")
    assert "\n" not in str(caught.value)


def test_in_a_checkout_own_files_are_found_beside_the_templates(monkeypatch):
    monkeypatch.chdir(config_path().parent)
    assert not set(list_clusters()) & set(TEMPLATES)
