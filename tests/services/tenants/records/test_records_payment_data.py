"""Payment card numbers are found in every disguise; what merely looks long passes."""

import pytest

from services.tenants.fields import Field, check_value
from services.tenants.payment_data import contains_card_number, passes_luhn

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
