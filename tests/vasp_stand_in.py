"""A stand-in for `vasp_std`: reads INCAR, POSCAR, KPOINTS and POTCAR, computes with Lennard-Jones, writes VASP's files.

It fails on request: the file `fail` beside the executable holds lines `WHEN WHAT`, WHEN the number of the call (or
`always`), WHAT one of `FAILURES`. Texts are those by which custodian knows VASP's errors. Nothing of VASP is in it.

The file `slow` beside the executable holds how long an ionic step takes, in seconds. STOPCAR is obeyed between steps.
"""

import os
import sys
import time
from pathlib import Path

OUTPUTS = (
    "OUTCAR", "OSZICAR", "vasprun.xml", "CONTCAR", "CHG", "CHGCAR", "WAVECAR", "DOSCAR", "EIGENVAL", "IBZKPT",
    "XDATCAR", "PROCAR", "PCDAT", "REPORT",
)  # fmt: skip
FAILURES = {
    "zbrent": "ZBRENT: fatal error in bracketing",
    "brmix": "BRMIX: very serious problems",
    "edddav": "Error EDDDAV: Call to ZHEGV failed",
}
RELEASE = "6.4.2"
LJ = {"sigma": 1.3, "epsilon": 0.05, "rc": 4.0, "smooth": True}


def read_incar(text):
    tags = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            tags[name.strip().upper()] = value.strip()
    return tags


def read_poscar(text):
    """Lattice (3, 3) in Å, symbols, fractional positions (n, 3)."""
    lines = text.splitlines()
    scale = float(lines[1])
    lattice = [[scale * float(word) for word in line.split()] for line in lines[2:5]]
    counts = [int(word) for word in lines[6].split()]
    symbols = [symbol for symbol, count in zip(lines[5].split(), counts, strict=True) for _ in range(count)]
    start = 8 if lines[7].strip()[0].lower() in "dc" else 9
    positions = [[float(word) for word in line.split()[:3]] for line in lines[start : start + len(symbols)]]
    return lattice, symbols, positions


def titles_of(potcar):
    return [line.split("=", 1)[1].strip() for line in potcar.splitlines() if line.strip().startswith("TITEL")]


def potcar_text(symbol, title):
    """What pymatgen and custodian read of a POTCAR; no data of VASP's."""
    return (
        f"  {title}\n   1.00000000000000\n parameters from PSCTR are:\n   VRHFIN ={symbol.split('_')[0]}: none\n"
        f"   LEXCH  = PE\n   EATOM  =    1.0000 eV,    0.1000 Ry\n   TITEL  = {title}\n   LULTRA =        F\n"
        "   POMASS =    1.000; ZVAL   =    1.000    mass and valenz\n   RCORE  =    1.100\n"
        "   ENMAX  =  250.000; ENMIN  =  200.000 eV\n   LPAW   =        T\n   END of PSCTR-controll parameters\n"
        "   1.0\n End of Dataset\n"
    )


def make_potentials(folder, symbols):
    """A folder for PMG_VASP_PSP_DIR with the potentials of some symbols (`Li_sv`), for every input set."""
    for table in ("POT_GGA_PAW_PBE", "POT_GGA_PAW_PBE_54", "POT_PAW_PBE_64"):
        (folder / table).mkdir(parents=True, exist_ok=True)
        for symbol in symbols:
            (folder / table / f"POTCAR.{symbol}").write_text(potcar_text(symbol, f"PAW_PBE {symbol} 01Jan2000"))
    return folder


def masses_of(tags, kinds):
    """By kind, u: POMASS, or the 1 of the potentials here."""
    return [float(word) for word in tags["POMASS"].split()] if "POMASS" in tags else [1.0] * len(kinds)


def _vectors(rows):
    return "".join(f"    <v> {row[0]:.10f} {row[1]:.10f} {row[2]:.10f} </v>\n" for row in rows)


def structure_xml(lattice, positions, name=""):
    label = f' name="{name}"' if name else ""
    return (
        f' <structure{label}>\n  <crystal>\n   <varray name="basis">\n{_vectors(lattice)}   </varray>\n'
        f'   <i name="volume"> 1.0 </i>\n  </crystal>\n  <varray name="positions">\n{_vectors(positions)}'
        "  </varray>\n </structure>\n"
    )


