"""What is wrong is told in a sentence of a closed set; an exception's own text stays inside."""

import errno

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from kit.causes import (
    DISK_FULL,
    READ_ONLY,
    UNKNOWN,
    NotReady,
    cause_of,
    is_database_away,
    is_disk_full,
)


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("postgresql://user:hunter2@somewhere")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x"), DISK_FULL),
        (OSError(errno.EDQUOT, "x"), DISK_FULL),
        (asyncpg.DiskFullError("x"), DISK_FULL),
        (OSError(errno.EROFS, "x"), READ_ONLY),
        (PermissionError(errno.EACCES, "x"), READ_ONLY),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "nothing listens there"),
        (ConnectionResetError(), "it does not answer"),
        (TimeoutError(), "it did not answer in time"),
        (asyncpg.InvalidPasswordError("x"), "it refuses the login (password, role or pg_hba.conf)"),
        (asyncpg.InvalidCatalogNameError("x"), "there is no such database"),
        (asyncpg.TooManyConnectionsError("x"), "it has no connection left"),
        (asyncpg.CannotConnectNowError("x"), "it is starting up or shutting down"),
        (asyncpg.AdminShutdownError("x"), "it is shutting down"),
        (asyncpg.QueryCanceledError("x"), "it did not answer in time"),
        (NotReady("the moon is in the wrong house"), "the moon is in the wrong house"),
        (RuntimeError("hunter2"), UNKNOWN),
    ],
)
def test_each_cause_has_its_words_also_when_it_is_wrapped(error, said):
    assert cause_of(error) == said
    assert cause_of(wrapped(error)) == said
    assert cause_of(ExceptionGroup("several", [ValueError("hunter2"), wrapped(error)])) == said


def test_what_sqlalchemy_wraps_is_looked_into():
    assert is_disk_full(DBAPIError("INSERT hunter2", None, asyncpg.DiskFullError("x")))
    assert not is_disk_full(DBAPIError("INSERT", None, asyncpg.UniqueViolationError("x")))


def test_a_circle_of_causes_comes_to_an_end():
    one, two = RuntimeError(), RuntimeError()
    one.__cause__, two.__cause__ = two, one
    assert cause_of(one) == UNKNOWN


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), True),
        (asyncpg.TooManyConnectionsError("x"), True),
        (asyncpg.DiskFullError("x"), True),
        (asyncpg.CannotConnectNowError("x"), True),
        (asyncpg.QueryCanceledError("x"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.UniqueViolationError("x"), False),
        (asyncpg.InsufficientPrivilegeError("x"), False),
        (ValueError("x"), False),
    ],
)
def test_a_database_that_is_away_is_told_from_one_that_refuses(error, away):
    assert is_database_away(error) is away
    assert is_database_away(wrapped(error)) is away
    assert is_database_away(DBAPIError("SELECT", None, error)) is away
