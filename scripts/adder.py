#!/usr/bin/env python3
"""Lets a server add the numbers 1 to N over one connection: adder.py IP PORT N

Exit code 0: the sum is right; 1: it is wrong, or the connection failed; 2: the arguments are wrong.
"""

import argparse
import http.client
import sys

TIMEOUT_S = 10
# Above it the sum would not fit 64 bits.
N_MAX = 2**32 - 1
# Characters of what a server said that are shown at the most.
SHOWN_MAX = 200


class Failure(Exception):
    """What went wrong, for a person to read."""


def number_within(least, most):
    """Makes a reader of whole numbers from least to most."""

    def read(text):
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least} to {most}")
        return number

    read.__name__ = "whole number"
    return read


def host(text):
    """Reads a host: without a port, and without the brackets that an IPv6 address has in a URL."""
    alone, _, port = text.rpartition(":")
    if "/" in text:
        raise argparse.ArgumentTypeError("give the host alone, such as 127.0.0.1, not a URL")
    if alone and not port.strip("0123456789") and (alone.endswith("]") or ":" not in alone):
        raise argparse.ArgumentTypeError(f"give the host without a port, {alone}: the port is an argument of its own")
    return text.strip("[]")


def shown(text):
    """What a server said, fit to be shown: one line, not endless, without control characters."""
    line = (text.splitlines() or [""])[0][:SHOWN_MAX]
    cut = " …" if len(line) < len(text) else ""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line) + cut


def broken_off(added, n, why):
    """The failure after that many numbers."""
    gone = "The sum was the connection's and is gone with it; start again."
    return Failure(f"stopped after {added} of {n} numbers: {why}\n{gone}")


def ask(connection, method, body=None):
    """Sends one request and returns the number that is answered."""
    connection.request(method, "/adder", body)
    response = connection.getresponse()
    text = response.read(16384).decode("utf-8", "replace").strip()
    if response.status != 200:
        raise Failure(f"the server answered {response.status}: {shown(text)}")
    try:
        return int(text)
    except ValueError:
        raise Failure(f"the server answers no number: {shown(text)}") from None


def add(ip, port, n):
    """Lets the server add 1 to n and returns the sum that it answers at the end."""
    try:
        connection = http.client.HTTPConnection(ip, port, timeout=TIMEOUT_S)
        # Otherwise a connection that was closed is opened again silently: a new session, and a wrong sum.
        connection.auto_open = 0
        connection.connect()
    except (OSError, UnicodeError, http.client.InvalidURL) as error:
        raise Failure(f"cannot connect to {ip} port {port}: {error}") from None
    added = 0
    try:
        ask(connection, "PUT", "0")
        for number in range(1, n + 1):
            ask(connection, "POST", str(number))
            added = number
        return ask(connection, "GET")
    except http.client.NotConnected:
        raise broken_off(added, n, "the server has closed the connection") from None
    except (OSError, http.client.HTTPException, Failure) as error:
        raise broken_off(added, n, str(error) or type(error).__name__) from None
    finally:
        connection.close()


def main():
    """Runs the script and returns its exit code."""
    parser = argparse.ArgumentParser(description="Lets a server add the numbers 1 to N over one connection.")
    parser.add_argument("ip", metavar="IP", type=host, help="the server's address, such as 127.0.0.1 or ::1")
    parser.add_argument("port", metavar="PORT", type=number_within(1, 65535), help="the server's port")
    parser.add_argument("n", metavar="N", type=number_within(0, N_MAX), help="the last number to add")
    args = parser.parse_args()
    try:
        result = add(args.ip, args.port, args.n)
    except Failure as failure:
        print(f"adder.py: {failure}", file=sys.stderr)
        return 1
    print("Result =", result)
    wanted = args.n * (args.n + 1) // 2
    if result != wanted:
        print(f"adder.py: the sum is wrong: 1 to {args.n} make {wanted}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
