"""Stages of the user's are tried before a run; what they give is held to what they declare, and counted."""

from types import SimpleNamespace

import numpy as np
import pytest

from ninefold.engines import RelaxSettings
from ninefold.errors import InputError
from ninefold.models.property import PropertyRecord
from ninefold.models.search import Minimum
from ninefold.stages import own
from ninefold.stages.own import OF_COMPOSITION, own_stage
from ninefold.stages.trial import PHASE, ROW, StubEngine, try_stages
from ninefold.thermo.references import reference_phase

STAGE = """
import sys
from ninefold.engines.base import CalculationError
from ninefold.engines.settings import RelaxSettings
from ninefold.stages import CandidateStage, Column, Resources, Stage

def compute({arguments}):
{body}

MINE = CandidateStage(
    Stage("mine", after="stability", resources=Resources("{node}")), {{"density": {column}}}, compute
)
"""


def stage(folder, body, arguments="structure, candidate, engine", node="cpu", column='Column("g/cm3", "mass density")'):
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    (folder / "mine.py").write_text(STAGE.format(body=lines, arguments=arguments, node=node, column=column))
    return f"{folder}/mine.py:MINE"


@pytest.mark.parametrize(
    "body",
    [
        "return {'density': float(structure.density)}",
        "return {'density': None}",
        "return {}",
        "raise CalculationError('no density')",
        "return {'density': engine.relax([structure], RelaxSettings())[0].energy_per_atom}",
    ],
)
def test_what_is_right_passes(tmp_path, body):
    try_stages([stage(tmp_path, body)])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return {'densty': 1.0}", "gives 'densty', which it does not declare; allowed: density"),
        ("return {'density': float('nan')}", "gives density = nan; allowed: a finite float, or None"),
        ("return {'density': 'x'}", "gives density = 'x'; allowed: a finite float"),
        ("return {'density': candidate['space_grup_number']}", "raises KeyError: 'space_grup_number'"),
        ("return 3.0", "gives float 3.0; allowed: a dictionary of its columns"),
        ("sys.exit(0)", "ends the program (sys.exit, code 0)"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, body, words):
    with pytest.raises(InputError) as told:
        try_stages([stage(tmp_path, body)])
    assert str(told.value).startswith("stages: ")
    assert words in str(told.value)


def test_a_function_of_two_arguments_is_refused_wherever_it_is_to_run(tmp_path):
    for node in ("cpu", "dft"):
        with pytest.raises(InputError, match=r"cannot be called: too many .* structure, candidate, engine"):
            try_stages([stage(tmp_path, "return {}", arguments="structure, candidate", node=node)])


def test_what_needs_another_node_is_not_run_here(tmp_path):
    for node in ("gpu", "dft"):
        try_stages([stage(tmp_path, "raise AssertionError", node=node)])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (
            'Column("g/cm3", "x", kind="text")',
            "declares 'density' with kind='text'; allowed: Column(unit, meaning",
        ),
        ('("g/cm3", "x")', "declares 'density' as ('g/cm3', 'x'); allowed: Column("),
    ],
)
def test_a_column_has_one_of_the_kinds(tmp_path, column, words):
    with pytest.raises(InputError) as told:
        own_stage(stage(tmp_path, "return {}", column=column))
    assert words in str(told.value)
    assert "string, integer, float, boolean, list" in str(told.value)


def test_the_trial_knows_what_a_candidate_has():
    assert set(ROW) == {*OF_COMPOSITION, *Minimum.model_fields} - {"structure"}
    structure = reference_phase(PHASE).structure
    assert structure.composition.reduced_formula == "Mg2FeH6"
    assert (len(structure), structure.volume) == (
        ROW["nsites"],
        pytest.approx(ROW["volume_per_formula_unit"], abs=0.01),
    )


def test_stress_of_the_stub_is_the_slope_of_its_energy():
    structure = reference_phase(PHASE).structure
    engine = StubEngine(7.0)

    def at(scale):
        strained = structure.copy()
        strained.scale_lattice(structure.volume * scale)
        [found] = engine.evaluate([strained])
        return strained.volume, found.energy_per_atom * len(strained), found.stress

    (v0, e0, _), (_, _, stress), (v1, e1, _) = at(0.999), at(1.0), at(1.001)
    assert np.trace(stress) / 3 == pytest.approx((e1 - e0) / (v1 - v0), rel=1e-6)
    [relaxed] = engine.relax([structure], RelaxSettings())
    assert relaxed.structure.volume / len(structure) == pytest.approx(7.0)
    assert np.allclose(relaxed.stress, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "reason", "count", "reasons"),
    [
        ({"density": 1.0}, None, 1, {}),
        ({"density": 0.0, "other": None}, None, 1, {}),
        ({"density": None}, None, 0, {own.NO_VALUES: 1}),
        ({}, None, 0, {own.NO_VALUES: 1}),
        ({}, "no density", 0, {"no density": 1}),
    ],
)
def test_candidates_with_a_value_are_counted_out(values, reason, count, reasons):
    record = PropertyRecord.model_construct(values=values, reason=reason, core_seconds=1.0)
    counts = own.counts(record)
    assert (counts.count_in, counts.count_out, dict(counts.reasons)) == (1, count, reasons)


def test_where_the_engine_failed_the_stage_is_not_to_blame(monkeypatch):
    from collections import Counter

    from ninefold.flows import tasks

    engine = SimpleNamespace(faults=Counter(), fingerprint="f")

    def compute(*_):
        engine.faults["engine raised RuntimeError: x"] += 1
        raise InputError("stages", "x.py:S", problem="raises TypeError: None")

    place = SimpleNamespace(
        campaign=SimpleNamespace(methods=[None], name="x"), store=None, engine=lambda _: engine
    )  # fmt: skip
    minima = SimpleNamespace(minima=[SimpleNamespace(structure="s", model_dump=lambda **_: {})])
    composition = SimpleNamespace(model_dump=lambda **_: {})
    monkeypatch.setattr(tasks, "_there", lambda _, model, __: composition if "Comp" in model.__name__ else minima)
    monkeypatch.setattr(tasks, "read", lambda *_: None)
    monkeypatch.setattr(tasks, "structures_of", lambda *_: {"s": None})
    monkeypatch.setattr(own, "compute", compute)
    monkeypatch.setattr(own, "property_id", lambda *_: "p")
    line = {"id": "c", "minima": "m", "method": 0}
    assert tasks.compute_property(place, line, "x.py:S").reason == "engine raised RuntimeError: x"