def head_xml(tags, lattice, symbols, positions, titles, kpoints=((0.0, 0.0, 0.0),)):
    """Everything before the first ionic step."""
    kinds = list(dict.fromkeys(symbols))

    def typed(name, value):
        if value in ("T", "F"):
            return f'  <i type="logical" name="{name}"> {value} </i>\n'
        if isinstance(value, int):
            return f'  <i type="int" name="{name}"> {value} </i>\n'
        if isinstance(value, float):
            return f'  <i name="{name}"> {value:.8f} </i>\n'
        return f'  <i type="string" name="{name}">{value}</i>\n'

    def flag(name, default="F"):
        return "T" if tags.get(name, default).strip(".").upper().startswith("T") else "F"

    real_space = tags.get("LREAL", "F").strip(".").upper()[:1] not in ("F", "")
    values = {
        "NELM": int(tags.get("NELM", 60)), "NSW": int(tags.get("NSW", 0)), "IBRION": int(tags.get("IBRION", -1)),
        "ISIF": int(tags.get("ISIF", 2)), "NELECT": float(len(symbols)), "LORBIT": int(tags.get("LORBIT", 0)),
        "ENMAX": float(tags.get("ENCUT", 250)), "EDIFFG": float(tags.get("EDIFFG", 0.001)),
        "EDIFF": float(tags.get("EDIFF", 1e-4)), "ISMEAR": int(tags.get("ISMEAR", 1)),
        "SIGMA": float(tags.get("SIGMA", 0.2)), "ISPIN": int(tags.get("ISPIN", 1)),
        "PREC": tags.get("PREC", "normal").lower(), "GGA": tags.get("GGA", "--").upper(),
        "METAGGA": tags.get("METAGGA", "--").upper(), "LASPH": flag("LASPH"), "LREAL": "T" if real_space else "F",
        "ADDGRID": flag("ADDGRID"), "LHFCALC": "F", "AEXX": 0.0, "HFSCREEN": 0.0, "LSORBIT": "F", "LDAU": "F",
        "IVDW": 0, "LUSE_VDW": "F", "GGA_COMPAT": flag("GGA_COMPAT", "T"), "POTIM": float(tags.get("POTIM", 0.5)),
        "TEBEG": float(tags.get("TEBEG", 0)), "TEEND": float(tags.get("TEEND", -1)),
    }  # fmt: skip
    parameters = "".join(typed(name, value) for name, value in values.items())
    incar = "".join(
        f'  <i type="string" name="{name}">{value}</i>\n' for name, value in tags.items() if name not in values
    )
    incar += "".join(typed(name, values[name]) for name in tags if name in values)
    atoms = "".join(f"    <rc><c>{s}</c><c>{kinds.index(s) + 1}</c></rc>\n" for s in symbols)
    types = "".join(
        f"    <rc><c>{symbols.count(s)}</c><c>{s}</c><c>{mass}</c><c>1.0</c><c>{title}</c></rc>\n"
        for s, title, mass in zip(kinds, titles, masses_of(tags, kinds), strict=True)
    )
    weights = "".join(f"   <v> {1 / len(kpoints):.8f} </v>\n" for _ in kpoints)
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
        f'  <i name="program" type="string">vasp </i>\n  <i name="version" type="string">{RELEASE}  </i>\n'
        f"  <i name=\"subversion\" type=\"string\">stand-in </i>\n </generator>\n <incar>\n{incar} </incar>\n"
        f' <kpoints>\n  <varray name="kpointlist">\n{_vectors(kpoints)}  </varray>\n  <varray name="weights">\n'
        f"{weights}  </varray>\n </kpoints>\n <parameters>\n{parameters} </parameters>\n <atominfo>\n"
        f"  <atoms> {len(symbols)} </atoms>\n  <types> {len(kinds)} </types>\n  <array name=\"atoms\">\n"
        f"   <dimension dim=\"1\">ion</dimension>\n   <field type=\"string\">element</field>\n"
        f"   <field type=\"int\">atomtype</field>\n   <set>\n{atoms}   </set>\n  </array>\n"
        '  <array name="atomtypes">\n   <dimension dim="1">type</dimension>\n'
        '   <field type="int">atomspertype</field>\n'
        '   <field type="string">element</field>\n   <field>mass</field>\n   <field>valence</field>\n'
        f"   <field type=\"string\">pseudopotential</field>\n   <set>\n{types}   </set>\n  </array>\n </atominfo>\n"
        + structure_xml(lattice, positions, "initialpos")
    )  # fmt: skip


def energies_xml(energy):
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    return "".join(f'   <i name="{name}"> {energy:.8f} </i>\n' for name in names)


