"""A console that runs in a thread of the test, and people who sign in to it with a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import uvicorn
from playwright.sync_api import Browser, Page

from bnpl_features.console.access.configured import access_of
from bnpl_features.console.access.local_users import LocalUser, read_line, user_line
from bnpl_features.console.access.roles import Role
from bnpl_features.console.app import create_app
from bnpl_features.console.parts import Parts, open_parts
from bnpl_features.console.serving import server_config
from bnpl_features.settings import load_settings

PASSWORD = "correct horse battery"
SESSION_KEY = "one for all consoles of the tests"
"""So that whoever has signed in to one is signed in to all: to sign in takes a while, as it should."""

USERS: Mapping[str, LocalUser] = {role.word: read_line(user_line(role.word, role, PASSWORD)) for role in Role}
"""A user of each role, named like it."""


@dataclass(frozen=True)
class Console:
    url: str
    parts: Parts

    def sign_in(self, page: Page, name: str = "admin", password: str = PASSWORD, path: str = "/") -> Page:
        page.goto(f"{self.url}{path}")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page


@contextmanager
def running_console(
    variables: Mapping[str, str], *, users: Mapping[str, LocalUser] = USERS, port: int = 0
) -> Iterator[Console]:
    """The console as configured by the variables."""
    settings = load_settings({"BNPL_CONSOLE_SESSION_KEY": SESSION_KEY, **variables})
    with open_parts(settings, watch=True) as parts:
        app = create_app(parts, access_of(settings.console, users))
        server = uvicorn.Server(server_config(app, "127.0.0.1", port))
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield Console(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", parts)
        finally:
            server.should_exit = True
            thread.join()


def state_of(browser: Browser, console: Console, name: str) -> object:
    """The cookies of somebody signed in, for contexts to start with."""
    context = browser.new_context()
    console.sign_in(context.new_page(), name)
    state = context.storage_state()
    context.close()
    return state
