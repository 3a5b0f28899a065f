"""How the lab's nodes and servers are logged into."""

KEY_EXCHANGE = "curve25519-sha256,curve25519-sha256@libssh.org"
"""One exchange by both its names: sshd's first choice (sntrup761) costs each of hundreds of logins 0.1 s of CPU."""
