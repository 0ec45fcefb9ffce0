"""Several servers and one database: one migrates, the others wait; older ones may stay."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain import Grant
from app.services.keys import KeyService
from app.store import migrations
from app.store.database import Database, DatabaseError
from app.store.keys import KeyStore
from app.store.migration_lock import migration_lock
from app.store.migrations import MIGRATIONS, upgrade, upgrade_if_needed
from app.store.schema_check import check_schema, revision_of
from app.store.tables import HEAD
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SERVERS = 8
UPGRADE = "import sys; from app.store.migrations import upgrade; upgrade(sys.argv[1])"
NEWER = '''"""A migration of a later version."""
from alembic import op
import sqlalchemy as sa

revision = "9001"
down_revision = "{before}"
branch_labels = None
depends_on = None
older_code_works = {works}


def upgrade():
    op.add_column("api_keys", sa.Column("later", sa.Integer))


def downgrade():
    op.drop_column("api_keys", "later")
'''
IN_A_COPY = """
import sys
from app.store.database import DatabaseError
from app.store.migrations import upgrade_if_needed, upgrade_in_a_copy
try:
    upgrade_if_needed(sys.argv[1], upgrade_in_a_copy)
except DatabaseError as wrong:
    print("refused:", wrong)
print("here:", "alembic" in sys.modules)
"""
ADDITIONS = {"create_table", "add_column", "create_index"}


@pytest.mark.skipif(
    sys.platform != "linux", reason="the schema is changed in a copy of the process on Linux alone"
)
def test_in_a_copy_of_the_process_alembic_does_not_stay(tmp_path: Path) -> None:
    def copied(url: str) -> str:
        command = [sys.executable, "-c", IN_A_COPY, url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    url = f"sqlite:///{tmp_path}/new.db"
    assert copied(url).split() == ["here:", "False"]
    asyncio.run(checked(url))
    (tmp_path / "file").write_text("no folder")
    assert copied(f"sqlite:///{tmp_path}/file/new.db").startswith("refused: The folder")


@pytest.mark.skipif(
    sys.platform != "linux", reason="the schema is changed in a copy of the process on Linux alone"
)
@pytest.mark.parametrize("ending", ["kill", "raise KeyError('no')"])
def test_a_copy_that_ends_or_fails_is_told(tmp_path: Path, ending: str) -> None:
    code = f"""
import os, signal
from app.store import migrations
from app.store.database import DatabaseError
def upgrade(url):
    {"os.kill(os.getpid(), signal.SIGKILL)" if ending == "kill" else ending}
migrations.upgrade = upgrade
try:
    migrations.upgrade_in_a_copy("sqlite:///{tmp_path}/new.db")
except (DatabaseError, KeyError) as wrong:
    print(type(wrong).__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["DatabaseError" if ending == "kill" else "KeyError"]
    assert not done.stderr


@pytest.mark.skipif(
    sys.platform != "linux", reason="the schema is changed in a copy of the process on Linux alone"
)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_copy_ends_with_its_parent(sent: signal.Signals) -> None:
    code = """
import os, time
from app.store import migrations
def upgrade(url):
    print(os.getpid(), flush=True)
    time.sleep(600)
migrations.upgrade = upgrade
migrations.upgrade_in_a_copy("sqlite:///nowhere.db")
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        copy = int(process.stdout.readline())
        process.send_signal(sent)
        process.communicate(timeout=60)  # which waits until the copy has closed its output too
    wait_until(lambda: not Path(f"/proc/{copy}").exists(), 60)


def migrate_as_a_newer_version(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    newer = folder / "newer"
    shutil.copytree(MIGRATIONS, newer, ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "versions/9001_later.py").write_text(NEWER.format(before=HEAD, works=works))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", newer)
        upgrade(url, "9001")


async def checked(url: str) -> None:
    database = Database(url)
    try:
        await check_schema(database)
    finally:
        await database.close()


def test_eight_servers_that_start_at_once_all_find_the_schema(any_database: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, any_database], stderr=subprocess.PIPE, text=True)
        for _ in range(SERVERS)
    ]
    endings = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert [code for _, code in endings] == [0] * SERVERS, endings
    asyncio.run(checked(any_database))


def test_a_migration_waits_for_another_one_and_says_so_in_the_end(any_database: str) -> None:
    upgrade(any_database, "0001")  # makes the folder, too
    with (
        migration_lock(any_database),
        pytest.raises(DatabaseError, match=r"Another process has been changing .* for 0\.5 seconds"),
        migration_lock(any_database, wait_seconds=0.5),
    ):
        pass
    with migration_lock(any_database, wait_seconds=0.5):
        pass


def test_a_process_that_dies_in_the_middle_gives_the_lock_back(any_database: str) -> None:
    upgrade(any_database, "0001")
    dies = (
        "import os, sys; from app.store.migration_lock import migration_lock\n"
        "with migration_lock(sys.argv[1]): os._exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", dies, any_database], check=False).returncode == 3
    with migration_lock(any_database, wait_seconds=5):
        pass


async def test_a_server_goes_on_beside_a_newer_version_that_only_added(
    any_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(any_database)
    await asyncio.to_thread(migrate_as_a_newer_version, any_database, tmp_path, monkeypatch, works=True)
    await checked(any_database)
    await asyncio.to_thread(upgrade_if_needed, any_database)  # `serve --prepare` of the older server
    database = Database(any_database)
    assert await revision_of(database) == "9001"
    await database.close()


async def test_a_server_refuses_what_a_newer_version_has_changed(
    any_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(any_database)
    await asyncio.to_thread(migrate_as_a_newer_version, any_database, tmp_path, monkeypatch, works=False)
    with pytest.raises(DatabaseError, match="has revision 9001, this version needs"):
        await checked(any_database)
    with pytest.raises(DatabaseError):
        await asyncio.to_thread(upgrade_if_needed, any_database)


@pytest.mark.parametrize("file", sorted(MIGRATIONS.glob("versions/[0-9]*.py")), ids=lambda file: file.stem)
def test_a_migration_that_older_code_survives_only_adds(file: Path) -> None:
    tree = ast.parse(file.read_text())
    works = next(
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and ast.unparse(node.targets[0]) == "older_code_works"
    )
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade")
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call)]
    done = {ast.unparse(call.func).removeprefix("op.") for call in calls if "op." in ast.unparse(call.func)}
    if works:
        assert done <= ADDITIONS
        for call in calls:
            if ast.unparse(call.func) == "op.add_column":
                column = ast.unparse(call.args[1])
                assert "server_default" in column or "nullable=False" not in column


OLD_KEY = """INSERT INTO api_keys (id, name, project, digest, hint, created)
    VALUES ('key_old', 'a', 'p', :digest, 'abcd', 1)"""
"""The row that a server of revision 0004 writes."""


async def test_a_key_that_an_older_server_adds_meanwhile_has_the_default_scopes(any_database: str) -> None:
    upgrade(any_database)
    database = Database(any_database)
    digest = hashlib.sha256(b"sk-old-server").hexdigest()
    async with database.writing() as session:
        await session.execute(text(OLD_KEY), {"digest": digest})
    caller = await KeyService(KeyStore(database), []).authenticate("Bearer sk-old-server")
    assert caller.grant == Grant()
    assert caller.account == "key_old"
    await database.close()
