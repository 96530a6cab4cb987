"""A package that is installed: a folder on the Python path with what pip leaves there."""

import os

from ninefold.plugins import _entry_points


def install(folder, entry_points, *, name="plugin", version="1.0", module=None, code=""):
    """Install a package of one module.

    Args:
        folder: Stands, or will stand, on the Python path.
        entry_points: Group -> {name: module:attribute}.
        name: Of the package.
        version: Of the package.
        module: Of its module; default: the name with underscores.
        code: Of its module.
    """
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items()) for group, names in
             entry_points.items()]  # fmt: skip
    (about / "entry_points.txt").write_text("\n".join(lines))
    (folder / f"{module or name.replace('-', '_')}.py").write_text(code)
    _entry_points.cache_clear()  # a process of its own reads them once


def on_path(folder):
    """The environment of a command that finds the packages installed in a folder."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
