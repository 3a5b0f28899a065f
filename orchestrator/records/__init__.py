"""Runs, approvals, audit: what was decided and what was done, kept so that a kill at any moment loses nothing."""
