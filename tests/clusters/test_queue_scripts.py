import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.clusters import Cluster
from ninefold.clusters.scripts import filled, queue_script, quoted, values_of
from ninefold.errors import InputError
from ninefold.shipped import config_path

FIREWORKS_TYPE = {"slurm": "SLURM", "pbs": "PBS", "sge": "SGE"}


def cluster(scheduler="slurm", cpu=(), **changes):
    return Cluster.model_validate(
        {
            "name": "mine", "scheduler": scheduler, "work_folder": "/w", "spool": "/s",
            "resources": {"cpu": {"cores": 8, "memory_GB": 16, "wall_time": "1-02:00:30", **dict(cpu)}},
            **({"parallel_environment": "smp"} if scheduler == "sge" else {}), **changes,
        }
    )  # fmt: skip


def script(one, command=("python", "-m", "ninefold"), **options):
    return queue_script(
        one, one.of("cpu"), command, name="ninefold-mine-cpu", folder=options.pop("folder", "/w/logs"), **options
    )


HEADS = {
    "slurm": """\
#!/bin/bash -l
#SBATCH --job-name=ninefold-mine-cpu
#SBATCH --partition=long
#SBATCH --account=paid
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=1
#SBATCH --mem=16000M
#SBATCH --gpus-per-node=2
#SBATCH --time=26:00:30
#SBATCH --array=0-4
#SBATCH --no-requeue
#SBATCH --output=/w/logs/%x-%A_%a.log
#SBATCH --x=1
#SBATCH --y
""",
    "pbs": """\
#!/bin/bash -l
#PBS -N ninefold-mine-cpu
#PBS -q long
#PBS -A paid
#PBS -l select=1:ncpus=8:mpiprocs=8:mem=16000mb:ngpus=2
#PBS -l walltime=26:00:30
#PBS -J 0-4
#PBS -j oe
#PBS -o /w/logs/
#PBS --x=1
#PBS --y
""",
    "sge": """\
#!/bin/bash -l
#$ -S /bin/bash
#$ -N ninefold-mine-cpu
#$ -q long
#$ -P paid
#$ -pe smp 8
#$ -l h_rt=26:00:30
#$ -l h_vmem=2000M
#$ -t 1-5
#$ -r n
#$ -j y
#$ -o /w/logs/$JOB_NAME-$JOB_ID.$TASK_ID.log
#$ --x=1
#$ --y
""",
}


@pytest.mark.parametrize("scheduler", HEADS)
def test_every_setting_stands_in_the_script(scheduler):
    one = cluster(
        scheduler, queue="long", account="paid", scheduler_lines=["--x=1"], cpu={"gpus": 2, "scheduler_lines": ["--y"]}
    )
    assert script(one, tasks=5).startswith(HEADS[scheduler] + "\n")


@pytest.mark.parametrize("scheduler", HEADS)
def test_what_is_not_set_is_left_out(scheduler):
    text = script(cluster(scheduler))
    for word in ("partition", "account", " -q", " -A", " -P", "gpus", "array", " -J", " -t ", "$$", "None"):
        assert word not in text


@pytest.mark.filterwarnings("ignore:Key .* has been specified")
@pytest.mark.parametrize("scheduler", HEADS)
@pytest.mark.parametrize("tasks", [1, 3])
def test_fireworks_fills_the_same_template_with_the_same_values_to_the_same_script(scheduler, tasks):
    common = pytest.importorskip("fireworks.user_objects.queue_adapters.common_adapter")
    one = cluster(scheduler, queue="long", modules=["intel"])
    needs = one.of("cpu")
    ours = queue_script(one, needs, ["run"], name="n", folder="/w", tasks=tasks)
    before, after = re.search(r"\n(export NINEFOLD_UNTIL.*)\ncd /w\n(exec run)\n", ours, re.DOTALL).groups()
    values = {**values_of(one, needs, name="n", folder="/w", tasks=tasks), "pre_rocket": before, "rocket_launch": after}
    template = config_path("clusters", f"{scheduler}.sh")
    theirs = common.CommonAdapter(FIREWORKS_TYPE[scheduler], template_file=str(template), **values)
    assert theirs.get_script_str("/w").rstrip("\n") == ours.rstrip("\n")


