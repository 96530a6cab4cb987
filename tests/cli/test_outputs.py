"""What a command writes never replaces a store or an input, and another file with --force alone."""

import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from pymatgen.core import Lattice, Structure

from campaign_run import CAMPAIGN, ninefold
from ninefold.cli.outputs import MANIFEST, check_output, check_output_folder, is_report_of, record_written
from ninefold.errors import InputError
from ninefold.store import open_store


@pytest.fixture
def folder(finished, tmp_path):
    """A finished campaign of one's own, with two files of a user."""
    shutil.copytree(finished, tmp_path / "work")
    (tmp_path / "work" / "notes.html").write_text("<p>years of notes</p>")
    (tmp_path / "work" / "other.db").write_bytes((finished / "ninefold.db").read_bytes())
    (tmp_path / "work" / "link.html").symlink_to("ninefold.db")
    os.link(tmp_path / "work" / "campaign.yaml", tmp_path / "work" / "hard.html")
    return tmp_path / "work"


def contents(folder):
    """Every file but those that SQLite keeps beside a store while it is open."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock"))
    }


def refused(*arguments, cwd):
    before = contents(cwd)
    done = ninefold(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error:")]
    assert contents(cwd) == before, "nothing is written, made or removed"
    return line


STORES = ["ninefold.db", "ninefold.db-wal", "ninefold.db.lock", "ninefold.db.files/x", "other.db", "link.html"]
COMMANDS = {
    "report": ["report", "--out"],
    "table": ["export", "--format", "csv", "--out"],
    "structures": ["export", "--format", "cif", "--out"],
    "compositions": ["enumerate", "campaign.yaml", "--format", "csv", "--out"],
    "campaign": ["campaign", "new"],
    "search": ["search", "K2ReH9", "--engine", "lj", "--relaxations", "1", "--out"],
}


@pytest.mark.parametrize("target", STORES)
def test_a_store_is_never_overwritten(folder, monkeypatch, target):
    monkeypatch.chdir(folder)
    for path in (Path(target), folder / target):
        with pytest.raises(InputError, match="never overwritten"):
            check_output(path, force=True)
        with pytest.raises(InputError, match="never overwritten"):
            check_output_folder(path, pattern="*.cif", force=True)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_overwrites_a_store(folder, command):
    assert "link.html" in refused(*command, "link.html", "--force", cwd=folder)


def test_run_and_resume_write_their_report_over_nothing_else(folder):
    for target in ("link.html", "hard.html", "notes.html"):
        assert target in refused("run", "campaign.yaml", "--report", target, cwd=folder)
    assert "link.html" in refused("resume", "--report", "link.html", cwd=folder)


def test_a_store_that_is_not_there_yet_is_no_place_for_the_report(tmp_path):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    for report in ("new.db", "./new.db", "new.db-wal", "new.db.files/report.html"):
        with pytest.raises(InputError, match="store"):
            check_output(tmp_path / report, store=tmp_path / "new.db", makes_folders=True)
    assert "store" in refused("run", "campaign.yaml", "--store", "new.db", "--report", "./new.db", cwd=tmp_path)


@pytest.mark.parametrize("target", ["campaign.yaml", "hard.html"])
def test_an_input_is_never_overwritten(folder, target):
    for command in (
        ["report", "-c", "campaign.yaml", "--out", target, "--force"],
        ["export", "-c", "campaign.yaml", "--format", "csv", "--out", target, "--force"],
        ["enumerate", "campaign.yaml", "--format", "csv", "--out", target, "--force"],
    ):
        assert "is an input of this command" in refused(*command, cwd=folder)


def test_other_files_are_replaced_with_force_alone(folder):
    for command in (["report"], ["export", "--format", "csv"], ["enumerate", "campaign.yaml", "--format", "csv"]):
        (folder / "notes.html").write_text("<p>years of notes</p>")
        assert "--force" in refused(*command, "--out", "notes.html", cwd=folder)
        done = ninefold(*command, "--out", "notes.html", "--force", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "years of notes" not in (folder / "notes.html").read_text()


def test_a_report_of_the_same_campaign_is_written_again(folder):
    assert is_report_of(folder / "tiny-report.html", "tiny")
    for command in (["report"], ["run", "campaign.yaml"], ["resume"]):
        done = ninefold(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    page = (folder / "tiny-report.html").read_text()
    (folder / "tiny-report.html").write_text(page.replace("<title>tiny: ", "<title>another: "))
    assert "--force" in refused("report", cwd=folder)
    (folder / "tiny-report.html").write_text("<p>mine</p>")
    assert "exists already; --force replaces it" in refused("report", cwd=folder)
    assert "exists already" in refused("run", "campaign.yaml", "--report", "tiny-report.html", cwd=folder)


def test_a_report_of_another_store_or_none_at_all_is_left(folder):
    page = (folder / "tiny-report.html").read_text()
    of_another = ("report", "--store", "other.db")
    assert "'tiny-report.html' is a report of another store; --force replaces it" in refused(*of_another, cwd=folder)
    for number in range(2):  # the second run finds its own report of the first
        done = ninefold("run", "campaign.yaml", "--store", "other.db", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "tiny-report.html is no report of this store; the report goes to tiny-report-2.html" in done.stderr
        assert "tiny-report-2.html" in done.stdout
        assert not (folder / "tiny-report-3.html").exists(), number
    assert (folder / "tiny-report.html").read_text() == page
    (folder / "tiny-report.html").write_text("<p>mine</p>")
    assert ninefold("resume", "--store", "ninefold.db", cwd=folder).returncode == 0
    assert (folder / "tiny-report.html").read_text() == "<p>mine</p>"
    assert is_report_of(folder / "tiny-report-3.html", "tiny")
    untold = re.sub('<meta name="ninefold-store"[^>]*>', "", page)  # as an earlier version wrote it
    assert untold != page
    (folder / "tiny-report.html").write_text(untold)
    assert "is a report of another store" in refused("report", cwd=folder)
    assert ninefold("report", "--force", cwd=folder).returncode == 0
    shutil.copytree(folder, folder.parent / "moved")
    assert ninefold("report", cwd=folder.parent / "moved").returncode == 0, "a folder moves with its store"


def test_structures_of_an_earlier_export_are_replaced_with_force_alone(folder):
    assert ninefold("export", "--format", "cif", "--out", "cifs", cwd=folder).returncode == 0
    assert "--force" in refused("export", "--format", "cif", "--out", "cifs", cwd=folder)
    assert ninefold("export", "--format", "cif", "--out", "cifs", "--force", cwd=folder).returncode == 0


def names_in(folder):
    return {path.name for path in folder.iterdir() if path.name != MANIFEST}


def test_a_narrower_export_leaves_none_of_the_wider_one(folder):
    assert ninefold("export", "--format", "cif", "--out", "cifs", cwd=folder).returncode == 0
    wide = names_in(folder / "cifs")
    (folder / "cifs" / "mine.cif").write_text("not ninefold's")
    changed = next(name for name in sorted(wide) if not name.startswith("K2ReH9"))
    (folder / "cifs" / changed).write_text("a user's notes")
    narrow = ["export", 'formula = "K2ReH9"', "--out", "cifs/"]
    for kind in ("cif", "poscar"):
        assert "--force" in refused(*narrow, "--format", kind, cwd=folder)
    assert ninefold(*narrow, "--format", "cif", "--force", cwd=folder).returncode == 0
    assert names_in(folder / "cifs") == {name for name in wide if name.startswith("K2ReH9")} | {"mine.cif", changed}
    assert ninefold(*narrow, "--format", "poscar", "--force", cwd=folder).returncode == 0
    left = names_in(folder / "cifs")
    assert {"mine.cif", changed} < left
    assert all(name.endswith(".POSCAR") for name in left - {"mine.cif", changed})
    manifest = json.loads((folder / "cifs" / MANIFEST).read_text())
    assert manifest == {
        "export": {
            name: hashlib.sha256((folder / "cifs" / name).read_bytes()).hexdigest()
            for name in left - {"mine.cif", changed}
        }
    }


@pytest.mark.parametrize("content", ["", "[]", "{", '{"search x": ["a"]}', '{"search x": {"../victim": "0", "b": 1}}'])
def test_a_manifest_that_somebody_has_changed_removes_nothing_elsewhere(tmp_path, content):
    (tmp_path / "victim").write_text("")
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "b").write_text("mine")
    (folder / MANIFEST).write_text(content)
    check_output_folder(folder, pattern="*.cif", command="search x", force=True)
    record_written(folder, "search x", [])
    assert (tmp_path / "victim").exists()
    assert (folder / "b").exists()


def test_a_search_keeps_the_earlier_one(tmp_path):
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    fluorite.to_file(str(tmp_path / "host.cif"))
    search = ["search", "K2ReH9", "--engine", "lj", "--relaxations", "1"]
    of_host = [*search, "--source", "host.cif"]
    assert ninefold(*of_host, cwd=tmp_path).returncode == 0
    earlier = names_in(tmp_path / "K2ReH9-structures")
    assert earlier
    fluorite.to_file(str(tmp_path / "K2ReH9-structures" / "K2ReH9-77-Pnma.cif"))
    (tmp_path / "K2ReH9-structures" / "mine.cif").write_text("not ninefold's")
    assert "--force" in refused(*of_host, cwd=tmp_path)
    source = "K2ReH9-structures/K2ReH9-77-Pnma.cif"
    assert "input" in refused(*of_host, "--force", "--source", source, cwd=tmp_path)
    assert ninefold(*of_host, "--force", cwd=tmp_path).returncode == 0
    left = {path.name for path in (tmp_path / "K2ReH9-structures").iterdir()}
    assert {"mine.cif", "K2ReH9-77-Pnma.cif"} < left, "no search wrote them"
    (tmp_path / "K2ReH9-structures" / "K2ReH9-77-Pnma.cif").unlink()
    (tmp_path / "K2ReH9-structures" / "mine.cif").unlink()
    done = ninefold(*search, "--source", "known_types", "--force", "--json", cwd=tmp_path)
    written = {Path(row["path"]).name for row in json.loads(done.stdout)["structures"]}
    assert written.isdisjoint(earlier), "another structure"
    assert names_in(tmp_path / "K2ReH9-structures") == written, "ranks of two searches do not mix"
    other = ["search", "Li5MoH11", *of_host[2:], "--out", "K2ReH9-structures"]
    assert "--force" in refused(*other, cwd=tmp_path), "another compound's"


def test_relax_overwrites_no_input_and_asks_before_the_first_step(tmp_path):
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7), ["Cu"], [[0, 0, 0]])
    for name in ("a.cif", "a-relaxed.cif"):
        copper.to_file(str(tmp_path / name))
    relax = ["relax", "a.cif", "--engine", "emt", "--steps", "1", "--out", "."]
    assert "--force" in refused(*relax, cwd=tmp_path)
    assert "input" in refused(*relax, "a-relaxed.cif", "--force", cwd=tmp_path)
    assert ninefold(*relax, "--force", cwd=tmp_path).returncode == 0


def test_relax_refuses_a_structure_that_takes_hours(tmp_path):
    large = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7), ["Cu"], [[0, 0, 0]]) * (6, 6, 6)
    large.to_file(str(tmp_path / "large.POSCAR"))
    relax = ["relax", "large.POSCAR", "--steps", "1"]
    done = ninefold(*relax, cwd=tmp_path)
    assert done.returncode == 2
    for word in ("large.POSCAR", "864 atoms", "more than 500", "s a step", "GB", "--max-atoms 864"):
        assert word in done.stderr
    assert ninefold(*relax, "--engine", "emt", "--max-atoms", "864", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too long", "null byte"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(InputError, match=r"too long for a file name|null byte"):
        check_output(Path(name))
    with pytest.raises(InputError, match="cannot be written"):
        check_output_folder(Path(name), pattern="*.cif")


def test_a_store_that_a_killed_run_had_only_begun(tmp_path):
    (tmp_path / "s.db").touch()
    (tmp_path / "s.db.lock").touch()
    with pytest.raises(InputError, match="is a store"):
        check_output(tmp_path / "s.db", force=True)


def test_brackets_and_colons_in_paths_and_formulas_are_printed_as_they_are(folder):
    odd = folder / "x[" / "b].d :smile:[red]"
    odd.parent.mkdir()
    for ending in ("", ".files"):
        shutil.move(folder / f"ninefold.db{ending}", f"{odd}{ending}")
    report = folder / "r[" / "b] :eyes:.html"
    done = ninefold("run", "campaign.yaml", "--store", odd, "--report", report, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert str(odd) in done.stdout
    assert str(report) in done.stdout
    assert "[ReH9]2-" in done.stdout
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7), ["Cu"], [[0, 0, 0]])
    file = "[red]cu[/bold].cif"
    (folder / "[red]cu[").mkdir()
    copper.to_file(str(folder / file))
    relaxed = ninefold("relax", file, "--engine", "emt", "--steps", "0", cwd=folder)
    assert relaxed.returncode == 0, relaxed.stderr
    assert file in relaxed.stdout


def in_terminal(*arguments, cwd, answer=""):
    """Run on a pseudo-terminal 400 columns wide; exit code and everything that is shown."""
    import fcntl
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ninefold.cli.main", *map(str, arguments)], cwd=cwd, stdin=child, stdout=child,
        stderr=child, env={**os.environ, "COLUMNS": "400", "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    os.write(parent, answer.encode())
    shown = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(parent)
    return process.wait(timeout=60), shown.decode("utf-8", "replace")


def test_fresh_asks_before_calculations_are_thrown_away(folder):
    calculations = json.loads(ninefold("status", "--json", cwd=folder).stdout)["calculations"]
    assert calculations > 10
    line = refused("run", "campaign.yaml", "--fresh", cwd=folder)
    for word in (f"{calculations} finished calculations", "of core time", "--yes"):
        assert word in line
    before = contents(folder)
    code, shown = in_terminal("run", "campaign.yaml", "--fresh", cwd=folder, answer="n\n")
    assert code == 1
    assert f"{calculations} finished calculations" in shown
    assert "Nothing was discarded" in shown
    assert contents(folder) == before


def test_changed_settings_say_what_each_way_out_costs(folder):
    changed = {**CAMPAIGN, "ranking": {"weights": {"prior": 1}}}
    (folder / "campaign.yaml").unlink()
    (folder / "campaign.yaml").write_text(yaml.safe_dump(changed))
    line = refused("run", "campaign.yaml", cwd=folder)
    assert "--update keeps every finished calculation" in line
    assert "--fresh discards the calculations" in line


def test_a_new_campaign_has_a_name_and_an_example_of_its_own(tmp_path):
    done = ninefold("campaign", "new", "My first campaign.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "My first campaign.yaml").read_text()
    settings = yaml.safe_load(text)
    assert settings["name"] == "My-first-campaign"
    assert "withhold_types" not in text
    assert "quickstart" not in text
    checked = ninefold("campaign", "check", "My first campaign.yaml", "--json", cwd=tmp_path)
    assert 1 <= json.loads(checked.stdout)["compositions"] <= 4, "minutes on a laptop"
    for name in ("quickstart.yaml", "wide-9.yaml", "---.yaml"):
        assert ninefold("campaign", "new", name, cwd=tmp_path).returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["My first campaign.yaml"]


def test_status_tells_the_stage_that_runs(finished, tmp_path):
    """The lock is held and a stage is noted, as a run does."""
    from ninefold.flows.kept import lease_purpose
    from ninefold.flows.progress import announce, listening
    from ninefold.models.campaign import CampaignRecord
    from ninefold.run.local import Noting
    from ninefold.store.locking import exclusive

    shutil.copytree(finished, tmp_path / "work")
    store = tmp_path / "work" / "ninefold.db"
    finished_status = ninefold("status", cwd=store.parent).stdout
    assert "; running time " in finished_status
    assert "left" not in finished_status
    with open_store(store, mode="write") as repository:
        document = {**repository.get("campaigns", "tiny"), "status": "running", "finished": None}
        repository.put("campaigns", [CampaignRecord(**document)])
    with exclusive(store, lease_purpose("tiny")) as lock, listening(Noting(lock)):
        announce("prescreen", 0, 8)
        time.sleep(1.0)
        announce("prescreen", 2, 8, note="K2ReH9")
        shown = ninefold("status", cwd=store.parent).stdout
        running = json.loads(ninefold("status", "--json", cwd=store.parent).stdout)["running"]
    assert "Campaign tiny: running" in shown
    assert "Now: prescreen, 2 of 8 compositions; elapsed" in shown
    assert " left" in shown
    assert (running["stage"], running["done"], running["total"]) == ("prescreen", 2, 8)
    assert 2 <= running["left_seconds"] <= 5
    with exclusive(store, lease_purpose("another")):
        assert "Campaign tiny: interrupted" in ninefold("status", cwd=store.parent).stdout


def test_the_home_folder_of_nobody_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="names no user"):
        check_output(Path("~nouser_of_this_machine/x.html"), makes_folders=True)
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"FILE: '-' is not taken for standard input or output; .*\./- is a file"):
        check_output(Path("-"), "FILE")
    assert check_output(Path("./-").absolute()).name == "-"
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_is_filled_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_output(Path("~/x.html")) == tmp_path / "x.html"
