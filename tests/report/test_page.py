"""The page as a whole: parses, loads nothing, escapes everything, survives what is missing."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import html as html_lib
import json
import re
from collections import Counter
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_sample import sample

from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import parse_formula
from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES, label
from ninefold.report import check_report_path, render_report, write_report
from ninefold.report.answer import answer, uncertainty_note
from ninefold.report.below_hull import is_stable, lowest_pressures, sorted_by_stability
from ninefold.report.overview import ROW_FIELDS

VOID = {"meta", "link", "br", "input", "img", "hr", "col"}


class Page(HTMLParser):
    """Tags, balance, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        if tag in ("td", "th", "dt", "dd", "li", "p", "h3", "h4"):
            self.text += " "

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.text += data

    def values(self, name: str, tag: str | None = None) -> list[str]:
        return [value for of, key, value in self.attributes if key == name and tag in (None, of)]


def inner_links(page: Page) -> set[str]:
    """Places of the page itself that its links lead to."""
    return {target[1:] for target in page.values("href", "a") if target.startswith("#")}


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(*sample())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_element_is_closed(page):
    assert page.open == []
    assert page.tags["html"] == page.tags["body"] == page.tags["main"] == 1


def test_is_one_small_file(html):
    assert len(html.encode()) < 5_000_000


def test_loads_nothing_from_anywhere(html, page):
    # what a reader clicks is not loaded; all else that names an address would be
    static = re.sub(r'<a href="https://(doi\.org|arxiv\.org)/[^"]*"', "<a", html)
    assert not re.search(r"""(src|href|action|data|poster)\s*=\s*["']?\s*(https?:|//|file:)""", static, re.IGNORECASE)
    assert not re.search(r"@import|url\(\s*[\"']?(?!#)", html)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts)\b", html)
    links = ("#", "https://doi.org/10.", "https://arxiv.org/abs/")
    assert all(target.startswith(links) for target in page.values("href", "a"))
    assert page.values("href", "link") == ["data:,"]
    assert not page.values("src")


