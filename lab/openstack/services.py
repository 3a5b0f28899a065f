"""Starting the cloud's services, each with what it needs to have before it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab import ovn
from lab.openstack.configuration import DATABASES, service_environment
from lab.openstack.processes import start, wait_for
from lab.openstack.settings import ADDRESS, ADMIN, REGION, Bed, port, url
from orchestrator.errors import LabError

MODULES = {
    "keystone": "keystone.wsgi.api:application",
    "placement": "placement.wsgi.api:application",
    "glance": "glance.wsgi.api:application",
    "neutron": "neutron.wsgi.api:application",
    "nova": "nova.wsgi.osapi_compute:application",
}
_THREADS = 6


def start_foundations(bed: Bed) -> None:
    """Start MariaDB, RabbitMQ and OVN's databases and wait until they answer."""
    _start_mariadb(bed)
    _start_rabbitmq(bed)
    _start_ovn(bed)
    wait_for(bed, "mariadb", lambda: _sql(bed, "select 1").returncode == 0, 60)
    wait_for(bed, "rabbitmq", _broker_answers, 120)


def _start_mariadb(bed: Bed) -> None:
    data = bed.run / "mysql"
    if not (data / "mysql").is_dir():
        _must(bed, "mariadb-install", [
            "mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}",
            "--auth-root-authentication-method=socket", "--skip-test-db", "--innodb-log-file-size=32M",
        ])  # fmt: skip
    # durability is not wanted here: no flush on commit, no double write, no binary log
    start(bed, "mariadb", [
        "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={_socket(bed)}",
        f"--pid-file={bed.run / 'mysql.pid'}", f"--bind-address={ADDRESS}", f"--port={port('database')}",
        "--max-connections=600", "--skip-name-resolve", "--character-set-server=utf8mb3", "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=256M",
        "--innodb-log-file-size=32M",
    ])  # fmt: skip


def _start_rabbitmq(bed: Bed) -> None:
    home = bed.run / "rabbit"
    home.mkdir(mode=0o700, exist_ok=True)
    configuration = bed.configuration / "rabbit"
    start(bed, "portmapper", ["epmd", "-address", ADDRESS, "-port", str(port("portmapper"))])
    start(bed, "rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], {
        "HOME": str(home), "ERL_EPMD_PORT": str(port("portmapper")), "ERL_EPMD_ADDRESS": ADDRESS,
        "RABBITMQ_NODENAME": "onefold@localhost", "RABBITMQ_DIST_PORT": str(port("distribution")),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"), "RABBITMQ_LOG_BASE": str(bed.logs), "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": str(configuration / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(configuration / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}",
    })  # fmt: skip


def _start_ovn(bed: Bed) -> None:
    """Start OVN's two databases and northd, on unix sockets only."""
    switching = ovn.ensure()
    bed.ovn.mkdir(exist_ok=True)
    own = {"PATH": switching.path(), "OVS_RUNDIR": str(bed.ovn), "OVN_RUNDIR": str(bed.ovn)}
    quiet = ["-vconsole:warn", "-vsyslog:off"]
    for name in ("nb", "sb"):
        file = bed.ovn / f"{name}.db"
        if not file.exists():
            schema = str(switching.schema(f"ovn-{name}"))
            _must(bed, "ovn-create", [str(switching.programs / "ovsdb-tool"), "create", str(file), schema])
        socket_file, control = bed.ovn / f"{name}.sock", bed.ovn / f"{name}.ctl"
        start(bed, f"ovn-{name}", [
            "ovsdb-server", str(file), f"--remote=punix:{socket_file}", f"--unixctl={control}", *quiet,
        ], own)  # fmt: skip
    for name in ("nb", "sb"):
        wait_for(bed, f"ovn-{name}", _connects(str(bed.ovn / f"{name}.sock")), 20)
    start(bed, "ovn-northd", [
        "ovn-northd", f"--ovnnb-db=unix:{bed.ovn / 'nb.sock'}", f"--ovnsb-db=unix:{bed.ovn / 'sb.sock'}",
        f"--unixctl={bed.ovn / 'northd.ctl'}", *quiet,
    ], own)  # fmt: skip


def start_identity(bed: Bed) -> None:
    """Start Keystone and wait until it answers."""
    _start_api(bed, "keystone")
    _wait_api(bed, "keystone")


def start_services(bed: Bed) -> None:
    """Start all that stands on Keystone; its users and endpoints must be there (Nova's services die on a refusal)."""
    for name in MODULES:
        if name != "keystone":
            _start_api(bed, name)
    neutron = str(bed.configuration / "neutron/neutron.conf")
    start(bed, "neutron-maintenance", [
        bed.program("neutron-ovn-maintenance-worker"), "--config-file", neutron,
        "--log-file", str(bed.logs / "neutron-maintenance.log"),
    ], service_environment(bed))  # fmt: skip
    for name in ("conductor", "scheduler"):
        start(bed, f"nova-{name}", [
            bed.program(f"nova-{name}"), *_nova_files(bed), "--log-file", str(bed.logs / f"nova-{name}.log"),
        ])  # fmt: skip
    # nova-compute asks Placement at once, and must not know the databases
    _wait_api(bed, "placement")
    start(bed, "nova-compute", [
        bed.program("nova-compute"), *_nova_files(bed)[:2], "--log-file", str(bed.logs / "nova-compute.log"),
    ])  # fmt: skip
    for name in ("glance", "neutron", "nova"):
        _wait_api(bed, name)


