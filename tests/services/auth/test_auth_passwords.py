"""Passwords: argon2id, long, not a common word, one form whatever the keyboard sends."""

import unicodedata

import pytest

from services.auth.passwords import Passwords, weakness

EMAIL = "ada.lovelace@analytical.example"
GOOD = "violet tractor under nine moons"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "aoeuidhtnsqjkxb",
        "пятнадцать букв тут",
        "七転び八起き猿も木から落ちる花より団子",
        "     x  y  z  w  v     ",
        "!" * 10 + "#$%&+-/",
        "x" * 1000 + "hdkwpqlvnt",
    ],
)
def test_a_long_password_is_good_whatever_it_is_made_of(password: str) -> None:
    assert weakness(password, email=EMAIL) is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "14 characters!",
        "aaaaaaaaaaaaaaaaaaaa",
        "passwordpassword",
        "Password1234567890",
        "BulkheadBulkhead1",
        "qwertyuiopasdfghjkl",
        "correcthorsebatterystaple",
        "Ada.Lovelace@analytical.example",
        "ada.lovelaceADA.LOVELACE",
        "ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ",
        "é" * 513,
    ],
)
def test_a_weak_password_is_refused_without_a_quote(password: str) -> None:
    reason = weakness(password, email=EMAIL)
    assert reason
    assert not password or password not in reason


def test_a_ligature_counts_as_the_letters_that_it_is() -> None:
    assert weakness("ﬁ" * 1 + "abcdefghjklmn", email=EMAIL) is None  # 14 signs, 15 letters


async def test_only_the_right_password_matches_and_nobodys_never_does() -> None:
    passwords = Passwords(cores=1)
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert await passwords.verify(GOOD, stored)
    assert not await passwords.verify(GOOD + " ", stored)
    assert not await passwords.verify(GOOD, None)
    assert not await passwords.verify(GOOD, "not a hash")
    passwords.close()


async def test_two_ways_to_type_one_password_are_one() -> None:
    passwords, text = Passwords(cores=1), "Blåbærsyltetøy på brødskiva é"
    stored = await passwords.hash(unicodedata.normalize("NFC", text))
    assert await passwords.verify(unicodedata.normalize("NFD", text), stored)
    passwords.close()
