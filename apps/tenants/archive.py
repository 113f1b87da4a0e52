"""A tenant as a file: what is left when it is deleted, and what it is restored from.

A zip file with `manifest.json` (the tenant's row, its hosts, its migrations, and for
each table columns, rows and checksum) and one `tables/<name>` for each table, in the
text format of PostgreSQL's COPY. Sessions are left out.
"""

import hashlib
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, StringConstraints, ValidationError

from apps.tenants import contents, selectors
from apps.tenants.errors import ArchiveExists, ArchiveUnusable
from apps.tenants.models import Domain, Hold, Tenant

MANIFEST = "manifest.json"
CHUNK = 1 << 20
DRAFT = ".part"
DRAFTS_ARE_LEFT_AFTER = timedelta(days=2)
# What a damaged, encrypted or otherwise strange zip file may raise.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


Name = Annotated[str, StringConstraints(max_length=Tenant.NAME_MAX_LENGTH)]
Description = Annotated[str, StringConstraints(max_length=Tenant.DESCRIPTION_MAX_LENGTH)]
StateDescription = Annotated[str, StringConstraints(max_length=Tenant.STATE_DESCRIPTION_MAX_LENGTH)]
Label = Annotated[str, StringConstraints(max_length=200)]
StripeId = Annotated[str, StringConstraints(max_length=255)]
HostName = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9.-]+$")]


class Table(BaseModel):
    """What the file holds of one table."""

    columns: tuple[str, ...]
    rows: int
    sha256: str


class Host(BaseModel):
    """A host on which the tenant answered."""

    domain: HostName
    is_primary: bool


class OpenHold(BaseModel):
    """The operator's decision that was in force."""

    state: Literal["suspended", "rejected"]
    reason: StateDescription
    author: Label
    created_at: datetime
    until: datetime | None


class FirstAdministrator(BaseModel):
    """Who was made the first administrator. Their password is their account's affair."""

    username: str
    email: str
    full_name: str
    password_hash: Literal[""] = ""


class Row(BaseModel):
    """What of the tenant's own row outlives it."""

    id: UUID
    tenant_id: str
    name: Name
    description: Description
    described_by_operator: bool
    created_at: datetime
    provisioning_steps: dict[str, str]
    first_administrator: FirstAdministrator | None
    stripe_customer_id: StripeId
    claimed_at: datetime | None
    claimed_by: StripeId
    entitlements_version: int
    kept_because: Label


class Manifest(BaseModel):
    """What the file says about itself."""

    format: Literal["tenantry-tenant"] = "tenantry-tenant"
    version: Literal[1] = 1
    exported_at: datetime
    tenant: Row
    hosts: tuple[Host, ...]
    hold: OpenHold | None
    migrations: tuple[tuple[str, str], ...]
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        """How many rows all tables have together."""
        return sum(table.rows for table in self.tables.values())


@dataclass(frozen=True)
class Written:
    """A finished export."""

    path: Path
    sha256: str
    rows: int


def write(*, tenant: Tenant, path: Path, now: datetime) -> Written:
    """Write a tenant into a new file that only its owner can read; it appears whole or not at all.

    The caller sees to it that nobody changes the tenant's tables meanwhile.

    Raises:
        ArchiveExists: when there is a file of that name. It is never overwritten.
        ArchiveUnusable: when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _drafted(path) as draft:
            rows = _write_draft(draft, tenant, now)
            checksum = _checksum(draft)
    except OSError as error:
        raise ArchiveUnusable(f"The file {path} could not be written: {error}") from error
    return Written(path=path, sha256=checksum, rows=rows)


@contextmanager
def _drafted(path: Path) -> Iterator[Path]:
    """A draft beside this new file, which becomes the file once the block has ended well."""
    if path.exists():
        raise _exists(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT}")
    try:
        yield draft
        _publish(draft, path)
        _flush_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    """A link, unlike a renaming, does not replace a file that has come meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:
        _replace_reserved(draft, path)


