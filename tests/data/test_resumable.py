"""Shuffled batches: every item once an epoch over all processes, in an order of the seed alone, from any position."""

import pytest

from ldrps.data.resumable import ShuffledBatches

ITEMS = list(range(100, 111))


def epoch(seed=0, rank=0, world_size=1, num_done=0):
    batches = ShuffledBatches(ITEMS, 2, seed, rank, world_size)
    batches.num_done = num_done
    return list(batches)


def test_processes_share_the_items_of_an_epoch():
    drawn = [index for rank in range(2) for batch in epoch(rank=rank, world_size=2) for index, _ in batch]
    assert len(drawn) == len(set(drawn)) == 8
    assert set(drawn) <= set(ITEMS)
    alone = [index for batch in epoch() for index, _ in batch]
    assert len(alone) == len(set(alone)) == 10


def test_the_order_depends_on_seed_and_epoch_alone():
    assert epoch() == epoch()
    assert epoch() != epoch(seed=1)
    assert epoch() != epoch(num_done=5)
    assert epoch(num_done=3) == epoch()[3:]
    assert epoch(num_done=7) == epoch(num_done=5)[2:]


def test_too_few_items_are_named():
    with pytest.raises(ValueError, match=r"11 training photo\(s\) do not fill a batch of 4 on 3 process"):
        ShuffledBatches(ITEMS, 4, world_size=3)