def step_xml(energy, lattice, positions, forces, stress, scsteps=5):
    """One ionic step; stress in kbar and VASP's sign."""
    block = f"  <scstep>\n  <energy>\n{energies_xml(energy)}  </energy>\n  </scstep>\n"
    return (
        f" <calculation>\n{block * scsteps}{structure_xml(lattice, positions)}"
        f'  <varray name="forces">\n{_vectors(forces)}  </varray>\n'
        f'  <varray name="stress">\n{_vectors(stress)}  </varray>\n  <energy>\n{energies_xml(energy)}  </energy>\n'
        '  <eigenvalues>\n   <array>\n    <dimension dim="1">band</dimension>\n    <field>eigene</field>\n'
        '    <field>occ</field>\n    <set>\n     <set comment="spin 1">\n      <set comment="kpoint 1">\n'
        "       <r> -1.0 1.0 </r>\n       <r> 3.0 0.0 </r>\n      </set>\n     </set>\n    </set>\n   </array>\n"
        "  </eigenvalues>\n </calculation>\n"
    )


def end_xml(lattice, positions):
    """What follows the last ionic step."""
    return structure_xml(lattice, positions, "finalpos") + "</modeling>\n"


def vasprun_text(
    lattice, symbols, positions, energy, tags=None, titles=None, forces=None, stress=None, scsteps=5, steps=1
):
    """A whole vasprun.xml of a run whose ionic steps are all alike.

    Args:
        lattice: shape (3, 3), Å.
        symbols: Sorted by element.
        positions: shape (n, 3), fractional.
        energy: eV per cell.
    """
    titles = titles or [f"PAW_PBE {symbol} 01Jan2000" for symbol in dict.fromkeys(symbols)]
    forces = [[0.0, 0.0, 0.0]] * len(symbols) if forces is None else forces
    stress = [[0.0, 0.0, 0.0]] * 3 if stress is None else stress
    tags = {"ENCUT": "680", "PREC": "Accurate", "LASPH": ".TRUE.", "NSW": "0", **(tags or {})}
    step = step_xml(energy, lattice, positions, forces, stress, scsteps)
    return head_xml(tags, lattice, symbols, positions, titles) + step * steps + end_xml(lattice, positions)


def _to_be_written(name):
    return Path(name).open("w")


def main():
    folder = Path(__file__).resolve().parent
    for name in OUTPUTS:  # before any slow import, as VASP does: monitors must not see files of the last attempt
        Path(name).write_text("")
    counter = folder / "calls"
    number = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(number))
    with (folder / "log").open("a") as log:
        log.write(f"{number} {Path.cwd()}\n")
    failure = None
    if (folder / "fail").exists():
        for line in (folder / "fail").read_text().splitlines():
            when, what = line.split()
            if when in ("always", str(number)):
                failure = what
    tags = read_incar(Path("INCAR").read_text())
    lattice, symbols, positions = read_poscar(Path("POSCAR").read_text())
    titles = titles_of(Path("POTCAR").read_text())
    if len(titles) != len(dict.fromkeys(symbols)):
        sys.exit("number of potentials on File POTCAR incompatible with number of species")
    if "KSPACING" not in tags:
        Path("KPOINTS").read_text()
    outcar, xml, oszicar = map(_to_be_written, ("OUTCAR", "vasprun.xml", "OSZICAR"))
    nbands = len(symbols) + 4
    outcar.write(
        f" vasp.{RELEASE} stand-in\n   NKPTS = 1  NBANDS=  {nbands}\n   number of bands    NBANDS=  {nbands}\n"
        f"   total plane-waves  NPLWV =  13824\n   IBRION =  {tags.get('IBRION', -1)}\n running on    1 total cores\n"
    )
    if failure in FAILURES and failure != "zbrent":
        outcar.write(f" number of electron {len(symbols)}.0000000 magnetization 0.0\n Iteration  1(  1)\n")
        outcar.flush()
        sys.stdout.write(f"{FAILURES[failure]}\n")
        return 1

    from ase import Atoms
    from ase.calculators.lj import LennardJones
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = Atoms(symbols, cell=lattice, scaled_positions=positions, pbc=True)
    atoms.calc = LennardJones(**LJ)
    steps = int(tags.get("NSW", 0)) if int(tags.get("IBRION", -1)) > 0 else 0
    criterion = abs(float(tags.get("EDIFFG", -0.01))) * 0.9
    xml.write(head_xml(tags, lattice, symbols, positions, titles))
    slow = float((folder / "slow").read_text()) if (folder / "slow").exists() and steps else 0.0
    done = 0
    nelm = int(tags.get("NELM", 60))

    def note():
        nonlocal done
        done += 1
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        stress = -atoms.get_stress(voigt=False) * 1602.1766208
        scsteps = nelm if failure == "nelm" else 5
        cell, places = atoms.cell[:], atoms.get_scaled_positions()
        xml.write(step_xml(energy, cell, places, forces, stress, scsteps))
        xml.flush()
        oszicar.write("       N       E                     dE             d eps       ncg     rms          rms(c)\n")
        oszicar.write(f"DAV:   1    {energy:.8E}   -0.1E-06   -0.1E-06   100   0.1E-05\n")
        oszicar.write(f"   {done} F= {energy:.8E} E0= {energy:.8E}  d E =-0.1E-05\n")
        oszicar.flush()
        outcar.write(
            f" Iteration  {done}(  5)\n number of electron {len(symbols)}.0000000 magnetization 0.0\n"
            f"  entropy T*S    EENTRO =  0.0\n aborting loop because EDIFF is reached\n"
            f"    total drift:    0.000000    0.000000    0.000000\n  free  energy   TOTEN  = {energy:.8f} eV\n"
            f" E-fermi :   1.0\n     LOOP+:  cpu time    {slow:.4f}: real time    {slow:.4f}\n"
        )
        outcar.flush()
        if steps:
            write_poscar(Path("CONTCAR"), cell, symbols, places)

    def is_stopped():
        time.sleep(slow)
        return Path("STOPCAR").exists() and "LSTOP" in Path("STOPCAR").read_text()

    if tags.get("IBRION") == "0":
        run_dynamics(atoms, tags, note)
    else:
        note()
    if steps and failure != "zbrent":
        target = FrechetCellFilter(atoms) if int(tags.get("ISIF", 2)) == 3 else atoms
        for _ in BFGS(target, logfile=None, maxstep=0.1).irun(fmax=criterion, steps=steps - 2):
            note()
            if is_stopped():
                outcar.write(" soft stop encountered!  aborting job ...\n")
                break
    if failure == "zbrent":
        sys.stdout.write(f"{FAILURES[failure]}\n")
        return 1
    if failure == "truncated":
        xml.close()
        return 0
    xml.write(end_xml(atoms.cell[:], atoms.get_scaled_positions()))
    xml.close()
    outcar.write(" General timing and accounting informations for this job:\n Total CPU time used (sec):  1.0\n")
    outcar.write(" User time (sec):  1.0\n System time (sec):  0.1\n Elapsed time (sec):  1.1\n")
    write_poscar(Path("CONTCAR"), atoms.cell[:], symbols, atoms.get_scaled_positions())
    sys.stdout.write(" reached required accuracy - stopping structural energy minimisation\n" if steps else " 1 F=\n")
    return 0


