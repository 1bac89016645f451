"""What a verb of `bulkhead connection` is that is one call: a row of a table, made into a command.

It says where the call goes, what may be said, and how the answer is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from ops.api import Api
from ops.cli.checks import id_
from ops.cli.connection_adding import TENANT
from ops.cli.session import Session, session

CONNECTION = Annotated[str, typer.Argument(callback=id_, help="id of the connection")]
_NUMBERS = {"limit"}


@dataclass(frozen=True)
class Verb:
    """One call on a connection; `path` is what follows it, with `parts` that have to be named.

    `said` are options that go into the query or body; `unsaid` is the body where none of them is
    given. `flags` go into the query whatever the method. `rows` names the list in the answer and
    `columns` what is shown of it; an answer that is one thing is shown whole, one without a body as
    `done`, and any other as `show` does.
    """

    name: str
    method: str
    path: str
    help: str
    said: Mapping[str, str] = field(default_factory=dict)
    unsaid: Mapping[str, Any] | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    rows: str = ""
    columns: Sequence[str] = ()
    done: str = ""
    show: Callable[[Session, Any], None] | None = None


def put_into(app: typer.Typer, verbs: Sequence[Verb]) -> None:
    """Each verb as a command."""
    for verb in verbs:
        app.command(verb.name)(_command(verb))


def _command(verb: Verb) -> Callable[..., None]:
    """A function as typer takes it: with an argument for each part, an option for what is said."""

    def command(context: typer.Context, connection: str, tenant: str, **given: Any) -> None:
        here = session(context)
        login = here.tenant(tenant)
        said = {name: given[f"{name}_"] for name in verb.said if given[f"{name}_"] is not None}
        rest = verb.path.format(**{name: given[name] for name in verb.parts})
        path = f"/t/{login.tenant}/v1/connections/{connection}{rest}"

        async def work(api: Api) -> None:
            is_read = verb.method == "GET"
            query, body = (said, None) if is_read else ({}, said or verb.unsaid)
            query |= {name: "true" for name in verb.flags if given[f"{name}_"]}
            answer = await api.call(verb.method, path, query=query, json=body)
            _show(here, verb, connection, answer)

        here.run(login, work)

    fixed = [
        _parameter("context", typer.Context),
        _parameter("connection", CONNECTION),
        *(_parameter(name, kind) for name, kind in verb.parts.items()),
        _parameter("tenant", str, TENANT),
    ]
    options = [_option(name, what) for name, what in verb.said.items()]
    options += [_flag(name, what) for name, what in verb.flags.items()]
    command.__signature__ = Signature([*fixed, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in [*fixed, *options]}
    command.__doc__ = verb.help
    return command


def _parameter(name: str, kind: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _option(name: str, what: str) -> Parameter:
    kind = int | None if name in _NUMBERS else str | None
    return _parameter(f"{name}_", kind, typer.Option(None, f"--{name}", help=what))


def _flag(name: str, what: str) -> Parameter:
    option = typer.Option(False, f"--{name.replace('_', '-')}", help=what)
    return _parameter(f"{name}_", bool, option)


def _show(here: Session, verb: Verb, connection: str, answer: Any) -> None:
    """Within the call: an answer that lacks what is shown of it is a foreign one."""
    if verb.done:
        here.show_one({verb.done: connection})
    elif verb.rows:
        here.show(answer[verb.rows], verb.columns)
    else:
        (verb.show or Session.show_one)(here, {**answer})
