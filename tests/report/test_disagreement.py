"""Where a campaign's methods disagree by more than the window: list, show and report say so, and DFT comes first."""

import html as html_lib
import io
import re

import pytest
import report_sample
from typer.testing import CliRunner

from ninefold.cli.main import command_line
from ninefold.models.candidate import Candidate
from ninefold.models.reference import ReferenceRecord
from ninefold.report import render_report
from ninefold.report.answer import answer
from ninefold.report.disagreement import disagreement_note, disputed
from ninefold.report.terminal_candidate import candidate_view
from ninefold.stages.uncertainty import by_method
from ninefold.stages.verify import VerifySettings
from ninefold.stages.verify_plan import make_plan
from ninefold.store import open_store
from ninefold.store.details import details
from ninefold.store.records import write

OTHER = "77aa00bb11cc"
DISPUTED = "Li5MoH9"


def rows_of_two_methods():
    """The sample's rows and those of a method that has every distance 10 meV/atom higher, one 0.4 eV/atom lower."""
    rows = [record for record in report_sample.records() if isinstance(record, Candidate)]
    rows = [
        row.model_copy(update={"model_error": 0.05, "model_error_source": "test"})
        for row in rows
        if row.phase_separation_energy is not None
    ]

    def other(row):
        change = -0.4 if row.formula == DISPUTED else 0.01
        update = {"id": f"{row.id}-other", "method": OTHER, "engine": "another", "is_best": False, "rank": None}
        return row.model_copy(update={**update, "phase_separation_energy": row.phase_separation_energy + change})

    return by_method({report_sample.METHOD.id: rows, OTHER: [other(row) for row in rows]}, 0.02)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("disputed") / "ninefold.db"
    rest = [record for record in report_sample.records() if not isinstance(record, Candidate)]
    with open_store(str(path), mode="write") as opened:
        write(opened, [*rest, *(row for some in rows_of_two_methods().values() for row in some)])
    return path


def told(store, *arguments):
    done = CliRunner().invoke(command_line(), [*arguments, "--store", str(store)], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list_says_it_below_the_table_alone(store):
    sentence = (
        f"The campaign's methods disagree by more than the window on {DISPUTED} (0.400 eV/atom): 'ninefold verify' "
        "computes it before others."
    )
    assert told(store, "query").count(sentence) == 1
    assert sentence in told(store, "query", f'formula = "{DISPUTED}"', "--fields", "rank")
    assert "disagree" not in told(store, "query", 'formula = "K2ReH9"')
    assert "disagree" not in told(store, "query", "--json")
    assert told(store, "query", "--fields", "rank", "--format", "csv").splitlines()[0] == "rank"


def test_show_says_it_and_by_how_much(store):
    with open_store(str(store)) as opened:
        [document] = details(
            opened, opened.find("candidates", equal={"formula": DISPUTED, "is_best": True}, limit=None)
        )
    from rich.console import Console

    printer = Console(width=200, file=io.StringIO())
    printer.print(candidate_view(document))
    text = printer.file.getvalue()
    assert "methods disagree by 400 meV/atom, more than the window of" in text
    assert "To know before believing it" in text


def test_the_report_s_answer_says_it_and_the_candidate_s_section(store):
    with open_store(str(store)) as opened:
        rows = list(details(opened, opened.find("candidates", equal={"is_best": True}, limit=None)))
    words = html_lib.unescape(re.sub("<[^>]*>", "", str(answer({}, [], rows))))
    assert (
        f"The methods disagree by more than the window on {DISPUTED} (by 0.400 eV/atom), which DFT (ninefold verify) "
        "is asked for first." in words
    )
    page = render_report(report_sample.campaign(), report_sample.funnel(), rows, report_sample.references())
    assert html_lib.unescape(page).count("methods disagree by 400 meV/atom, more than the window of") == 1


def test_dft_is_asked_there_first():
    rows = {
        method: [row.model_copy(update={"conditions": []}) for row in some]
        for method, some in rows_of_two_methods().items()
    }
    best = {row.composition: row.method for row in rows[report_sample.METHOD.id]}
    found = [ReferenceRecord(**{**row, "structure": "x"}) for row in report_sample.references()]
    plan = make_plan(rows, best, dict.fromkeys(rows, found), {}, VerifySettings(), 0.02)
    first, *others = plan.of("candidate")
    assert (first.formula, first.is_disputed) == (DISPUTED, True)
    assert not any(item.is_disputed for item in others)
    distances = [item.distance for item in others]
    assert distances == sorted(distances)
    assert first.distance > distances[0], "it is not the nearest to the hull"


def test_many_are_counted_and_the_most_disputed_come_first():
    rows = [
        {"formula": f"K{place}ReH9", "method_spread": 0.1 * place, "flags": ["methods disagree by"]}
        for place in range(9)
    ]
    assert [row["formula"] for row in disputed(rows)][:2] == ["K8ReH9", "K7ReH9"]
    note = disagreement_note(rows)
    assert "K8ReH9 (0.800 eV/atom)" in note
    assert "and 3 more: 'ninefold verify' computes these before others." in note
    assert disagreement_note([{"formula": "K2ReH9", "method_spread": 0.3, "flags": []}, {"formula": "x"}]) is None


def test_a_competing_phase_that_nobody_has_made_is_marked():
    """By the rows of its own formula: K3ReH10 is a candidate alone, K2ReH9 has been made."""
    held = report_sample.records()
    rows = {row.formula: row.model_dump(mode="json") for row in held if isinstance(row, Candidate)}
    wanted = {"K2ReH9": "K3ReH10", "K3ReH10": "K2ReH9"}
    for formula, other in wanted.items():
        part = {"formula": other, "name": other, "fraction": 0.9, "energy_per_atom": -3.0, "kind": "candidate"}
        rows[formula]["decomposition"] = [part]
    made, guess = details(report_sample.Held(held), [rows["K2ReH9"], rows["K3ReH10"]])
    assert (made["predicted_phases"], guess["predicted_phases"]) == (["K3ReH10"], [])


def test_a_list_of_several_methods_says_whose_energies_each_row_has(store):
    """A row that another method stands for is by name; a column of engines, or one method, needs no sentence."""
    printed = told(store, "query", f'formula = "{DISPUTED}" OR formula = "K2ReH9"', "--all-methods", "--fields", "rank")
    [line] = [line for line in printed.splitlines() if line.startswith("Energies are of 2 methods")]
    assert f"another: K2ReH9, {DISPUTED}" in line or f"another: {DISPUTED}, K2ReH9" in line
    assert "Energies are of" not in told(store, "query", "--all-methods", "--fields", "rank,engine")
    assert "Energies are of" not in told(store, "query", 'formula = "K2ReH9"')
