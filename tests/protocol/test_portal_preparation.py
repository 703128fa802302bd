"""No page of the portal makes the loop compile: templates and words are made ready in another thread, once."""

import threading

import pytest
from jinja2 import Environment

from addressbook.rights import Role
from config.http import HttpService
from config.model import Config, load_config
from process.doors import Doors
from process.portal import portal_gate, portal_services
from process.services import running
from templates import portal_pages, portal_words
from tests.kit.fakes import until
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core
from web.portal.page import CUSTOMER
from web.portal.pages import PAGES


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
def compiled(monkeypatch):
    """Return the threads that compile a template or read a catalogue; nothing is compiled or read yet."""
    portal_pages._environment.cache_clear()
    portal_words.portal_words.cache_clear()
    threads = []

    def noting(work):
        def noted(*args, **kwargs):
            threads.append(threading.get_ident())
            return work(*args, **kwargs)

        return noted

    monkeypatch.setattr(Environment, "compile", noting(Environment.compile))
    monkeypatch.setattr(portal_words, "read_words", noting(portal_words.read_words))
    return threads


async def test_no_template_is_compiled_and_no_word_read_in_the_loops_thread(core, compiled):
    async with portal_site(core) as site:
        visitor = await site.signed_in(Role.OPERATOR)
        assert (await site.guest.get("/sign-in")).status_code == 200
        all_of_it = len(compiled)
        assert all_of_it > len(portal_words.LANGUAGES)
        for page in PAGES:
            path = page.path.replace(CUSTOMER, f"/c/{site.customer()}")
            if page.methods == ("GET",) and "{" not in path:
                await visitor.get(path)
        assert (await visitor.get("/operator", Accept_Language="de")).status_code == 200
    assert threading.get_ident() not in compiled
    assert len(compiled) == all_of_it


async def test_where_a_listener_serves_the_portal_its_pages_are_made_ready_before_anybody_asks(core, compiled):
    doors = Doors(core.config, core, core.acceptance)
    gate = portal_gate(core.config, core, doors, lambda: ())
    async with running([portal_services(core.config, gate)], 1):
        await until(lambda: "rooms/operate/health.html.j2" in names_compiled())
        await gate.preparation.until_ready()
    assert threading.get_ident() not in compiled
    doors.authenticator.close()


def names_compiled():
    return {name for _, name in portal_pages._environment().cache or ()}


def test_where_none_does_nothing_is_made_ready(core):
    file = core.config.file
    file.write_text(file.read_text("utf-8") + '\n[[http]]\nname = "a"\naddress = "127.0.0.1:8081"\nserves = ["api"]\n')
    config = load_config(file)
    assert isinstance(config, Config)
    assert HttpService.PORTAL not in config.http_listeners[0].serves
    doors = Doors(config, core, core.acceptance)
    assert portal_services(config, portal_gate(config, core, doors, lambda: ())) == ()
    doors.authenticator.close()
