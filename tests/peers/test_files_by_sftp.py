"""OpenSSH puts files into a watched folder: under another name, renamed, and as they come."""

import getpass
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from addressbook.changes import ChangeFaultCode
from addressbook.sources import FolderSource
from dirsync.folder import RefusedFileError, WatchedFolder
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

SSHD, SFTP, KEYGEN = (find_program(name) for name in ("sshd", "sftp", "ssh-keygen"))
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp -u 0027
ForceCommand internal-sftp -u 0027
"""


class SftpServer:
    """An sshd on a loopback port, for the account that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        for name in ("host", "user"):
            subprocess.run(
                [str(KEYGEN), "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=PATIENCE
            )
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:  # its unprivileged child is confined there
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "Server listening" in line:
                return
        pytest.fail("sshd: " + "".join(said))

    def put(self, *commands: str) -> None:
        batch = self.folder / "batch"
        batch.write_text("".join(f"{command}\n" for command in commands))
        known = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes", "-F", "none")
        target = f"{getpass.getuser()}@127.0.0.1"
        words = [
            str(SFTP),
            "-q",
            "-P",
            str(self.port),
            "-i",
            str(self.folder / "user"),
            *known,
            "-b",
            str(batch),
            target,
        ]
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    require_peer("openssh-server", SSHD)
    require_peer("openssh-client", SFTP and KEYGEN)
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    server = SftpServer(folder)
    yield server
    server.close()


def test_a_file_is_read_once_it_was_renamed_and_never_before(sftp: SftpServer, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir(mode=0o2770)
    watched = WatchedFolder(FolderSource(folder=str(upload)), lambda: datetime.now(UTC), lambda: None)
    users = tmp_path / "users.csv"
    users.write_bytes(b"e-mail\nanna@example.com\n" * 10_000)
    users.chmod(0o666)

    sftp.put(f"put {users} {upload}/users.csv.part")
    assert not watched.has_files()
    sftp.put(f"rename {upload}/users.csv.part {upload}/users.csv")
    file = watched.take("")
    assert file is not None
    assert file.content == users.read_bytes()
    assert (upload / "users.csv").stat().st_mode & 0o777 == 0o640

    watched.finish(file)
    assert not watched.has_files()


def test_a_file_that_keeps_its_older_time_is_refused_after_a_newer_one(sftp: SftpServer, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir(mode=0o2770)
    watched = WatchedFolder(FolderSource(folder=str(upload)), pause=lambda: None)
    users = tmp_path / "users.csv"
    users.write_bytes(b"e-mail\nanna@example.com\n")
    users.chmod(0o640)
    os.utime(users, (0, 0))
    sftp.put(f"put {users} {upload}/users.csv")
    file = watched.take("")
    assert file is not None
    watched.finish(file)
    sftp.put(f"put -p {users} {upload}/users.csv")
    with pytest.raises(RefusedFileError) as refused:
        watched.take(file.cookie)
    assert refused.value.faults[0].code is ChangeFaultCode.OLDER_FILE


def test_a_link_put_by_sftp_is_refused(sftp: SftpServer, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir(mode=0o2770)
    sftp.put(f"ln -s /etc/passwd {upload}/users.csv")
    with pytest.raises(RefusedFileError):
        WatchedFolder(FolderSource(folder=str(upload)), pause=lambda: None).take("")