def test_the_script_prepares_the_environment_in_order():
    one = cluster(
        modules=["a/1"], environment=["source x"], scratch="$TMPDIR", cpu={"modules": ["b"], "environment": ["y=1"]},
        executables={"vasp": "srun vasp_std", "own": "z"}, pseudopotentials={"vasp": "~/pot"},
    )  # fmt: skip
    body = script(one).split("\n\n", 1)[1].splitlines()
    assert body == [
        "export NINEFOLD_UNTIL=$(( $(date +%s) + 93330 ))",
        'export NINEFOLD_QUEUE_JOB="${SLURM_JOB_ID}"',
        "module load a/1",
        "module load b",
        "source x",
        "y=1",
        "set -u",
        "export ATOMATE2_VASP_CMD='srun vasp_std'",
        'export PMG_VASP_PSP_DIR="$HOME/pot"',
        'export NINEFOLD_SCRATCH="$TMPDIR/ninefold"',
        "set +u",
        'mkdir -p "$NINEFOLD_SCRATCH"',
        "cd /w/logs",
        "exec python -m ninefold",
    ]


@pytest.mark.parametrize(
    ("scheduler", "environment", "job"),
    [
        ("slurm", {"SLURM_JOB_ID": "13", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "1"}, "12_1"),
        ("pbs", {"PBS_JOBID": "12[1].server", "PBS_ARRAY_INDEX": "1"}, "12[1].server"),
        ("sge", {"JOB_ID": "12", "SGE_TASK_ID": "1"}, "12_1"),
    ],
)
def test_the_script_runs_and_tells_the_program_its_queue_job(tmp_path, scheduler, environment, job):
    one = cluster(scheduler, scratch=f"{tmp_path}/with space/$WHO", cpu={"wall_time": "01:00:00"})
    show = tmp_path / "show.sh"
    show.write_text('echo "$1 $NINEFOLD_QUEUE_JOB $PWD"; ls -d "$NINEFOLD_SCRATCH"; date +%s')
    text = script(one, ["sh", str(show), "$NINEFOLD_UNTIL"], folder=tmp_path, tasks=2)
    done = subprocess.run(
        ["bash", "-c", text], env={"PATH": "/usr/bin:/bin", "WHO": "me", "HOME": str(tmp_path), **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, scratch, now = done.stdout.splitlines()
    until, *rest = first.split(" ")
    assert rest == [job, str(tmp_path)]
    assert scratch == f"{tmp_path}/with space/me/ninefold"
    assert 0 <= 3300 - (int(until) - int(now)) <= 10


def test_a_variable_that_the_node_does_not_have_ends_the_job(tmp_path):
    text = script(cluster(scratch="$NOWHERE/x"), folder=tmp_path)
    done = subprocess.run(["bash", "-c", text], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode != 0
    assert "NOWHERE: unbound variable" in done.stderr


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0$~\n\r"), max_size=30))
def test_a_word_comes_out_of_the_shell_as_it_went_in(word):
    done = subprocess.run(["printf", "%s", word], capture_output=True, check=True)
    line = f"printf %s {quoted(word)}"
    assert subprocess.run([shutil.which("bash"), "-c", line], capture_output=True, check=True).stdout == done.stdout


def test_a_template_of_the_user_s(tmp_path):
    own = tmp_path / "queue.sh"
    own.write_text("#!/bin/sh\n#X $${job_name} $${walltime}\n$${pre_rocket}\n$${rocket_launch}\n")
    assert script(cluster(template=str(own))).startswith("#!/bin/sh\n#X ninefold-mine-cpu 26:00:30\nexport NINEFOLD_")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$${job_name} $${pre_rocket} $${rocket_launch}", r"is missing the key \$\$\{walltime\}"),
        ("$${job_name} $${pre_rocket} $${walltime}", r"is missing the key \$\$\{rocket_launch\}"),
        (
            "$${job_name} $${wall_time} $${rocket_launch}",
            r"template .*queue.sh: 'wall_time' is not a known key; .*walltime",
        ),
    ],
)
def test_a_template_with_a_missing_or_unknown_key_is_refused(tmp_path, text, message):
    own = tmp_path / "queue.sh"
    own.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        script(cluster(template=str(own)))
    assert "\n" not in str(caught.value)


def test_a_template_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cluster mine: template: '.*none.sh' does not exist"):
        script(cluster(template=str(tmp_path / "none.sh")))


def test_a_process_number_in_a_line_of_the_user_s_stays(tmp_path):
    # FireWorks leaves out every line with $$ in it, without a word
    one = cluster(environment=["export RUN=$$"])
    assert "\nexport RUN=$$\n" in script(one)


def test_values_of_several_lines_repeat_what_stands_before_them():
    values = dict.fromkeys(("job_name", "walltime", "pre_rocket"), "") | {"rocket_launch": "a\nb", "none": None}
    template = "$${job_name}$${walltime}$${pre_rocket}\n# $${rocket_launch};\n$${none} x\n"
    assert filled(template, values, "t") == "\n# a;\n# b;\n"
