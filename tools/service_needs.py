"""Whether this machine can build the servers of the tests: asked before anything is built.

What fails afterwards is a failure of the build, and is shown as one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

CANNOT = 69
"""Exit code of `services.py start` where the machine lacks what the servers are built with (EX_UNAVAILABLE)."""
SECONDS = 30.0
"""How long a mirror may take to answer; asked `TIMES` times."""
TIMES = 3
APT_HELPER = Path("/usr/lib/apt/apt-helper")
"""Fetches as apt does, by its proxies and authorities."""
GO_PROXY = "https://proxy.golang.org"


def lacking(release: str | None, module: str) -> str | None:
    """What this machine lacks, in words; None where the servers can be built.

    Args:
        release: URL of the file Release of the Debian that the database is of; None where the database is there, and
            the queue alone, of this machine's own packages, is not.
        module: Path below Go's module proxy of a file of FerretDB's.
    """
    if os.geteuid() != 0:
        return "the servers are installed and set up as root, and this is another user"
    if shutil.which("apt-get") is None:
        return "the servers are Debian's packages, and there is no apt-get"
    if release is None:
        return None
    if subprocess.run(["chroot", "/", "true"], capture_output=True).returncode:
        return "the database runs in a folder of its own by chroot, which is not permitted here"
    if not is_fetched(release):
        return f"Debian's mirror does not answer: {release}"
    proxies = [url for url in os.environ.get("GOPROXY", GO_PROXY).replace("|", ",").split(",") if "://" in url]
    if proxies and not any(answers(f"{url.rstrip('/')}/{module}") for url in proxies):
        return f"Go's module proxy does not answer: {', '.join(proxies)}"
    return None


def is_fetched(url: str) -> bool:
    """Whether apt can fetch a file."""
    if not APT_HELPER.exists():
        return answers(url)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(APT_HELPER), f"-oAcquire::Retries={TIMES}", f"-oAcquire::http::Timeout={SECONDS:.0f}",
            f"-oAcquire::https::Timeout={SECONDS:.0f}", "download-file", url, f"{folder}/Release",
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True).returncode == 0


def answers(url: str) -> bool:
    """Whether a server answers, whatever it says."""
    for _ in range(TIMES):
        try:
            with urllib.request.urlopen(url, timeout=SECONDS):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            continue
    return False
