"""What arrives on the socket of the resident process: a request, or an error that ends this connection only."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.warm import requests, wire
from tests.support.fuzzing import FUZZED, damaged

pytestmark = pytest.mark.faults

FIELDS = st.binary(max_size=30).map(lambda field: field.replace(b"\0", b""))
RUN = [
    wire.RUN,
    b"/tree:30b07f0:/venv",
    b"2049:77",
    b"77",
    b"key",
    b"/work",
    b"2",
    b"list",
    b"--json",
    b"HOME=/root",
]


def received(data: bytes, descriptors: list[int]) -> requests.Request:
    """What the worker makes of these bytes, sent in one go by somebody who then says no more."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if descriptors and data:
            socket.send_fds(ours, [data], descriptors)
        else:
            ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        return requests.receive(theirs)


def closed(request: requests.Request) -> None:
    """Close what came along."""
    for descriptor in request.descriptors:
        os.close(descriptor)


@FUZZED
@given(st.lists(FIELDS, min_size=1, max_size=12))
def test_what_is_framed_is_what_is_received(fields: list[bytes]) -> None:
    assert received(b"".join(wire.frame(fields)), []).fields == fields


@FUZZED
@given(st.binary(max_size=200) | damaged(b"".join(wire.frame(RUN))), st.integers(0, 6))
def test_any_bytes_are_a_request_or_end_the_connection_without_leaving_a_descriptor_open(
    data: bytes, number: int
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with open(os.devnull, "rb") as null:
        try:
            request = received(data, [null.fileno()] * number)
        except (ValueError, OSError):
            pass
        else:
            closed(request)
    assert len(os.listdir("/proc/self/fd")) == before


@FUZZED
@given(st.lists(FIELDS, max_size=12) | st.permutations(RUN) | st.just(RUN), st.sampled_from([0, 3, 4]))
def test_any_fields_are_a_command_line_or_malformed(fields: list[bytes], number: int) -> None:
    try:
        found = requests.errand(requests.Request(fields, [0] * number))
    except ValueError:
        assert fields != RUN or number != requests.DESCRIPTORS
    else:
        assert all("\0" not in word for word in found.words)


@pytest.mark.parametrize("size", [0, 1, wire.LIMIT + 1, 2**32 - 1])
def test_a_length_that_is_no_length_is_not_waited_for(size: int, tmp_path: Path) -> None:
    header = wire.MAGIC + size.to_bytes(4, "big")
    if size:
        with pytest.raises(ValueError, match=r"no request|ends early"):
            received(header, [])
    else:
        assert received(header, []).fields == [b""]
