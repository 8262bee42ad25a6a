"""With SPILL_ALWAYS=1 lines go through a spill file, without it they do not; `make test` tries both.

Without this the second run could be the first one again, and nobody would see it.
"""

from collections import Counter

from django.conf import settings
from prometheus_client import REGISTRY

from tests.batches import offer
from tests.integration.test_worker_process import Site, site
from tests.workbench import Bench, bench
from workers.pump import Step

__all__ = ["bench", "site"]

NAME = "logboom_spill_batches_total"
THROUGH_FILES = 2 if settings.SPILL_ALWAYS else 0


def test_the_parts_turned_by_hand_take_the_way_that_the_environment_names(bench: Bench) -> None:
    before = REGISTRY.get_sample_value(NAME) or 0
    bench.accept(offer("a"), offer("b"))
    assert bench.pump.step() == Step("stored", batches=2, rows=2)
    assert (REGISTRY.get_sample_value(NAME) or 0) - before == THROUGH_FILES
    assert bench.stored() == Counter(a=1, b=1)


def test_a_real_worker_takes_it_too(site: Site) -> None:
    site.accept(offer("a"), offer("b"))
    with site.worker():
        site.until_empty()
        assert f"\n{NAME} {THROUGH_FILES:.1f}\n" in site.get("/metrics")[1]
    assert site.stored() == Counter(a=1, b=1)
