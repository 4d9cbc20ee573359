"""The proxy before the console, a real nginx with the configuration that is shipped."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
import trustme

from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.console import PASSWORD, running_console
from tests.bnpl_features.store.shop import SECRET, free_port, new_shop, wait_until
from tests.deploy.tools import DEPLOY
from tests.monitors import program

CUSTOMER = "canary-customer-7f3a"
MAIN = """{user}daemon off; pid {folder}/pid; error_log {folder}/nginx.error.log emerg;
events {{}}
http {{ {temporary} include {file}; }}
"""
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def nginx(folder: Path, upstream: int, authority: trustme.CA) -> Iterator[str]:
    """The shipped configuration on free ports and in a folder of its own; yields its address."""
    binary, port = program("nginx", "nginx-light"), free_port()
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "console.key")
    for certificate in made.cert_chain_pems:
        certificate.write_to_path(folder / "console.pem", append=True)
    text = (DEPLOY / "proxy" / "console.conf").read_text()
    for there, here in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:8090": f"127.0.0.1:{upstream}",
        "/etc/nginx/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
    }.items():
        assert there in text
        text = text.replace(there, here)
    (folder / "console.conf").write_text(text)
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
    user = "user root;" if os.geteuid() == 0 else ""
    main = MAIN.format(folder=folder, file=folder / "console.conf", temporary=temporary, user=user)
    (folder / "nginx.conf").write_text(main)
    process = subprocess.Popen([binary, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), "nginx listens", 10.0)
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_nobody_finds_a_customer_in_the_proxys_logs(tmp_path: Path) -> None:
    authority, port = trustme.CA(), free_port()
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    visitor = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trusted), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    asked = f"/customer?id={CUSTOMER}"
    with embedded_store(tmp_path / "store") as store, nginx(tmp_path, port, authority) as url:
        shop = new_shop(store)
        variables = {
            "REDIS_URL": shop.url,
            "BNPL_NAMESPACE": shop.namespace,
            "BNPL_CUSTOMER_KEY": SECRET.decode(),
            "BNPL_WAREHOUSE_FOLDER": str(tmp_path / "warehouse"),
            "BNPL_MODEL_FOLDER": str(tmp_path / "models"),
            "BNPL_CONSOLE_PUBLIC_URL": url,
        }
        with running_console(variables, port=port):
            [token] = re.findall(r'name="csrf" value="([^"]+)"', visitor.open(f"{url}/sign-in").read().decode())
            form = urllib.parse.urlencode({"csrf": token, "name": "operator", "password": PASSWORD, "next": "/"})
            visitor.open(urllib.request.Request(f"{url}/sign-in", form.encode(), {"Origin": url}))

            page = visitor.open(urllib.request.Request(url + asked, headers={"Referer": url + asked})).read().decode()

        assert CUSTOMER in page
        assert "look" in " ".join(entry.act for entry in audit_trail(shop.client, shop.keyspace))
        with pytest.raises(urllib.error.HTTPError, match="502"):
            visitor.open(url + asked)
    logged = {file.name: file.read_text() for file in tmp_path.glob("*.log")}
    assert logged["console.log"].count('"GET /customer" ') == 2
    assert not [name for name, text in logged.items() if CUSTOMER in text]
