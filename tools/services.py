"""A server that speaks MongoDB's protocol, and Slurm, for the tests: `make services`, `make services-stop`.

The first that there is: the server of NINEFOLD_TEST_MONGODB_URI, which is left as it is; `mongod` on the path;
FerretDB 2 on PostgreSQL with the DocumentDB extension, which Debian has from forky on: hence a folder with a Debian
of its own, made by mmdebstrap, whose programs are run by chroot. It needs root, about two minutes the first time, and
1 GB; and, the first time, a mirror of Debian and Go's module proxy. What is missing of Debian's packages is installed.
Where the machine lacks one of these, the exit code is 69 and a line says which; what fails otherwise is a failure.

Everything lies in `.services` beside this folder: programs, data, logs, and `mongodb.uri` with the address for the
tests. The servers listen on loopback only, on ports that are free when they are first started.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import slurm_service
from service_needs import CANNOT, lacking

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".services"
URI = FOLDER / "mongodb.uri"
DEBIAN = FOLDER / "debian"
FERRETDB = FOLDER / "ferretdb"
FERRETDB_VERSION = "v2.7.0"
"""Fits DocumentDB 1.0 of Debian forky, the first Debian that has it."""
MODULE_FILE = f"github.com/!ferret!d!b/!ferret!d!b/v2/@v/{FERRETDB_VERSION}.info"
"""Below a module proxy; a capital is written as ! and the small letter."""
DEBIAN_RELEASE = "forky"
PACKAGES = "postgresql-18,postgresql-18-documentdb"
NOT_ASKING = {"DEBIAN_FRONTEND": "noninteractive"}
GO_HINT = (
    "Go's modules are fetched from GOPROXY, by default https://proxy.golang.org: check that this machine reaches it"
)
GO_PACKAGES = ("golang-go", "ca-certificates")
OLDEST_GO = 21
"""Of Go 1: the first that fetches a newer one by itself."""
EXTENSIONS = ("documentdb", "documentdb_extended_rum")
POSTGRES = "/usr/lib/postgresql/18/bin"
DATA = "/srv/data"
"""Of PostgreSQL, within DEBIAN."""
SECONDS = 60.0
"""How long a server may take to answer."""
LONGEST = 1200.0
"""Seconds that fetching or building may take: a network that swallows packets must not stop a test for ever."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""By which mmdebstrap knows Debian's packages; Ubuntu has it in a package."""

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '/tmp'
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb_extended_rum,pg_documentdb'
cron.database_name = 'postgres'
dynamic_shared_memory_type = mmap  # a container may have no room in /dev/shm
documentdb.enableUserCrud = true
documentdb.alternate_index_handler_name = 'extended_rum'  # indexes that can be read in their order
"""
CONFIGURATION_FILE = "ninefold.conf"
"""Beside PostgreSQL's own, which includes it; written at every start."""


def main() -> None:
    """Start or stop, as the first argument says."""
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    if action not in ("start", "stop"):
        sys.exit("usage: services.py start|stop")
    if action == "start" and (reason := why_not()) is not None:
        print(f"services: cannot be built on this machine: {reason}", file=sys.stderr)
        sys.exit(CANNOT)
    database(action)
    if action == "stop":
        slurm_service.stop()
    elif not slurm_service.start():
        sys.exit(1)  # told there; the database is up all the same


def why_not() -> str | None:
    """What this machine lacks to build what is not there yet, in words."""
    has_slurm = all(shutil.which(program) for program in slurm_service.PROGRAMS)
    has_database = (
        "NINEFOLD_TEST_MONGODB_URI" in os.environ
        or shutil.which("mongod") is not None
        or (is_debian_built() and FERRETDB.exists())
    )
    if has_database and has_slurm:
        return None
    return lacking(None if has_database else f"{mirror()}/dists/{DEBIAN_RELEASE}/Release", MODULE_FILE)


