"""Payment card numbers are found in every disguise; what merely looks long passes."""

import pytest

from services.tenants.records.fields import Field, check_value
from services.tenants.records.payment_data import contains_card_number, passes_luhn

CARDS = [
    "4111111111111111",
    "4012888888881881",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
    "6200000000000005",
    "6759649826438453",
]


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_of_every_scheme_is_found(card: str) -> None:
    assert contains_card_number(card)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111 - 1111 1111 1111",
        "41 11 11 11 11 11 11 11",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "card:4111111111111111, thanks",
        "order 12 4111 1111 1111 1111 exp 12/30",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u200b1111\u200b1111\u200b1111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
        "first line\n4111111111111111\nlast",
    ],
)
def test_separators_scripts_and_words_around_do_not_hide_a_card_number(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "1234567890123452",
        "2013 (News Corporation 1980)",
        "0000066740",
        "+1 (212) 555-0100",
        "2026-11-21 12:30:15.123456",
        "411111111111",
        "41111111111111111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
        "",
    ],
)
def test_other_numbers_pass(text: str) -> None:
    assert not contains_card_number(text)


def test_a_telephone_number_with_plus_is_no_card_number_in_a_phone_field_only() -> None:
    number = "+49 1512 3456 788"
    assert passes_luhn("4915123456788") == contains_card_number("4915123456788")
    assert check_value(Field("phone", "phone"), number) is None


def test_the_check_digit_follows_the_standard() -> None:
    assert passes_luhn("79927398713")
    assert not any(passes_luhn(f"7992739871{digit}") for digit in "012456789")


def test_an_integer_field_refuses_a_card_number_and_never_shows_it() -> None:
    fault = check_value(Field("number", "integer"), 4111111111111111)
    assert fault is not None
    assert fault.is_payment_data
    assert "4111" not in fault.message


@pytest.mark.parametrize("length", [13, 16, 18, 19])
def test_cards_of_every_length_of_a_scheme_are_found_and_no_longer_run(length: int) -> None:
    card = _completed("4" + "0" * (length - 2))
    assert len(card) == length
    assert contains_card_number(card)
    grouped = " ".join(card[i : i + 4] for i in range(0, length, 4))
    assert contains_card_number(grouped)
    assert not contains_card_number(_completed("4" + "0" * 18))


@pytest.mark.parametrize(
    ("prefix", "is_one"),
    [
        ("2220", False),
        ("2221", True),
        ("2700", True),
        ("2719", True),
        ("2720", True),
        ("2721", False),
    ],
)
def test_the_range_of_mastercard_has_its_edges(prefix: str, is_one: bool) -> None:
    assert contains_card_number(_completed(prefix + "0" * 11)) is is_one


def test_a_telephone_number_that_passes_as_a_card_is_let_in_where_telephones_are_only() -> None:
    number = "+49 1512 3456 787"
    assert contains_card_number(number)
    assert check_value(Field("phone", "phone"), number) is None
    for field in (Field("note", "text"), Field("key", "text")):
        fault = check_value(field, number)
        assert fault is not None
        assert fault.is_payment_data
    for text in ("4915123456787", "49 1512 3456 787", "+4111 1111 1111 1111"):
        fault = check_value(Field("phone", "phone"), text)
        assert fault is not None
        assert fault.is_payment_data


def _completed(digits: str) -> str:
    return next(digits + last for last in "0123456789" if passes_luhn(digits + last))
