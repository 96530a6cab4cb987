"""What can be named, and how: one registry for each kind of code that may be another's."""

import dataclasses
import os
import sys

import pytest

from installed_package import install
from ninefold import plugins
from ninefold.errors import InputError
from ninefold.plugins import Registry

THINGS = Registry(
    group="ninefold.things",
    setting="thing.name",
    what="a thing",
    wanted="a function that gives a thing",
    shipped={"ours": "math:floor", "broken": "math:no_such_function"},
)
WITH_DEFAULT = dataclasses.replace(THINGS, default="make")
ALL_OF_A_FILE = dataclasses.replace(THINGS, default="*", accepts=lambda found: isinstance(found, int))
MUST_NOT_RUN = "raise RuntimeError('imported')\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Where packages are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_listing_and_checking_import_nothing(tmp_path, site):
    install(site, {THINGS.group: {"theirs": "their_things:make"}}, name="their-things", code=MUST_NOT_RUN)
    (tmp_path / "mine.py").write_text(MUST_NOT_RUN)
    assert THINGS.names() == ["ours", "broken", "theirs"]
    for name in ("ours", "broken", "theirs", "their_things:make", f"{tmp_path}/mine.py:make", "nowhere.at.all:make"):
        THINGS.check(name)
        THINGS.check_setting(name)
        assert THINGS.origin(name) == {"ours": "ninefold", "broken": "ninefold", "theirs": "their_things:make"}.get(
            name, name
        )
    assert "their_things" not in sys.modules
    assert THINGS.told("theirs") == "thing of the package their-things 1.0"
    with pytest.raises(InputError, match="imported"):
        THINGS.load("theirs")


def test_three_forms_of_a_name_load_the_same(tmp_path, site):
    code = "def make():\n    return 42\n"
    install(site, {THINGS.group: {"theirs": "same_things:make"}}, name="same-things", code=code)
    (tmp_path / "mine.py").write_text(code)
    for name in ("theirs", "same_things:make", f"{tmp_path}/mine.py:make"):
        assert THINGS.load(name)() == 42
        assert not THINGS.is_shipped(name)
    assert THINGS.load("ours")(1.5) == 1
    assert WITH_DEFAULT.load(f"{tmp_path}/mine.py")() == 42


