"""Who is to blame for what could not be computed: the machine, an engine, or other code."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, listed
from ninefold.flows.faults import blamed, faults_error, of_engine

OF_MACHINE = [
    "worker process died by SIGKILL (out of memory?)", "worker process ended with exit code 3", "out of memory",
    "MemoryError: cells", "OSError: [Errno 28] No space left on device", "PermissionError: x", "disk full",
    "ImportError: libtorch_cpu.so", "RuntimeError: CUDA error: device lost", "OutOfMemoryError: CUDA",
]  # fmt: skip
OF_CODE = {
    "RuntimeError: shape": ("raised RuntimeError: shape", "engine raised RuntimeError: shape"),
    "KeyError": ("raised KeyError", "engine raised KeyError"),
}
"""Reason -> as a funnel has it, and as it is told of an engine."""


@pytest.mark.parametrize("reason", OF_MACHINE)
def test_the_machine_s(reason):
    assert blamed(reason) == f"machine: {reason}"
    assert of_engine(reason) == reason


@pytest.mark.parametrize("reason", OF_CODE)
def test_code_s(reason):
    told, of_an_engine = OF_CODE[reason]
    assert blamed(reason) == told
    assert of_engine(reason) == of_an_engine == of_engine(of_an_engine)
    assert blamed(of_an_engine) == of_an_engine


@pytest.mark.parametrize(
    "reason",
    [
        "raises ValueError: told", "raises Mine: told", "raises FileNotFoundError: table.csv", "raises ImportError: x",
        "gives 'y', which it does not declare; allowed: density", "gives density = nan; allowed: a finite float",
        "ends the program (sys.exit, code 3); raise an error instead",
    ],
)  # fmt: skip
def test_a_stage_of_the_user_s_is_to_blame_for_itself(reason):
    reason = f"stages: 'x.py:S' {reason}"
    assert blamed(reason) == f"your code: {reason}"
    text = str(faults_error([fault("K2ReH9", reason), fault("Ta bcc", "out of memory")]))
    assert text == (
        "the machine failed, not the calculation, for Ta bcc (out of memory); "
        f"your code failed for K2ReH9 ({reason}); nothing was stored of it and the rest is kept; 'ninefold resume' "
        "tries again ('--update' after you have edited your file)"
    )


@pytest.mark.parametrize("reason", ["raises MemoryError", "raises OSError: No space left", "raises RuntimeError: CUDA"])
def test_memory_disk_and_device_are_the_machine_s_in_a_stage_too(reason):
    assert blamed(f"stages: 'x.py:S' {reason}") == f"machine: stages: 'x.py:S' {reason}"


def fault(what, reason):
    return {"what": what, "reason": reason}


def test_the_end_of_a_run_tells_both():
    lost = [fault(f"K{k}ReH9 = [ReH9]2-", "out of memory") for k in range(1, 6)]
    text = str(faults_error([*lost, fault("Ta bcc", "engine raised ValueError: shape")]))
    assert text == (
        "the machine failed, not the calculation, for K1ReH9 = [ReH9]2-; K2ReH9 = [ReH9]2-; K3ReH9 = [ReH9]2- and 2 "
        "more (out of memory); not computed: Ta bcc (engine raised ValueError: shape); nothing was stored of it and "
        "the rest is kept; 'ninefold resume' tries again"
    )
    assert "machine" not in str(faults_error([fault("Ta bcc", "engine raised ValueError: shape")]))


def test_names_of_a_message():
    assert listed(["a"], 2) == "a"
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2, "; ") == "a; b and 2 more"


MINIMAL = {"name": "x", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"search": {"name": "lj"}, "engine": {"name": "chgnet"}},
            "campaign: search: {'name': 'lj'} and engine, {'name': 'chgnet'}, name the same thing; give one of them",
        ),
        (
            {"engine": {"name": "lj"}, "energies": [{"name": "emt"}, {"name": "lj"}]},
            "campaign: energies.1: 'lj' is named twice, by engine (search) and energies together; name it once",
        ),
        (
            {"engine": {"name": "lj", "kernels": "openequivariance"}},
            "campaign: engine.kernels: 'openequivariance' is for the engine torchsim with a sevennet model, "
            "not for 'lj'",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_named_by_field_and_value(settings, text):
    with pytest.raises(InputError) as told:
        parse_campaign({**MINIMAL, **settings})
    assert str(told.value) == text
