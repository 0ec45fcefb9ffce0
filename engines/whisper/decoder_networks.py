"""The three networks of Whisper's decoder, with the weights of a CTranslate2 model.

The decoder is that of Radford et al. 2022, section 2.2. It is cut where its parts are run at different times:
`keys_and_values` once for each row, `step` for each token, and `projection` where the logits are wanted.

Law: weights in, networks out; nothing is compiled or run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engines.openvino_library import import_openvino
from engines.whisper.file_matrix import FileMatrix
from engines.whisper.network_parts import NetworkParts
from engines.whisper.timestamp_rules import IMPOSSIBLE, Vocabulary

if TYPE_CHECKING:
    from openvino import Model, Node

BLOCK_TOKENS = 64
"""Text tokens that share one maximum, so that only a few blocks are searched for the likeliest tokens."""


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """The sizes of a decoder."""

    layers: int
    heads: int
    width: int
    positions: int
    """The most tokens of prompt and text."""

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def shape_of(graph: NetworkParts) -> DecoderShape:
    positions, width = graph.weights["position_encodings/encodings"].shape
    return DecoderShape(graph.weights.layers, graph.weights.number("num_heads"), width, positions)


def keys_and_values(graph: NetworkParts, shape: DecoderShape, precision: str) -> Model:
    """Encodings (rows, positions, width) -> for each layer keys and values of the attention to them, both
    (rows, heads, positions, width of a head), in `precision`: `bf16` or `f32`.
    """
    openvino, ops = import_openvino(), graph.ops
    encoded = ops.parameter(openvino.PartialShape([-1, -1, shape.width]), np.float32, name="encoded")
    results = []
    for layer in range(shape.layers):
        name = f"layer_{layer}/attention/linear_1"
        weight, bias = graph.weights.matrix(f"{name}/weight"), graph.weights[f"{name}/bias"]
        for part in (slice(0, shape.width), slice(shape.width, None)):
            made = graph.product(encoded, weight.rows(part), bias[part])
            results.append(
                ops.result(ops.convert(graph.split_heads(made, shape.heads, shape.width), precision))
            )
    return openvino.Model(results, [encoded], "keys_and_values")


def step(graph: NetworkParts, shape: DecoderShape, precision: str, told: Sequence[int] = ()) -> Model:
    """One step of `texts` texts, several of which may belong to one row.

    Inputs: the embedded tokens (texts, tokens, width); for each text, the text of the step before that it
    continues (texts,); what is added to the logits of attention for each position (rows, 1, 1, positions);
    then keys and values as `keys_and_values` makes them. Results: (texts, tokens, width), then the queries
    with which the layers `told` attend to the encodings, of the same shape. The keys and values of the texts
    themselves are kept within the inference.
    """
    openvino, ops = import_openvino(), graph.ops
    tokens = ops.parameter(openvino.PartialShape([-1, -1, shape.width]), np.float32, name="tokens")
    origins = ops.parameter(openvino.PartialShape([-1]), np.int32, name="origins")
    added = ops.parameter(openvino.PartialShape([-1, 1, 1, -1]), np.float32, name="added")
    inputs, kept, x, queries = [tokens, origins, added], [], tokens, []
    for layer in range(shape.layers):
        x, memory = _self_attention(graph, shape, x, f"layer_{layer}", origins)
        sizes = openvino.PartialShape([-1, shape.heads, -1, shape.head_width])
        keys, values = (
            ops.parameter(sizes, getattr(openvino.Type, precision), name=f"{kind}{layer}") for kind in "kv"
        )
        query = _queries(graph, shape, x, f"layer_{layer}/attention")
        queries += [query] if layer in told else []
        x = _attention(graph, shape, x, f"layer_{layer}", query, added, keys, values)
        x = graph.feed_forward(x, f"layer_{layer}")
        kept += memory
        inputs += [keys, values]
    return openvino.Model([ops.result(one) for one in (x, *queries)], kept, inputs, "step")


def projection(graph: NetworkParts, shape: DecoderShape, end: int, timestamps: int) -> Model:
    """The likeliest text tokens, special tokens (from `end` on) and timestamps (from `timestamps` on).

    Inputs: results of `step` (texts, width); what is added to the logits of text tokens
    (1, `text_places(end)`), and of all others (texts or 1, others); how many tokens of each kind to return;
    a text token for each text (texts, 1). Results, for each kind: logits and numbers of the likeliest tokens,
    the first of the kind being 0, both (texts, how many); the logarithm of the sum of exp(logit) over the
    kind (texts, 1). Then the logits of all tokens from `end` on, and those of the text tokens that were given
    (texts, 1), with what was added.
    """
    openvino, ops = import_openvino(), graph.ops
    x = ops.parameter(openvino.PartialShape([-1, shape.width]), np.float32, name="x")
    to_text = ops.parameter(openvino.PartialShape([1, text_places(end)]), np.float32, name="to_text")
    to_others = ops.parameter(openvino.PartialShape([-1, -1]), np.float32, name="to_others")
    count = ops.parameter(openvino.PartialShape([]), np.int32, name="count")
    given = ops.parameter(openvino.PartialShape([-1, 1]), np.int32, name="given")
    weight = graph.weights.matrix("embeddings/weight")
    balance = graph.balance("layer_norm", weight)
    weight = weight.columns_times(balance)
    normalised = graph.normalised(x, "layer_norm", balance)
    text = weight.rows(slice(text_places(end)))
    logits = ops.add(_product(graph, normalised, text), to_text)
    results = _likeliest_of_many(graph, logits, count)
    others = ops.add(_product(graph, normalised, weight.rows(slice(end, None))), to_others)
    for part in ops.variadic_split(others, ops.constant(np.int64(1)), [timestamps - end, -1]).outputs():
        results += _likeliest(graph, part, count)
    results += [others, ops.gather_elements(logits, given, 1)]
    return openvino.Model(
        [ops.result(one) for one in results], [x, to_text, to_others, count, given], "projection"
    )


def _likeliest(graph: NetworkParts, logits: Node, count: Node) -> list[Node]:
    """The greatest logits (texts, tokens), their places, and the logarithm of the sum over all."""
    ops, axis = graph.ops, graph.constant([1])
    best = ops.topk(logits, count, 1, "max", "value", index_element_type="i32")
    top = ops.reduce_max(logits, axis, keep_dims=True)
    total = ops.reduce_sum(ops.exp(ops.subtract(logits, top)), axis, keep_dims=True)
    return [best.output(0), best.output(1), ops.add(ops.log(total), top)]


def _likeliest_of_many(graph: NetworkParts, logits: Node, count: Node) -> list[Node]:
    """The same for so many tokens that sorting them would take long: only the blocks with the greatest
    logits are searched. A block is made of every so-manieth token.
    """
    ops, axis = graph.ops, graph.constant([1])
    columns = ops.reshape(logits, graph.constant([0, BLOCK_TOKENS, -1]), special_zero=True)
    greatest = ops.reduce_max(columns, axis, keep_dims=False)
    blocks = ops.topk(greatest, count, 1, "max", "value", index_element_type="i32").output(1)
    some = ops.gather(columns, blocks, ops.constant(np.int64(2)), 1)
    flat = ops.reshape(some, graph.constant([0, -1]), special_zero=True)
    best = ops.topk(flat, count, 1, "max", "value", index_element_type="i32")
    line, column = ops.divide(best.output(1), count), ops.floor_mod(best.output(1), count)
    block = ops.gather(blocks, column, ops.constant(np.int64(1)), 1)
    blocks_of_all = ops.gather(ops.shape_of(greatest, "i32"), graph.constant(1), ops.constant(np.int64(0)))
    top = ops.reduce_max(greatest, axis, keep_dims=True)
    total = ops.reduce_sum(ops.exp(ops.subtract(logits, top)), axis, keep_dims=True)
    number = ops.add(ops.multiply(line, blocks_of_all), block)
    return [best.output(0), number, ops.add(ops.log(total), top)]


def text_places(end: int) -> int:
    """The text tokens, and as many others as fill up the last block. `suppression` rules these out."""
    return -(-end // BLOCK_TOKENS) * BLOCK_TOKENS


def most_likeliest(known: Vocabulary) -> int:
    """The most tokens of each kind that `projection` can return: one for each block of text."""
    blocks = text_places(known.end) // BLOCK_TOKENS
    return min(blocks, known.timestamps - known.end, known.size - known.timestamps)


def suppression(end: int, tokens: tuple[int, ...] = ()) -> np.ndarray:
    """What is added to the logits of the text tokens so that `tokens`, and others than text, are never taken:
    (1, `text_places`).
    """
    added = np.zeros((1, text_places(end)), np.float32)
    added[:, [token for token in tokens if token < end]] = IMPOSSIBLE
    added[:, end:] = IMPOSSIBLE
    return added


def _product(graph: NetworkParts, x: Node, weight: FileMatrix) -> Node:
    return graph.ops.matmul(x, graph.int8(weight), transpose_a=False, transpose_b=True)


def _normalised_linear(graph: NetworkParts, x: Node, norm: str, name: str, scale: float = 1.0) -> Node:
    matrix, bias = graph.weights.matrix(f"{name}/weight").times(scale), graph.weights[f"{name}/bias"] * scale
    balance = graph.balance(norm, matrix)
    return graph.product(graph.normalised(x, norm, balance), matrix.columns_times(balance), bias)


def _self_attention(
    graph: NetworkParts, shape: DecoderShape, x: Node, layer: str, origins: Node
) -> tuple[Node, list[Node]]:
    """The attention of a text to itself; also the operations that keep its keys and values."""
    openvino, ops, name = import_openvino(), graph.ops, f"{layer}/self_attention"
    from openvino import opset6

    all_three = _normalised_linear(graph, x, f"{name}/layer_norm", f"{name}/linear_0")
    parts = ops.split(all_three, ops.constant(np.int64(2)), 3)
    split = [graph.split_heads(parts.output(number), shape.heads, shape.width) for number in range(3)]
    texts = ops.gather(ops.shape_of(x), graph.constant([0]), ops.constant(np.int64(0)))
    sizes = ops.concat([texts, graph.constant([shape.heads, 0, shape.head_width])], 0)
    known, kept = openvino.PartialShape([-1, shape.heads, -1, shape.head_width]), []
    whole = []
    for kind, now in zip("kv", split[1:], strict=True):
        none = ops.broadcast(ops.constant(np.float32(0)), sizes)
        past = opset6.read_value(none, f"{layer}.{kind}", openvino.Type.f32, known)
        ordered = ops.gather(past, origins, ops.constant(np.int64(0)))
        whole.append(ops.concat([ordered, now], 2))
        kept.append(opset6.assign(whole[-1], f"{layer}.{kind}"))
    seen = ops.scaled_dot_product_attention(split[0], *whole, causal=True)
    return ops.add(x, graph.linear(graph.join_heads(seen, shape.width), f"{name}/linear_1")), kept


def _queries(graph: NetworkParts, shape: DecoderShape, x: Node, name: str) -> Node:
    scale = float(shape.head_width) ** -0.5
    return _normalised_linear(graph, x, f"{name}/layer_norm", f"{name}/linear_0", scale=scale)


def _attention(
    graph: NetworkParts,
    shape: DecoderShape,
    x: Node,
    layer: str,
    asked: Node,
    added: Node,
    keys: Node,
    values: Node,
) -> Node:
    """The attention to the encodings by the queries `asked`, with what is added to its logits. The texts of a
    row read its keys and values together, as if they were the tokens of one text.
    """
    ops, name = graph.ops, f"{layer}/attention"
    axis = ops.constant(np.int64(0))
    rows = ops.gather(ops.shape_of(keys), graph.constant([0]), axis)
    heads = ops.concat([rows, graph.constant([-1, shape.heads, shape.head_width])], 0)
    turn = graph.constant([0, 2, 1, 3])
    queries = ops.transpose(ops.reshape(asked, heads, special_zero=False), turn)
    keys, values = ops.convert(keys, "f32"), ops.convert(values, "f32")
    logits = ops.add(ops.matmul(queries, keys, transpose_a=False, transpose_b=True), added)
    shares = ops.softmax(logits, -1)
    seen = ops.matmul(shares, values, transpose_a=False, transpose_b=False)
    texts = ops.gather(ops.shape_of(x), graph.constant([0, 1]), axis)
    joined = ops.reshape(
        ops.transpose(seen, turn), ops.concat([texts, graph.constant([shape.width])], 0), special_zero=False
    )
    return ops.add(x, graph.linear(joined, f"{name}/linear_2"))
