from hypothesis import given
from hypothesis import strategies as st

from ninefold.clusters import Cluster
from ninefold.run.demand import Demand, queue_jobs_for, to_submit

KINDS = ("cpu", "gpu", "dft")
counts = st.integers(0, 500)
demands = st.builds(Demand, counts, counts, st.none() | st.floats(0, 1e5))
by_kind = st.dictionaries(st.sampled_from(KINDS), demands)
limits = st.integers(1, 30)


def cluster(most=20, kinds=KINDS, **limit_of):
    # 4 places for 100 minutes each
    needs = {"cores": 4, "memory_GB": 1, "wall_time": "01:45:00", "jobs_at_once": 4}
    resources = {kind: needs | {"max_queue_jobs": limit_of.get(kind)} for kind in kinds}
    data = {"name": "x", "scheduler": "slurm", "work_folder": "/w", "spool": "/s", "resources": resources}
    return Cluster.model_validate(data | {"max_queue_jobs": most})


def wanted(*demand):
    return queue_jobs_for(Demand(*demand), cluster().of("cpu"))


def test_queue_jobs_by_hand():
    assert wanted(0) == 0
    assert wanted(0, 50) == 0  # everything has a place
    assert wanted(1) == 1
    assert wanted(8) == 2  # unmeasured: a place for each
    assert wanted(9) == 3
    assert wanted(5, 4) == 3
    # 100 jobs of one minute fill a quarter of one queue job: 4 places * 100 min / 4
    assert wanted(100, 0, 100.0) == 1
    assert wanted(100, 0, 101.0) == 2
    assert wanted(3, 0, 1e6) == 1  # three jobs, however long, have places in one
    assert wanted(3, 0, 0.0) == 1


@given(demands)
def test_short_jobs_are_packed_and_never_more_queue_jobs_than_jobs(demand):
    number = queue_jobs_for(demand, cluster().of("cpu"))
    assert (number > 0) == (demand.waiting > 0)
    assert number <= queue_jobs_for(demand._replace(minutes=None), cluster().of("cpu"))
    assert number <= demand.waiting + demand.running


@given(by_kind, st.dictionaries(st.sampled_from(KINDS), st.integers(0, 40)), limits, limits)
def test_limits_hold_and_what_is_alive_counts(demand, alive, most, most_dft):
    one = cluster(most, dft=most_dft)
    chosen = to_submit(one, demand, alive)
    after = {kind: alive.get(kind, 0) + chosen.get(kind, 0) for kind in KINDS}
    if chosen:
        assert sum(after.values()) <= most
    if "dft" in chosen:
        assert after["dft"] <= most_dft
    for kind, count in chosen.items():
        assert count > 0
        assert after[kind] <= queue_jobs_for(demand[kind], one.of(kind))
    # a second look at the same work asks for nothing more, unless a limit held
    if sum(after.values()) < most:
        assert to_submit(one, demand, after) == {}


def test_kinds_share_a_low_limit():
    assert to_submit(cluster(5), {kind: Demand(100) for kind in KINDS}, {}) == {"cpu": 2, "gpu": 2, "dft": 1}
    assert to_submit(cluster(5), {"cpu": Demand(100), "dft": Demand(4)}, {"cpu": 1}) == {"cpu": 3, "dft": 1}


def test_work_of_a_kind_that_the_cluster_does_not_run_is_left():
    assert to_submit(cluster(kinds=("cpu",)), {"dft": Demand(9), "cpu": Demand(1)}, {}) == {"cpu": 1}
