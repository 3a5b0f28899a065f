"""Onefold: models, designs, plans, proves and carries out the move of government networks and clouds."""

__version__ = "0.1.0"
