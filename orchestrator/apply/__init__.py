"""Proven plan -> world: network by Ansible, cloud by Pulumi, workloads by their data. The only writers."""
