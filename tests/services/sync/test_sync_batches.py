"""Sizes of batches, and how many go at once: pure."""

from contracts.ids import ConnectionId, new_id
from services.sync.crm import RowWrite
from services.sync.crm.dataverse.address import address_of
from services.sync.push.batches import BatchSize, Paces, Width, cut
from services.sync.push.plan import Item
from services.sync.store.outgoing import DueRow
from tests.services.sync.answering import CONNECTION


def item(form: str = "new") -> Item:
    return Item(DueRow(new_id()), RowWrite(form, "A"), "a")  # type: ignore[arg-type]  # any form


def test_a_full_batch_that_was_accepted_lets_the_next_be_larger_and_a_refused_one_smaller() -> None:
    size = BatchSize(50, 300)
    size.grow(20)  # there were no more rows: it tells nothing
    assert size.now == 50
    for _ in range(5):
        size.grow(size.now)
    assert size.now == 300
    size.shrink()
    assert size.now == 75
    for _ in range(9):
        size.shrink()
    assert size.now == 1
    size.shrink(least=4)
    assert size.now == 1
    size = BatchSize(50, 300)
    size.shrink(least=20)
    assert size.now == 20


def test_a_batch_has_rows_of_one_form_and_none_is_left_out() -> None:
    items = [item("new"), item("known"), item("delete"), item("new"), item("known")]
    batches = list(cut(items, BatchSize(2, 2)))
    assert [[one.write.form for one in batch] for batch in batches] == [
        ["new", "new"],
        ["known", "known"],
        ["delete"],
    ]
    assert {one.record for batch in batches for one in batch} == {one.record for one in items}


def test_calls_at_once_follow_the_hint_and_what_the_crm_could_not_bear() -> None:
    width = Width(4)
    assert [width.at_once(hint) for hint in (None, 0, 2, 9)] == [1, 1, 2, 4]
    width.narrow()
    width.narrow()
    assert width.at_once(9) == 1
    width.widen()
    assert width.at_once(9) == 2


def test_what_was_found_out_is_remembered_for_each_crm_and_module() -> None:
    """A connection that moves, or signs in as another application, begins anew."""
    paces, one = Paces(50, 1000, 4), CONNECTION.crm
    moved = (one[0], address_of(CONNECTION).model_copy(update={"client_id": "another"}))
    paces.size(one, "organisation").grow(50)
    paces.width(one).narrow()
    assert paces.size(one, "organisation").now == 100
    assert paces.width(one).at_once(9) == 2
    for other in (moved, (ConnectionId(new_id()), one[1])):
        assert paces.size(one, "person").now == paces.size(other, "organisation").now == 50
        assert paces.width(other).at_once(9) == 4
