"""A real OpenStack 2026.1 with a real data plane, for rehearsals and tests. What is real and what stands in:
docs/lab-cloud.md. By hand: ``python -m lab.openstack install|up|reset|down|status``."""

from lab.openstack.cloud import clouds_file, down, install, reset, status, up

__all__ = ["clouds_file", "down", "install", "reset", "status", "up"]
