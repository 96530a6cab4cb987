"""The benchmark of the GPU engine says why it cannot run, and ends well."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "relax_gpu.py"


def run(*arguments):
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=120)


def test_without_a_cuda_device_it_is_skipped_with_the_reason():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = run()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    reason = "Python 3.12" if sys.version_info < (3, 12) else "CUDA"
    assert lines[0].startswith("skipped: ")
    assert reason in lines[0] or "not installed" in lines[0]


def test_no_structures_are_no_benchmark():
    done = run("--structures", "0")
    assert done.returncode == 2
    assert "--structures must be 1 or more" in done.stderr
