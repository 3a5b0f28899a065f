"""Small throw-away networks of real FRR routers, to hold computed tables and packets against what really happens."""
