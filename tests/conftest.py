"""What holds for all tests: how long Hypothesis takes is no reason to fail on a busy machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("citrusleaf", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("citrusleaf")
