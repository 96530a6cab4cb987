"""Equations of state found for a structure: its own, another minimum's, or that of the geometry it was verified at."""

import json

import numpy as np
import pytest

from ninefold.models.lines import blob_id
from ninefold.models.method import Method
from ninefold.models.property import PropertyRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages import quasiharmonic
from ninefold.stages.compress import STAGE, state_id
from ninefold.store import open_store
from ninefold.store.structure_facts import StructureFacts
from ninefold.thermo.harmonic import HarmonicVibrations


def record(structure, method, modulus, **changes):
    values = {
        "volumes": [12.0], "energies": [-4.0], "pressures": [0.0], "notes": [], "form": "murnaghan",
        "energy_per_atom": -4.0, "volume_per_atom": 11.5, "bulk_modulus": modulus, "derivative": 4.0, "misfit": 0.0,
    }  # fmt: skip
    plain = {
        "id": state_id(structure, method), "campaign": "c", "stage": STAGE, "label": "x", "structure": structure,
        "method": method, "values": values, "reason": None, "core_seconds": 0.0,
        "created": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return PropertyRecord.model_validate(plain | changes)


@pytest.fixture
def facts(tmp_path):
    with open_store(tmp_path / "s.db", mode="write") as store:
        store.insert("methods", [
            Method(id="ml", name="ml", label="ML", evidence="ML"),
            Method(id="dft", name="gpaw", label="GPAW", evidence="DFT"),
        ])  # fmt: skip
        store.insert("properties", [
            record("near", "ml", 20.0), record("far", "ml", 30.0), record("near", "dft", 40.0),
            record("old", "ml", 50.0, id="of an earlier version"),
        ])  # fmt: skip
        yield StructureFacts(store)


def row(*minima, **more):
    found = [{"structure": name, "energy_per_atom": energy, "is_valid": True} for name, energy in minima]
    return {"method": "ml", "minima": found, **more}


def test_its_own_by_its_own_method_comes_first(facts):
    found = facts.compression("near", "ml")
    assert (found.engine, found.state.bulk_modulus, found.is_own) == ("ML", 20.0, True)
    assert facts.compression("near", "dft").engine == "GPAW"
    assert facts.compression("far", "dft").engine == "ML", "another method's where it has none"
    assert facts.compression("old", "ml") is None
    assert facts.compression("unknown", "ml") is None


def test_a_minimum_without_one_is_compressed_as_the_nearest_in_energy(facts):
    found = facts.compression_of_minimum(row(("x", -4.0), ("far", -3.9), ("near", -3.99)), "x")
    assert (found.state.bulk_modulus, found.is_own) == (20.0, False)
    assert "of another minimum" in found.describe()


def test_a_verified_structure_is_compressed_as_the_geometry_that_it_was_computed_at(facts):
    verified = row(("own cell", -4.0), verification={"geometry": "far"})
    assert facts.compression_of_minimum(verified, "own cell").state.bulk_modulus == 30.0


def test_a_cell_at_pressure_is_that_of_the_curve_and_at_none_the_stored_one(facts):
    """By Murnaghan's equation, against the stored volume and not the curve's own."""
    found = facts.compression("near", "ml")
    assert found.ratio(0.0) == 1.0
    assert found.ratio(5.0) == pytest.approx(11.5 * (1 + 4 * 5 / 20) ** (-1 / 4) / 12.0)


VOLUMES = np.linspace(7.4, 9.2, 7)


def spectrum(volume):
    modes = HarmonicVibrations(np.array([60 * (8 / volume) ** 1.5]), np.array([3.0]))
    return json.dumps(modes.to_dict()).encode()


@pytest.fixture
def grown(tmp_path):
    """A store with a phase at seven volumes, and one at too few."""
    with open_store(tmp_path / "s.db", mode="write") as store:
        store.insert("methods", [Method(id="ml", name="ml", label="ML", evidence="ML")])
        plain = {
            "campaign": "c", "label": "x", "method": "ml", "gain": 0.0, "supercell_atoms": 48, "n_imaginary": 0,
            "settings": {"min_width": 5.0}, "created": "2026-01-01T00:00:00+00:00",
        }  # fmt: skip
        records = [
            VibrationRecord.model_validate(
                {**plain, "id": f"of {name}", "start": name, "relaxed": name, "structure": name}
            )
            for name in ("near", "far")
        ]
        store.insert("vibrations", records)
        for volume in VOLUMES:
            store.blobs.put(spectrum(volume))
        energies = (0.05 * (VOLUMES - 8) ** 2 - 4).tolist()
        values = {
            "vibrations": "of near", "ratios": (VOLUMES / 8).tolist(), "volumes": VOLUMES.tolist(),
            "energies": energies, "records": [], "notes": ["V/V0 = 1.2: left out"],
            "spectra": [blob_id(spectrum(volume)) for volume in VOLUMES],
        }  # fmt: skip
        few = {key: found[:2] if isinstance(found, list) else found for key, found in values.items()}
        of = {"stage": quasiharmonic.STAGE}
        store.insert("properties", [
            record("x", "ml", 0, **of, id="p", values=values),
            record("x", "ml", 0, **of, id="q", values={**few, "vibrations": "of far"}, reason="too few"),
        ])  # fmt: skip
        yield store


def test_minima_say_what_they_are_at_several_volumes(grown):
    minima = [{"structure": "other"}, {"structure": "near"}, {"structure": "far"}]
    whole, few = StructureFacts(grown).of_minima(minima, (600.0, 1.0))["quasi_harmonic"]
    assert [(at["temperature_K"], at["pressure_GPa"]) for at in whole["at"]] == [(0, 0), (298.15, 0), (600, 1)]
    solid = quasiharmonic.quasi_harmonic_of(
        PropertyRecord.model_validate(grown.get("properties", "p")),
        {blob_id(spectrum(volume)): spectrum(volume) for volume in VOLUMES},
    )
    assert whole["at"][2]["volume_per_atom"] == solid.at(600.0, 1.0).volume_per_atom
    assert whole["at"][0]["expansion"] == pytest.approx(
        solid.at(0.0).volume_per_atom / solid.static().volume_per_atom - 1
    )
    assert (whole["place"], whole["engine"], whole["evidence"], whole["supercell_atoms"]) == (2, "ML", "ML", 48)
    assert (whole["reason"], whole["notes"]) == (None, ["V/V0 = 1.2: left out"])
    assert (few["place"], few["at"], few["reason"]) == (3, [], "too few")


def test_a_spectrum_that_is_lost_is_told_and_hides_nothing_else(grown):
    grown.blobs.delete(blob_id(spectrum(VOLUMES[3])))
    [found] = StructureFacts(grown).of_minima([{"structure": "near"}])["quasi_harmonic"]
    assert found["at"] == []
    assert "is missing" in found["reason"]
