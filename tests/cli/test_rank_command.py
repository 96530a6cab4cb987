"""`ninefold rank`, `query --saved` and `fields`, as they are typed."""

import json
import sys

import pytest
import results_sample
import yaml

from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.models.quantities import QUANTITIES
from ninefold.store import open_store


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("rank") / "ninefold.db"
    with open_store(path, mode="write") as store:
        results_sample.fill(store)
    return path


@pytest.fixture
def ask(path, monkeypatch, capsys, tmp_path):
    """Exit code and what is printed; nothing is written but by the test."""
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("NINEFOLD_STORE", str(path))
    monkeypatch.chdir(tmp_path)

    def ask(*arguments, code=0):
        before = path.read_bytes()
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert end.value.code == code, err
        assert path.read_bytes() == before
        if code:
            assert (out, err.count("\n")) == ("", 1)
            return err
        return out

    return ask


def test_the_new_rank_stands_beside_the_stored_one(ask, path):
    told = json.loads(ask("rank", "quickstart", "--weights", "hydrogen=2,novelty=1", "--json", "--limit", "0"))
    assert told["weights"] == {"hydrogen": pytest.approx(2 / 3), "novelty": pytest.approx(1 / 3)}
    assert [row["rank"] for row in told["candidates"]] == list(range(1, told["ranked"] + 1))
    assert [row["rank"] for row in told["candidates"]] != [row["previous_rank"] for row in told["candidates"]]
    with open_store(path) as store:
        stored = {row["id"]: row["rank"] for row in store.find("candidates", "rank IS KNOWN", fields=["id", "rank"])}
    assert {row["id"]: row["previous_rank"] for row in told["candidates"]} == stored
    text = ask("rank", "--weights", "hydrogen=2,novelty=1", "--limit", "3")
    lines = text.splitlines()
    assert lines[1].split()[:2] == ["rank", "was"]
    assert [line.split()[0] for line in lines[3:6]] == ["1", "2", "3"]
    assert f"{told['ranked']} candidate(s) with a rank (the first 3)" in text
    assert "Nothing was written. In the campaign file: ranking: {weights: {hydrogen: 2, novelty: 1}}" in text


def test_formulas_are_whole_on_a_narrow_terminal(ask, monkeypatch):
    told = json.loads(ask("rank", "quickstart", "--json", "--limit", "0"))
    monkeypatch.setenv("COLUMNS", "60")
    shown = ask("rank", "quickstart", "--limit", "0")
    assert all(f" {row['formula']} " in shown for row in told["candidates"])


def test_the_campaigns_own_weights(ask):
    told = json.loads(ask("rank", "--json", "--limit", "0"))
    assert all(row["rank"] == row["previous_rank"] for row in told["candidates"])
    assert "Nothing was written" not in ask("rank")


def test_weights_of_a_campaign_file(ask, tmp_path):
    settings = {"name": "quickstart", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**settings, "ranking": {"weights": {"hydrogen": 1}}}))
    told = json.loads(ask("rank", "mine.yaml", "--json"))
    assert told["weights"] == {"hydrogen": 1.0}
    assert json.loads(ask("rank", "mine.yaml", "--weights", "prior=1", "--json"))["weights"] == {"prior": 1.0}


def test_a_term_of_ones_own(ask, tmp_path):
    (tmp_path / "mine.py").write_text(
        'def dense(item, settings):\n    """Denser is better."""\n    return item.quantities["density"] / 10\n'
    )
    told = json.loads(ask("rank", "--weights", "mine.py:dense=1", "--json", "--limit", "0"))
    scores = [row["score"] for row in told["candidates"]]
    assert scores == sorted(scores, reverse=True)
    rows = {row["id"]: row for row in json.loads(ask("query", "--fields", "id,density", "--json", "--limit", "0"))}
    assert all(row["score"] == pytest.approx(rows[row["id"]]["density"] / 10) for row in told["candidates"])
    front = json.loads(ask("rank", "--pareto", "mine.py:dense,stability", "--json"))
    assert set(front["candidates"][0]["values"]) == {"dense", "stability"}
    assert front["candidates"][0]["values"]["dense"] == pytest.approx(scores[0])
    assert "Denser is better" in ask("rank", "--weights", "mine.py:dense=1", "--explain", "K2ReH9")
    (tmp_path / "mine.py").write_text("def dense(item, settings):\n    return 1 / 0\n")
    assert "ZeroDivisionError" in ask("rank", "--weights", "mine.py:dense=1", code=2)
    (tmp_path / "mine.py").write_text("def dense(item, settings):\n    return 7\n")
    assert "gives int 7" in ask("rank", "--weights", "mine.py:dense=1", code=2)


