"""Verification by VASP: the flow of `ninefold verify` with VASP's jobs in place of an engine.

    maker = vasp_verify_maker({"method": {"name": "vasp", "model": "mpgga"}, "top": 5}, VaspMaker(vasp_cmd="vasp_std"))
    run_locally(maker.make(campaign.to_dict(), store), create_folders=True, store=JobStore(...))    # or a queue

Each phase is a flow of `VaspMaker` and a job that stores its end as a calculation of the verification's method; what is
stored already is not computed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.clock import now
from ninefold.errors import InputError
from ninefold.flows.compute import Line, compute_shard
from ninefold.flows.shards import WHATEVER_IS_THERE, Settings, Shard, lines_of, stage_of
from ninefold.flows.tasks import structures_of
from ninefold.flows.vasp import VaspMaker
from ninefold.flows.vasp_output import run_of
from ninefold.flows.verify_makers import PhasesMaker, VerifyMaker
from ninefold.flows.workplace import Failure, Workplace, isolated, method_of
from ninefold.imported.run import ImportedRun, difference
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.calculation import Calculation
from ninefold.models.structure import StructureRecord
from ninefold.stages import verify
from ninefold.store import open_store
from ninefold.store.records import read, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

SAME_PLACE = 1e-3
"""Å; farther from where it was put, an atom of a single point is not the one that was asked for."""


@dataclass
class VaspPhasesMaker(PhasesMaker):
    """Phases computed by VASP, a flow of `VaspMaker` each.

    Args:
        name: Of the flow.
        mode: static | relax (twice, and a static run).
        vasp_maker: Computes one structure; its settings and mode are those of the verification.
    """

    name: str = "phases by VASP"
    vasp_maker: VaspMaker = field(default_factory=VaspMaker)

    def make(self, campaign: dict[str, Any], store: str, shards: Any, method: int, settings: dict[str, Any]) -> Flow:
        """See `PhasesMaker.make`."""
        asked = verify.VerifySettings.model_validate(settings).method
        if asked.name != "vasp":
            raise InputError("method", asked.title, problem="is not computed by VASP's jobs", allowed="vasp:SETTINGS")
        maker = replace(self.vasp_maker, mode=self.mode, settings=asked.model or self.vasp_maker.settings)
        computed = compute_by_vasp(campaign, store, shards, method, maker)
        return Flow([computed], output=computed.output, name=f"{self.name} ({self.mode})")


def vasp_verify_maker(settings: dict[str, Any], vasp_maker: VaspMaker) -> VerifyMaker:
    """A `VerifyMaker` whose phases VASP computes.

    Args:
        settings: `VerifySettings` as plain values; its method is `{"name": "vasp", "model": ...}`.
        vasp_maker: How VASP is started.
    """
    return VerifyMaker(
        settings=settings, static_maker=VaspPhasesMaker(mode="static", vasp_maker=vasp_maker),
        relax_maker=VaspPhasesMaker(mode="relax", vasp_maker=vasp_maker),
    )  # fmt: skip


@job(name="compute phases by VASP")
def compute_by_vasp(campaign: Settings, store: str, shards: list[Shard], method: int, maker: VaspMaker) -> Response:
    """Replace itself by a flow for each phase.

    Args:
        campaign: As plain values, the method of the verification among its methods.
        store: Its address.
        shards: Of one phase each.
        method: Its place among the campaign's methods.
        maker: Computes one structure.

    Raises:
        InputError: if VASP cannot be started or a potential is missing, before any of its jobs is queued.
    """
    of_method = method_of(parse_campaign(campaign).methods[method]).id
    with open_store(store, mode="write") as opened:
        starts = [lines_of(opened, shard)[0]["structure"] for shard in shards]
        cells = structures_of(opened, starts)
        known = {start: read(opened, Calculation, _key(maker.mode, of_method, start)) is not None for start in starts}
    wanted = [cells[start].to_structure() for start in starts if not known[start]]
    if wanted:
        maker.check(wanted)
    parts: list[Any] = []
    outputs = []
    for shard, start in zip(shards, starts, strict=True):
        flow = None if known[start] else maker.make(cells[start].to_structure())
        kept = keep_phase(campaign, store, shard, method, maker.mode, None if flow is None else flow.output)
        parts += [kept] if flow is None else [flow, kept]
        outputs.append(kept.output)
    if not parts:
        return Response(output=[])
    return Response(replace=Flow(parts, output=outputs, name=f"VASP {maker.mode}"))


@job(name="keep a phase of VASP", config=WHATEVER_IS_THERE)
def keep_phase(
    campaign: Settings, store: str, shard: Shard, method: int, mode: str, packed: dict[str, Any] | None
) -> Shard | None:
    """Store what VASP gave of a phase; its line is handed on with `calculations`.

    Args:
        campaign: As above, as the store, shard and method.
        store: As above.
        shard: Of the phase.
        method: As above.
        mode: static | relax.
        packed: Output of `VaspMaker`'s flow; None where it failed, or where the calculation is stored already.
    """
    return compute_shard(
        campaign, store, shard, stage_of(verify.STAGE.name, parse_campaign(campaign), method), store_one,
        method, mode, packed,
        counts_of=verify.counts, unit="phases", method=method,
        handed_on=lambda _, line, found: {**line, "calculations": [record.id for record in found]},
    )  # fmt: skip


@isolated
def store_one(
    place: Workplace, line: Line, method: int, mode: str, packed: dict[str, Any] | None
) -> list[Calculation] | Failure:
    """The calculations of a phase, the new one stored; a failure where VASP came to no end or is another method."""
    store, of_method, start = place.store, method_of(place.campaign.methods[method]).id, line["structure"]
    if packed is not None:
        run = run_of(packed)
        if told := _other_method(store, of_method, run):
            return Failure(told)
        first = structures_of(store, [start])[start].to_structure()
        order = _order(first, run.structure) if mode == "static" else list(range(len(run.structure)))
        if order is None or run.structure.composition != first.composition:
            return Failure(f"VASP computed another structure than {line['name']}: {run.source}")
        final = StructureRecord.of(run.structure)
        if mode == "relax":
            store.insert("structures", [final])
        store.insert("calculations", [_calculation(run, place.campaign.name, of_method, mode, start, final.id, order)])
    kinds = {kind: read(store, Calculation, _key(kind, of_method, start)) for kind in ("static", "relax")}
    if kinds[mode] is None:
        return Failure("VASP came to no converged energy; its folder tells why")
    return [record for record in kinds.values() if record is not None]


def _key(mode: str, method: str, start: str) -> str:
    return content_key("VASP", mode, method, start, KEY_VERSION)


def _calculation(
    run: ImportedRun, campaign: str, method: str, mode: str, start: str, final: str, order: list[int]
) -> Calculation:
    forces = None if run.forces is None else run.forces[order]
    return Calculation.model_validate({
        "id": _key(mode, method, start), "campaign": campaign, "kind": mode, "method": method, "start": start,
        "final": final if mode == "relax" else None, "energy_per_atom": run.energy_per_atom, "core_seconds": 0.0,
        "settings": {"run": run.method.to_dict(), "potentials": dict(run.potentials), "source": run.source},
        "forces": None if forces is None else forces.tolist(), "stress": run.stress,
        "max_force": None if forces is None else float((forces**2).sum(axis=1).max() ** 0.5),
        "max_stress": None if run.stress is None else max(map(abs, run.stress)),
        "steps": run.steps, "is_converged": True, "notes": list(run.notes), "created": now(),
    })  # fmt: skip


def _other_method(store: Any, method: str, run: ImportedRun) -> str | None:
    """In what a run differs from those that are on the hull already; None if it belongs there."""
    for record in read_all(store, Calculation, equal={"method": method}):
        of: Mapping[str, Any] = record.settings or {}
        told = difference(of.get("run") or {}, run.method.to_dict())
        known = of.get("potentials") or {}
        told = told or "; ".join(
            f"potential of {symbol} {known[symbol]} | {potential}"
            for symbol, potential in run.potentials.items()
            if known.get(symbol, potential) != potential
        )
        if told:
            return f"VASP's run is of another method than {of.get('source')}, and two share no hull: {told}"
    return None


def _order(asked: Structure, computed: Structure) -> list[int] | None:
    """Where each atom of the structure that was asked for stands in VASP's, which sorts; None if it is another one."""
    import numpy as np

    if len(asked) != len(computed) or not np.allclose(asked.lattice.matrix, computed.lattice.matrix, atol=SAME_PLACE):
        return None
    distances = asked.lattice.get_all_distances(asked.frac_coords, computed.frac_coords)
    same = np.array([[a.specie == b.specie for b in computed] for a in asked])
    order = np.where(same, distances, np.inf).argmin(axis=1)
    is_whole = len(set(order)) == len(order) and (distances[range(len(order)), order] < SAME_PLACE).all()
    return [int(place) for place in order] if is_whole else None
