"""Model networks: the district of the lab and the demo, as a value and as a project folder."""
