"""A PostgreSQL server of the machine's own packages, for as long as a block lasts."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from tests.bnpl_features.store.shop import free_port

USER, PASSWORD = "bnpl", "a password with @ and /"
START_SECONDS = 20.0


def postgres_program(name: str) -> str:
    """Debian keeps these beside the path, a folder a version; laptops may lack them, CI may not."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        missing = f"{name} is not installed; apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return str(found[-1])


@contextmanager
def postgres(*databases: str) -> Iterator[dict[str, str]]:
    """An empty server on a free port of this machine; yields each database's URL.

    PostgreSQL refuses to run as root, so root starts it as the user of Debian's package.
    """
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    try:
        password = folder / "password"
        password.write_text(PASSWORD)
        for path in (folder, password):
            shutil.chown(path, owner)
        data, port = folder / "data", free_port()
        made = [initdb, "-D", data, "-U", USER, "--pwfile", password, "-A", "scram-sha-256", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, user=owner, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = subprocess.Popen(
            [server, "-D", data, *options], user=owner, cwd=folder, stderr=(folder / "log").open("wb")
        )
        try:
            _make(databases, port)
            quoted = PASSWORD.replace("@", "%40").replace("/", "%2F").replace(" ", "%20")
            yield {name: f"postgresql+psycopg2://{USER}:{quoted}@127.0.0.1:{port}/{name}" for name in databases}
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for whoever is connected
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg2.connect(url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _make(databases: tuple[str, ...], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = psycopg2.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres")
            break
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name in databases:
            cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
