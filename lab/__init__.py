"""Real parts for rehearsals and tests: network nodes, a vendor command line, an OpenStack, their folders and packages."""
