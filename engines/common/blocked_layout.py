"""Rewrites a vocoder, so that its arrays have the order with which ONNX Runtime computes fastest.

In ONNX Runtime's own order of images (the domain `com.microsoft.nchwc`), sixteen channels of a step are
neighbours: a convolution reads them as they are, adds a second array to its result, and computes 1.2 to 2
times as much in the same time as one whose input must be put in order first. ONNX Runtime chooses that
order itself for images only. So the steps of time become an image that is one pixel high, and the network
from the first transposed convolution to the sound is written with such operators.

A convolution with fewer than 128 results is computed by one thread. For two threads, the time is divided in
two halves, which overlap by as much as the samples of one half depend on the other.

Law: nothing here is about a certain model. A graph that is built otherwise stays as it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from engines.common import graph_messages as messages
from engines.common.convolution_forms import convolution, in_blocks, upsampling_kernel, widening
from engines.common.graph_messages import NODE_OF_GRAPH, Node, attribute, domain, floats, name_of
from engines.common.layout_probe import BLOCK_CHANNELS, DOMAIN, channels_are_in_blocks
from engines.common.moved_arrays import ARRAY_OF_GRAPH, GRAPH_OF_MODEL
from engines.common.node_writer import NodeWriter
from engines.common.protobuf_fields import fields, head, value
from engines.types import Samples

SHARED_RESULTS = 128
"""Results of a convolution that two threads share: each computes 64 at once."""
MOST_THREADS = 2
"""Nobody has measured more."""
FEWEST_FRAMES = 4
"""No sound has fewer frames: Piper puts symbols before and after each text, and each takes at least one."""
LAST_INDEX = 2**40
"""Beyond the end of all arrays."""
WIDENING, CONVOLUTION, SUM = b"ConvTranspose", b"Conv", b"Add"


class OtherVocoder(Exception):
    """The graph is not built as the ones that were measured."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """What a transposed convolution makes, and all that follows up to the next one."""

    width: int
    """Samples for each frame."""
    overlap: int
    """Samples on each side that a sample depends on, if the time is divided in two halves; else 0."""


def with_blocked_layout(model: memoryview, threads: int) -> memoryview | bytes:
    """The model, with its vocoder in that order; as it is if that does not suit it, the CPU or the threads.

    Raises `ValueError` if it is damaged.
    """
    graphs = [contents for number, contents, _ in fields(model) if number == GRAPH_OF_MODEL]
    if threads > MOST_THREADS or len(graphs) != 1 or not channels_are_in_blocks():
        return model
    try:
        graph = _VocoderInBlocks(graphs[0], threads).written()
    except OtherVocoder:
        return model
    kept = [whole for number, _, whole in fields(model) if number != GRAPH_OF_MODEL]
    version = value(messages.DOMAIN_OF_VERSION, DOMAIN) + value(messages.NUMBER_OF_VERSION, 1)
    size = sum(map(len, graph))
    return b"".join([*kept, value(messages.VERSIONS_OF_MODEL, version), head(GRAPH_OF_MODEL, size), *graph])


class _VocoderInBlocks:
    """Writes the nodes of a graph anew, one after the other."""

    def __init__(self, graph: memoryview, threads: int) -> None:
        self._graph = graph
        self._threads = threads
        self._before, self._nodes = _from_the_first(graph)
        used = [name for node in self._nodes for name in node.inputs]
        self._uses = Counter([*used, *messages.names_of(graph, messages.RESULT_OF_GRAPH)])
        found = [contents for number, contents, _ in fields(graph) if number == ARRAY_OF_GRAPH]
        self._arrays = {name_of(message): message for message in found}
        self._given = set(messages.names_of(graph, messages.INPUT_OF_GRAPH))
        """Of its inputs. An array that is one too could be given from outside."""
        self._stages: dict[bytes, _Stage] = {}
        """Of each array in that order."""
        self._replaced: set[bytes] = set()
        self._to = NodeWriter()
        self._done: set[bytes] = set()
        """Results of sums that a convolution has made."""
        self._ended = False

    def written(self) -> list[memoryview | bytes]:
        """The fields of the graph. Raises `OtherVocoder`."""
        for at, node in enumerate(self._nodes):
            if node.results[0] not in self._done:
                self._write(at, node)
        if not self._ended:
            raise OtherVocoder
        kept: list[memoryview | bytes] = []
        for number, contents, whole in fields(self._graph):
            old = number == ARRAY_OF_GRAPH and name_of(contents) in self._replaced
            if number != NODE_OF_GRAPH and not old:
                kept.append(whole)
        return [*self._before, *self._to.written, *kept]

    def _write(self, at: int, node: Node) -> None:
        ordered = [name in self._stages for name in node.inputs]
        if node.kind == WIDENING:
            self._widen(at, node)
        elif not any(ordered):
            self._to.keep(node)
        elif node.kind == CONVOLUTION:
            self._convolve(at, node)
        elif self._stays(node, ordered):
            self._keep(node)
        else:
            raise OtherVocoder

    def _stays(self, node: Node, ordered: list[bool]) -> bool:
        """Whether the node does the same to each number, whatever their order is."""
        if node.kind == b"Div":
            by = self._arrays.get(node.inputs[1])
            return ordered[0] and by is not None and not floats(by).shape
        return node.kind == b"LeakyRelu" or (node.kind == SUM and all(ordered))

    def _keep(self, node: Node) -> None:
        """Writes the node for arrays in that order."""
        inputs = tuple(_ordered(name) if name in self._stages else name for name in node.inputs)
        stage = next(self._stages[name] for name in node.inputs if name in self._stages)
        self._stages[node.results[0]] = stage
        self._to.keep(replace(node, inputs=inputs, results=(_ordered(node.results[0]),)))

    def _widen(self, at: int, node: Node) -> None:
        """A convolution over two neighbours makes all samples between them, which are then put in order."""
        weights, bias = self._weights(node)
        channels, results, size = weights.shape
        name, stride = node.results[0], size // 2
        even = not (stride % 2 or channels % BLOCK_CHANNELS or results % BLOCK_CHANNELS)
        if node.attributes != widening(stride) or not even:  # an odd stride makes a sample more
            raise OtherVocoder
        width = stride * (self._stages[node.inputs[0]].width if node.inputs[0] in self._stages else 1)
        given = self._whole(node.inputs[0], channels)
        kernel = upsampling_kernel(weights)
        rest = convolution(2, 1, 1)
        made = self._product(name + b"/made", given, kernel, np.tile(bias, stride), rest)
        blocks = results // BLOCK_CHANNELS
        steps = self._to.reshaped(made, [stride, blocks, -1, BLOCK_CHANNELS])
        turned = self._to.add(b"Transpose", (steps,), steps + b"/turned", attribute("perm", [1, 2, 0, 3]))
        row = self._to.reshaped(turned, [blocks, -1, BLOCK_CHANNELS])
        cut = self._to.cut(row, [stride // 2], [-(stride // 2)], [1])
        overlap = 0
        if self._threads > 1 and results < SHARED_RESULTS:
            overlap, cut = self._reach(at), self._halved(cut, self._reach(at))
            if 2 * overlap > FEWEST_FRAMES * width:
                raise OtherVocoder
        self._to.reshaped(cut, [2 if overlap else 1, results, 1, -1], _ordered(name))
        self._stages[name] = _Stage(width, overlap)

    def _reach(self, at: int) -> int:
        """Samples on each side that a sample depends on, until the samples are whole again."""
        reach = {self._nodes[at].results[0]: 0}
        for node in self._nodes[at + 1 :]:
            if node.kind == WIDENING:
                break
            if found := [reach[name] for name in node.inputs if name in reach]:
                pads = node.attributes.get("pads", [0]) if node.kind == CONVOLUTION else [0]
                reach[node.results[0]] = max(found) + max(pads)
        return max(reach.values())

    def _halved(self, row: bytes, overlap: int) -> bytes:
        """The two halves of all samples, as two rows."""
        count = self._to.add(b"Shape", (row,), row + b"/count")
        half = self._to.add(
            b"Div", (self._to.cut(count, [1], [2], [0]), self._to.numbers([2])), row + b"/half"
        )
        room = self._to.numbers([overlap])
        first = self._to.add(b"Add", (half, room), row + b"/first")
        second = self._to.add(b"Sub", (half, room), row + b"/second")
        zero, one, last = self._to.numbers([0]), self._to.numbers([1]), self._to.numbers([LAST_INDEX])
        halves = [
            self._to.add(b"Slice", (row, zero, first, one), row + b"/0"),
            self._to.add(b"Slice", (row, second, last, one), row + b"/1"),
        ]
        return self._to.add(b"Concat", tuple(halves), row + b"/halves", attribute("axis", 0))

    def _whole(self, name: bytes, channels: int) -> bytes:
        """The array in that order, with all samples in one row. Only one node may use it."""
        if self._uses[name] != 1:
            raise OtherVocoder
        if name not in self._stages:
            flat = self._to.reshaped(name, [1, channels, 1, -1])
            return self._to.add(b"ReorderInput", (flat,), name + b"/reordered", domain(DOMAIN))
        overlap, blocks = self._stages[name].overlap, channels // BLOCK_CHANNELS
        if not overlap:
            return _ordered(name)
        row = self._to.reshaped(_ordered(name), [2 * blocks, -1, BLOCK_CHANNELS])
        first = self._to.cut(row, [0, 0], [blocks, -overlap], [0, 1])
        second = self._to.cut(row, [blocks, overlap], [LAST_INDEX, LAST_INDEX], [0, 1])
        whole = self._to.add(b"Concat", (first, second), row + b"/whole", attribute("axis", 1))
        return self._to.reshaped(whole, [1, channels, 1, -1])

    def _convolve(self, at: int, node: Node) -> None:
        """A convolution with as many samples as its input. The one with a single result is the last."""
        weights, bias = self._weights(node)
        results, channels, size = weights.shape
        found, name = node.attributes, node.results[0]
        step = found.get("dilations", [1])[0]
        pad = (size - 1) // 2 * step
        usual = {
            "dilations": [step],
            "group": [1],
            "kernel_shape": [size],
            "pads": [pad, pad],
            "strides": [1],
        }
        if found != usual or size % 2 == 0 or channels % BLOCK_CHANNELS:
            raise OtherVocoder
        rest = convolution(size, step, pad)
        if results == 1:
            self._end(name, self._whole(node.inputs[0], channels), weights, bias, rest)
            return
        if results % BLOCK_CHANNELS:
            raise OtherVocoder
        result, added = self._sum(at, name)
        more = (_ordered(added),) if added else ()
        self._product(_ordered(result), _ordered(node.inputs[0]), weights, bias, rest, more)
        self._stages[result] = self._stages[node.inputs[0]]

    def _sum(self, at: int, name: bytes) -> tuple[bytes, bytes]:
        """If nothing uses the result but a sum with an array that is known: that sum, and the array."""
        users = [node for node in self._nodes[at + 1 :] if name in node.inputs]
        if len(users) == 1 and users[0].kind == SUM and users[0].inputs.count(name) == 1:
            other = next(one for one in users[0].inputs if one != name)
            if other in self._stages:
                self._done.add(users[0].results[0])
                return users[0].results[0], other
        return name, b""

    def _end(self, name: bytes, given: bytes, weights: Samples, bias: Samples, rest: bytes) -> None:
        """The last convolution has one channel. Channels come by sixteen, so that fifteen of zeros follow."""
        more = BLOCK_CHANNELS - 1
        kernel = np.pad(weights, ((0, more), (0, 0), (0, 0)))
        made = self._product(name + b"/made", given, kernel, np.pad(bias, (0, more)), rest)
        told = domain(DOMAIN) + attribute("channels", 1)
        plain = self._to.add(b"ReorderOutput", (made,), name + b"/plain", told)
        self._to.reshaped(plain, [1, 1, -1], name)
        self._ended = True

    def _weights(self, node: Node) -> tuple[Samples, Samples]:
        """Weights and bias of a convolution."""
        constants = node.inputs[1:]
        known = self._arrays.keys() - self._given
        if any(name not in known or self._uses[name] != 1 for name in constants):
            raise OtherVocoder
        weights, *bias = (floats(self._arrays[name]) for name in constants)
        if weights.ndim != 3:
            raise OtherVocoder
        self._replaced.update(constants)
        return weights, bias[0] if bias else np.zeros(weights.shape[0], np.float32)

    def _product(
        self,
        name: bytes,
        given: bytes,
        weights: Samples,
        bias: Samples,
        rest: bytes,
        more: tuple[bytes, ...] = (),
    ) -> bytes:
        constants = (name + b"/weights", name + b"/bias")
        for constant, numbers in zip(constants, (in_blocks(weights), bias), strict=True):
            self._to.constant(constant, numbers)
        return self._to.add(CONVOLUTION, (given, *constants, *more), name, rest)


def _from_the_first(graph: memoryview) -> tuple[list[memoryview], list[Node]]:
    """The nodes before the first transposed convolution, as they are, and those from it on, which are few."""
    before, after = list[memoryview](), list[Node]()
    for number, contents, whole in fields(graph):
        if number == NODE_OF_GRAPH:
            if after or WIDENING in bytes(contents):
                after.append(Node.read(contents))
            else:
                before.append(whole)
    if any(not node.results for node in after):
        raise OtherVocoder
    return before, after


def _ordered(name: bytes) -> bytes:
    """The name of the same array in that order."""
    return name + b"/in blocks"