def test_a_candidate_is_explained_in_words(ask):
    text = " ".join(ask("rank", "--weights", "stability=3,hydrogen=1", "--explain", "K2ReH9").split())
    told = json.loads(ask("rank", "--weights", "stability=3,hydrogen=1", "--explain", "K2ReH9", "--json"))
    terms = told["terms"]
    assert sum(term["contribution"] for term in terms.values()) == pytest.approx(told["score"])
    assert f"Rank {told['rank']} of " in text
    assert f"in the store it has rank {told['previous_rank']}" in text
    assert f"stability: value {terms['stability']['value']:.3f}, weight 0.750: adds" in text
    assert "Hydrogen atoms over all atoms; n 9, m 0." in text
    by_id = ask("rank", "--weights", "stability=3,hydrogen=1", "--explain", told["id"])
    assert " ".join(by_id.split()) == text
    assert "It has no rank: a rule on results rejects its structure" in ask(
        "rank", "--explain", results_sample.REJECTED
    )


def test_pareto_front(ask):
    told = json.loads(ask("rank", "--pareto", "stability,hydrogen", "--json"))
    assert 0 < told["front"] == len(told["candidates"])
    values = [(row["values"]["stability"], row["values"]["hydrogen"]) for row in told["candidates"]]
    assert values == sorted(values, reverse=True)
    ranked = json.loads(ask("rank", "--weights", "stability=1,hydrogen=1", "--json", "--limit", "0"))["candidates"]
    assert {row["id"] for row in told["candidates"]} == {row["id"] for row in ranked if row["is_pareto"]}
    assert "e_above_hull" in ask("rank", "--pareto", "e_above_hull:min,n:max,density:max")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rank", "nope"], "'nope' is not in the store; allowed: quickstart"),
        (["rank", "x' OR '1'='1"], "is not in the store"),
        (["rank", "no.yaml"], "does not exist"),
        (["rank", "--weights", "stability=nan"], "a number from 0 on"),
        (["rank", "--weights", "x.y:z=1"], "is no module"),
        (["rank", "--explain", "K9ReH99"], "is no candidate of campaign quickstart"),
        (["rank", "--explain", '" OR n > 0'], "is no candidate"),
        (["rank", "--explain", "$ne"], "is no candidate"),
        (["rank", "--pareto", "stability", "--weights", "prior=1"], "two questions"),
        (["rank", "--pareto", "anion:max"], "is of kind string"),
        (["rank", "--pareto", "e_above_hull:up"], "allowed: e_above_hull:min or e_above_hull:max"),
        (["rank", "--pareto", "n"], "allowed: n:min or n:max"),
        (
            ["rank", "--pareto", "stability:min"],
            "'stability:min' is a term, of which more is better; allowed: stability",
        ),
        (["rank", "--pareto", "nonsense"], "FILE.py:NAME, a field with :min or :max"),
        (["query", "--saved", "nothing"], "'nothing' is no saved query; allowed: near"),
        (["query", "n = 9", "--saved", "near"], "two questions"),
        (["query", "--saved", "near", "-c", "nope"], "is not in the store"),
        (["fields", "-c", "nope"], "is not in the store"),
        (["fields", "--store", "no.db"], "no.db"),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask, arguments, words):
    assert words in ask(*arguments, code=2)


def test_an_empty_store(ask, tmp_path):
    open_store(tmp_path / "empty.db", mode="write").close()
    for arguments in (["rank"], ["rank", "--pareto", "stability"], ["rank", "--explain", "K2ReH9"]):
        assert "holds no campaign" in ask(*arguments, "--store", "empty.db", code=2)
    assert json.loads(ask("fields", "--store", "empty.db", "--json"))[0]["key"] == "id"


def test_saved_query(ask, tmp_path):
    rows = json.loads(ask("query", "--saved", "near", "--json"))
    near = results_sample.QUERIES["near"]
    fields = ",".join(near["fields"])
    assert rows == json.loads(
        ask("query", near["filter"], "--sort", ",".join(near["sort"]), "--fields", fields, "--json")
    )  # fmt: skip
    assert len(rows) > 1
    assert list(rows[0]) == near["fields"]
    other = json.loads(ask("query", "--saved", "near", "--sort=-n", "--fields", "n", "--json"))
    assert [row["n"] for row in other] == sorted((row["n"] for row in other), reverse=True)
    settings = {"name": "quickstart", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**settings, "queries": {"heavy": {"filter": "n = 9"}}}))
    assert "K2ReH9" in ask("query", "--saved", "heavy", "-c", "mine.yaml")
    assert "allowed: heavy" in ask("query", "--saved", "near", "-c", "mine.yaml", code=2)


def test_fields_lists_what_stages_have_stored(ask, path, monkeypatch, tmp_path):
    listed = {row["key"]: row for row in json.loads(ask("fields", "--json"))}
    assert set(listed) == {*QUANTITIES, "composition", "revision", "density"}
    assert (listed["density"]["unit"], listed["density"]["own"]) == ("g/cm3", True)
    assert listed["formula"]["optimade"] == "chemical_formula_reduced"
    assert listed["elements"]["sortable"] is False
    text = ask("fields")
    assert "mass density; of a stage of yours" in text
    monkeypatch.delenv("NINEFOLD_STORE")
    monkeypatch.chdir(tmp_path)
    assert "density" not in {row["key"] for row in json.loads(ask("fields", "--json"))}, "without a store"
