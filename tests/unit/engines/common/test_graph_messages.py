"""Nodes and arrays are written as ONNX reads them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import GraphProto, TensorProto, helper, numpy_helper

from engines.common.graph_messages import Node, array, attribute, domain, floats, name_of


def test_a_node_is_what_it_was_after_reading_and_writing() -> None:
    whole = helper.make_node(
        "Conv", ["x", "", "w"], ["y"], name="n", domain="d", pads=[1, 2], group=3, alpha=0.5
    )
    node = Node.read(memoryview(whole.SerializeToString()))
    assert (node.kind, node.inputs, node.results) == (b"Conv", (b"x", b"", b"w"), (b"y",))
    assert node.attributes["pads"] == [1, 2]
    assert node.attributes["group"] == [3]
    assert GraphProto.FromString(node.written).node[0] == whole


def test_attributes_and_domains_are_read_by_onnx() -> None:
    rest = attribute("perm", [1, 0]) + attribute("axis", 1) + domain(b"d")
    made = GraphProto.FromString(Node(b"Transpose", (b"x",), (b"y",), rest).written).node[0]
    found = {one.name: helper.get_attribute_value(one) for one in made.attribute}
    assert found == {"perm": [1, 0], "axis": 1}
    assert (made.op_type, made.domain) == ("Transpose", "d")


@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.int64])
def test_an_array_has_its_numbers(kind: type[np.generic]) -> None:
    numbers = np.arange(6).reshape(2, 3).astype(kind)
    message = array(b"a", numbers)
    read = numpy_helper.to_array(TensorProto.FromString(message))
    assert read.dtype == kind
    assert np.array_equal(read, numbers)
    assert name_of(memoryview(message)) == b"a"
    if kind is np.float32:
        assert np.array_equal(floats(memoryview(message)), numbers)
    else:
        with pytest.raises(ValueError, match="float32"):
            floats(memoryview(message))
