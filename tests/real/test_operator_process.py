"""What the operator is to the machine that it runs on."""

import os


def test_it_lets_others_finish_before_it_takes_in_what_came(operator):
    assert os.sched_getscheduler(operator.pid) == os.SCHED_BATCH
