"""What every test shares: how Hypothesis draws."""

from hypothesis import HealthCheck, settings

# A deadline would be a timed assertion, and a loaded machine would fail it.
settings.register_profile(
    "mpijob", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mpijob")
