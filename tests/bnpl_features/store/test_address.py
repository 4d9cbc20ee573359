"""An address is parsed into what it says, or refused by name; its passwords are never shown."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.address import Address, Encryption, Login, Node, Topology, parse_address, without_password

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "topology", "nodes", "service", "database"),
    [
        ("redis://host:6380/3", Topology.STANDALONE, [("host", 6380)], "", 3),
        ("redis://host", Topology.STANDALONE, [("host", 6379)], "", 0),
        ("redis://", Topology.STANDALONE, [("localhost", 6379)], "", 0),
        ("redis://host?db=4", Topology.STANDALONE, [("host", 6379)], "", 4),
        ("redis://[::1]:7000/1", Topology.STANDALONE, [("::1", 7000)], "", 1),
        ("redis://[2001:db8::7]", Topology.STANDALONE, [("2001:db8::7", 6379)], "", 0),
        ("rediss://host/0", Topology.STANDALONE, [("host", 6379)], "", 0),
        (
            "redis+sentinel://s1:26380,s2/mymaster/2",
            Topology.SENTINEL,
            [("s1", 26380), ("s2", 26379)],
            "mymaster",
            2,
        ),
        ("redis+sentinel://s1/my%2Fmaster", Topology.SENTINEL, [("s1", 26379)], "my/master", 0),
        ("redis+sentinel://[::1]:1,[::2]/m", Topology.SENTINEL, [("::1", 1), ("::2", 26379)], "m", 0),
        ("rediss+sentinel://s1/m?db=5", Topology.SENTINEL, [("s1", 26379)], "m", 5),
        ("redis+cluster://n1:7001,n2", Topology.CLUSTER, [("n1", 7001), ("n2", 6379)], "", 0),
        ("rediss+cluster://n1/0", Topology.CLUSTER, [("n1", 6379)], "", 0),
        ("unix:///var/run/redis.sock", Topology.STANDALONE, [("/var/run/redis.sock", 0)], "", 0),
        ("unix:///tmp/redis.sock?db=6", Topology.STANDALONE, [("/tmp/redis.sock", 0)], "", 6),
    ],
)
def test_every_form_says_where_the_store_is(
    url: str, topology: Topology, nodes: list[tuple[str, int]], service: str, database: int
) -> None:
    address = parse_address(url)

    assert (address.topology, list(address.nodes)) == (topology, [Node(*node) for node in nodes])
    assert (address.service, address.database) == (service, database)
    assert (address.encryption is not None) is url.startswith("rediss")
    assert str(address) == url


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel", "redis+cluster"])
def test_a_login_stands_before_the_hosts(scheme: str) -> None:
    address = parse_address(f"{scheme}://reader:{SECRET}@h1:1{'/m' if 'sentinel' in scheme else ''}")

    assert address.login == Login("reader", SECRET)
    assert address.nodes == (Node("h1", 1),)
    assert str(address).startswith(f"{scheme}://reader:***@h1:1")


@given(st.text(min_size=1), st.text(max_size=5))
def test_an_encoded_login_is_read_back_whatever_it_holds(password: str, username: str) -> None:
    try:
        encoded = f"{quote(username, safe='')}:{quote(password, safe='')}"
    except UnicodeEncodeError:  # half a surrogate pair has no encoding
        return

    address = parse_address(f"redis+cluster://{encoded}@n1,n2")

    assert address.login == Login(username, password)
    assert [node.host for node in address.nodes] == ["n1", "n2"]


def test_a_socket_may_have_a_login() -> None:
    assert parse_address(f"unix://:{SECRET}@/tmp/redis.sock").login == Login("", SECRET)


def test_sentinels_may_have_a_login_of_their_own() -> None:
    address = parse_address(f"redis+sentinel://a:b@s1/m?sentinel_username=watcher&sentinel_password={SECRET}")

    assert address.sentinel_login == Login("watcher", SECRET)
    assert address.login == Login("a", "b")
    assert SECRET not in str(address)


def test_every_option_of_encryption_is_understood() -> None:
    options = "ssl_ca_certs=/ca&ssl_certfile=/c&ssl_keyfile=/k&ssl_cert_reqs=none&ssl_check_hostname=FALSE"

    assert parse_address(f"rediss://h?{options}").encryption == Encryption("/ca", "/c", "/k", False, False)
    assert parse_address("rediss://h").encryption == Encryption("", "", "", True, True)


def test_redis_py_is_told_what_the_address_says() -> None:
    encrypted = parse_address("rediss://u:p@h?ssl_ca_certs=/ca&ssl_cert_reqs=none").client_options()

    assert encrypted == {
        "username": "u",
        "password": "p",
        "ssl": True,
        "ssl_ca_certs": "/ca",
        "ssl_certfile": None,
        "ssl_keyfile": None,
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert parse_address("redis://h").client_options() == {"username": None, "password": None}


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "scheme ''"),
        ("host:6379", "scheme 'host'"),
        ("http://host", "scheme 'http'"),
        ("redis+ring://host", "scheme 'redis\\+ring'"),
        ("redis://h1,h2", "2 hosts for one server"),
        ("redis://h1:port", "[Pp]ort"),
        ("redis://h1:99999", "[Pp]ort"),
        ("redis+cluster://h1,,h2", "'' names no host"),
        ("redis+sentinel://s1", "Sentinel's service is missing behind the hosts"),
        ("redis://h/zero", "'zero' is not the number of a database"),
        ("redis://h/-1", "'-1' is not the number of a database"),
        ("redis://h/0/1", "path '/0/1'"),
        ("redis://h?db=zero", "number of a database"),
        ("unix:///s?db=zero", "'zero' is not the number of a database"),
        ("unix:///s?db=-1", "'-1' is not the number of a database"),
        ("unix://", "path of the socket is missing"),
        ("redis+cluster://h/1", "a cluster has database 0 only"),
        ("redis+cluster://h?db=1", "a cluster has database 0 only"),
        ("rediss://h?ssl=true", "unknown option 'ssl', known are ssl_ca_certs"),
        ("redis://h?db", "option"),
        ("rediss://h?ssl_cert_reqs=optional", "ssl_cert_reqs 'optional', which is required or none"),
        ("rediss://h?ssl_check_hostname=1", "ssl_check_hostname '1', which is true or false"),
        ("redis://h?ssl_ca_certs=/ca", "ssl_ca_certs.*rediss"),
        ("redis://[::1", "not the address of a store"),
    ],
)
def test_what_is_wrong_with_an_address_is_named(url: str, named: str) -> None:
    with pytest.raises(StoreUnavailable, match=f"is not the address of a store: .*{named}|{named}") as caught:
        parse_address(url)

    assert "use redis://host:port/0" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{SECRET}@h",
        f"redis://u:{SECRET}@h:port",
        f"redis://u:{SECRET}@h/zero",
        f"redis://u:{SECRET}@h1,h2",
        f"redis://u:{SECRET}@h?x=1",
        f"redis+sentinel://s/m?sentinel_password={SECRET}&db=x",
        f"redis+sentinel://s/m?Sentinel_Password={SECRET}",
        f"redis://h?password={SECRET}",
        f"redis://h?pass={SECRET}",
        # Characters that should have been encoded: the URL's parts are not what was meant.
        f"redis://u:a/{SECRET}@h",
        f"redis://u:a#{SECRET}@h",
        f"redis://u:a?{SECRET}@h",
        f"redis://u:{SECRET}/b@h",
        f"redis://u:{SECRET}#b@h",
        f"redis://u:{SECRET}?b@h",
        f"redis://u:{SECRET}[b@h",
        f"redis://u:{SECRET}\N{ACCOUNT OF}b@h",
        f"redis+cluster://u:a/{SECRET}@h1,h2",
        f"redis://u:{SECRET}",
        f"unix://u:{SECRET}@/tmp/s?x=1",
        f"unix://u:a/{SECRET}@/tmp/s?x=1",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        parse_address(url)

    error: BaseException | None = caught.value
    while error is not None:  # a log with the traceback shows the causes as well
        assert SECRET not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("url", [f"redis://u:{SECRET}@h", f"redis+sentinel://s/m?sentinel_password={SECRET}"])
def test_the_representation_of_an_address_shows_no_password(url: str) -> None:
    assert SECRET not in repr(parse_address(url))
    assert SECRET not in without_password(url)


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    address = parse_address(f"redis://u:a@{SECRET}@h:1")

    assert address.login.password == f"a@{SECRET}"
    assert str(address) == "redis://u:***@h:1"


def test_an_address_without_rediss_has_no_encryption() -> None:
    assert parse_address("redis://h").tls is None


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_a_certificate_file_that_is_missing_is_named(option: str) -> None:
    address = parse_address(f"rediss://u:{SECRET}@h?{option}=/nowhere/file.pem")

    with pytest.raises(StoreUnavailable, match=r"correct the ssl_ options of REDIS_URL: .*/nowhere/fi"):
        _ = address.tls


@pytest.mark.parametrize("option", ["ca_file", "certificate_file"])
def test_a_certificate_file_that_holds_something_else_is_named(option: str, tmp_path: Path) -> None:
    (tmp_path / "odd.pem").write_text("not a certificate")

    with pytest.raises(StoreUnavailable, match=r"a certificate file cannot be read .*odd\.pem"):
        Encryption(**{option: str(tmp_path / "odd.pem")}).context()


@pytest.mark.parametrize(
    ("verify", "check_hostname", "mode", "hostname"),
    [
        (True, True, ssl.CERT_REQUIRED, True),
        (True, False, ssl.CERT_REQUIRED, False),
        (False, True, ssl.CERT_NONE, False),
        (False, False, ssl.CERT_NONE, False),
    ],
)
def test_checks_of_the_server_can_be_switched_off(
    verify: bool, check_hostname: bool, mode: ssl.VerifyMode, hostname: bool
) -> None:
    context = Encryption(verify=verify, check_hostname=check_hostname).context()

    assert (context.verify_mode, context.check_hostname) == (mode, hostname)


@given(st.text())
def test_any_text_is_an_address_or_a_named_error(url: str) -> None:
    with suppress(StoreUnavailable):
        assert isinstance(parse_address(url), Address)