def database(action: str) -> None:
    """Start or stop the database's server."""
    if given := os.environ.get("NINEFOLD_TEST_MONGODB_URI"):
        print("services: NINEFOLD_TEST_MONGODB_URI is set: its server is used, and left as it is")
        if action == "start" and not answers(given):
            sys.exit("services: the server of NINEFOLD_TEST_MONGODB_URI does not answer")
        return
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another may be starting or stopping them
        stop() if action == "stop" else start()


def start() -> None:
    """Bring a server up, unless it is."""
    if URI.exists() and answers(URI.read_text()):
        print(f"services: a MongoDB server answers; its address is in {URI.relative_to(ROOT)}")
        return
    stop()
    if shutil.which("mongod"):
        start_mongod()
    else:
        start_ferretdb()
    print(f"services: a MongoDB server is up; its address is in {URI.relative_to(ROOT)}")


def stop() -> None:
    """End what `start` started; the data stay."""
    for name in ("ferretdb", "mongod"):
        pid = FOLDER / f"{name}.pid"
        if pid.exists():
            end(int(pid.read_text()), name)
            pid.unlink()
    if (DEBIAN / DATA.lstrip("/") / "postmaster.pid").exists():
        in_debian(f"{POSTGRES}/pg_ctl", "-D", DATA, "-m", "fast", "stop", check=False)
    URI.unlink(missing_ok=True)


def end(pid: int, name: str) -> None:
    """End one process, if the number still belongs to that program."""
    try:
        if name not in Path(f"/proc/{pid}/cmdline").read_text():
            return
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return


