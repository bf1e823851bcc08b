"""Starts the real server that the arguments name, and holds back each request for diagnostics for a while, as a busy machine may.

Framing as in the language server protocol; only what goes in is looked at.
"""

import json
import subprocess
import sys
import time

SECONDS = 1.0

server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
assert server.stdin is not None
while head := sys.stdin.buffer.readline():
    body = b""
    if head.lower().startswith(b"content-length:"):
        head += sys.stdin.buffer.readline()
        body = sys.stdin.buffer.read(int(head.split()[1]))
        if json.loads(body).get("method") == "textDocument/waitForDiagnostics":
            time.sleep(SECONDS)
    server.stdin.write(head + body)
    server.stdin.flush()