def _replace_reserved(draft: Path, path: Path) -> None:
    """For file systems that have no links."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise _exists(path) from error
    draft.replace(path)


def _exists(path: Path) -> ArchiveExists:
    return ArchiveExists(f"The file {path} exists already and is not overwritten. Choose another name.")


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_draft(path: Path, tenant: Tenant, now: datetime) -> int:
    # A file or a link of that name is somebody else's, who could read what is written.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            rows = _fill(made, tenant, now)
        file.flush()
        os.fsync(file.fileno())
    return rows


def sweep_drafts(*, folder: Path, now: datetime) -> None:
    """Remove what processes have left that were killed while they wrote an export."""
    for draft in folder.glob(f".*{DRAFT}"):
        if now.timestamp() - draft.stat().st_mtime > DRAFTS_ARE_LEFT_AFTER.total_seconds():
            draft.unlink(missing_ok=True)


def _fill(made: zipfile.ZipFile, tenant: Tenant, now: datetime) -> int:
    tables = {
        table: _add_table(made, tenant.schema_name, table, columns, now)
        for table, columns in contents.columns_of(tenant.schema_name).items()
    }
    manifest = _manifest(tenant, tables, now)
    made.writestr(_member(MANIFEST, now), manifest.model_dump_json(indent=2))
    return manifest.rows


def _add_table(made: zipfile.ZipFile, schema_name: str, table: str, columns: tuple[str, ...], now: datetime) -> Table:
    digest, rows = hashlib.sha256(), 0
    with made.open(_member(_place_of(table), now), "w", force_zip64=True) as member:
        for chunk in contents.copy_out(schema_name=schema_name, table=table, columns=columns):
            member.write(chunk)
            digest.update(chunk)
            # A line break within a value is written as two other characters.
            rows += chunk.count(b"\n")
    return Table(columns=columns, rows=rows, sha256=digest.hexdigest())


def _member(name: str, now: datetime) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _place_of(table: str) -> str:
    return f"tables/{table}"


def _manifest(tenant: Tenant, tables: dict[str, Table], now: datetime) -> Manifest:
    hold = selectors.open_hold(tenant=tenant, now=now)
    return Manifest(
        exported_at=now,
        tenant=Row.model_validate(_row_of(tenant)),
        hosts=tuple(Host(domain=each.domain, is_primary=each.is_primary) for each in _hosts_of(tenant)),
        hold=_as_open_hold(hold) if hold else None,
        migrations=tuple(contents.applied_migrations(tenant.schema_name)) if tables else (),
        tables=tables,
    )


def _row_of(tenant: Tenant) -> dict[str, Any]:
    values = {name: getattr(tenant, name) for name in Row.model_fields}
    first = tenant.first_administrator
    return values | {"first_administrator": {**first, "password_hash": ""} if first else None}


def _hosts_of(tenant: Tenant) -> list[Domain]:
    return list(Domain.objects.filter(tenant=tenant))


def _as_open_hold(hold: Hold) -> OpenHold:
    return OpenHold.model_validate({name: getattr(hold, name) for name in OpenHold.model_fields})


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class Archive:
    """An export, opened for reading."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest, sha256: str) -> None:
        self._file = file
        self.manifest = manifest
        self.sha256 = sha256

    def rows_of(self, table: str) -> Iterator[bytes]:
        """The rows of a table.

        Raises:
            ArchiveUnusable: at the end, when they are not those that were written.
        """
        digest = hashlib.sha256()
        try:
            with self._file.open(_place_of(table)) as member:
                while chunk := member.read(CHUNK):
                    digest.update(chunk)
                    yield chunk
        except (KeyError, *UNREADABLE) as error:
            raise ArchiveUnusable(f"The table {table!r} cannot be read from the export: {error}") from error
        if digest.hexdigest() != self.manifest.tables[table].sha256:
            raise ArchiveUnusable(f"The rows of table {table!r} are not those that were exported. Use another copy.")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an export.

    Raises:
        ArchiveUnusable: when it is not one, or of a version that is not known here.
    """
    try:
        sha256 = _checksum(path)
        file = zipfile.ZipFile(path)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise ArchiveUnusable(f"{path} cannot be read as an export of a tenant: {reason}.") from error
    with file:
        yield Archive(file, _read_manifest(file, path), sha256)


def _read_manifest(file: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(file.read(MANIFEST))
    except KeyError as error:
        raise ArchiveUnusable(f"{path} is not an export of a tenant: it has no {MANIFEST}.") from error
    except UNREADABLE as error:
        raise ArchiveUnusable(f"{path} is damaged: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise ArchiveUnusable(f"{path} is not an export that is understood here: {where}: {first['msg']}.") from error
