"""A campaign file is read as written, or refused in one line that teaches."""

import json

import pytest

from ninefold.campaign import find_campaign_file, parse_campaign, read_campaign
from ninefold.errors import InputError
from ninefold.shipped import config_path

GOOD = {"name": "test", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]}


def with_(**changes):
    return {**GOOD, **changes}


def space(**changes):
    return with_(space=[{**GOOD["space"][0], **changes}])


@pytest.mark.parametrize("name", sorted(path.stem for path in config_path(".").glob("*.yaml")))
def test_shipped_campaigns_are_valid(name):
    assert read_campaign(name).space


@pytest.mark.parametrize("path", sorted(config_path("spaces").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces_are_valid_campaigns(path):
    assert read_campaign(str(path)).space


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_(nam="x"), ["nam", "did you mean 'name'"]),
        ({"name": "x"}, ["missing", "space"]),
        (with_(name="a b"), ["name", "a b"]),
        (with_(name=3), ["name", "3", "string"]),
        (with_(seed=-1), ["seed", "-1", "greater than or equal to 0"]),
        (with_(seed="soon"), ["seed", "soon", "integer"]),
        (with_(space=[]), ["space", "at least 1"]),
        (space(centres=["Xx"]), ["centres", "Xx", "allowed", "Re"]),
        (space(cations=["Qq"]), ["cations", "Qq", "allowed", "Li"]),
        (space(centres=[]), ["centres"]),
        (space(n="nine"), ["n", "nine"]),
        (space(n=[9, 7]), ["n", "9", "7"]),
        (space(m=-1), ["m", "-1"]),
        (space(cation_kinds=[1]), ["space.0.cation_kinds: [1]", "a whole number, or from and to, like 1 or [1, 2]"]),
        (space(cation_kinds=[]), ["space.0.cation_kinds: []", "like 1 or [1, 2]"]),
        (space(n=[7, 8, 9]), ["space.0.n: [7, 8, 9]", "like 1 or [1, 2]"]),
        (with_(structures={"pool": -5}), ["structures.pool", "-5", "greater than"]),
        (with_(structures={"pool": "many"}), ["structures.pool", "many"]),
        (with_(execution={"workers": 0}), ["execution.workers", "0"]),
        (with_(execution={"wrokers": 2}), ["wrokers", "did you mean 'workers'"]),
        (with_(ranking={"weights": {"beauty": 1}}), ["beauty", "allowed"]),
        (with_(ranking={"weights": {"stability": -1}}), ["stability", "-1"]),
        (
            with_(ranking={"at": {"temperature_K": -5, "pressure_GPa": 1}}),
            ["at.temperature_K: -5", "100 to 1200"],
        ),
        (
            with_(stability={"conditions": 973}),
            ["stability.conditions: 973", "allowed: a list of mappings with the keys temperature_K, pressure_GPa"],
        ),
        (
            with_(stability={"conditions": [973]}),
            ["conditions.0: 973", "allowed: a mapping with the keys temperature_K, pressure_GPa"],
        ),
        (with_(space=4), ["space: 4", "a list of mappings with the keys centres, cations"]),
        (with_(queries=3), ["queries: 3", "a mapping of names to mappings with the keys filter, sort, fields"]),
        (with_(ranking={"weights": 3}), ["ranking.weights: 3", "allowed: a mapping"]),
        (space(centres="Re"), ["space.0.centres: 'Re'", "allowed: a list"]),
        ([1, 2], ["not a campaign", "mapping"]),
        (None, ["not a campaign"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else None,
)
def test_mistakes_are_told_in_one_line(data, words):
    with pytest.raises(InputError) as caught:
        parse_campaign(data, source="file.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("file.yaml")
    assert "more problem" not in message, "one mistake is told as one"
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", ["not valid YAML", "line"]),
        ("name: x\nname: y\n", ["comes twice", "line 2"]),
        ("\tname: x", ["not valid YAML", "line 1"]),
        ("just words", ["not a campaign"]),
        ("", ["not a campaign"]),
        ("name: x\nspace: !!python/object/apply:os.system ['true']", ["not valid YAML"]),
    ],
)
def test_malformed_yaml(tmp_path, text, words):
    file = tmp_path / "campaign.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_campaign(str(file))
    for word in words:
        assert word in str(caught.value)


def test_binary_file(tmp_path):
    file = tmp_path / "campaign.yaml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        read_campaign(str(file))


def test_unknown_name_lists_what_is_shipped():
    with pytest.raises(InputError, match="quickstart"):
        find_campaign_file("no-such-campaign")


def test_yttrium_and_nitrogen_are_not_booleans(tmp_path):
    file = tmp_path / "campaign.yaml"
    file.write_text("name: n\nspace:\n  - {centres: [Re], cations: [Y], n: 9, m: [0, 6]}\n")
    assert read_campaign(str(file)).space[0].cations == ("Y",) or read_campaign(str(file)).space[0].cations == ["Y"]


def test_round_trip_and_fingerprint():
    campaign = parse_campaign(GOOD)
    again = parse_campaign(json.loads(json.dumps(campaign.to_dict())))
    assert again == campaign
    assert again.fingerprint() == campaign.fingerprint()


def test_fingerprint_follows_what_changes_results_and_nothing_else():
    original = parse_campaign(GOOD).fingerprint()
    assert parse_campaign(with_(seed=1)).fingerprint() != original
    assert parse_campaign(with_(structures={"pool": 7})).fingerprint() != original
    assert parse_campaign(with_(execution={"workers": 7}, description="x", store="y.db")).fingerprint() == original


MINE = "- {formula: K3ReH10, centre: Re, n: 9, q: 2, m: 1, cations: {K: 3}, source: our own, provenance: from memory}\n"


def test_compounds_of_ones_own_lie_beside_the_campaign_file(tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "mine.yaml").write_text(MINE)
    (folder / "campaign.yaml").write_text(json.dumps(with_(known="mine.yaml")))
    monkeypatch.chdir(tmp_path)
    campaign = read_campaign("there/campaign.yaml")
    formulas = {compound.formula for compound in campaign.known_compounds()}
    assert {"K3ReH10", "K2ReH9"} <= formulas
    assert "K3ReH10" not in {compound.formula for compound in parse_campaign(GOOD).known_compounds()}


def test_an_entry_of_ones_own_replaces_that_of_the_package(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        MINE.replace("K3", "K2").replace("H10", "H9").replace("m: 1", "m: 0").replace("K: 3", "K: 2")
    )
    campaign = parse_campaign(with_(known="mine.yaml"), folder=tmp_path)
    [compound] = [compound for compound in campaign.known_compounds() if compound.formula == "K2ReH9"]
    assert compound.source == "our own"


def test_the_content_of_known_compounds_is_part_of_the_campaign(tmp_path):
    (tmp_path / "a.yaml").write_text(MINE)
    (tmp_path / "b.yaml").write_text(MINE)
    prints = [parse_campaign(with_(known=name), folder=tmp_path).fingerprint() for name in ("a.yaml", "b.yaml")]
    assert prints[0] == prints[1], "the same content under another name"
    (tmp_path / "b.yaml").write_text(MINE.replace("our own", "ours"))
    assert parse_campaign(with_(known="b.yaml"), folder=tmp_path).fingerprint() != prints[0]
    assert parse_campaign(GOOD).fingerprint() != prints[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["known", "mine.yaml", "does not exist"]),
        ("[]\n]", ["known", "mine.yaml", "not valid YAML"]),
        ("{formula: K2ReH9}", ["known", "not a list of compounds"]),
        (MINE.replace("m: 1", "m: 0"), ["known", "compound 1", "K3ReH10", "K3ReH9"]),
        (MINE + MINE, ["known", "compound 2", "comes twice"]),
    ],
)
def test_a_broken_file_of_compounds(tmp_path, content, words):
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(InputError) as caught:
        parse_campaign(with_(known="mine.yaml"), folder=tmp_path).known_compounds()
    for word in words:
        assert word in str(caught.value)


