"""Entries of the Materials Project: what is asked, what is refused, the real client on loopback."""

import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pymatgen.core import SETTINGS, Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry, ConstantEnergyAdjustment

from ninefold.errors import InputError, MissingDependencyError
from ninefold.imported.entries import read_entries
from ninefold.imported.materials_project import fetch_entries

KEY = "0123456789abcdef0123456789ABCDEF"


def entry(symbols, energy, identifier, run_type="GGA", correction=0.0):
    structure = Structure(Lattice.cubic(4), symbols, [[0, 0, 0], [0.5, 0.5, 0.5]][: len(symbols)])
    adjustments = []
    if correction:
        adjustments = [ConstantEnergyAdjustment(correction, 0.01, name="MP2020 anion correction (hydride)")]
    return ComputedStructureEntry(
        structure, energy, energy_adjustments=adjustments, entry_id=identifier, parameters={"run_type": run_type}
    )


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MP_API_KEY", KEY)


@pytest.fixture
def client(monkeypatch):
    """A stand-in for the client; what it was asked."""
    asked = []

    class MPRester:
        entries = (entry(["K"], -1.0, "mp-1-GGA"), entry(["K", "H"], -6.0, "mp-2-GGA", correction=-0.18))

        def __init__(self, api_key, **options):
            assert api_key == KEY

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def get_entries(self, names, **options):
            asked.append((names, options))
            return list(self.entries)

    package, module = types.ModuleType("mp_api"), types.ModuleType("mp_api.client")
    module.MPRester, MPRester.asked = MPRester, asked
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    return MPRester


def test_a_system_is_asked_with_all_inside_it_for_one_kind_of_energies_without_corrections(client):
    found = fetch_entries(["Re-K-H", "mp-23703"], "r2SCAN")
    [(identifiers, options), (systems, same)] = client.asked
    assert identifiers == ["mp-23703"]
    assert systems == ["H", "H-K", "H-K-Re", "H-Re", "K", "K-Re", "Re"]
    assert options == same == {"compatible_only": False, "additional_criteria": {"thermo_types": ["R2SCAN"]}}
    assert [each["entry_id"] for each in found] == ["mp-1-GGA", "mp-2-GGA"], "each once"


def test_corrections_are_never_taken_as_they_are(client):
    runs = read_entries(fetch_entries(["H-K"]), "materials-project")
    assert [run.energy_per_atom for run in runs] == [-1.0, -3.0]
    assert {run.method.label for run in runs} == {"Materials Project, PBE"}
    assert runs[1].notes == ("the file's correction of -90 meV/atom is not taken",)


def test_two_functionals_are_two_methods(client):
    client.entries = (entry(["K"], -1.0, "mp-1-GGA"), entry(["K", "H"], -6.0, "mp-2-R2SCAN", "R2SCAN"))
    runs = read_entries(fetch_entries(["H-K"]), "materials-project")
    assert len({run.method.id for run in runs}) == 2


def refused(*names, **options):
    with pytest.raises(InputError) as caught:
        fetch_entries(list(names), **options)
    told = str(caught.value)
    assert "\n" not in told
    assert KEY not in told
    return told


def test_bad_input_is_one_line_without_the_key(client, monkeypatch):
    assert "knows nothing by the name 'K2ReH9'" in refused("K2ReH9")
    assert "--method: 'LDA' is not asked of materials-project; allowed: PBE, r2SCAN" in refused("K", functional="LDA")
    client.entries = ()
    assert "has no PBE energy for K-H" in refused("K-H")

    def denied(self, names, **options):
        raise RuntimeError(f"REST query returned with error status code 403: bad key {KEY}")

    monkeypatch.setattr(client, "get_entries", denied)
    assert "cannot be asked: RuntimeError: REST query returned with error status code 403: bad key (key)" in refused(
        "K"
    )
    monkeypatch.setenv("MP_API_KEY", "short")
    assert "needs a key of 32 characters, not 5" in refused("K")
    monkeypatch.delenv("MP_API_KEY")
    monkeypatch.delitem(SETTINGS, "PMG_MAPI_KEY", raising=False)
    assert "needs a key of yours" in refused("K")
    monkeypatch.setitem(SETTINGS, "PMG_MAPI_KEY", KEY)
    assert "has no PBE" not in refused("K"), "the key of pymatgen's settings is taken"


def test_a_missing_client_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mp_api", None)
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(MissingDependencyError, match=r"needs the package 'mp-api'.*'ninefold\[materials-project\]'"):
        fetch_entries(["K"])


def test_the_real_client_reads_documents_of_a_server(monkeypatch):
    pytest.importorskip("mp_api", reason="mp-api is not installed")
    asked = []
    documents = [
        {
            "material_id": "mp-2", "thermo_id": "mp-2_GGA_GGA+U", "thermo_type": "GGA_GGA+U",
            "entries": {"GGA": entry(["K", "H"], -6.0, "mp-2-GGA", correction=-0.18).as_dict()},
        }
    ]  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            asked.append((parts.path, parse_qs(parts.query), self.headers.get("x-api-key")))
            body = {
                "data": documents if "thermo" in parts.path else [], "meta": {"total_doc": len(documents)},
                "version": "0.86.3", "db_version": "2026.4.1", "access_controlled_batch_ids": [],
            }  # fmt: skip
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from mp_api.client.core import client as of_client
    from mp_api.client.core.settings import MAPI_CLIENT_SETTINGS

    address = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setenv("MP_API_ENDPOINT", address)
    for place in (MAPI_CLIENT_SETTINGS, of_client.MAPI_CLIENT_SETTINGS):
        monkeypatch.setattr(place, "ENDPOINT", address)
    try:
        [run] = read_entries(fetch_entries(["mp-2"]), "materials-project")
    finally:
        server.shutdown()
        server.server_close()
    assert run.energy_per_atom == pytest.approx(-3.0)
    assert run.structure.composition.reduced_formula == "KH"
    queries = [query for path, query, _ in asked if "thermo" in path]
    assert queries
    assert any(query.get("thermo_types") == ["GGA_GGA+U"] for query in queries)
    assert any(header == KEY for _, _, header in asked)
