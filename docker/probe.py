"""`python -I -S docker/probe.py PORT [PATH]`: exit 0 where this container's own process answers 200.

Compose's health checks run it every few seconds in every container, so it imports next to nothing.
"""

import socket
import sys

SECONDS = 3.0


def main(port: str, path: str = "/readyz") -> int:
    question = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", int(port)), SECONDS) as connection:
            connection.sendall(question.encode())
            status = connection.recv(64).split(b" ", 2)[1:2]
    except OSError as error:
        print(f"port {port} does not answer: {error}")
        return 1
    if status != [b"200"]:
        print(f"{path} answers {b''.join(status).decode('latin-1') or 'nothing'}")
    return 0 if status == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
