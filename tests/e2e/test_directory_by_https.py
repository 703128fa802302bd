"""A customer's file of users by HTTPS: kept whole, read at once as one that came by SFTP, and told by mail."""

import base64
import fcntl
import hashlib
import json
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

ADMIN = "it@example.com"
ROWS = "e-mail,name\r\nanna@example.com,Anna\r\nben@example.com,Ben\r\n"


class Uploads(Installation):
    """An installation that serves `api`, whose customer demo has a folder and a key for it."""

    async def furnish(self) -> None:
        self.ports["http"] = free_port()
        self.tables["http"] = [
            {"name": "api", "address": f"127.0.0.1:{self.ports['http']}", "serves": ["api"]},
        ]
        await self.open()
        self.uploads = self.folder / "uploads"
        self.uploads.mkdir(mode=0o750)
        await self.command("customer", "add-domain", "demo", "example.com")
        await self.command("customer", "admin", "demo", ADMIN)
        words = (f"folder={self.uploads}", "every=1440", "keep_days=1")
        await self.command("dirsync", "add", "people", "--customer", "demo", "--kind", "folder", *words)
        random = ("--random-password-file", str(self.folder / "erp.password"))
        await self.command("login", "add", "erp", "--customer", "demo", *random)
        self.key = await self.key_with("directory")

    async def key_with(self, *scopes: str) -> str:
        file = self.folder / f"{'-'.join(scopes)}.key"
        words = [word for scope in scopes for word in ("--scope", scope)]
        await self.command("login", "add-key", "erp", f"key-{'-'.join(scopes)}", *words, "--key-file", str(file))
        return file.read_text().strip()

    def put(self, body: bytes, name: str = "users.csv", *, key: str = "", directory: str = "people", **headers: str):
        connection = HTTPConnection("127.0.0.1", self.ports["http"], timeout=PATIENCE)
        shown = {"Authorization": f"Bearer {key or self.key}"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        connection.request("PUT", f"/directory-files/v1/{directory}/{name}", body, shown)
        answer = connection.getresponse()
        said = answer.read().decode()
        told = json.loads(said) if "json" in answer.headers["Content-Type"] else {"detail": said}
        connection.close()
        return answer.status, told

    def names(self) -> set[str]:
        return {file.name for file in Path(self.uploads).iterdir() if file.is_file()}


@pytest.fixture
async def site(tmp_path, gateway_database):
    made = Uploads(tmp_path / "site", gateway_database)
    await made.furnish()
    yield made
    await made.close()


@pytest.mark.slow
async def test_a_file_by_https_is_read_at_once_and_its_result_is_mailed(site):
    await site.start()
    body = ROWS.encode()
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    status, told = site.put(body, Content_Digest=digest)
    assert (status, told["octets"], told["sha256"]) == (202, len(body), hashlib.sha256(body).hexdigest())
    await site.until(lambda: any("event=directory_read" in line and "state=applied" in line for line in site.log))
    users = json.loads(await site.command("user", "list", "--customer", "demo", "--json"))
    assert {"anna@example.com", "ben@example.com"} <= {user["address"] for user in users}
    (mail,) = await site.box.wait_for_mails(1, PATIENCE)
    assert "users.csv" in str(mail.message.get_body(("plain",)).get_content())
    assert not any("anna@" in line or site.key in line for line in site.log)


async def test_what_is_refused_leaves_nothing_in_the_folder_and_says_what_to_mend(site):
    await site.start()
    other = await site.key_with("send")
    wrong = f"sha-256=:{base64.b64encode(b'x' * 32).decode()}:"
    cases = [
        (site.put(b"x", key="m2s_nobody"), 401, "API key"),
        (site.put(b"x", key=other), 403, "scope"),
        (site.put(b"x", directory="nobody"), 404, "directory"),
        (site.put(b"x", "..%2fusers.csv"), 404, ""),
        (site.put(b"x", ".hidden"), 422, "name"),
        (site.put(b"x", "users.part"), 422, "name"),
        (site.put(b"x", Content_Digest=wrong), 400, "Content-Digest"),
        (site.put(b"x", Content_Digest="md5=:x:"), 400, "Content-Digest"),
        (site.put(b"", Content_Length="64000001"), 413, ""),
    ]
    for (status, told), wanted, word in cases:
        assert status == wanted, told
        assert word in told["detail"]
    assert site.names() == set()


async def test_a_customer_who_demands_tls_is_refused_in_clear_and_nothing_is_kept(site):
    await site.command("customer", "tls-required", "demo", "on")
    await site.start()
    status, told = site.put(ROWS.encode())
    assert (status, told["reason"]) == (403, "tls-required")
    assert "https" in told["detail"]
    assert site.names() == set()


async def test_what_a_killed_upload_left_is_removed_at_the_next_start_and_nothing_else(site):
    left, under_way = site.uploads / f".{'a' * 16}.part", site.uploads / f".{'b' * 16}.part"
    others = {"users.csv.part", ".hidden", f".{'c' * 16}.parts"}
    for name in (left.name, under_way.name, *others):
        (site.uploads / name).write_bytes(b"e-mail")
    with under_way.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        await site.start()
        assert site.names() == {under_way.name, *others}


async def test_a_wrong_key_is_a_line_for_fail2ban_without_the_key(site):
    await site.start()
    assert site.put(b"x", key="m2s_nobody")[0] == 401
    await site.until(lambda: any("event=auth_failed" in line for line in site.log))
    (line,) = [line for line in site.log if "event=auth_failed" in line]
    assert "user=- rip=127.0.0.1 mechanism=KEY" in line
    assert not any("m2s_nobody" in line for line in site.log)


async def test_a_file_of_a_name_that_waits_is_not_replaced(site):
    site.uploads.joinpath("users.csv").write_bytes(ROWS.encode())
    site.execute("UPDATE directory SET due_at = 9000000000000000")
    await site.start()
    status, told = site.put(b"e-mail\r\nzoe@example.com\r\n")
    assert (status, told["reason"]) == (409, "waits")
    assert site.uploads.joinpath("users.csv").read_bytes() == ROWS.encode()
    assert site.names() == {"users.csv"}
