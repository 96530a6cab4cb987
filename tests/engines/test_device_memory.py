"""How much of a batch a device holds is measured once, without ever filling it, and is never too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.engines.device_memory import AtomLimit, MemoryLimit, Sized, is_out_of_memory

GB = 1e9
PER_PAIR, PER_ATOM, ALWAYS = 40e3, 1.5e6, 0.2 * GB
"""Bytes per unit of the metric, per atom, and per evaluation: of the order of 7net-0."""


class Device:
    """A device whose memory follows a law; it counts what is tried."""

    def __init__(self, size=80 * GB):
        self.size, self.tried = size, []

    def takes(self, n_atoms, metric):
        return ALWAYS + PER_PAIR * metric + PER_ATOM * n_atoms

    def peak(self, structure, count):
        taken = self.takes(count * structure[0], count * structure[1])
        self.tried.append(taken)
        if taken > self.size:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return taken

    def limit(self):
        return MemoryLimit(self.peak, lambda: self.size)


def sized(n_atoms, density=100.0):
    return Sized((n_atoms, n_atoms * density), n_atoms, n_atoms * density)


structures = st.lists(st.builds(sized, st.integers(2, 60), st.floats(20, 150)), min_size=1, max_size=12)


def test_it_is_measured_once_for_all_batches():
    device = Device()
    limit = device.limit()
    limit.of_batch([sized(36), sized(12)])
    measured = len(device.tried)
    for density in (60.0, 100.0, 140.0):
        limit.of_batch([sized(56, density)] * 20)
    assert 3 <= measured <= 12
    assert len(device.tried) == measured


@given(first=structures, later=structures, size=st.floats(10 * GB, 200 * GB))
def test_measuring_never_fills_the_device_and_no_batch_is_larger_than_it(first, later, size):
    device = Device(size)
    limit = device.limit()
    for batch in (first, later):
        largest = limit.of_batch(batch)
        # the worst batch under the limit: copies of the structure with the most memory for its metric
        worst = max(batch, key=lambda item: device.takes(item.n_atoms, item.metric) / item.metric)
        copies = int(largest / worst.metric)
        assert copies >= 1
        assert device.takes(copies * worst.n_atoms, copies * worst.metric) < 0.75 * size
    assert max(device.tried) < 0.25 * size


def test_most_of_the_device_is_used():
    device = Device()
    batch = [sized(30)]
    atoms = device.limit().of_batch(batch) / batch[0].density
    assert 0.6 * device.size < device.takes(atoms, atoms * 100) < 0.71 * device.size


def test_a_structure_larger_than_the_limit_goes_alone():
    limit = Device(10 * GB).limit()
    limit.of_batch([sized(10)])
    assert limit.of_batch([sized(10), sized(50_000)]) >= sized(50_000).metric


def test_where_memory_runs_out_batches_are_halved_until_structures_go_one_by_one():
    limit = Device().limit()
    batch = [sized(30)] * 16
    sizes = [limit.of_batch(batch)]
    while limit.halve(batch):
        sizes.append(limit.of_batch(batch))
    assert sizes[1] == pytest.approx(8 * batch[0].metric)
    assert sizes[2] == pytest.approx(4 * batch[0].metric)
    assert sizes[-1] < 2 * batch[0].metric
    assert not limit.halve([sized(30)])


def test_halving_ends_where_one_structure_is_larger_than_the_others_together():
    limit = Device().limit()
    batch = [sized(3), sized(3), sized(500)]
    limit.of_batch(batch)
    assert sum(limit.halve(batch) for _ in range(50)) < 10


def test_a_device_that_others_fill_is_measured_as_far_as_it_goes():
    device = Device(80 * GB)
    limit = MemoryLimit(device.peak, lambda: 1e15)  # far more than there is
    batch = [sized(30)]
    atoms = limit.of_batch(batch) / 100
    assert device.takes(atoms, atoms * 100) < device.size


def test_another_error_of_the_measurement_is_told():
    def fails(structure, count):
        raise RuntimeError("no kernel image is available")

    with pytest.raises(RuntimeError, match="no kernel image"):
        MemoryLimit(fails, lambda: GB).of_batch([sized(30)])


def test_memory_that_does_not_grow_is_no_division_by_zero():
    limit = MemoryLimit(lambda structure, count: GB, lambda: 80 * GB)
    assert limit.of_batch([sized(30)]) > 1000 * sized(30).metric


def test_a_processor_takes_a_number_of_atoms():
    assert AtomLimit(300).of_batch([sized(30)] * 20) == pytest.approx(10 * sized(30).metric)
    assert AtomLimit(300).of_batch([sized(400)]) >= sized(400).metric
    assert not AtomLimit().halve([sized(30)] * 2)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("Failed to allocate 512 bytes on device 'cuda:0'"), True),
        (MemoryError(), True),
        (ValueError("shape mismatch"), False),
    ],
)
def test_allocators_say_it_in_their_own_words(error, expected):
    assert is_out_of_memory(error) is expected