def test_content_policy_admits_its_own_script_alone(html, page):
    policy = next(value for value in page.values("content", "meta") if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'")
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    assert base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode() in policy


def test_links_lead_somewhere_and_ids_are_unique(page):
    ids = Counter(page.values("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert inner_links(page) <= set(ids)


def test_gradients_and_clips_are_defined(html, page):
    assert set(re.findall(r"url\(#([\w-]+)\)", html)) <= set(page.values("id"))


def test_same_documents_same_page(html):
    assert render_report(*sample()) == html


def test_documents_are_left_alone():
    parts = sample()
    before = copy.deepcopy(parts)
    render_report(*parts)
    assert parts == before


def test_says_the_answer_with_its_noise_and_evidence(page):
    text = " ".join(page.text.split())
    assert "lie below the hull of all other compositions by more than the uncertainty measured for each" in text
    assert "Uncertainties are the scatter of repeated searches: measured for 21 of 21 compositions," in text
    assert text.count("30 to 150 meV/atom") == 2, "the model's error beside the headline and the tables"
    assert "Evidence: ML, static energies by CHGNet 0.3.0; no DFT has checked them." in text


@pytest.mark.parametrize(
    "fact",
    [
        "molecule in a box, same engine",
        "9e41c07d55ab",
        "2017",
        "5f0c9a1be2d34771",
        "CHGNet 0.3.0",
        "2.13.0",
        "AMD EPYC 7B13, 2 cores",
        "7\N{NARROW NO-BREAK SPACE}011",
        "Abrahams, Ginsberg & Knox",
        label("volume_per_formula_unit"),
    ],
)
def test_shows_provenance_funnel_and_sources(page, fact):
    assert fact in page.text


def test_ranked_table_can_be_sorted_and_filtered(html, page):
    table = re.search(r'<table class="sortable" id="ranked">(.*?)</table>', html, re.DOTALL)[1]
    headings = re.findall(r"<th scope=\"col\"[^>]*>", table)
    assert len(headings) == 13
    assert all('data-sort="' in heading and 'aria-sort="' in heading for heading in headings)
    assert sum('aria-sort="ascending"' in heading for heading in headings) == 1
    rows = re.findall(r"<tr data-text=\"([^\"]*)\">(.*?)</tr>", table, re.DOTALL)
    assert len(rows) == 22
    assert all(cells.count("data-value=") == 13 for _, cells in rows)
    ranks = [re.search(r'data-value="(\d*)"', cells)[1] for _, cells in rows]
    assert ranks == [*(str(rank) for rank in range(1, 22)), ""]
    assert "k2reh9" in rows[0][0]
    assert "in list" in rows[0][0]


def test_every_table_has_scoped_headings(html):
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert re.search(r'<th scope="(col|row)"', table)
    assert not re.search(r"<th(?![^>]*scope=)[ >]", html)


def test_every_number_of_the_funnel_has_its_unit(page):
    text = " ".join(page.text.split())
    assert "build 22 compositions → 13 200 structures → 4 180 structures" in text
    assert "prescreen 4 180 structures → 22 compositions → 21 compositions" in text
    assert "references 14 reference phases → 13 reference phases" in text


def test_the_card_says_cell_sites_and_whether_it_was_made(page):
    text = " ".join(page.text.split())
    card = text[text.index("Cell and sites") :]
    assert "space group P62m (189)" in card
    assert "of the metal lattice P62m (189)" in card
    assert "a 9.607 Å" in card
    assert "c 5.508 Å" in card
    assert "γ 120.00°" in card
    assert "Re1a" in card.replace(" ", "")
    assert "Synthesis: from perrhenate and K in ethylenediamine-ethanol, ambient pressure" in text
    assert "Not in ninefold's list of made compounds." in text


def test_a_made_compound_comes_with_conditions_and_its_doi(monkeypatch):
    from ninefold.chemistry.compounds import known_compounds

    [compound] = [item for item in known_compounds() if item.formula == "Mg3CrH8"]
    more = dataclasses.replace(
        compound, doi="10.1002/anie.201500792", pressure_GPa=5.0, temperature_K=None, structure_type="Mg3CrH8"
    )
    monkeypatch.setattr("ninefold.report.page_candidate.known_compounds", lambda: (more,))
    campaign, funnel, candidates, references = sample()
    wanted = [candidate for candidate in candidates if candidate["formula"] == "Mg3CrH8"]
    page = Page(render_report(campaign, funnel, wanted, references))
    text = " ".join(page.text.split())
    assert "In ninefold's list of made compounds: Mg3CrH8 = [CrH7]5− + 1 H−, structure type Mg3CrH8" in text
    assert "(lowest reported: 5 GPa)" in text
    assert "https://doi.org/10.1002/anie.201500792" in page.values("href", "a")


def test_a_compound_of_the_campaigns_own_list_is_not_called_unmade():
    campaign, funnel, candidates, references = sample()
    [candidate] = [row for row in candidates if row["formula"] == "K4ReH9"]
    candidate["is_known"], campaign["settings"]["known"] = True, "mine.yaml"
    text = " ".join(Page(render_report(campaign, funnel, [candidate], references)).text.split())
    assert "In the campaign's own list of made compounds (mine.yaml), not in ninefold's." in text
    assert "Not in ninefold's list" not in text


def test_every_equation_of_the_page_balances(page):
    equations = re.findall(
        r"([A-Z][A-Za-z0-9]*) → "
        r"((?:(?:\d+(?:/\d+)? )?[A-Z][A-Za-z0-9]* \+ )*(?:\d+(?:/\d+)? )?[A-Z][A-Za-z0-9]*)",
        " ".join(page.text.split()),
    )
    assert len(equations) == 21 * 3, "one static and one for each of two conditions, for 21 candidates"
    for left, right in equations:
        assert atoms(left) == atoms(right), f"{left} → {right}"


def atoms(side: str) -> dict[str, Fraction]:
    total: Counter[str] = Counter()
    for term in side.split(" + "):
        amount, _, formula = term.rpartition(" ")
        for symbol, number in parse_formula(formula).items():
            total[symbol] += Fraction(amount or 1) * number
    return dict(total)


def test_each_hull_names_its_competing_ternaries(page):
    text = " ".join(page.text.split())
    assert "Competing ternaries: Li–Mo–H: none in ninefold's list." in text
    assert "Competing ternaries: K–Re–H: K3ReH6." in text


def test_identifiers_of_publications_are_links():
    campaign, funnel, candidates, references = sample()
    references[0]["source"] = "Acta Cryst. 1, 2 (2000), doi:10.1107/S0567740874003189, and arXiv:2101.01234"
    page = Page(render_report(campaign, funnel, candidates[:2], references))
    assert "https://doi.org/10.1107/S0567740874003189" in page.values("href", "a")
    assert "https://arxiv.org/abs/2101.01234" in page.values("href", "a")


def test_distances_to_all_three_hulls_stand_side_by_side(html):
    table = re.search(r'<table class="sortable" id="ranked">(.*?)</thead>', html, re.DOTALL)[1]
    symbols = [QUANTITIES[key].symbol for key in ("e_above_hull", "phase_separation_energy", "e_above_references")]
    assert [table.index(f">{symbol}<") for symbol in symbols] == sorted(
        table.index(f">{symbol}<") for symbol in symbols
    )
    conditions = re.search(r"<h4>Under hydrogen</h4>(.*?)</thead>", html, re.DOTALL)[1]
    assert all(f">{symbol}<" in conditions for symbol in symbols)


def test_flags_and_refuted_references_are_told():
    campaign, funnel, candidates, references = sample()
    candidates[0]["flags"] = ["volume is 1.52 times the sum of the increments"]
    next(row for row in references if row["name"] == "K3ReH6")["refuted"] = "87 meV/atom above its decomposition"
    text = " ".join(Page(render_report(campaign, funnel, candidates[:2], references)).text.split())
    assert "volume is 1.52 times the sum of the increments" in text
    assert "K–Re–H: K3ReH6 (not in the hull: 87 meV/atom above its decomposition)." in text


def test_documents_of_an_older_store_lack_what_came_later():
    campaign, funnel, candidates, references = sample()
    for candidate in candidates[:2]:
        del candidate["flags"], candidate["ternaries"]
        for row in candidate["conditions"]:
            del row["minimum"], row["e_above_references"]
    for row in references:
        del row["refuted"]
    page = Page(render_report(campaign, funnel, candidates[:2], references))
    assert page.open == []


def test_reasons_keep_the_symbols_in_them():
    campaign, funnel, candidates, references = sample()
    funnel[4]["reasons"] = {"not in the hull: Li5MoH11: hydrogen disordered (P6_3cm)": 1}
    text = Page(render_report(campaign, funnel, candidates[:2], references)).text
    assert "hydrogen disordered (P6_3cm)" in text
    assert "no structure" in text


def test_pictures_have_names(html):
    for picture in re.findall(r"<svg [^>]*>", html):
        assert 'aria-hidden="true"' in picture or "aria-label=" in picture


def test_each_structure_travels_as_json(page):
    scenes = [json.loads(text) for text in page.scripts[:-1]]
    assert len(scenes) == 21
    for scene in scenes:
        atoms = len(scene["atoms"])
        assert all(0 <= index < atoms for group in ("bonds", "faces") for item in scene[group] for index in item)
        assert all(0 <= atom[0] < len(scene["kinds"]) for atom in scene["atoms"])


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def test_hostile_text_never_becomes_markup(html):
    campaign, funnel, candidates, references = sample()
    campaign["name"] = campaign["settings"]["description"] = campaign["versions"]["torch"] = EVIL
    campaign["fingerprint"] = EVIL
    for row in funnel:
        row["hardware"] = row["stage"] = EVIL
        row["reasons"] = {EVIL: 3}
    for candidate in candidates[:3]:
        for key in ("label", "anion", "evidence", "source", "engine", "space_group_symbol"):
            candidate[key] = EVIL
        candidate["terms"] = {EVIL: {"value": 1.0, "weight": 1.0, "contribution": 0.5}}
        candidate["provenance"] = {EVIL: EVIL}
        candidate["reasons"] = {EVIL: 1}
        for name in ("decomposition", "known", "verdicts"):
            for row in candidate[name]:
                row.update({key: EVIL for key, value in row.items() if isinstance(value, str)})
        for found in candidate["structures"]:
            found["notes"] = [EVIL]
            found["source"] = EVIL
        for row in candidate["conditions"]:
            row["notes"] = [EVIL]
    candidates[0]["formula"] = EVIL
    site = candidates[1]["structures"][0]["structure"]["sites"][3]
    site["species"][0]["element"] = "</script><script>alert(3)</script>"
    for row in references:
        row["name"] = row["source"] = row["provenance"] = EVIL
        row["notes"] = [EVIL]
    hostile = Page(render_report(campaign, funnel, candidates, references))
    assert hostile.open == []
    assert hostile.tags["img"] == 0
    assert hostile.tags["script"] <= Page(html).tags["script"]  # a structure of no element is not drawn
    assert not [name for _, name, _ in hostile.attributes if name.startswith("on")]
    assert all("alert(" not in script or script.lstrip().startswith("{") for script in hostile.scripts)
    assert EVIL in hostile.text


def test_empty_campaign():
    campaign, *_ = sample()
    page = Page(render_report(campaign, [], [], []))
    assert page.open == []
    assert "No candidate passed" in page.text
    assert "nothing can be said about what can be made" in page.text


def test_candidates_without_structure_or_with_nothing_but_a_verdict():
    campaign, funnel, candidates, _ = sample()
    optional = [key for key, value in candidates[-1].items() if value is None]
    bare = [{**candidate, **dict.fromkeys(optional), "status": "selected"} for candidate in candidates]
    for candidate in bare:
        candidate |= {
            "structures": [],
            "decomposition": [],
            "known": [],
            "conditions": [],
            "terms": {},
            "provenance": {},
        }
    page = Page(render_report(campaign, funnel, bare, []))
    assert page.open == []
    assert page.tags["canvas"] == 0
    assert "no candidate of this system has an energy" in page.text.lower()


def test_missing_elements_are_said_in_place_of_a_hull():
    campaign, funnel, candidates, references = sample()
    without = [row for row in references if row["formula"] != "Re"]
    text = Page(render_report(campaign, funnel, candidates, without)).text
    assert "no relaxed phase of the element Re" in text


def test_four_elements_have_a_table_instead_of_a_picture():
    campaign, funnel, candidates, references = sample()
    mixed = {
        **candidates[0],
        "id": "mixed",
        "chemical_system": "H-K-Li-Re",
        "elements": ["H", "K", "Li", "Re"],
        "cations": ["K", "Li"],
        "cation_counts": {"K": 1, "Li": 1},
        "nelements": 4,
        "formula": "KLiReH9",
    }
    html = render_report(campaign, funnel, [*candidates, mixed], references)
    assert "A system of 4 elements has no picture in the plane" in Page(html).text
    assert html.count('class="hull"') == 3


def flat(candidate, **changes):
    """A row of the store's flat fields."""
    return {key: candidate.get(key) for key in ROW_FIELDS} | changes


def test_the_best_are_shown_and_the_rest_is_counted():
    campaign, funnel, candidates, references = sample()
    shown = candidates[:5]
    rest = [flat(candidate) for candidate in candidates[5:]]
    page = Page(render_report(campaign, funnel, shown, references, rest=iter(rest)))
    text = " ".join(page.text.split())
    assert len(page.scripts) - 1 == 5, "one structure for each candidate shown"
    assert "Shown: the 5 best of 22 candidates; the other 17 are counted below" in text
    assert "no structure in which every centre keeps its hydrogens 1" in text
    assert "ranked, below those shown 16" in text
    assert inner_links(page) <= set(page.values("id"))
    every = " ".join(Page(render_report(campaign, funnel, candidates, references)).text.split())
    assert "are counted below" not in every
    # the rest takes part in the counts, the headline and the hulls
    for sentence in (r"Of 26 compositions .*? keeps its hydrogens\.", r"\d+ compositions? lies? below the hull"):
        assert re.search(sentence, text)[0] == re.search(sentence, every)[0]


@pytest.mark.parametrize("count", [100, 5000])
def test_the_page_does_not_grow_with_the_campaign(count):
    campaign, funnel, candidates, references = sample()
    few = len(render_report(campaign, funnel, candidates[:3], references))
    rest = (flat(candidates[place % 21], id=f"x{place}", rank=100 + place) for place in range(count))
    html = render_report(campaign, funnel, candidates[:3], references, rest=rest)
    assert len(html) < few + 150_000  # marks of at most 80 candidates in each of three hulls


def test_the_rest_is_held_as_a_few_facts_each():
    import tracemalloc

    from ninefold.report.overview import overview

    candidate = sample()[2][0]
    tracemalloc.start()
    found = overview([], (flat(candidate, id=f"x{place:016}", energy_per_atom=-3 - place) for place in range(5000)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.total == found.not_shown == len(found.rows) == 5000
    assert held / 5000 < 1500, "bytes a candidate: a hundred thousand are 150 MB at most"


def test_candidates_without_an_energy_take_no_memory_of_their_own():
    from ninefold.report.overview import overview

    bare = flat(sample()[2][-1])
    found = overview([], [{**bare, "id": f"x{place}"} for place in range(50)])
    assert len({id(row) for row in found.rows}) == 1
    assert found.statuses == {"no_structure": 50}
    assert found.systems[bare["chemical_system"]].with_energy == 0


def test_systems_without_a_picture_are_counted():
    campaign, funnel, candidates, references = sample()
    others = [
        flat(candidate, id=f"{place}", chemical_system=f"H-K-{symbol}", formula=f"K2{symbol}H9")
        for place, (symbol, candidate) in enumerate(zip(SYMBOLS[19:74], [candidates[0]] * 55, strict=True))
    ]
    text = " ".join(Page(render_report(campaign, funnel, candidates[:3], references, rest=others)).text.split())
    assert "25 more in 25 systems whose lowest candidate lies higher" in text
    assert "55 more systems not drawn" in text


def test_unfinished_campaign_is_marked():
    campaign, funnel, candidates, references = sample()
    campaign["status"] = "running"
    assert "results are incomplete" in render_report(campaign, funnel, candidates, references)


def test_none_below_the_hull_names_the_lowest():
    campaign, funnel, candidates, references = sample()
    for candidate in candidates:
        if candidate["phase_separation_energy"] is not None:
            candidate["phase_separation_energy"] += 0.1
            candidate["e_above_hull"] += 0.1
    text = " ".join(Page(render_report(campaign, funnel, candidates, references)).text.split())
    assert "No composition lies below the hull of all other compositions by more than its uncertainty" in text
    assert "the lowest is K2ReH9 at" in text


def test_conditions_are_answered_one_by_one(page):
    text = " ".join(page.text.split())
    assert re.search(
        r"With hydrogen gas the same holds for none at 300 K, 0.0001 GPa; for \d at 973 K, 5 GPa \(K2ReH9", text
    )
    assert "K2ReH9 → 2 KH + Re + 7/2 H2" in text


def test_many_conditions_become_a_grid_and_the_lowest_pressure():
    campaign, funnel, candidates, references = sample()
    for candidate in candidates:
        if candidate["conditions"]:
            candidate["conditions"] = [
                {
                    "temperature_K": t,
                    "pressure_GPa": p,
                    "phase_separation_energy": candidate["phase_separation_energy"] - 0.01 * p,
                }
                for t in (300.0, 600.0)
                for p in (0.1, 1.0, 3.0, 5.0)
            ]
    html = render_report(campaign, funnel, candidates, references)
    text = " ".join(Page(html).text.split())
    assert "lie below the hull at some condition: K2ReH9" in text
    assert "Lowest hydrogen pressure" in text
    assert html.count('<table class="grid">') == 21


def test_a_structure_that_is_not_valid_is_shown_as_such():
    campaign, funnel, candidates, references = sample()
    candidates[-1]["structures"] = [candidates[0]["structures"][-1]]
    text = Page(render_report(campaign, funnel, candidates, references)).text
    assert "Not what was asked for: H-H 0.82 Å: an H2 ligand" in text


def test_lowest_pressure_by_temperature():
    rows = [(300.0, 0.1, 0.05), (300.0, 1.0, 0.0), (300.0, 5.0, -0.1), (900.0, 5.0, 0.09), (900.0, 9.0, None)]

    def shifted(by):
        return {
            "conditions": [
                {"temperature_K": t, "pressure_GPa": p, "phase_separation_energy": e and e + by} for t, p, e in rows
            ]
        }

    assert lowest_pressures(shifted(0)) == {300.0: 1.0, 900.0: None}
    assert lowest_pressures(shifted(0.5)) == {300.0: 1.0, 900.0: None}, "0 is no distance to add to"
    assert lowest_pressures({"conditions": []}) == {}


@pytest.mark.parametrize(
    ("distance", "uncertainty", "above_same", "expected"),
    [
        (-0.1, 0.02, 0.0, True),
        (-0.1, 0.02, None, True),
        (-0.01, 0.02, 0.0, None),  # within its uncertainty
        (-0.02, 0.02, 0.0, None),
        (0.01, 0.02, 0.0, None),
        (0.03, 0.02, 0.0, False),
        (-0.1, None, 0.0, None),  # never searched twice: not shown to be stable
        (0.001, None, 0.0, False),
        (None, 0.02, 0.0, False),
        (-0.1, 0.004, 0.08, None),  # a lower structure of its composition is known
        (-0.1, 0.0, 0.0009, True),
    ],
)
def test_only_what_lies_below_the_hull_by_more_than_its_own_uncertainty_is_stable(
    distance, uncertainty, above_same, expected
):
    assert is_stable(distance, uncertainty, above_same) is expected


def row(distance, uncertainty=0.001, formula="A", **more):
    return {"formula": formula, "phase_separation_energy": distance, "e_above_hull_uncertainty": uncertainty} | more


def test_one_candidate_that_scatters_makes_no_other_stable():
    sure, noisy = row(-0.01, formula="A"), row(-0.01, 0.08, formula="B")
    assert sorted_by_stability([sure, noisy]) == ([sure], [noisy])
    barely = row(0.0005, formula="C")
    assert sorted_by_stability([barely, noisy])[0] == []


def test_another_reading_of_a_stable_formula_is_not_counted_again():
    lower, higher = row(-0.1), row(-0.05, e_above_same_composition=0.05)
    assert sorted_by_stability([higher, lower]) == ([lower], [])


def test_the_note_says_what_was_measured():
    rows = [row(-0.1, 0.002), row(0.1, 0.014), row(0.2, None)]
    assert "measured for 2 of 3 compositions, median 0.014, largest 0.014 eV/atom" in uncertainty_note(rows)
    assert "30 to 150 meV/atom" not in uncertainty_note(rows)
    assert "30 to 150 meV/atom" in uncertainty_note([row(-0.1, evidence="ML")])
    assert uncertainty_note([row(0.2, None)]).startswith("No composition was searched twice")


def test_write_is_whole_and_leaves_nothing_else(tmp_path: Path):
    target = tmp_path / "deep" / "report.html"
    write_report(target, "<p>é</p>")
    write_report(target, "<p>ü</p>")
    assert target.read_text(encoding="utf-8") == "<p>ü</p>"
    assert [file.name for file in target.parent.iterdir()] == ["report.html"]


def test_failed_write_keeps_the_old_report(tmp_path: Path, monkeypatch):
    target = tmp_path / "report.html"
    write_report(target, "old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_report(target, "new")
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("place", ["folder", "file/report.html", "/proc/report.html"])
def test_impossible_path_is_the_users_error(tmp_path: Path, place: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        write_report(tmp_path / place, "x")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_path_check_makes_nothing(tmp_path: Path):
    check_report_path(tmp_path / "new" / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind",
    [{"anion_class": "h2_ligand"}, {"status": "rejected"}, {"is_neighbour": True}, {"is_competitor": True}],
    ids=str,
)
def test_the_headline_counts_only_what_can_be_meant(kind):
    rows = [row(-0.1), row(-0.2, formula="B", **kind)]
    assert sorted_by_stability(rows) == (rows[:1], [])


def test_made_compounds_that_do_not_come_out_stable_are_named_with_their_best_condition():
    campaign, funnel, candidates, references = sample()
    missed = next(c for c in candidates if c["phase_separation_energy"] is not None and not c["is_known"])
    missed |= {
        "is_known": True,
        "phase_separation_energy": 0.03,
        "e_above_hull": 0.03,
        "e_above_hull_uncertainty": 0.008,
        "conditions": [
            {"temperature_K": 300, "pressure_GPa": 0.0001, "phase_separation_energy": 0.04},
            {"temperature_K": 973, "pressure_GPa": 5, "phase_separation_energy": 0.019},
        ],
    }
    text = " ".join(Page(render_report(campaign, funnel, candidates, references)).text.split())
    assert "As a test of these numbers" in text
    assert "(+0.030 ± 0.008 eV/atom static, at best +0.019 eV/atom at 973 K, 5 GPa)" in text
    assert "been made and do" in text


def test_searches_that_agree_make_no_uncertainty_of_zero():
    assert "median 0.001, largest 0.001 eV/atom" in uncertainty_note([row(-0.1, 8.5e-6)])


def test_heights_are_counted_from_the_lowest_minimum():
    campaign, funnel, candidates, references = sample()
    first = candidates[0]
    lower = copy.deepcopy(first["structures"][0]) | {"energy_per_atom": first["energy_per_atom"] - 0.0003}
    first["structures"].insert(1, lower)
    text = Page(render_report(campaign, funnel, candidates, references)).text
    assert "−0.0003" not in text


def with_model(distance, uncertainty, probability, formula="A", **more):
    known = {
        "model_error": uncertainty,
        "model_error_source": "trust table against PBE",
        "hull_probability": probability,
    }
    return row(distance, uncertainty, formula, evidence="ML", **known, **more)


def test_the_note_says_what_uncertainties_consist_of():
    rows = [with_model(-0.1, 0.04, 0.99), with_model(0.02, 0.05, 0.34, search_scatter=0.01), with_model(0.3, 0.06, 0.0)]
    note = uncertainty_note(rows)
    assert "error of the energy model (trust table against PBE)" in note
    assert "scatter of repeated searches (measured for 1 of 3 compositions)" in note
    assert "Median 0.050, largest 0.060 eV/atom" in note
    assert "30 to 150 meV/atom" not in note


def test_the_answer_names_what_is_most_probably_on_the_hull():
    def candidate(*values, formula):
        return with_model(*values, formula, id=formula, centre="Re")

    rows = [
        candidate(-0.02, 0.05, 0.66, formula="K2ReH9"), candidate(0.0, 0.05, 0.5, formula="K3ReH10"),
        candidate(0.4, 0.05, 1e-9, formula="K4ReH7"), candidate(-0.4, 0.05, 1 - 1e-9, formula="Mg3CrH8"),
    ]  # fmt: skip
    text = html_lib.unescape(re.sub("<[^>]*>", "", str(answer({}, [], rows))))
    assert "Most probably on the hull: Mg3CrH8 (above 99 %), K2ReH9 (66 %) and K3ReH10 (50 %)." in text
    assert "1 composition lies below the hull of all other compositions by more than the uncertainty of it" in text
    assert "For 2 more the uncertainties leave it open" in text
