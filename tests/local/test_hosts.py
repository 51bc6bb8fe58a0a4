"""The addresses of a job's hosts on one machine."""

import pytest

from mpijob.local.hosts import address, hosts_file

ADDRESSES = {
    "the first host": (0, "127.0.1.1"),
    "the last of its block": (254, "127.0.1.255"),
    "the next block": (255, "127.0.2.0"),
    "a thousand hosts on": (1000, "127.0.4.233"),
}


@pytest.mark.parametrize(("index", "want"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_of(index, want):
    assert address(index) == want


def test_the_machines_own_names_stay_but_where_a_host_of_the_job_has_them():
    machine = "127.0.0.1 localhost\n127.0.1.1 pi-launcher # the machine itself\n# pi-launcher\n"
    assert hosts_file([("pi-launcher.pi", "pi-launcher"), ("w-0",)], machine) == (
        "127.0.1.1\tpi-launcher.pi pi-launcher\n"
        "127.0.1.2\tw-0\n"
        "127.0.0.1 localhost\n"
        "# pi-launcher\n"
    )
