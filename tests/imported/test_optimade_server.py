"""Import from the OPTIMADE server of optimade-python-tools: pages, filters, fields, refusals."""

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.errors import InputError
from ninefold.imported import provider
from ninefold.imported.read import ImportOptions, read_all
from optimade_server import document, served

CATIONS = ("Li", "Na", "K", "Rb", "Cs")
NAMED = {"method": "PBE, 520 eV", "energy_field": "_nfold_energy"}


def rocksalt(cation, a):
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return cell.get_primitive_structure()


def energy(place):
    return -3.0 - 0.01 * place


STRUCTURES = {
    f"nfold-{place}": (CATIONS[place % 5], rocksalt(CATIONS[place % 5], 4.0 + 0.1 * place), energy(place))
    for place in range(23)
}


@pytest.fixture(scope="module")
def address():
    documents = [
        document(structure, name, energy=value, deep={"total": 2 * value, "note": "per cell"}, mass=1)
        for name, (_, structure, value) in STRUCTURES.items()
    ]
    documents.append(document(rocksalt("Rb", 5.9), "without", energy=None, deep=None, mass=2))
    with served(documents, ["energy", "deep", "mass"]) as address:
        yield address


def read(address, **options):
    return read_all([address], ImportOptions(**{**NAMED, **options}))[0]


def refused(address, **options):
    with pytest.raises(InputError) as caught:
        read(address, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def identifiers(runs):
    return {run.source.rpartition(" ")[2] for run in runs}


def test_every_page_is_read_and_each_structure_once(address, monkeypatch):
    asked = []
    get = provider._get
    monkeypatch.setattr(provider, "_get", lambda page: asked.append(page) or get(page))
    runs = read(f"{address}/v1/structures?page_limit=7", filter="_nfold_energy IS KNOWN")
    assert len(asked) == 4, "23 structures, 7 on a page"
    assert {run.source.rpartition(" ")[2]: run.energy_per_atom for run in runs} == {
        name: value for name, (_, _, value) in STRUCTURES.items()
    }
    for run in runs:
        assert run.structure.matches(STRUCTURES[run.source.rpartition(" ")[2]][1])
    assert len(runs) == len(STRUCTURES)
    assert [run.energy_per_atom for run in read(address, filter="_nfold_energy IS KNOWN")] == [
        run.energy_per_atom for run in runs
    ]


@pytest.mark.parametrize(
    ("text", "is_wanted"),
    [
        ('elements HAS "K"', lambda cation, value: cation == "K"),
        ('elements HAS ANY "K","Li" AND _nfold_energy < -3.1', lambda c, value: c in "KLi" and value < -3.1),
        ("NOT _nfold_energy >= -3.05", lambda cation, value: value < -3.05),
        ('chemical_formula_reduced = "CsH"', lambda cation, value: cation == "Cs"),
    ],
)
def test_the_server_filters(address, text, is_wanted):
    wanted = {name for name, (cation, _, value) in STRUCTURES.items() if is_wanted(cation, value)}
    assert 0 < len(wanted) < len(STRUCTURES)
    assert identifiers(read(address, filter=f"({text}) AND _nfold_energy IS KNOWN")) == wanted


def test_addresses_of_one_answer(address):
    versions = [f"{address}{path}" for path in ("", "/", "/v1", "/v1.2", "/v1/structures", "/structures")]
    found = [identifiers(read(one, filter='elements HAS "Cs"')) for one in versions]
    assert found == [{f"nfold-{place}" for place in range(4, 23, 5)}] * len(versions)
    [one] = read(f"{address}/v1/structures/nfold-2")
    assert (one.energy_per_atom, one.structure.reduced_formula) == (energy(2), "KH")
    assert "no structure that the provider has" in refused(f"{address}/v1/structures/nfold-99")
    paged = read(f"{address}/v1/structures?page_limit=3&filter=_nfold_energy%20IS%20KNOWN")
    assert identifiers(paged) == set(STRUCTURES)


def test_energies_of_a_nested_field_and_of_a_cell(address):
    [run] = read(f"{address}/v1/structures/nfold-3", energy_field="_nfold_deep.total", unit="eV/cell")
    assert run.energy_per_atom == pytest.approx(energy(3))


def test_fields_and_units_are_methods_of_their_own(address):
    one = f"{address}/v1/structures/nfold-3"
    methods = {
        read(one, **options)[0].method.id
        for options in (
            {}, {"method": "r2SCAN"}, {"energy_field": "_nfold_deep.total"}, {"unit": "eV/cell"}, {"variant": "mine"},
        )
    }  # fmt: skip
    assert len(methods) == 5
    again = read(f"{address}/v1/structures/nfold-4")
    assert again[0].method.id in methods, "of one provider, field and unit"


def test_a_structure_without_an_energy(address):
    message = refused(address)
    assert "structure without' has no number in _nfold_energy; without --energy-field" in message
    runs, left_out = read_all([address], ImportOptions(**NAMED), skips_bad=True)
    assert identifiers(runs) == set(STRUCTURES)
    assert len(left_out) == 1
    assert "structure without" in left_out[0]


def test_which_field_holds_the_energy_is_asked(address):
    message = refused(f"{address}/v1/structures/nfold-0", energy_field=None)
    assert message.startswith("--energy-field")
    for name in ("_nfold_energy", "_nfold_deep.total", "_nfold_mass"):
        assert name in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": 'elements HAS "K'}, "was refused: 400"),
        ({"filter": "_nfold_colour = 1"}, "_nfold_colour"),  # a field of its own that it does not have
        ({"filter": "colour = 1"}, "colour"),
        ({"filter": 'elements HAS "Xe"'}, "has no structures"),
        ({"energy_field": "_nfold_colour"}, "has no number in _nfold_colour"),
    ],
)
def test_what_the_server_refuses_is_told_in_its_words(address, options, words):
    message = refused(address, **options)
    assert words in message
    assert "response_fields" not in message, "the address as the user knows it"
    assert address in message


def test_an_energy_that_is_no_number_never_comes_in():
    documents = [
        document(rocksalt("K", 5.7), "nan", energy=float("nan")),
        document(rocksalt("K", 5.7), "b", energy=-3.0),
    ]
    with served(documents, ["energy"]) as address:
        message = refused(address)
        assert "500" in message or "has no number in _nfold_energy" in message
        assert [run.energy_per_atom for run in read(f"{address}/v1/structures/b")] == [-3.0]