def run_dynamics(atoms, tags, note):
    """Langevin dynamics of exactly NSW ionic steps, the first of them the start."""
    import numpy as np
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    if tags["MDALGO"] != "3":
        sys.exit("no such MDALGO here")
    kinds = list(dict.fromkeys(atoms.get_chemical_symbols()))
    friction = {float(word) for word in tags["LANGEVIN_GAMMA"].split()}
    if len(tags["LANGEVIN_GAMMA"].split()) != len(kinds):
        sys.exit("LANGEVIN_GAMMA: one for each type")
    of = dict(zip(kinds, masses_of(tags, kinds), strict=True))
    atoms.set_masses([of[symbol] for symbol in atoms.get_chemical_symbols()])
    rng = np.random.default_rng(int(tags["RANDOM_SEED"].split()[0]))
    kelvin = float(tags["TEBEG"])
    MaxwellBoltzmannDistribution(atoms, temperature_K=kelvin, rng=rng)
    moving = Langevin(
        atoms, float(tags["POTIM"]) * units.fs, temperature_K=kelvin, friction=friction.pop() / 1000 / units.fs,
        fixcm=False, rng=rng,
    )  # fmt: skip
    note()
    for _ in range(int(tags["NSW"]) - 1):
        moving.run(1)
        note()


def write_poscar(path, lattice, symbols, positions):
    kinds = list(dict.fromkeys(symbols))
    rows = [" ".join(f"{value:.16f}" for value in row) for row in (*lattice, *positions)]
    counts = " ".join(str(symbols.count(kind)) for kind in kinds)
    path.write_text("\n".join(["stand-in", "1.0", *rows[:3], " ".join(kinds), counts, "direct", *rows[3:]]) + "\n")


def install(folder, failures="", sigma=LJ["sigma"]):
    """Put `vasp_std` and `vasp_gam` into a folder; returns the command.

    Args:
        folder: Made if need be.
        failures: Lines of the file `fail`.
        sigma: Of the pair potential, Å: smaller where atoms are so close that the energy would be positive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("vasp_std", "vasp_gam"):
        text = Path(__file__).read_text().replace(f'"sigma": {LJ["sigma"]}', f'"sigma": {sigma}')
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(0o755)
    (folder / "fail").write_text(failures)
    return str(folder / "vasp_std")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
