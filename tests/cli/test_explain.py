"""explain, fields, campaign check and recall as a reader sees them, 80 columns wide."""

import json
import time

import pytest
import yaml
from typer.testing import CliRunner

from ninefold.chemistry.compounds import known_compounds
from ninefold.cli.main import command_line
from ninefold.errors import InputError
from ninefold.models.quantities import BOOKKEEPING, QUANTITIES

COMPOSITIONS = [
    "Li5MoH11", "K2[ReH9]", "K2ReD9", "K₂ReH₉", "[ReH9]2-", "[TiH9]5-", "K2ReH8", "ReH9", "K3ReH6", "Li5ScYH7",
    "Mg3HfH10", "LaMg2NiH7", "K2[ReH8]H", "Rb3ReH10", "K2OH8",
]  # fmt: skip


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def out(*arguments):
    done = CliRunner().invoke(command_line(), list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def refused(*arguments):
    done = CliRunner().invoke(command_line(), list(arguments))
    assert isinstance(done.exception, InputError)
    return str(done.exception)


@pytest.mark.parametrize("rules", ["takagi", "group-wall", "exploratory"])
@pytest.mark.parametrize("formula", COMPOSITIONS)
@pytest.mark.parametrize("why", [[], ["--why"]], ids=["short", "why"])
def test_no_line_is_wider_than_the_terminal(narrow, formula, rules, why):
    lines = out("explain", formula, "--rules", rules, *why).splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Li5MoH11", ["accepted by takagi", "prior 0.90", "; made"]),
        ("K2ReH9", ["accepted by takagi", "prior 1.00", "; made"]),
        ("Mg3HfH10", ["accepted by takagi", "prior 0.09", "not in ninefold's list"]),
        ("Li5ScYH7", ["rejected by oxidation_state", "prior", "not in ninefold's list"]),
        ("K2ReH8", ["rejected by takagi", "no assignment", "not in ninefold's list"]),
        ("K3ReH6", ["rejected by takagi", "no assignment", "; made"]),
    ],
)
def test_the_first_line_says_accepted_prior_and_made(monkeypatch, formula, words):
    monkeypatch.setenv("COLUMNS", "100")
    first = " ".join(" ".join(out("explain", formula).splitlines()[:2]).split())
    for word in words:
        assert word in first.split(" gate ")[0]


@pytest.mark.parametrize("compound", known_compounds(), ids=lambda compound: compound.formula)
def test_every_compound_of_the_list_is_told_as_made_with_reference_and_synthesis(narrow, compound):
    text = " ".join(out("explain", compound.formula).split())
    assert f"Made: {' '.join(compound.source.split())}" in text
    if compound.synthesis:
        assert " ".join(compound.synthesis.split()) in text


def test_one_line_per_rule_and_the_rest_with_why(narrow):
    answer = json.loads(out("explain", "Li5MoH11", "--json"))
    verdicts = answer["assignments"][0]["verdicts"]
    lines = out("explain", "Li5MoH11").splitlines()
    for verdict in verdicts:
        assert len([line for line in lines if f" {verdict['rule']} " in line]) == 1
    text = " ".join(out("explain", "Li5MoH11", "--why").split())
    for verdict in verdicts:
        assert " ".join(verdict["source"].split()) in text
        assert " ".join(verdict["reason"].split()) in text
    assert verdicts[0]["source"] not in " ".join(" ".join(lines).split())


def test_a_rejecting_gate_stands_out(narrow):
    [line] = [line for line in out("explain", "Li5ScYH7").splitlines()[:8] if " oxidation_state " in line]
    assert line.endswith("REJECTS")


def test_an_anion_counts_its_electrons_and_lists_compounds(narrow):
    text = " ".join(out("explain", "[ReH9]2-").split())
    for word in ("18 valence electrons (G + n + q = 7 + 9 + 2)", "made in K2ReH9", "Ba", "charge_balance"):
        assert word in text
    answer = json.loads(out("explain", "[ReH9]3-", "--json"))
    assert answer["accepted"] is False
    assert answer["anion"]["electron_count"] == 19
    assert answer["anion"]["rejected_by"] == ["electron_count"]
    assert answer["anion"]["compounds"] == []


def test_brackets_choose_the_assignment(narrow):
    both = json.loads(out("explain", "K2ReH9", "--rules", "exploratory", "--json"))["assignments"]
    one = json.loads(out("explain", "K2[ReH9]", "--rules", "exploratory", "--json"))["assignments"]
    assert len(both) > len(one) == 1
    assert one[0]["anion"] == "[ReH9]2-"
    assert "brackets say another anion" in out("explain", "K2[ReH8]H")


