"""The simulation of benchmarks/million.py: laws, and cases that are computed by hand."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "million.py"
if not FILE.exists():
    pytest.skip("no checkout", allow_module_level=True)
_spec = importlib.util.spec_from_file_location("million", FILE)
million = importlib.util.module_from_spec(_spec)
sys.modules["million"] = million  # where its dataclasses look for their annotations
_spec.loader.exec_module(million)
Rates, Site, simulate = million.Rates, million.Site, million.simulate

EASY = Rates(
    core_seconds_per_candidate=100.0, seconds_per_job=0.0, bytes_per_job_in_workflow=0.0,
    plan_seconds_per_candidate=0.0, queue_seconds=0.0,
)  # fmt: skip
SITE = Site(nodes=2, cores=2, shard_seconds=1000.0)


def test_without_overhead_all_cores_compute_all_the_time():
    found = simulate(400, SITE, EASY)  # 40 shards of 1000 s on 4 cores
    assert found.hours * 3600 == pytest.approx(10_000)
    assert found.busy == pytest.approx(1)
    assert found.jobs == 80


def test_a_lock_that_is_held_longer_than_jobs_take_decides_alone():
    found = simulate(400, SITE, replace(EASY, seconds_per_job=1000.0))
    # the first part of a shard ends after 100 s, and 80 jobs then take turns
    assert found.hours * 3600 == pytest.approx(100 + 80 * 1000)
    assert found.bottleneck == "lock of a workflow"
    assert found.load["lock of a workflow"] == pytest.approx(1, abs=0.01)


def test_divided_among_campaigns_each_has_its_own_lock():
    site = replace(SITE, nodes=20)  # a worker for each of 40 shards
    dear = replace(EASY, seconds_per_job=1000.0)
    assert simulate(400, site, dear).hours * 3600 == pytest.approx(100 + 80 * 1000)
    assert simulate(400, replace(site, campaigns=4), dear).hours * 3600 == pytest.approx(100 + 20 * 1000)


def test_planning_comes_first():
    found = simulate(400, SITE, replace(EASY, plan_seconds_per_candidate=5.0))
    assert (found.plan_hours * 3600, found.hours * 3600) == pytest.approx((2000, 12_000))


def test_too_few_shards_leave_cores_idle():
    found = simulate(400, replace(SITE, most_shards=2), EASY)
    assert found.hours * 3600 == pytest.approx(20_000)
    assert found.busy == pytest.approx(0.5)
    assert found.bottleneck == "shards for the workers"


@pytest.mark.parametrize("nodes", [1, 5, 20])
def test_more_nodes_are_never_slower_and_no_time_is_won_from_nowhere(nodes):
    one, more = (simulate(5000, replace(Site(), nodes=number), Rates()) for number in (nodes, 2 * nodes))
    assert more.hours <= one.hours
    assert one.busy <= 1
    assert one.documents_per_second * (one.hours - one.plan_hours) * 3600 == pytest.approx(5000 * 80)


def test_what_the_page_says():
    """docs/scaling.md: numbers of a million candidates on a hundred nodes."""
    one = simulate(10**6, Site(), Rates())
    four = simulate(10**6, Site(campaigns=4), Rates())
    assert one.bottleneck == "shards for the workers"
    text = (FILE.parents[1] / "docs" / "scaling.md").read_text()
    for found in (one, four):
        assert f"| {found.hours:.1f} h | {100 * found.busy:.0f} % |" in text