def test_methods_are_named_without_paths_unless_that_would_make_two_alike(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("")

    def titles(*energies):
        engine, *others = [{"name": name} for name in energies]
        return parse_campaign(with_(engine=engine, energies=others), folder=tmp_path).method_titles

    assert titles("chgnet", "a.py:one", "lj") == ("chgnet", "one", "lj")
    assert titles("lj", "a.py:one", "b.py:one") == ("lj", f"{tmp_path}/a.py:one", f"{tmp_path}/b.py:one")
    weights = [{"name": "mace", "model": str(tmp_path / "x.model")}, {"name": "mace"}]
    assert parse_campaign(with_(energies=weights)).method_titles == ("chgnet", "mace:x.model", "mace")


def test_files_of_engine_settings_are_relative_to_the_campaign_file(tmp_path, monkeypatch):
    """Jobs run in other folders, on a cluster on other machines; what is no file there stays a name."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "campaigns"
    folder.mkdir()
    for name in ("own.yaml", "best.pth", "7net-0"):
        (folder / name).touch()
    settings = {
        **GOOD, "engine": {"name": "sevennet", "model": "best.pth:PBE"},
        "energies": [{"name": "sevennet", "model": "7net-0"}, {"name": "gpaw", "model": "own.yaml"}],
    }  # fmt: skip
    (folder / "c.yaml").write_text(json.dumps(settings))
    models = [method.model for method in read_campaign("campaigns/c.yaml").methods]
    assert models == [f"{folder}/best.pth:PBE", "7net-0", f"{folder}/own.yaml"]