def test_deuterium_is_told(narrow):
    assert "D (deuterium) is read as hydrogen" in out("explain", "K2ReD9")
    assert json.loads(out("explain", "K2ReD9", "--json"))["assignments"][0]["label"] == "K2ReH9 = [ReH9]2-"
    assert json.loads(out("explain", "K2ReH9", "--json"))["notes"] == []


def test_a_huge_count_is_refused_at_once():
    start = time.perf_counter()
    assert "up to 1000" in refused("explain", "K2ReH999999")
    assert time.perf_counter() - start < 1


def test_fields_lists_every_quantity(narrow):
    text = out("fields")
    for key, quantity in QUANTITIES.items():
        [line] = [line for line in text.splitlines() if line.split(" ")[0] == key]
        assert quantity.kind in line
        assert quantity.unit in line
    listed = json.loads(out("fields", "--json"))
    assert [row["key"] for row in listed] == [*QUANTITIES, *BOOKKEEPING]
    assert set(listed[0]) == {
        "key", "kind", "unit", "symbol", "meaning", "optimade", "operators", "sortable", "own", "problem",
    }  # fmt: skip


def test_recall_says_what_was_fitted_and_what_the_set_keeps():
    text = out("rules", "recall")
    for word in ("compounds that no threshold was fitted to", "of 41,874 compositions of wide-9", "almost nothing"):
        assert word in text
    answer = json.loads(out("rules", "recall", "--rules", "group-wall", "--space", "takagi-target", "--json"))
    assert answer["selectivity"]["kept"] == 0
    assert answer["selectivity"]["selects_almost_nothing"] is False


def test_the_funnel_says_that_its_gates_select_nothing():
    assert "select almost nothing" in " ".join(out("enumerate", "quickstart", "--funnel").split())
    assert json.loads(out("enumerate", "quickstart", "--funnel", "--json"))["selects_almost_nothing"] is True
    assert json.loads(out("enumerate", "wide-12", "--funnel", "--json"))["selects_almost_nothing"] is False


# campaign check


def campaign(tmp_path, **changes):
    model = {"name": "x", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1]}], **changes}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(model))
    return str(tmp_path / "c.yaml")


def check(*arguments):
    return json.loads(out("campaign", "check", *arguments, "--json"))


