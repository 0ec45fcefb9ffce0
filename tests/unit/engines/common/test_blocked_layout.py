"""A vocoder gives the same sound in the other order of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common import blocked_layout
from engines.common.blocked_layout import with_blocked_layout
from engines.common.layout_probe import channels_are_in_blocks

CHANNELS = 32


def convolution(given: str, name: str, size: int = 3, step: int = 1, **more: Any) -> NodeProto:
    pad = (size - 1) // 2 * step
    found: dict[str, Any] = {"kernel_shape": [size], "dilations": [step], "pads": [pad, pad]}
    found |= {"strides": [1], "group": 1}
    return helper.make_node("Conv", [given, f"{name}.w", f"{name}.b"], [name], **(found | more))


def widening(given: str, name: str, stride: int, **more: Any) -> NodeProto:
    found: dict[str, Any] = {"kernel_shape": [2 * stride], "pads": [stride // 2] * 2, "strides": [stride]}
    found |= {"dilations": [1], "group": 1}
    return helper.make_node("ConvTranspose", [given, f"{name}.w", f"{name}.b"], [name], **(found | more))


def softened(given: str, name: str) -> NodeProto:
    return helper.make_node("LeakyRelu", [given], [name], alpha=0.1)


def stage(given: str, at: int, stride: int) -> list[NodeProto]:
    """Samples between the given ones, and two branches of convolutions, of which the mean is taken."""
    made = [
        widening(given, f"up{at}", stride),
        softened(f"up{at}", f"l{at}"),
    ]
    for branch, size in (("a", 3), ("b", 5)):
        first, second = f"{branch}{at}", f"{branch}{at}x"
        made += [
            convolution(f"l{at}", first, size),
            helper.make_node("Add", [first, f"up{at}"], [f"{first}s"]),
            softened(f"{first}s", f"{first}l"),
            convolution(f"{first}l", second, size, 2),
            helper.make_node("Add", [f"{first}s", second], [f"{second}s"]),
        ]
    made.append(helper.make_node("Add", [f"a{at}xs", f"b{at}xs"], [f"sum{at}"]))
    made.append(helper.make_node("Div", [f"sum{at}", "two"], [f"mean{at}"]))
    return [*made, softened(f"mean{at}", f"end{at}")]


def nodes() -> list[NodeProto]:
    last = convolution("end1", "sound", 7)
    del last.input[2]
    first = softened("x", "frames")
    return [
        first,
        *stage("frames", 0, 4),
        *stage("end0", 1, 2),
        last,
        helper.make_node("Tanh", ["sound"], ["y"]),
    ]


def vocoder(
    made: list[NodeProto],
    widths: tuple[int, int] = (128, 16),
    given: Sequence[str] = (),
    changed: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """`widths`: channels after each transposed convolution. `given`: arrays that are inputs too. `changed`:
    arrays in place of the usual ones.
    """
    random = np.random.default_rng(0)
    sizes: dict[str, tuple[int, ...]] = {
        "up0.w": (CHANNELS, widths[0], 8),
        "up1.w": (widths[0], widths[1], 4),
    }
    for at, width in enumerate(widths):
        for branch, size in (("a", 3), ("b", 5)):
            sizes |= {f"{branch}{at}{x}.w": (width, width, size) for x in ("", "x")}
            sizes |= {f"{branch}{at}{x}.b": (width,) for x in ("", "x")}
        sizes[f"up{at}.b"] = (width,)
    sizes["sound.w"] = (1, widths[1], 7)
    arrays = {
        name: (random.normal(size=size) / np.sqrt(np.prod(size[1:]) or 1)).astype(np.float32)
        for name, size in sizes.items()
    }
    arrays |= {"two": np.array(2, np.float32)} | dict(changed or {})
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, "frames"])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, arrays[name].shape) for name in given]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "samples"])
    kept = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(made, "test", inputs, [result], kept)
    versions = [helper.make_opsetid("", 15)]
    return bytes(helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString())


@pytest.fixture(autouse=True)
def _order() -> None:
    if not channels_are_in_blocks():
        pytest.skip("the vocoder is not rewritten on this CPU, which has no AVX-512")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("frames", [4, 5, 50])
def test_the_sound_is_the_same(threads: int, frames: int) -> None:
    before = vocoder(nodes())
    after = with_blocked_layout(memoryview(before), threads)
    x = {"x": np.random.default_rng(frames).normal(size=(1, CHANNELS, frames)).astype(np.float32)}
    true, made = (InferenceSession(bytes(one)).run(None, x)[0] for one in (before, after))
    assert true.shape == made.shape == (1, 1, frames * 8)
    assert np.allclose(true, made, atol=2e-6)


def test_only_convolutions_of_one_thread_are_halved_and_sums_are_part_of_convolutions() -> None:
    for threads, halved in ((1, 0), (2, 1)):
        after = ModelProto.FromString(bytes(with_blocked_layout(memoryview(vocoder(nodes())), threads)))
        kinds = [node.op_type for node in after.graph.node]
        assert kinds.count("Concat") == 2 * halved  # one divides, the other joins
        assert kinds.count("Add") - halved == 2  # the first one of each stage's two branches is added
        assert not {array.name for array in after.graph.initializer} & {"up0.w", "a0.w", "sound.w"}


def replaced(at: int, node: NodeProto) -> list[NodeProto]:
    made = nodes()
    made[at] = node
    return made


@pytest.mark.parametrize(
    "model",
    [
        vocoder(nodes()[:1]),  # nothing is widened
        vocoder(nodes()[:-2]),  # nothing makes the sound
        vocoder(nodes(), changed={"two": np.full((1, 128, 1), 2, np.float32)}),  # a mean by channel
        vocoder(nodes(), widths=(128, 24)),  # not a multiple of sixteen
        vocoder(replaced(1, widening("frames", "up0", 4, pads=[1, 1]))),
        vocoder(replaced(3, convolution("l0", "a0", strides=[2]))),
        vocoder(replaced(2, helper.make_node("Softmax", ["up0"], ["l0"]))),
        vocoder(replaced(16, convolution("end0", "up1"))),
        vocoder([*nodes(), convolution("l0", "a0")]),  # weights that are used twice
        vocoder(nodes(), given=["a0.w"]),  # weights that could be given from outside
        vocoder(
            replaced(1, widening("frames", "up0", 5)), changed={"up0.w": np.ones((CHANNELS, 128, 10), "f4")}
        ),
        vocoder([*nodes(), helper.make_node("Neg", ["end0"], ["more"])]),
    ],
)
def test_what_is_built_otherwise_stays(model: bytes) -> None:
    assert bytes(with_blocked_layout(memoryview(model), 2)) == model


def test_it_stays_with_more_threads_on_other_cpus_and_if_halves_would_need_too_much_of_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = memoryview(vocoder(nodes()))
    assert with_blocked_layout(model, 3) is model
    monkeypatch.setattr(blocked_layout, "FEWEST_FRAMES", 1)
    assert with_blocked_layout(model, 2) is model
    assert with_blocked_layout(model, 1) is not model
    monkeypatch.setattr(blocked_layout, "channels_are_in_blocks", lambda: False)
    assert with_blocked_layout(model, 1) is model


def test_a_damaged_model_is_refused_or_read() -> None:
    """`ValueError` is what the caller expects."""
    message = vocoder(nodes())
    for end in [*range(0, 3000, 7), *range(len(message) - 500, len(message))]:
        try:
            with_blocked_layout(memoryview(message[:end]), 2)
        except ValueError:
            continue
