"""Large arrays are moved out of an ONNX file, whatever else is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from engines.common.evictable_arrays import EvictableArrays
from engines.common.moved_arrays import LARGE_BYTES, without_large_arrays

KINDS = ("float32", "uint8", "int8", "int32", "int64")


def model(*arrays: TensorProto) -> ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    node = helper.make_node("Neg", ["x"], ["y"])
    return helper.make_model(helper.make_graph([node], "test", [given], [made], arrays), ir_version=9)


def moved(file: Path, *arrays: TensorProto) -> tuple[ModelProto, dict[str, np.ndarray]]:
    message = model(*arrays).SerializeToString()
    file.write_bytes(message * 2)
    kept, given = without_large_arrays(memoryview(message), file, EvictableArrays(file))
    return ModelProto.FromString(kept), dict(given.arrays)


def test_arrays_of_all_kinds_have_the_same_numbers_elsewhere(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {kind: random.integers(-99, 99, (LARGE_BYTES, 2)).astype(kind) for kind in KINDS}
    told, given = moved(
        tmp_path / "graph.onnx", *(numpy_helper.from_array(one, kind) for kind, one in arrays.items())
    )
    assert list(given) == [*KINDS]
    for one in told.graph.initializer:
        assert given[one.name].dtype == arrays[one.name].dtype
        assert np.array_equal(given[one.name], arrays[one.name])
        assert (one.data_location, [(e.key, e.value) for e in one.external_data]) == (
            TensorProto.EXTERNAL,
            [("location", "graph.onnx")],
        )
        assert not one.raw_data
        assert helper.tensor_dtype_to_np_dtype(one.data_type) == arrays[one.name].dtype
        assert tuple(one.dims) == arrays[one.name].shape


def test_small_arrays_and_others_stay_in_the_graph(tmp_path: Path) -> None:
    count = LARGE_BYTES
    kept = [
        numpy_helper.from_array(np.zeros(8, np.float32), "small"),
        helper.make_tensor("not one piece of bytes", TensorProto.FLOAT, [count], np.zeros(count)),
        helper.make_tensor("bfloat16", TensorProto.BFLOAT16, [count], bytes(2 * count), raw=True),
        TensorProto(name="text", data_type=TensorProto.STRING, dims=[1], string_data=[b"a" * count]),
    ]
    told, given = moved(tmp_path / "graph.onnx", *kept)
    assert not given
    assert told == model(*kept)


def test_a_damaged_model_is_refused_or_read(tmp_path: Path) -> None:
    """`ValueError` is what the caller expects."""
    message = model(numpy_helper.from_array(np.zeros(LARGE_BYTES, np.float32), "a")).SerializeToString()
    file = tmp_path / "graph.onnx"
    file.write_bytes(message)
    for end in [*range(200), *range(len(message) - 200, len(message))]:
        try:
            without_large_arrays(memoryview(message[:end]), file, EvictableArrays(file))
        except ValueError:
            continue
    sizes_that_do_not_fit = helper.make_tensor(
        "a", TensorProto.FLOAT, [LARGE_BYTES], bytes(4 * LARGE_BYTES), raw=True
    )
    sizes_that_do_not_fit.dims[0] += 1
    with pytest.raises(ValueError, match="reshape"):
        moved(file, sizes_that_do_not_fit)


def test_arrays_of_one_name_or_in_another_file_are_left_to_the_session(tmp_path: Path) -> None:
    large = numpy_helper.from_array(np.zeros(LARGE_BYTES, np.float32), "weights")
    small = numpy_helper.from_array(np.zeros(2, np.float32), "weights")
    elsewhere = TensorProto(name="far", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    elsewhere.external_data.add(key="location", value="far.bin")
    for arrays in ((large, large), (large, small), (large, elsewhere)):
        with pytest.raises(ValueError, match="arrays"):
            moved(tmp_path / "graph.onnx", *arrays)
