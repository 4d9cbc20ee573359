"""Where the online store is: one URL -> its kind, its nodes, how to log in, how to encrypt.

    redis://user:password@host:6379/0                            one server
    redis+sentinel://user:password@s1:26379,s2:26379/mymaster/0  the primary that Sentinel names
    redis+cluster://user:password@n1:6379,n2:6379                a cluster, from any of its nodes
    unix:///path/to.sock                                         a socket on this machine

`rediss` in place of `redis` encrypts. Options follow a question mark: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`
(files), `ssl_cert_reqs` (required, none), `ssl_check_hostname` (true, false), `sentinel_username`, `sentinel_password`,
`db`, `token` (google, or an address, percent-encoded, that answers access tokens; in the place of a password).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.tokens import GOOGLE, tokens_of

_DEFAULT_PORTS = {"standalone": 6379, "sentinel": 26379, "cluster": 6379}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_OPTIONS = (*_TLS_OPTIONS, "sentinel_username", "sentinel_password", "db", "token")
_FORMS = "redis://host:port/0, redis+sentinel://host:port,host:port/service/0 or redis+cluster://host:port,host:port"
_NOT_ENCODED = "a character in the login must be percent-encoded, such as %2F for /, %3F for ?, %23 for # and %5B for ["
_HIDDEN = "***"


class Topology(StrEnum):
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Node(NamedTuple):
    """A server; port 0 means that `host` is the path of a Unix socket."""

    host: str
    port: int


@dataclass(frozen=True)
class Login:
    """`token_url` is where the password comes from, anew for each connection, if it is not fixed."""

    username: str = ""
    password: str = field(default="", repr=False)
    token_url: str = ""

    def secret(self) -> str:
        """Raises `ConnectionError` where a token is needed and not to be had."""
        return tokens_of(self.token_url).current() if self.token_url else self.password


@dataclass(frozen=True)
class Encryption:
    """How the server proves who it is, and with what certificate this side does."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verify: bool = True
    check_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Raises `StoreUnavailable` where a file cannot be read."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            if self.certificate_file:
                context.load_cert_chain(self.certificate_file, self.key_file or None)
        except (OSError, ssl.SSLError) as error:
            named = ", ".join(name for name in (self.ca_file, self.certificate_file, self.key_file) if name)
            raise StoreUnavailable(
                f"a certificate file cannot be read ({error}); correct the ssl_ options of REDIS_URL: {named}"
            ) from error
        context.check_hostname = self.verify and self.check_hostname
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class Address:
    """`nodes` are servers, Sentinels or some of a cluster's nodes, by `topology`; `service` is Sentinel's name."""

    topology: Topology
    nodes: tuple[Node, ...]
    login: Login = Login()
    database: int = 0
    service: str = ""
    sentinel_login: Login = Login()
    encryption: Encryption | None = None
    shown: str = ""

    def __str__(self) -> str:
        """The URL as it may be shown: without a password."""
        return self.shown

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        return self.encryption.context() if self.encryption else None

    def client_options(self) -> dict[str, Any]:
        """What redis-py wants to know to log in and to encrypt."""
        options: dict[str, Any] = {
            "username": self.login.username or None,
            "password": self.login.password or None,
        }
        if self.encryption:
            options |= {
                "ssl": True,
                "ssl_ca_certs": self.encryption.ca_file or None,
                "ssl_certfile": self.encryption.certificate_file or None,
                "ssl_keyfile": self.encryption.key_file or None,
                "ssl_cert_reqs": "required" if self.encryption.verify else "none",
                "ssl_check_hostname": self.encryption.verify and self.encryption.check_hostname,
            }
        return options


def parse_address(url: str) -> Address:
    """Raises `StoreUnavailable` naming what is wrong with the URL; a password is never part of the message."""
    shown = without_password(url)
    try:
        return _parsed(url, shown)
    except ValueError as error:
        # A login that was not encoded lands in any part of the URL, and so in any message; in a cause's as well.
        wrong = _NOT_ENCODED if "@" in url.partition("@")[2] or _login_cut_short(url) else error
        raise StoreUnavailable(f"{shown!r} is not the address of a store: {wrong}; use {_FORMS}") from None


def without_password(url: str) -> str:
    """The URL with its passwords hidden, and with whatever may be part of one in a URL that is not well-formed."""
    scheme, mark, rest = url.rpartition("://") if url.count("://") == 1 else ("", "", url)
    credentials, at, place = rest.rpartition("@")
    username, colon, _ = credentials.partition(":")
    if any(character in username for character in "/?#@"):
        username = _HIDDEN
    where, question, query = place.partition("#")[0].partition("?")
    hosts, slash, path = where.partition("/")
    options = "&".join(_shown_option(*option.partition("=")) for option in query.split("&"))
    login = f"{username}{colon and ':' + _HIDDEN}{at}"
    return f"{scheme}{mark}{login}{','.join(map(_shown_host, hosts.split(',')))}{slash}{path}{question}{options}"