def start_mongod() -> None:
    """MongoDB's own server, with one user who may do everything."""
    data, password = FOLDER / "mongod", secret("mongod")
    data.mkdir(exist_ok=True)
    port = choose_port("mongod")
    spawn("mongod", ["mongod", "--auth", "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(data)])
    wait_for_port(port, "mongod")
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure

    # the first user may be made without a login, from this machine; later ones are refused
    with MongoClient("127.0.0.1", port) as client, suppress(OperationFailure):
        client.admin.command("createUser", "ninefold", pwd=password, roles=["root"])
    publish(f"mongodb://ninefold:{password}@127.0.0.1:{port}/")


def start_ferretdb() -> None:
    """PostgreSQL with DocumentDB, and FerretDB before it."""
    build_debian()
    build_ferretdb()
    start_postgres()
    port, postgres = choose_port("ferretdb"), chosen_port("postgres")
    state = FOLDER / "state"
    state.mkdir(exist_ok=True)
    spawn(
        "ferretdb",
        [
            str(FERRETDB), f"--postgresql-url=postgres://postgres@127.0.0.1:{postgres}/postgres",
            f"--listen-addr=127.0.0.1:{port}", "--telemetry=disable", f"--state-dir={state}", "--debug-addr=-",
        ],
    )  # fmt: skip
    wait_for_port(port, "ferretdb")
    publish(f"mongodb://postgres:{secret('postgres')}@127.0.0.1:{port}/")


def is_debian_built() -> bool:
    """Whether the folder with Debian is whole: it is made under another name."""
    return (DEBIAN / POSTGRES.lstrip("/") / "initdb").exists()


def build_debian() -> None:
    """A folder with Debian's PostgreSQL and DocumentDB."""
    if is_debian_built():
        return
    if os.geteuid() != 0:
        sys.exit(
            "services: no mongod on the path; FerretDB's PostgreSQL is set up as root. "
            "Install mongod, or name a server by NINEFOLD_TEST_MONGODB_URI"
        )
    install("mmdebstrap", is_there=shutil.which("mmdebstrap") is not None)
    install("debian-archive-keyring", is_there=KEYRING.exists())
    whole, part = DEBIAN, DEBIAN.with_name(f"{DEBIAN.name}.part")
    for folder in (whole, part):
        shutil.rmtree(folder, ignore_errors=True)
    print("services: fetching PostgreSQL with DocumentDB from Debian (about a minute, 700 MB) ...", flush=True)
    run(
        [
            "mmdebstrap", "--quiet", "--variant=apt", f"--include={PACKAGES}",
            '--aptopt=APT::Install-Recommends "false"',
            '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may lag
            '--aptopt=Acquire::Retries "3"', '--aptopt=Acquire::http::Timeout "60"',
            DEBIAN_RELEASE, str(part), mirror(),
        ],
        hint=f"Debian {DEBIAN_RELEASE} is fetched from {mirror()}: check that this machine reaches it",
    )  # fmt: skip
    part.rename(whole)


def mirror() -> str:
    """Where this machine fetches Debian's packages from."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        for line in file.read_text().splitlines():
            found = re.match(r"(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    return "http://deb.debian.org/debian"


def build_ferretdb() -> None:
    """FerretDB from its source: its module lacks a file that `go install` would need."""
    if FERRETDB.exists():
        return
    go = host_go()
    if go is None:  # the Go of this machine's Debian may be too old: that of the newer one, in its folder
        apt = ["chroot", str(DEBIAN), "apt-get", "-q"]
        run([*apt, "update"], check=False)
        run([*apt, "install", "-y", "--no-install-recommends", *GO_PACKAGES], env=os.environ | NOT_ASKING)
    root, command = (Path("/"), [go]) if go else (DEBIAN, ["chroot", str(DEBIAN), "go"])
    print("services: building FerretDB (about half a minute) ...", flush=True)
    environment = {**os.environ, "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "auto", "CGO_ENABLED": "0"}
    if not go:
        certificates = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
        if certificates.exists():  # this machine may know more authorities
            shutil.copy(certificates, DEBIAN / "etc/ssl/certs/ca-certificates.crt")
        environment.pop("SSL_CERT_FILE", None)
        # without /proc Go does not find itself
        environment |= {
            "HOME": "/root",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "TMPDIR": "/tmp",
            "GOROOT": "/usr/lib/go",
        }
    module = f"github.com/FerretDB/FerretDB/v2@{FERRETDB_VERSION}"
    fetching = [*command, "mod", "download", "-json", module]
    try:
        download = subprocess.run(
            fetching, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"services: FerretDB is not fetched after {LONGEST:.0f} s; {GO_HINT}")
    found = re.search(r'"Dir": "([^"]+)"', download.stdout)
    if download.returncode or not found:
        told = (download.stdout + download.stderr).strip()[-500:]
        sys.exit(f"services: FerretDB cannot be fetched; {GO_HINT}:\n{told}")
    source = (FOLDER if go else DEBIAN / "srv") / "ferretdb-source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / found[1].lstrip("/"), source)
    run(["chmod", "-R", "u+w", str(source)])
    version = source / "build" / "version" / "version.txt"
    version.parent.mkdir(parents=True, exist_ok=True)
    version.write_text(FERRETDB_VERSION + "\n")
    within = "/" / source.relative_to(root)
    run(
        [*command, "-C", str(within), "build", "-o", str(within / "built-server"), "./cmd/ferretdb"], env=environment,
        hint=GO_HINT,
    )  # fmt: skip
    shutil.move(source / "built-server", FERRETDB)
    shutil.rmtree(source)


def host_go() -> str | None:
    """The Go compiler of this machine, if it can fetch the version that FerretDB asks for."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        return None
    told = subprocess.run([go, "version"], capture_output=True, text=True).stdout
    version = re.search(r"go1\.(\d+)", told)
    return go if version and int(version[1]) >= OLDEST_GO else None


def start_postgres() -> None:
    """PostgreSQL, its data made the first time."""
    data = DEBIAN / DATA.lstrip("/")
    is_new = not (data / "PG_VERSION").exists()
    if is_new:
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        run(["chroot", str(DEBIAN), "chown", "postgres:postgres", DATA])
        in_debian(f"{POSTGRES}/initdb", "-D", DATA, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
    (data / CONFIGURATION_FILE).write_text(CONFIGURATION.format(port=choose_port("postgres")))
    own, included = data / "postgresql.conf", f"include '{CONFIGURATION_FILE}'\n"
    if included not in own.read_text():
        with own.open("a") as file:
            file.write(included)
    forget_dead_server(data / "postmaster.pid")
    in_debian(f"{POSTGRES}/pg_ctl", "-D", DATA, "-l", f"{DATA}/log", "-w", "-t", str(int(SECONDS)), "start")
    extensions = "".join(f"create extension if not exists {name} cascade; " for name in EXTENSIONS)
    statements = extensions + "alter user postgres password '{}'"
    in_debian(
        f"{POSTGRES}/psql", "-q", "-h", "127.0.0.1", "-p", str(chosen_port("postgres")), "-d", "postgres", "-v",
        "ON_ERROR_STOP=1", "-c", statements.format(secret("postgres")),
    )  # fmt: skip


def forget_dead_server(pid_file: Path) -> None:
    """Remove what a machine that was switched off has left."""
    if not pid_file.exists():
        return
    command = Path(f"/proc/{pid_file.read_text().split()[0]}/cmdline")
    if not command.exists() or "postgres" not in command.read_text():
        pid_file.unlink()


def in_debian(*command: str, check: bool = True) -> None:
    """Run a program of DEBIAN as the user postgres."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp"}
    run(["chroot", "--userspec=postgres:postgres", str(DEBIAN), *command], env=environment, check=check)


def install(package: str, is_there: bool) -> None:
    """A Debian package, where it is missing."""
    if is_there:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"services: {package} is missing; as root on Debian or Ubuntu: apt-get install {package}")
    run(["apt-get", "update", "-q"], check=False)  # one source of several may not answer
    run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package], env=os.environ | NOT_ASKING,
        hint=f"{package} is installed by apt-get: check that this machine reaches its mirror",
    )  # fmt: skip


def run(command: list[str], check: bool = True, hint: str = "", **options: object) -> None:
    """Run a program; what it says goes into a log, whose end is shown where it fails, and the hint."""
    log = FOLDER / "log"
    with log.open("a") as file:
        try:
            code = subprocess.run(  # type: ignore[call-overload]
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=LONGEST, **options
            ).returncode
        except subprocess.TimeoutExpired:
            code, hint = -1, f"{hint} (it took more than {LONGEST:.0f} s)"
    if check and code:
        end = log.read_text(errors="replace")[-2000:]
        sys.exit(f"services: {command[0]} failed{'; ' * bool(hint)}{hint}; the end of {log}:\n{end}")


def spawn(name: str, command: list[str]) -> None:
    """Start a server that outlives this program."""
    with (FOLDER / f"{name}.log").open("a") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=FOLDER
        )
    (FOLDER / f"{name}.pid").write_text(str(process.pid))


def secret(name: str) -> str:
    """A password, made once."""
    file = FOLDER / f"{name}.password"
    if not file.exists():
        file.write_text(secrets.token_hex(16))
        file.chmod(0o600)
    return file.read_text()


def choose_port(name: str) -> int:
    """The port of the last start, so that clients find the server again; a free one where another program has it."""
    file = FOLDER / f"{name}.port"
    for port in (chosen_port(name), 0) if file.exists() else (0,):
        with socket.socket() as probe:
            # as a server does: connections of the last one may still be closing
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                file.write_text(str(probe.getsockname()[1]))
                break
    return chosen_port(name)


def chosen_port(name: str) -> int:
    """The port that a server was last started on."""
    return int((FOLDER / f"{name}.port").read_text())


def wait_for_port(port: int, name: str) -> None:
    """Until a server listens."""
    last = time.monotonic() + SECONDS
    while time.monotonic() < last:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    log = FOLDER / f"{name}.log"
    sys.exit(f"services: {name} does not listen after {SECONDS:.0f} s; the end of {log}:\n{log.read_text()[-2000:]}")


def publish(uri: str) -> None:
    """Write the address for the tests, once the server answers to it."""
    last = time.monotonic() + SECONDS
    while not answers(uri):
        if time.monotonic() > last:
            sys.exit("services: the server does not answer; see .services/*.log")
        time.sleep(0.5)
    URI.touch(mode=0o600)
    URI.write_text(uri)


def answers(uri: str) -> bool:
    """Whether a server answers and takes the login."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        with MongoClient(uri, serverSelectionTimeoutMS=3000) as client:
            client.admin.command("listDatabases")
    except PyMongoError:
        return False
    return True


if __name__ == "__main__":
    main()
