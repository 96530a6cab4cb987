"""`ninefold references`: with an engine, and from a store."""

import json

import pytest

from campaign_run import ninefold


def test_the_store_s_references_are_listed_by_method(quick):
    every = json.loads(ninefold("references", "--above", "0", "--json", cwd=quick).stdout)
    assert set(every) == {"weak Lennard-Jones"}
    assert all(each["e_above_hull"] > 0 for each in every["weak Lennard-Jones"])
    told = ninefold("references", "--above", "9", cwd=quick)
    assert told.stdout.startswith("weak Lennard-Jones: 0 of ")
    assert "compounds more than 9000 meV/atom above the others" in told.stdout


def test_the_trust_set_s_dft_puts_no_saline_hydride_above_the_others(tmp_path):
    """The oracle for MgH2: its formation energy, nothing else lies between."""
    from ninefold.trust.phases import trust_set

    done = ninefold("references", "--trust-set", "--above", "-10", "--json", cwd=tmp_path)
    [(label, found)] = json.loads(done.stdout).items()
    assert label.startswith("GPAW")
    saline = {phase.formula for phase in trust_set().of_class(["saline"])}
    assert all(each["e_above_hull"] < 0 for each in found if each["formula"] in saline)
    lowest = {
        phase.formula: min(frame.energy_per_atom for frame in phase.curve or phase.frames)
        for phase in trust_set().phases
    }
    formation = lowest["MgH2"] - (lowest["Mg"] + 2 * lowest["H2"]) / 3
    [hydride] = [each for each in found if each["formula"] == "MgH2"]
    assert hydride["e_above_hull"] == pytest.approx(formation, abs=1e-9)


def test_an_engine_judges_the_known_hydrides_of_a_system(tmp_path):
    done = ninefold(
        "references", "--method", "lj", "--system", "K-Re-H", "--fmax", "1", "--above", "0", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    names = {each["name"] for each in json.loads(done.stdout)["Lennard-Jones"]}
    assert names <= {"KH rocksalt", "KH CsCl", "K2ReH9 K2ReH9", "K3ReH6 cryolite"}
    refused = ninefold("references", "--method", "lj", "--system", "Na-Cl", cwd=tmp_path)
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert "--system: 'Na-Cl' has no known complex hydride" in refused.stderr
