"""What is claimed for one spill file in several claims is handed back if the claiming ends half-way."""

import pytest
import redis

from ingest.buffer import Buffer, Claim, State
from ingest.errors import BrokerGone
from tests.batches import offer
from tests.workbench import OWNER, Bench, bench

__all__ = ["bench"]
pytestmark = pytest.mark.direct  # it spills as it is


class Failing(Buffer):
    """Its second claim gets no answer."""

    claims = 0

    def claim(self, owner: str) -> Claim:
        self.claims += 1
        if self.claims == 2:
            raise BrokerGone("connection lost")
        return super().claim(owner)


def test_a_claim_that_fails_costs_the_ones_before_it_no_death(
    broker: redis.Redis, database_url: str, bench: Bench
) -> None:
    offers = [offer("a"), offer("b")]
    bench.accept(*offers)
    bench.buffer = Failing(broker, group_batches=1)
    bench.connect_to(database_url, spill_always=True)
    with pytest.raises(BrokerGone):
        bench.pump.step()
    assert Buffer(broker).free(OWNER) == 0
    assert [bench.state(one) for one in offers] == [State.QUEUED] * 2
