from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

class GraphOptimizationLevel:
    ORT_DISABLE_ALL: GraphOptimizationLevel

class SessionOptions:
    graph_optimization_level: GraphOptimizationLevel
    intra_op_num_threads: int
    inter_op_num_threads: int
    enable_cpu_mem_arena: bool
    enable_mem_pattern: bool
    log_severity_level: int
    optimized_model_filepath: str
    def add_session_config_entry(self, key: str, value: str) -> None: ...
    def add_initializer(self, name: str, value: OrtValue) -> None: ...

class OrtValue:
    @staticmethod
    def ortvalue_from_numpy(numpy_obj: NDArray[np.generic]) -> OrtValue: ...

class RunOptions:
    def add_run_config_entry(self, key: str, value: str) -> None: ...
    def get_run_config_entry(self, key: str) -> str: ...

class NodeArg:
    @property
    def name(self) -> str: ...

class InferenceSession:
    def __init__(
        self,
        path_or_bytes: str | bytes,
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, dict[str, str]]] | None = None,
    ) -> None: ...
    def get_providers(self) -> list[str]: ...
    def get_inputs(self) -> list[NodeArg]: ...
    def get_outputs(self) -> list[NodeArg]: ...
    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
        run_options: RunOptions | None = None,
    ) -> list[NDArray[np.float32]]: ...

__version__: str

def preload_dlls() -> None: ...
def get_available_providers() -> list[str]: ...
