"""The two apps under comparison: our routes of records, and the same routes written the usual way.

Both verify the same token, serve the same database of one tenant, and pay for its journal.
"""

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jwt
from joserfc.jwk import OKPKey
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts import log_fields
from contracts.credentials import AccessVerifier
from contracts.ids import TenantId
from kit import logs
from kit.db import Database
from kit.http import build_app, put
from kit.sealing import VerifyKey
from kit.tokens import KeySet
from kit.uuid7 import uuid7
from services.tenants.databases.space import Space
from services.tenants.feed.announce import Notices
from services.tenants.parts import RecordsParts
from services.tenants.records.many.slots import Uploads
from services.tenants.routes import many_records, single_records
from tenantdb import Address, TenantDatabases
from tenantdb.cluster import Cluster


class Setting(BaseModel):
    """What a server process is told."""

    tenant: UUID
    host: str
    db_port: int
    database: str
    password: str
    control_url: str
    public_key: str
    issuer: str
    port: int


def ours(setting: Setting) -> FastAPI:
    """The real routes with the real tenant sessions; only the key set is fixed."""
    logs.setup("tenants", "INFO", log_fields.FIELDS)
    address = Address(
        TenantId(setting.tenant),
        setting.host,
        setting.db_port,
        setting.database,
        setting.password,
    )

    async def lookup(_tenant: TenantId) -> Address:
        return address

    async def keys() -> dict[str, VerifyKey]:
        return {"bench": VerifyKey.from_base64url(setting.public_key)}

    db, databases, ring = (
        Database(setting.control_url),
        TenantDatabases(lookup, per_tenant=6),
        KeySet(keys),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await ring.fetch()
        yield
        await databases.close()
        await db.close()

    app = build_app(
        title="tenants",
        routers=[many_records.router, single_records.router],
        checks={},
        lifespan=lifespan,
        body_limits=many_records.BODY_LIMITS,
    )
    put(app, AccessVerifier(ring, setting.issuer))
    parts = RecordsParts(
        databases=databases,
        notices=Notices(db),
        space=Space(db, Cluster(setting.control_url), limit=1 << 40, floor=1, volume=None),
        uploads=Uploads(),
    )
    put(app, parts)
    return app


class _Base(DeclarativeBase):
    pass


class _Record(_Base):
    __tablename__ = "record"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    module: Mapped[str]
    key: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    responsible: Mapped[UUID | None]
    second_responsible: Mapped[UUID | None]
    team: Mapped[UUID | None]
    territory: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now().astimezone())
    updated_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now().astimezone())


class _Organisation(BaseModel, extra="forbid"):
    symbol: str | None = None
    name: str
    sector: str | None = None
    sub_industry: str | None = None
    headquarters: str | None = None
    date_added: date | None = None
    cik: str | None = None
    founded: str | None = None


class _RowIn(BaseModel, extra="forbid"):
    key: str
    fields: _Organisation


class _RecordOut(BaseModel, from_attributes=True):
    id: UUID
    module: str
    key: str | None
    data: dict[str, Any]
    version: int
    responsible: UUID | None
    second_responsible: UUID | None
    team: UUID | None
    territory: UUID | None
    created_at: datetime
    updated_at: datetime


def usual(setting: Setting) -> FastAPI:
    """FastAPI, pydantic models, an ORM session per request, joserfc for the token."""
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": setting.public_key})
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": setting.issuer}, exp={"essential": True}
    )
    engine = create_async_engine(
        f"postgresql+asyncpg://{setting.database}:{setting.password}"
        f"@{setting.host}:{setting.db_port}/{setting.database}",
        pool_size=6,
        max_overflow=0,
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    def user(authorization: Annotated[str, Header()]) -> str:
        token = jwt.decode(authorization.removeprefix("Bearer "), key, algorithms=["EdDSA"])
        rules.validate(token.claims)
        if token.claims["tid"] != str(setting.tenant):
            raise HTTPException(404)
        return str(token.claims["sub"])

    @app.get("/t/{tenant}/v1/records/{module}/{record}", response_model=_RecordOut)
    async def read(
        module: str,
        record: UUID,
        db: Annotated[AsyncSession, Depends(session)],
        _user: Annotated[str, Depends(user)],
    ) -> _Record:
        found = await db.get(_Record, record)
        if found is None or found.module != module:
            raise HTTPException(404)
        return found

    @app.post("/t/{tenant}/v1/records/{module}/bulk")
    async def upsert(
        module: str,
        rows: list[_RowIn],
        db: Annotated[AsyncSession, Depends(session)],
        _user: Annotated[str, Depends(user)],
    ) -> dict[str, int]:
        query = select(_Record).where(
            _Record.module == module, _Record.key.in_([row.key for row in rows])
        )
        present = {one.key: one for one in (await db.scalars(query)).all()}
        for row in rows:
            fields = row.fields.model_dump(mode="json", exclude_unset=True) | {"symbol": row.key}
            known = present.get(row.key)
            if known is None:
                db.add(_Record(module=module, key=row.key, data=fields))
            elif known.data != known.data | fields:
                known.data, known.version = known.data | fields, known.version + 1
        await db.commit()
        return {"rows": len(rows)}

    return app


def main(kind: str, setting_file: str) -> None:
    """Serve one of the two until the process is ended."""
    setting = Setting.model_validate(json.loads(Path(setting_file).read_text()))
    app = {"ours": ours, "usual": usual}[kind](setting)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=setting.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