def _start_api(bed: Bed, name: str) -> None:
    """Start one API in uWSGI; without ``Connection: close`` its clients wait for more."""
    start(bed, name, [
        bed.program("uwsgi"), "--http-socket", f"{ADDRESS}:{port(name)}", "--module", MODULES[name],
        "--enable-threads", "--threads", str(_THREADS), "--processes", "1", "--need-app", "--die-on-term",
        "--buffer-size", "65535", "--disable-logging", "--set", f"start-time={int(time.time())}",
        "--socket-timeout", "60", "--listen", "1024", "--add-header", "Connection: close",
    ], service_environment(bed))  # fmt: skip


def _wait_api(bed: Bed, name: str) -> None:
    wait_for(bed, name, lambda: answers(name), 120)


def answers(name: str) -> bool:
    """Return whether an API answers anything at all."""
    connection = http.client.HTTPConnection(ADDRESS, port(name), timeout=20)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def create_databases(bed: Bed) -> None:
    """Make schemas, keys, Keystone's first administrator and Nova's cells, in two strands."""
    password = bed.secrets()["database"]
    statements = [f"create database if not exists {name} character set utf8mb3;" for name in DATABASES]
    statements += [f"create user if not exists openstack@'{ADDRESS}' identified by '{password}';"]
    statements += [f"grant all on *.* to openstack@'{ADDRESS}';"]
    if (done := _sql(bed, "\n".join(statements))).returncode:
        raise LabError(f"MariaDB refused the first statements: {done.stderr.strip()}: see {bed.logs}/mariadb.out")
    with ThreadPoolExecutor(2) as strands:
        for strand in [strands.submit(_identity_and_network, bed), strands.submit(_compute_and_images, bed)]:
            strand.result()


def _identity_and_network(bed: Bed) -> None:
    keystone = [bed.program("keystone-manage"), "--config-file", str(bed.configuration / "keystone/keystone.conf")]
    owner = ["--keystone-user", "root", "--keystone-group", "root"]
    address = f"{url('keystone')}/v3"
    _must(bed, "create-keystone", [*keystone, "db_sync"])
    _must(bed, "create-keystone", [*keystone, "fernet_setup", *owner])
    _must(bed, "create-keystone", [*keystone, "credential_setup", *owner])
    _must(bed, "create-keystone", [
        *keystone, "bootstrap", "--bootstrap-username", ADMIN, "--bootstrap-region-id", REGION,
        "--bootstrap-public-url", address, "--bootstrap-internal-url", address, "--bootstrap-admin-url", address,
    ], {"OS_BOOTSTRAP_PASSWORD": bed.secrets()[ADMIN]})  # fmt: skip
    placement = ["--config-file", str(bed.configuration / "placement/placement.conf"), "db", "sync"]
    _must(bed, "create-placement", [bed.program("placement-manage"), *placement])
    neutron = ["--config-file", str(bed.configuration / "neutron/neutron.conf"), "upgrade", "heads"]
    _must(bed, "create-neutron", [bed.program("neutron-db-manage"), *neutron])


def _compute_and_images(bed: Bed) -> None:
    # without arguments the cells take their addresses, and so the passwords, from the files
    nova = [bed.program("nova-manage"), *_nova_files(bed)]
    for arguments in (
        ["api_db", "sync"], ["cell_v2", "map_cell0"], ["cell_v2", "create_cell", "--name", "cell1"], ["db", "sync"],
    ):  # fmt: skip
        _must(bed, "create-nova", [*nova, *arguments])
    glance = ["--config-file", str(bed.configuration / "glance/glance-api.conf"), "db_sync"]
    _must(bed, "create-glance", [bed.program("glance-manage"), *glance])


def map_hosts(bed: Bed) -> None:
    """Tell Nova's cell of the compute host."""
    _must(bed, "create-hosts", [bed.program("nova-manage"), *_nova_files(bed), "cell_v2", "discover_hosts"])


def _nova_files(bed: Bed) -> list[str]:
    folder = bed.configuration / "nova"
    return ["--config-file", str(folder / "nova.conf"), "--config-file", str(folder / "nova-database.conf")]


def _must(bed: Bed, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run one command to its end; raise :class:`LabError` naming its log when it fails."""
    whole = {**os.environ, **service_environment(bed), **(environment or {})}
    with (bed.logs / f"{name}.out").open("a") as log:
        done = subprocess.run(command, env=whole, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=600)
    if done.returncode:
        raise LabError(f"'{name}' ended with {done.returncode}: see {bed.logs}/{name}.out")


def _socket(bed: Bed) -> str:
    return str(bed.run / "mysql.sock")


def _sql(bed: Bed, statements: str) -> subprocess.CompletedProcess[str]:
    """Run statements as the machine's root, known to MariaDB by the unix socket; they go in by standard input."""
    command = ["mariadb", "--no-defaults", f"--socket={_socket(bed)}", "--user=root"]
    return subprocess.run(command, input=statements, text=True, capture_output=True, timeout=60)


def _broker_answers() -> bool:
    try:
        with socket.create_connection((ADDRESS, port("broker")), 2) as connection:
            connection.settimeout(2)
            connection.sendall(b"AMQP\0\0\x09\x01")
            return bool(connection.recv(1))
    except OSError:
        return False


def _connects(file: str) -> Callable[[], bool]:
    def check() -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(file) == 0

    return check