@pytest.mark.parametrize(
    ("registry", "name", "words"),
    [
        (THINGS, "our", "thing.name: 'our' is not a thing; allowed: ours, broken, FILE.py:NAME, module:NAME"),
        (THINGS, "", "'' is not a thing"),
        (THINGS, ":make", "':make' is not a thing"),
        (THINGS, "a b:make", "'a b:make' is not a thing"),
        (THINGS, "absent.py:make", "'absent.py' does not exist"),
        (THINGS, "here.py", "'here.py' does not say which thing; allowed: here.py:NAME"),
        (THINGS, "here.py:mak", "here.py has no 'mak'; allowed: a function that gives a thing"),
        (THINGS, "here.py:number", "'here.py:number' is int 3; allowed: a function that gives a thing"),
        (THINGS, "raises.py:make", "'raises.py' raises ValueError: told"),
        (THINGS, "exits.py:make", "ends the program (sys.exit, code 3); raise an error instead"),
        (THINGS, "syntax.py:make", "'syntax.py' raises SyntaxError"),
        (THINGS, "needs.py:make", "'needs.py' needs the package 'no_such_package', which is not installed"),
        (THINGS, "nowhere.at.all:make", "'nowhere.at.all' is no module on the Python path"),
        (THINGS, "math:flor", "math has no 'flor'"),
        (THINGS, "folder.py:make", "is not a Python file"),
        (WITH_DEFAULT, "nothing", "allowed: ours, broken, FILE.py, module:NAME"),
        (WITH_DEFAULT, "syntax.py", "SyntaxError"),
        (WITH_DEFAULT, "raises.py", "ValueError: told"),
    ],
)
def test_a_name_that_cannot_be_used_is_told_in_one_line(tmp_path, monkeypatch, registry, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.py").mkdir()
    for file, code in {
        "here": "number = 3\ndef make(): pass", "raises": "raise ValueError('told')", "exits": "raise SystemExit(3)",
        "syntax": "def (", "needs": "import no_such_package.inside",
    }.items():  # fmt: skip
        (tmp_path / f"{file}.py").write_text(code)
    with pytest.raises(InputError) as caught:
        registry.load(name)
    assert words in str(caught.value)
    assert str(caught.value).startswith("thing.name: ")
    assert "\n" not in str(caught.value)


def test_what_ninefold_ships_is_not_blamed_on_a_file():
    with pytest.raises(AttributeError, match="no_such_function"):
        THINGS.load("broken")


def test_two_packages_that_announce_one_name_are_told_when_it_is_used(site):
    for package in ("left", "right"):
        install(site, {THINGS.group: {"twice": f"{package}:make", package: f"{package}:make"}}, name=package,
                code="def make(): return __name__\n")  # fmt: skip
    assert THINGS.names() == ["ours", "broken", "left", "right", "twice"]
    with pytest.raises(InputError) as caught:
        THINGS.check("twice")
    assert str(caught.value) == (
        "thing.name: 'twice' is announced by the package left 1.0 and by the package right 1.0; remove one of them, "
        "or name it as left:make or right:make"
    )
    assert THINGS.load("left")() == "left"
    assert THINGS.load("right:make")() == "right"


def test_a_package_does_not_replace_what_ninefold_ships(site):
    assert THINGS.shadowed() == []
    install(site, {THINGS.group: {"ours": "shadow:make"}}, name="shadow", code="def make(): return 'theirs'\n")
    assert THINGS.load("ours")(1.5) == 1
    [note] = THINGS.shadowed()
    assert "the package shadow 1.0 announces a thing 'ours'" in note
    assert "shadow:make names the other" in note


def test_everything_of_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("one, two, text = 1, 2, 'x'\n")
    assert [value for value in ALL_OF_A_FILE.load_all(str(file)) if type(value) is int] == [1, 2]
    assert ALL_OF_A_FILE.load_all(f"{file}:two") == [2]
    file.write_text("from __future__ import annotations\n")
    with pytest.raises(InputError, match="holds no thing; allowed: a function"):
        dataclasses.replace(ALL_OF_A_FILE, accepts=lambda found: found == 7).load_all(str(file))


def test_one_file_is_one_module_for_every_kind_and_an_edit_is_seen(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class A: pass\ndef make(): return A\ndef other(): return A\n")
    others = dataclasses.replace(THINGS, group="ninefold.others", setting="other.name")
    assert THINGS.load(f"{file}:make")() is others.load(f"{file}:other")()
    before, stamp = THINGS.checksum([f"{file}:make"]), file.stat()
    file.write_text("class A: pass\ndef make(): return 1\ndef other(): return A\n")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # as an editor within the clock's resolution
    assert THINGS.load(f"{file}:make")() == 1
    assert THINGS.checksum([f"{file}:make"]) != before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]  # no bytecode is left beside it


def test_a_file_may_hold_what_looks_its_module_up(tmp_path):
    """Dataclasses with postponed annotations and pickle find a class's module by its name."""
    import pickle

    file = tmp_path / "mine.py"
    file.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Made:\n    x: int\n\ndef make(): return Made(3)\n"
    )
    made = THINGS.load(f"{file}:make")()
    assert pickle.loads(pickle.dumps(made)) == made


def test_checksums_know_what_a_name_stands_for(tmp_path, site):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("def make(): pass\ndef other(): pass\n")
    first, second = f"{tmp_path}/a/mine.py:make", f"{tmp_path}/b/mine.py:make"
    assert THINGS.checksum([first]) == THINGS.checksum([second]) != THINGS.checksum([f"{tmp_path}/a/mine.py:other"])
    assert THINGS.checksum(["ours"]) == "" == THINGS.checksum([])
    assert THINGS.checksum(["ours", first]) == THINGS.checksum([first])
    install(site, {THINGS.group: {"theirs": "summed:make"}}, name="summed", code="def make(): pass\n")
    one = THINGS.checksum(["theirs"])
    os.rename(site / "summed-1.0.dist-info", site / "summed-1.1.dist-info")
    about = site / "summed-1.1.dist-info" / "METADATA"
    about.write_text(about.read_text().replace("1.0", "1.1"))
    plugins._entry_points.cache_clear()
    assert THINGS.checksum(["theirs"]) != one


def test_paths_are_relative_to_the_campaign_s_folder(tmp_path):
    assert THINGS.anchored("mine.py:make", tmp_path) == f"{tmp_path}/mine.py:make"
    assert THINGS.anchored("../x/mine.py:make", tmp_path) == f"{tmp_path}/../x/mine.py:make"
    assert WITH_DEFAULT.anchored("./mine.py", tmp_path) == f"{tmp_path}/./mine.py"
    assert THINGS.anchored("~/mine.py:make", tmp_path) == os.path.expanduser("~/mine.py:make")
    for name in ("ours", "mine", "mine:make", "~nobody-of-this-name/mine.py:make", "/x/mine.py:make"):
        assert THINGS.anchored(name, tmp_path) == name
