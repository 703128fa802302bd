"""The address book in memory: it follows changes of other processes, and lays the stored system layer over the file's."""

from dataclasses import replace

import pytest

from gateway.directory import DirectoryFollower
from sms.settings import TextSource
from tests.kit.fakes import until
from tests.kit.testbed import ANNA, administer, open_core


@pytest.fixture
def core(house):
    core = open_core(replace(house, settings={"max_parts": 7, "text_source": TextSource.BOTH}))
    yield core
    core.database.close()


def in_force(book: DirectoryFollower, name: str) -> tuple[object, str, str]:
    customer = book.current.directory.customer_named("demo")
    assert customer is not None
    found = book.current.layers.resolve(customer.key, "mail", None, None, ()).explained[name]
    return found.value, found.layer.value, found.origin


async def test_the_operators_file_is_the_system_layer_until_the_stored_one_says_otherwise(core):
    assert in_force(core.book, "max_parts") == (7, "system", "operator's file")
    administer(core.folder, "people set max_parts=9")
    await core.book.refresh()
    value, layer, origin = in_force(core.book, "max_parts")
    assert (value, layer) == (9, "system")
    assert origin != "operator's file"
    assert in_force(core.book, "text_source") == (TextSource.BOTH, "system", "operator's file")


async def test_a_refresh_without_changes_keeps_the_same_copy(core):
    await core.book.load()
    before = core.book.current
    await core.book.refresh()
    assert core.book.current is before


async def test_a_snapshot_stays_as_it_was_whatever_follows(core):
    before = core.book.current
    administer(core.folder, f"user disable {ANNA}")
    await core.book.refresh()
    users = [snapshot.directory.user(ANNA) for snapshot in (before, core.book.current)]
    assert [user is not None and user.active for user in users] == [True, False]
    assert before.version < core.book.current.version


async def test_a_change_of_another_process_is_followed_by_itself(core):
    before = core.book.current.version
    core.book.start()
    administer(core.folder, f"user disable {ANNA}")
    await until(lambda: core.book.current.version > before)
    user = core.book.current.directory.user(ANNA)
    assert user is not None
    assert not user.active
    await core.book.stop()
