"""`ansible-playbook` as ansible-runner finds it: hands its job to the warm process, else becomes the real one.

Started as a program (warm.py), without any package, to be there at once: DOOR REAL ARGUMENTS.
"""

import json
import os
import socket
import sys

LOST = 250  # the warm process died under the playbook


def main() -> int:
    """Send arguments, environment, folder and streams; return the playbook's exit code."""
    door, real, *arguments = sys.argv[1:]
    folder = os.getcwd()  # noqa: PTH109  # pathlib takes longer to import than all of this
    job = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": folder}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as warm:
        try:
            warm.connect(door)
            socket.send_fds(warm, [len(job).to_bytes(8, "big")], [0, 1, 2])
            warm.sendall(job)
        except OSError:
            os.execv(real, [real, *arguments])  # noqa: S606  # a path of ours, no shell
        ended = warm.recv(1)
    if not ended:
        sys.stderr.write("the warm ansible-playbook was ended from outside\n")
        return LOST
    return ended[0]


if __name__ == "__main__":
    sys.exit(main())
