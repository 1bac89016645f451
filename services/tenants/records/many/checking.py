"""Checks the rows of an upload in a process of its own, started by its name.

Question and answer are JSON lines followed by bytes that stay as they are: the body on the way in,
the rows as the database takes them on the way out.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NoReturn, Self

from kit.problems import BodyMalformed, BodyTooLarge
from kit.workers import serve
from services.tenants.records import refusals
from services.tenants.records.fields import Fault, Field
from services.tenants.records.many import csv, ndjson
from services.tenants.records.many.batch import MAX_ROWS, Batch, RowFault, TooManyRows
from services.tenants.records.modules import Module


@dataclass(frozen=True, slots=True)
class Question:
    """How to read a body: as NDJSON or CSV (with the column that holds the key, if one is named),
    for which module, and whether bad rows are left out."""

    kind: Literal["ndjson", "csv"]
    module: Module
    skips: bool
    key_column: str | None = None

    def head(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of(cls, head: bytes) -> Self:
        told = json.loads(head)
        fields = {name: Field(**field) for name, field in told["module"].pop("fields").items()}
        return cls(**told | {"module": Module(fields=fields, **told["module"])})


@dataclass(frozen=True, slots=True)
class Answer:
    """The good rows as one JSON array, the first faults, and how many lines had any.

    `lines` is a JSON object from each key to its line: looked into only where the database finds
    faults. `refusal` says why there are no rows at all.
    """

    rows: str
    lines: bytes
    faults: list[RowFault]
    failed_lines: int
    refusal: Mapping[str, Any]

    @classmethod
    def of(cls, answer: bytes) -> Self:
        """Raises the refusal where the body as a whole is no set of rows."""
        head, _, rest = answer.partition(b"\n")
        told = json.loads(head)
        lines, rows = rest[: told["size"]], str(memoryview(rest)[told["size"] :], "utf-8")
        faults = [RowFault(*fault) for fault in told["faults"]]
        found = cls(rows, lines, faults, told["failed"], told["refusal"])
        if found.refusal:
            found._refuse()
        return found

    def _refuse(self) -> NoReturn:
        match self.refusal:
            case {"broken": reason}:
                raise BodyMalformed(reason)
            case {"header": faults}:
                refusals.refuse([Fault(f"/header{pointer}", text) for pointer, text in faults])
        raise BodyTooLarge(f"one request takes at most {MAX_ROWS} rows")

    def faults_of(self, keys: list[str], pointer: str, message: str) -> list[RowFault]:
        """Faults that only the database could find, at the lines of these keys."""
        if not keys:
            return []
        lines = json.loads(self.lines)
        return [RowFault(lines[key], pointer, message) for key in keys]


def check(given: bytes) -> bytes:
    """The work of the process: a question and a body in, an answer out."""
    head, _, body = given.partition(b"\n")
    question = Question.of(head)
    try:
        return _told(_parse(question, body), {})
    except TooManyRows:
        refusal: dict[str, Any] = {"rows": MAX_ROWS}
    except csv.CsvBroken as broken:
        refusal = {"broken": str(broken)}
    except csv.HeaderWrong as wrong:
        refusal = {"header": [fault[:2] for fault in wrong.faults]}
    return _told(Batch(question.module, question.skips), refusal)


def _parse(question: Question, body: bytes) -> Batch:
    if question.kind == "csv":
        return csv.parse(body, question.module, question.key_column, skips=question.skips)
    return ndjson.parse(body, question.module, skips=question.skips)


def _told(batch: Batch, refusal: Mapping[str, Any]) -> bytes:
    lines = json.dumps(batch.lines).encode()
    head = {
        "faults": batch.faults,
        "failed": batch.failed_lines,
        "refusal": refusal,
        "size": len(lines),
    }
    return json.dumps(head).encode() + b"\n" + lines + f"[{','.join(batch.rows)}]".encode()


if __name__ == "__main__":
    serve(check)
