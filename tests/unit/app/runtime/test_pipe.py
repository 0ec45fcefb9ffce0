from __future__ import annotations

import os
import pickle
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from app.runtime import pipe as pipes
from app.runtime.pipe import HEAD, LENGTH, MOST_BUFFERS, MOST_BYTES, Frame, FrameKind, FrameTooLarge, Pipe
from app.runtime.shared_buffer import SharedBuffer


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


@pytest.fixture(params=["socket", "shared memory"])
def pair(ends: tuple[socket.socket, socket.socket], request: pytest.FixtureRequest) -> tuple[Pipe, Pipe]:
    if request.param == "socket":
        return Pipe(ends[0]), Pipe(ends[1])
    shared = SharedBuffer.create()
    assert shared
    return Pipe(ends[0], outgoing=shared), Pipe(ends[1], incoming=SharedBuffer(os.dup(shared.file)))


def sent(pair: tuple[Pipe, Pipe], value: object) -> Frame:
    """Sends a value, and returns what the other end receives."""
    sending = threading.Thread(target=pair[0].send, args=(7, FrameKind.DO, value))
    sending.start()
    frame = pair[1].receive()
    sending.join()
    assert frame
    return frame


@pytest.mark.parametrize("count", [0, 1, 16_383, 16_384, 480_000, 5_000_000])
def test_arrays_arrive_whole_and_can_be_written(pair: tuple[Pipe, Pipe], count: int) -> None:
    array = np.arange(count, dtype=np.float32)
    frame = sent(pair, {"samples": array, "more": (array[::2],)})
    assert (frame.call, frame.kind) == (7, FrameKind.DO)
    assert np.array_equal(frame.value["samples"], array)
    assert np.array_equal(frame.value["more"][0], array[::2])
    frame.value["samples"] += 1


def test_large_frames_in_both_directions_at_once_do_not_mix(pair: tuple[Pipe, Pipe]) -> None:
    arrays = [np.full(30_000, number, np.float32) for number in (1, 2)]
    for pipe, array in zip(pair, arrays, strict=True):
        pipe.send(7, FrameKind.DO, array)
    for pipe, array in zip(reversed(pair), arrays, strict=True):
        frame = pipe.receive()
        assert frame
        assert np.array_equal(frame.value, array)


def test_more_arrays_than_one_system_call_takes(pair: tuple[Pipe, Pipe]) -> None:
    arrays = [np.full(20_000, number, np.float32) for number in range(700)]
    frame = sent(pair, arrays)
    assert [int(array[0]) for array in frame.value] == list(range(700))


def test_frames_of_several_threads_do_not_mix(pair: tuple[Pipe, Pipe]) -> None:
    arrays = {number: np.full(100_000, number, np.float32) for number in range(20)}
    threads = [threading.Thread(target=pair[0].send, args=(n, FrameKind.DONE, a)) for n, a in arrays.items()]
    for thread in threads:
        thread.start()
    frames = [pair[1].receive() for _ in arrays]
    for thread in threads:
        thread.join()
    assert sorted(frame.call for frame in frames if frame) == sorted(arrays)
    assert all(frame and (frame.value == frame.call).all() for frame in frames)


def test_a_frame_that_is_too_large_is_refused_before_a_byte_is_sent(
    pair: tuple[Pipe, Pipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "MOST_BYTES", 1 << 20)
    with pytest.raises(FrameTooLarge):
        pair[0].send(1, FrameKind.DO, np.zeros(1 << 20, np.float32))
    assert sent(pair, "next").value == "next"


def test_what_cannot_be_pickled_leaves_the_pipe_usable(pair: tuple[Pipe, Pipe]) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pair[0].send(1, FrameKind.DO, lambda: None)
    assert sent(pair, "next").value == "next"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        HEAD.pack(1, FrameKind.DO, MOST_BUFFERS + 1, 0, 0),
        HEAD.pack(1, FrameKind.DO, 0, MOST_BYTES + 1, 0),
        HEAD.pack(1, FrameKind.DO, 1, 10, 0) + LENGTH.pack(MOST_BYTES),
        HEAD.pack(1, FrameKind.DO, 0, 100, 0) + b"cut off",
        HEAD.pack(1, FrameKind.DO, 0, 5, 0) + b"wrong",
    ],
)
def test_the_end_and_bytes_that_are_no_frame_are_the_end(
    ends: tuple[socket.socket, socket.socket], data: bytes
) -> None:
    ends[0].sendall(data)
    ends[0].shutdown(socket.SHUT_WR)
    assert Pipe(ends[1]).receive() is None


def test_sending_to_an_end_that_is_gone_raises(pair: tuple[Pipe, Pipe]) -> None:
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        pair[0].send(1, FrameKind.DO, "hello")
    assert pair[0].receive() is None


@pytest.mark.parametrize("value", [None, np.zeros(100_000, np.float32)], ids=["small", "large"])
def test_nothing_can_be_sent_once_this_end_is_closed(pair: tuple[Pipe, Pipe], value: object) -> None:
    pair[0].close()
    for send in (pair[0].send, pair[0].offer):
        with pytest.raises(OSError, match="descriptor"):
            send(1, FrameKind.KEEP, value)


def test_an_end_that_does_not_read_is_given_up(ends: tuple[socket.socket, socket.socket]) -> None:
    sending = Pipe(ends[0])
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 50_000))
    with pytest.raises(BlockingIOError):
        sending.send(1, FrameKind.DO, np.zeros(16 << 20, np.float32))


def test_a_frame_is_not_offered_to_an_end_that_does_not_read(pair: tuple[Pipe, Pipe]) -> None:
    room = pair[0]._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    large = np.zeros(min(500_000, room // 16), np.float32)
    offered = []
    for _ in range(20):
        offered.append(pair[0].offer(1, FrameKind.KEEP, large))
        if not offered[-1]:
            break
    assert offered[-1] is False, "it does not wait for long"
    for _ in offered[:-1]:
        frame = pair[1].receive()
        assert frame
        assert np.array_equal(frame.value, large)
    assert sent(pair, "a").value == "a", "the pipe is as before"


def test_a_frame_is_not_offered_while_a_thread_waits_to_send(pair: tuple[Pipe, Pipe]) -> None:
    with pair[0]._sending:
        assert pair[0].offer(1, FrameKind.KEEP, None) is False
    assert pair[0].offer(1, FrameKind.KEEP, None)
