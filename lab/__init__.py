"""The lab: real routers, switches, firewall and cloud on one machine, raised from a model."""