def _shown_host(host: str) -> str:
    """Behind a colon stands a port, or a password whose host was forgotten."""
    name, colon, port = host.partition(":")
    return host if host.startswith("[") or not colon or port.isdecimal() else f"{name}:{_HIDDEN}"


def _shown_option(name: str, equals: str, value: str) -> str:
    return f"{name}={value if name in _OPTIONS and 'password' not in name else _HIDDEN}" if equals else name and _HIDDEN


def _login_cut_short(url: str) -> bool:
    """Whether a `/`, `?` or `#` comes before the `@` of a login."""
    before = url.partition("://")[2].partition("@")
    return bool(before[1]) and any(character in before[0] for character in "/?#")


def _parsed(url: str, shown: str) -> Address:
    """Raises ValueError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(_NOT_ENCODED) from None
    if parts.fragment:
        raise ValueError(_NOT_ENCODED)
    options = _options(parts.query)
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("the path of the socket is missing")
        database = _number(options.get("db", "0"))
        return Address(
            Topology.STANDALONE, (Node(parts.path, 0),), _login(parts.netloc, options), database, shown=shown
        )
    scheme, _, kind = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss") or kind not in ("", "sentinel", "cluster"):
        raise ValueError(f"scheme {parts.scheme!r}")
    of_tls = [name for name in _TLS_OPTIONS if name in options]
    if scheme == "redis" and of_tls:
        raise ValueError(f"{of_tls[0]} without encryption: rediss in place of redis encrypts")
    topology = Topology(kind or "standalone")
    service, database = _path(parts.path, topology, options)
    return Address(
        topology,
        _nodes(parts.netloc.rpartition("@")[2], topology),
        _login(parts.netloc, options),
        database,
        service,
        Login(options.get("sentinel_username", ""), options.get("sentinel_password", "")),
        _encryption(options) if scheme == "rediss" else None,
        shown,
    )


def _options(query: str) -> dict[str, str]:
    try:
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError("an option has no value") from None
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}, known are {', '.join(_OPTIONS)}")
    return options


def _login(netloc: str, options: dict[str, str]) -> Login:
    username, _, password = netloc.rpartition("@")[0].partition(":")
    token = options.get("token", "")
    if token and password:
        raise ValueError("a password and a token: one of them")
    if token and token != "google" and not token.startswith(("http://", "https://")):
        raise ValueError("token is google, or the address of one that answers access tokens")
    return Login(unquote(username), unquote(password), GOOGLE if token == "google" else token)


def _nodes(hosts: str, topology: Topology) -> tuple[Node, ...]:
    nodes = []
    for host in (hosts or "localhost").split(","):
        # urlsplit knows IPv6 brackets and what a port may be.
        parts = urlsplit(f"//{host}")
        if not parts.hostname:
            raise ValueError(f"{host!r} names no host")
        nodes.append(Node(parts.hostname, _port(parts) or _DEFAULT_PORTS[topology]))
    if topology is Topology.STANDALONE and len(nodes) > 1:
        raise ValueError(f"{len(nodes)} hosts for one server")
    return tuple(nodes)


def _path(path: str, topology: Topology, options: dict[str, str]) -> tuple[str, int]:
    """Sentinel's service name, and the number of the database."""
    words = [unquote(word) for word in path.split("/") if word]
    service = ""
    if topology is Topology.SENTINEL:
        if not words:
            raise ValueError("Sentinel's service is missing behind the hosts (often /mymaster)")
        service = words.pop(0)
    number = words.pop(0) if words else options.get("db", "0")
    if words:
        raise ValueError(f"path {path!r} does not end in the number of a database")
    database = _number(number)
    if topology is Topology.CLUSTER and database:
        raise ValueError("a cluster has database 0 only")
    return service, database


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError(f"the port of {parts.hostname!r} is not a number up to 65535") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text!r} is not the number of a database")
    return int(text)


def _encryption(options: dict[str, str]) -> Encryption:
    verify = options.get("ssl_cert_reqs", "required")
    if verify not in ("required", "none"):
        raise ValueError(f"ssl_cert_reqs {verify!r}, which is required or none")
    check_hostname = options.get("ssl_check_hostname", "true").lower()
    if check_hostname not in ("true", "false"):
        raise ValueError(f"ssl_check_hostname {check_hostname!r}, which is true or false")
    return Encryption(
        options.get("ssl_ca_certs", ""),
        options.get("ssl_certfile", ""),
        options.get("ssl_keyfile", ""),
        verify == "required",
        check_hostname == "true",
    )
