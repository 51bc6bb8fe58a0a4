"""Weather: drawn fault by fault, family by family."""

from random import Random

from msgspec.structs import fields

from mpijob.sim.weather import CALM, FAMILIES, Weather


def test_every_fault_belongs_to_one_family():
    families = [fault for family, _ in FAMILIES for fault in family]
    assert sorted(families) == sorted(field.name for field in fields(Weather))


def test_every_fault_is_drawn_sooner_or_later():
    drawn = {fault for seed in range(100) for fault in Weather.drawn(Random(seed)).faults()}
    assert drawn == {field.name for field in fields(Weather)}


def test_some_histories_have_a_single_fault():
    assert any(len(Weather.drawn(Random(seed)).faults()) == 1 for seed in range(200))


def test_a_fault_can_be_left_out():
    assert Weather(crash=0.3, stale=0.3).without("crash") == Weather(stale=0.3)


def test_calm_has_no_faults():
    assert CALM.faults() == ()
