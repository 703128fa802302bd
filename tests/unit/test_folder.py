"""dirsync.folder: which file of a watched folder is read next, and where it goes."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from addressbook.sources import FileForm, FolderSource
from cli.words import file_fault_sentence
from dirsync.folder import FolderFile, RefusedFileError, WatchedFolder, sequence_of, series_of
from dirsync.source import ReadFault, ReadFaultCode

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Folder:
    """A watched folder on the disk; `between` is done between two looks."""

    def __init__(self, path: Path, **options: object) -> None:
        path.mkdir(mode=0o750)
        self.path = path
        self.now = NOW
        self.between: Callable[[], object] = lambda: None
        source = FolderSource(folder=str(path), **options)  # type: ignore[arg-type]
        self.watched = WatchedFolder(source, lambda: self.now, self._pause)

    def _pause(self) -> None:
        self.between()

    def put(self, name: str, content: bytes = b"e-mail\na@example.com\n", at: datetime = NOW - HOUR) -> Path:
        file = self.path / name
        file.write_bytes(content)
        os.utime(file, (at.timestamp(), at.timestamp()))
        return file

    def take(self, cookie: str = "") -> FolderFile:
        found = self.watched.take(cookie)
        assert found is not None
        return found

    def refuse(self, cookie: str = "") -> str:
        with pytest.raises(RefusedFileError) as refused:
            self.watched.take(cookie)
        return f"{refused.value.name}: {file_fault_sentence(refused.value.faults[0])}"

    def names(self, folder: str = "") -> list[str]:
        return sorted(item.name for item in (self.path / folder).iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "upload")


def test_an_empty_folder_has_nothing_to_read(folder: Folder) -> None:
    assert not folder.watched.has_files()
    assert folder.watched.take("") is None


def test_a_whole_file_is_read_and_stays_until_its_run_has_ended(folder: Folder) -> None:
    folder.put("users.csv", b"e-mail\n")
    assert folder.watched.has_files()
    file = folder.take()
    assert (file.name, file.content, file.is_repeated) == ("users.csv", b"e-mail\n", False)
    assert file.source == "users.csv 2026-11-29 11:00 UTC"
    assert folder.names() == ["users.csv"]


@pytest.mark.parametrize(
    "name", [".users.csv", "users.csv.part", "users.csv.tmp", "users.csv.filepart", "USERS.CSV.PART"]
)
def test_an_upload_under_way_is_left_alone(folder: Folder, name: str) -> None:
    folder.put(name)
    assert not folder.watched.has_files()
    assert folder.watched.take("") is None


def test_a_file_that_grows_between_two_looks_is_left_alone(folder: Folder) -> None:
    file = folder.put("users.csv")
    folder.between = lambda: folder.put("users.csv", file.read_bytes() + b"b@example.com\n", NOW)
    assert folder.watched.take("") is None
    folder.between = lambda: None
    assert folder.take().content.endswith(b"b@example.com\n")


def test_a_file_that_comes_between_two_looks_waits_for_the_next(folder: Folder) -> None:
    folder.put("a.csv")
    folder.between = lambda: folder.put("0.csv", at=NOW - 2 * HOUR)
    assert folder.take().name == "a.csv"


def test_a_file_without_its_end_marker_may_still_grow_and_is_refused_by_its_reader_when_it_does_not(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path / "upload", end_marker="#END")
    folder.put("users.csv", b"e-mail\na@example.com\n", NOW - timedelta(minutes=9))
    assert folder.watched.take("") is None
    folder.now += timedelta(minutes=2)
    assert folder.take().name == "users.csv"


@pytest.mark.parametrize("content", ["e-mail\na@b.example\n#END\n", "e-mail\r\n#END", 'e-mail\n"#END";;\n\n'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_file_with_its_end_marker_is_whole_at_once(tmp_path: Path, content: str, encoding: str) -> None:
    folder = Folder(tmp_path / "upload", end_marker="#END")
    folder.put("users.csv", content.encode(encoding), NOW)
    assert folder.take().name == "users.csv"


def test_the_oldest_file_comes_first(folder: Folder) -> None:
    folder.put("new.csv", at=NOW - HOUR)
    folder.put("old.csv", at=NOW - 2 * HOUR)
    assert folder.take().name == "old.csv"


def test_the_times_in_names_count_more_than_when_the_files_were_written(folder: Folder) -> None:
    folder.put("users-20261129T1100.csv", at=NOW - 3 * HOUR)
    folder.put("users-20261129T1000.csv", at=NOW - HOUR)
    assert folder.take().name == "users-20261129T1000.csv"


@pytest.mark.parametrize(
    ("name", "series", "sequence"),
    [
        ("users.csv", "users", ("", 0)),
        ("users-20261129T1200.csv", "users", ("time", 20261129120000)),
        ("users_2026-11-29_12-00-30.csv", "users", ("time", 20261129120030)),
        ("20261129-users.csv", "users", ("time", 20261129000000)),
        ("m2s.20261129120030Z.csv", "m2s", ("time", 20261129120030)),
        ("users-000123.csv", "users", ("number", 123)),
        ("users 7", "users 7", ("", 0)),
        ("crew2.csv", "crew2", ("", 0)),
        ("20261129.csv", "20261129", ("time", 20261129000000)),
    ],
)
def test_a_name_may_tell_the_order_of_files(name: str, series: str, sequence: tuple[str, int]) -> None:
    assert (series_of(name), sequence_of(name)) == (series, sequence)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("users.csv", -2), ("users.csv", -3)),
        (("users-20261129T1000.csv", -2), ("users-20261129T0900.csv", -1)),
        (("users-2.csv", -2), ("users-1.csv", -1)),
        (("users-20261129T1000.csv", -2), ("users.csv", -3)),
        (("users-20261129.csv", -2), ("users-20261129.csv", -3)),
    ],
)
def test_an_older_file_after_a_newer_one_is_refused(
    folder: Folder, before: tuple[str, int], after: tuple[str, int]
) -> None:
    folder.put(before[0], at=NOW + before[1] * HOUR)
    newer = folder.take()
    folder.watched.finish(newer)
    folder.put(after[0], b"e-mail\nother@example.com\n", at=NOW + after[1] * HOUR)
    assert folder.refuse(newer.cookie).startswith(f"{after[0]}: the file: it is older than {before[0]!r}")


def test_a_file_from_a_clock_that_is_ahead_does_not_bar_those_after_it(folder: Folder) -> None:
    folder.put("users.csv", at=NOW + 1_000 * HOUR)
    ahead = folder.take()
    folder.watched.finish(ahead)
    folder.put("users.csv", b"e-mail\n")
    assert folder.take(ahead.cookie).content == b"e-mail\n"


def test_a_newer_file_is_read_whatever_it_says(folder: Folder) -> None:
    folder.put("users-9.csv")
    first = folder.take()
    folder.watched.finish(first)
    folder.put("users-10.csv", at=NOW - 2 * HOUR)
    assert not folder.take(first.cookie).is_repeated


def test_a_file_whose_run_ended_before_it_was_moved_is_known_again(folder: Folder) -> None:
    folder.put("users.csv")
    first = folder.take()
    again = folder.take(first.cookie)  # the process was killed between the end of the run and the move
    assert (again.is_repeated, again.cookie) == (True, first.cookie)
    folder.watched.finish(again)
    assert not folder.watched.has_files()


def test_the_same_content_in_a_new_file_is_another_reading(folder: Folder) -> None:
    folder.put("users.csv")
    first = folder.take()
    folder.watched.finish(first)
    folder.put("users.csv", at=NOW)
    assert not folder.take(first.cookie).is_repeated


def test_each_list_has_its_own_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "upload", form=FileForm.LIST)
    folder.put("crew-5.csv")
    crew = folder.take()
    folder.watched.finish(crew)
    folder.put("night-1.csv", at=NOW - 2 * HOUR)
    night = folder.take(crew.cookie)
    assert (crew.series, night.series) == ("crew", "night")
    folder.watched.finish(night)
    folder.put("crew-4.csv", at=NOW)
    assert "older than 'crew-5.csv'" in folder.refuse(night.cookie)


def test_a_file_that_was_read_is_removed_where_none_are_kept(folder: Folder) -> None:
    folder.put("users.csv")
    folder.watched.finish(folder.take())
    assert folder.names() == ["done", "refused"]
    assert folder.names("done") == []


def test_a_file_that_was_read_is_kept_as_long_as_was_agreed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "upload", keep_days=3)
    for days, kept in ((0, 1), (2, 2), (4, 0)):  # all are moved today; the process looks from later days
        folder.now = datetime.now(UTC) + timedelta(days=days)
        folder.put("users.csv")
        folder.watched.finish(folder.take())
        assert len(folder.names("done")) == kept
        assert all(name.endswith("Z-users.csv") for name in folder.names("done"))


def test_a_refused_file_has_the_reasons_beside_it(folder: Folder) -> None:
    folder.put("users.csv")
    folder.watched.refuse("users.csv", "line 2, e-mail: 'x' is not a mail address\n")
    assert folder.names("refused") == ["20261129T120000Z-users.csv", "20261129T120000Z-users.csv.txt"]
    told = folder.path / "refused" / "20261129T120000Z-users.csv.txt"
    assert told.read_text() == "line 2, e-mail: 'x' is not a mail address\n"
    assert not folder.watched.has_files()


def test_a_name_as_long_as_names_may_be_is_moved(folder: Folder) -> None:
    name = "ö" * 127
    folder.put(name)
    folder.watched.refuse(name, "why")
    assert len(folder.names("refused")) == 2


def _symlink(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _hard_link(path: Path) -> None:
    other = path.with_name(".other")
    other.write_bytes(b"e-mail\n")
    path.hardlink_to(other)


def _open_to_all(path: Path) -> None:
    path.write_bytes(b"e-mail\n")
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_symlink, "it is a link"),
        (_dangling, "it is a link"),
        (_pipe, "it is a device or pipe"),
        (_socket, "it is a device or pipe"),
        (_hard_link, "it is a file with several names"),
        (_open_to_all, "it is a file that everybody may write"),
    ],
)
def test_what_is_no_file_of_its_own_is_refused_and_never_opened(
    folder: Folder, make: Callable[[Path], None], told: str
) -> None:
    make(folder.path / "users.csv")
    assert told in folder.refuse()
    folder.watched.refuse("users.csv", told)
    assert not folder.watched.has_files()


def test_a_name_with_control_characters_is_refused(folder: Folder) -> None:
    folder.put("a\x1b[2J.csv")
    assert "control characters in its name" in folder.refuse()


def test_a_name_in_no_encoding_is_refused(folder: Folder) -> None:
    name = os.fsdecode(b"J\xf6rg.csv")
    folder.put(name)
    assert "control characters in its name" in folder.refuse()
    folder.watched.refuse(name, "why")
    assert not folder.watched.has_files()


def test_a_file_too_large_is_not_read(folder: Folder) -> None:
    file = folder.put("users.csv")
    os.truncate(file, 64_000_001)
    assert "larger than 64 MB" in folder.refuse()


CONTENT = b"e-mail\na@example.com\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("text", [DIGEST, f"{DIGEST}  users.csv\n", f"{DIGEST.upper()} *users.csv\n"])
@pytest.mark.parametrize("keep_days", [0, 3])
def test_a_file_whose_checksum_stands_beside_it_is_read_if_it_is_true(
    tmp_path: Path, text: str, keep_days: int
) -> None:
    folder = Folder(tmp_path / "upload", keep_days=keep_days)
    folder.now = datetime.now(UTC)
    folder.put("users.csv.sha256", text.encode())
    assert not folder.watched.has_files()
    folder.put("users.csv", CONTENT)
    folder.watched.finish(folder.take())
    assert folder.names() == ["done", "refused"]


@pytest.mark.parametrize("text", ["0" * 64, "", "no checksum", "\xff"])
def test_a_file_that_is_not_what_its_checksum_says_is_refused(folder: Folder, text: str) -> None:
    folder.put("users.csv.sha256", text.encode("latin-1"))
    folder.put("users.csv", CONTENT)
    assert "its SHA-256 is not" in folder.refuse()
    folder.watched.refuse("users.csv", "why")
    assert folder.names() == ["done", "refused"]


def test_a_folder_within_is_left_alone(folder: Folder) -> None:
    (folder.path / "archive").mkdir()
    assert not folder.watched.has_files()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "elsewhere"
    path.mkdir()
    yield path
    assert list(path.iterdir()) == []


def test_a_link_in_the_place_of_our_own_folders_is_not_followed(folder: Folder, elsewhere: Path) -> None:
    (folder.path / "refused").symlink_to(elsewhere)
    folder.put("users.csv")
    with pytest.raises(ReadFault):
        folder.watched.refuse("users.csv", "why")


@pytest.mark.parametrize("kind", ["missing", "file", "open"])
def test_a_folder_that_cannot_be_trusted_is_a_fault_and_not_an_empty_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "upload"
    if kind == "file":
        path.touch()
    elif kind == "open":
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(ReadFault) as fault:
        WatchedFolder(FolderSource(folder=str(path)), lambda: NOW, lambda: None).take("")
    assert fault.value.code is ReadFaultCode.FOLDER_UNUSABLE
    assert fault.value.facts["folder"] == str(path)