def test_check_tells_recall_time_and_what_the_rules_keep(tmp_path, narrow, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = out("campaign", "check", "quickstart")
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for word in (
        "22 compositions before the rules, 22 after", "select almost nothing", "n >= 7: ", "no threshold was fitted to",
        "an estimate", "core-seconds", "rates: 33 searches of ninefold's demo",
    ):  # fmt: skip
        assert word in words


def test_the_estimate_scales_with_budgets_rounds_and_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = {"pool": 100, "single_points": 20, "coarse_relaxations": 8, "refinements": 2, "rounds": 1}
    fixed = {"stability": {"search_known_compounds": False}, "engine": {"name": "chgnet"}}
    one = check(campaign(tmp_path, structures=base, execution={"workers": 1}, **fixed))["estimate"]
    assert one["hours"]["middle"] == pytest.approx(2 * (100 * 0.075 + 10 * 3.9) / 3600)
    assert one["hours"]["low"] < one["hours"]["middle"] < one["hours"]["high"]
    two = check(campaign(tmp_path, structures=base, execution={"workers": 2}, **fixed))["estimate"]
    assert two["hours"]["middle"] == pytest.approx(one["hours"]["middle"] / 2)
    twice = campaign(tmp_path, structures={**base, "rounds": 2}, execution={"workers": 1}, **fixed)
    rounds = check(twice)["estimate"]
    assert rounds["searches"] == 3
    assert rounds["hours"]["middle"] == pytest.approx(one["hours"]["middle"] * 3 / 2)


def test_made_compounds_of_the_systems_are_counted_as_the_run_searches_them(tmp_path, monkeypatch):
    from ninefold.campaign import read_campaign
    from ninefold.flows.campaign_jobs import select_compositions
    from ninefold.store import open_store

    monkeypatch.chdir(tmp_path)
    path = campaign(
        tmp_path,
        space=[{"centres": ["Re", "Mn", "Ni"], "cations": ["K", "Mg", "Na"], "n": [6, 9], "m": [0, 1]}],
        structures={"rounds": 1},
    )
    select_compositions.original(read_campaign(path).to_dict(), str(tmp_path / "x.db"), {"attempt": 1})
    with open_store(tmp_path / "x.db") as store:
        searched = store.count("compositions")
    told = check(path, "--store", "none.db")
    assert told["estimate"]["searches"] == searched > told["rules"]["kept"]


def test_no_rate_is_invented_for_another_engine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check(campaign(tmp_path, engine={"name": "emt"}))["estimate"] is None
    assert "no rate measured for the engine emt" in out("campaign", "check", str(tmp_path / "c.yaml"))


def test_rates_come_from_the_store_where_it_has_enough(tmp_path, monkeypatch):
    from ninefold.campaign import read_campaign
    from ninefold.models.campaign import CampaignRecord
    from ninefold.models.search import PoolRecord, SearchRecord
    from ninefold.store import open_store

    monkeypatch.chdir(tmp_path)
    path = campaign(tmp_path, structures={"pool": 10, "coarse_relaxations": 1, "refinements": 1, "rounds": 1})
    settings = read_campaign(path).to_dict()
    with open_store(tmp_path / "mine.db", mode="write") as repository:
        document = CampaignRecord(
            id="y", name="y", fingerprint="f", settings=settings, versions={}, status="finished", created="2026-01-01"
        )
        repository.put("campaigns", [document])
        for k in range(6):
            shared = {"campaign": "y", "label": "", "round": 1, "reasons": {}, "created": "2026-01-01"}
            pool = PoolRecord(id=f"{k}", packings="", count_in=10, count_out=4, core_seconds=20.0, **shared)
            search = SearchRecord(
                id=f"{k}", pool=f"{k}", method="m", minima=[], relaxations=4, core_seconds=40.0, **shared
            )
            repository.put("pools", [pool])
            repository.put("searches", [search])
    estimate = check(path, "--store", str(tmp_path / "mine.db"))["estimate"]
    assert "6 searches in" in estimate["rates"]
    assert estimate["core_seconds_per_search"]["middle"] == pytest.approx(10 * 2.0 + 2 * 10.0)
    assert "demo" in check(campaign(tmp_path, engine={"name": "chgnet"}), "--store", "none.db")["estimate"]["rates"]


@pytest.fixture
def hosts(tmp_path):
    from pymatgen.core import Lattice, Structure

    for name, symbols, sites in (
        ("rocksalt", ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        ("fluorite", ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    ):
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), symbols, sites).to(str(tmp_path / f"{name}.cif"))
    return tmp_path


def test_host_files_that_fit_no_composition_are_told(hosts, monkeypatch):
    monkeypatch.chdir(hosts)
    sources = {"sources": ["rigid_units", "rocksalt.cif", "fluorite.cif"]}
    [unused] = check(campaign(hosts, structures=sources))["unused_hosts"]
    assert "rocksalt.cif fits no composition" in unused
    assert "1:1" in unused
    text = " ".join(out("campaign", "check", str(hosts / "c.yaml")).split())
    assert "rocksalt.cif fits no composition" in text
    assert "fluorite.cif fits" not in text
    # Ba[ReH9] is one cation to a centre
    barium = [{"centres": ["Re"], "cations": ["Ba"], "n": 9, "m": 0}]
    [unused] = check(campaign(hosts, space=barium, structures=sources))["unused_hosts"]
    assert "fluorite.cif" in unused


def test_a_host_that_only_the_budget_excludes_says_so(hosts, monkeypatch):
    monkeypatch.chdir(hosts)
    sources = {"sources": ["rigid_units", "fluorite.cif"], "max_atoms": 10}
    [unused] = check(campaign(hosts, structures=sources))["unused_hosts"]
    assert "max_atoms" in unused


def test_check_refuses_rules_that_reject_everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = campaign(tmp_path, rules={"overrides": {"group_wall": {"mode": "gate", "low": 12}}})
    assert "reject all 2 compositions: group_wall (2)" in refused("campaign", "check", path)


def test_conditions_of_synthesis_are_told_once():
    from dataclasses import replace

    from ninefold.report.explanation import headline

    [made] = [compound for compound in known_compounds() if compound.formula == "K2ReH9"]
    label = made.assignment.label
    given = replace(made, synthesis="KH + Re + H2", pressure_GPa=5.0, temperature_K=870.0, doi="10.1/x")
    text = " ".join(headline(label, "takagi", [], 1.0, [given], 100))
    assert "KH + Re + H2, 5 GPa, 870 K" in " ".join(text.split())
    assert "doi:10.1/x" in text
    said = replace(given, synthesis="KH + Re + H2 at 5 GPa and 870 K")
    text = " ".join(headline(label, "takagi", [], 1.0, [said], 100))
    assert text.count("GPa") == text.count("870") == 1
    bare = replace(given, synthesis=None, pressure_GPa=None)
    assert "; 870 K;" in " ".join(" ".join(headline(label, "takagi", [], 1.0, [bare], 100)).split())
