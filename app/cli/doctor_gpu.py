"""What `antiphon doctor` says of GPUs: driver, sizes, what is missing, and the command that brings it.

Law: a function of the settings and of what the machine tells; nothing is loaded on a GPU.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from engines.gpus import GIB, MACHINE_CODE, Driver, Gpu, alike, batch_rows, compute_type, obstacle

if TYPE_CHECKING:
    from app.settings import Settings

NO_DRIVER = (
    "there is no NVIDIA driver, although `transcription.device` is cuda. Install the driver; in a container, "
    "install the NVIDIA container toolkit and give the container the GPUs. If it worked before, restart the "
    "container: `systemctl daemon-reload` takes GPUs from running ones"
)
NO_ANSWER = (
    "there is an NVIDIA driver, but it does not answer ({reason}), so models run on the CPU. `nvidia-smi` "
    "says more; after an update of the driver, restart the machine"
)
FIRST_START = (
    "the driver compiles CTranslate2's code for it at the first start, which takes longer, and keeps "
    "the result in the folder `CUDA_CACHE_PATH`, or in `~/.nv`"
)
BRING = "Run `make serve GPU=1`, or `pip install {package}` into the environment of Antiphon."


def gpu_verdict(
    settings: Settings, driver: Driver | str, missing: list[str], package: str
) -> tuple[Literal["ok", "note", "wrong"], str]:
    """The verdict and its sentence. `driver`: the driver, or why it does not answer (an empty text if there
    is none). `missing`: missing libraries, which are in `package`.
    """
    device = settings.transcription.device
    problem = _problem(settings, driver, missing, package)
    if problem or isinstance(driver, str):
        wrong = device == "cuda" or (driver != "" and device == "auto")
        return ("wrong" if wrong else "note"), problem
    return "ok", "; ".join(
        [f"driver {driver.version} (CUDA {_dotted(driver.cuda)})", *_chosen(settings, driver)]
    )


def onnx_verdict(
    settings: Settings, version: str, providers: Collection[str]
) -> tuple[Literal["ok", "note", "wrong"], str]:
    """The same for speech and speakers. `providers`: the kinds of device that ONNX Runtime was built for."""
    asked = [
        f"`{name}.device`"
        for name, group in (("speech", settings.speech), ("diarization", settings.diarization))
        if group.device == "cuda"
    ]
    if not asked:
        return "ok", f"ONNX Runtime {version}, on the CPU"
    if "CUDAExecutionProvider" in providers:
        return "ok", f"ONNX Runtime {version}, with CUDA for {' and '.join(asked)}"
    return "wrong", (
        f"{' and '.join(asked)} is cuda, and ONNX Runtime {version} was built without CUDA. In the "
        "environment of Antiphon, run `pip uninstall onnxruntime`, then `pip install "
        "'onnxruntime-gpu[cuda,cudnn]'`"
    )


def _problem(settings: Settings, driver: Driver | str, missing: list[str], package: str) -> str:
    """What is in the way of using the GPUs that the settings name; empty if nothing is."""
    if settings.transcription.device == "cpu":
        return "not used, because `transcription.device` is cpu"
    if isinstance(driver, str):
        asked = settings.transcription.device == "cuda"
        absent = NO_DRIVER if asked else "there is no NVIDIA driver; models run on the CPU"
        return NO_ANSWER.format(reason=driver) if driver else absent
    if found := obstacle(driver, _devices(settings, driver)):
        return found
    bring = BRING.format(package=package)
    return f"{', '.join(missing)} is missing, so models run on the CPU. {bring}" if missing else ""


def _chosen(settings: Settings, driver: Driver) -> list[str]:
    """A part of the sentence for each GPU that is used, and the choices that follow."""
    devices = _devices(settings, driver)
    chosen = [gpu for gpu in driver.gpus if gpu.index in devices]
    parts = [
        f"GPU {gpu.index}: {gpu.name}, {_gib(gpu.memory)} GiB, {_gib(gpu.free)} free, "
        f"compute capability {_dotted(gpu.capability)}"
        for gpu in chosen
    ]
    asked = settings.transcription.compute_type
    number_format = compute_type(chosen, 0) if asked == "auto" else asked
    rows = settings.runtime.batch_rows or batch_rows(chosen)
    unused = len(driver.gpus) - len(chosen)
    more = [f"{unused} more not used (`transcription.device_index`)"] if unused else []
    slow = [FIRST_START] if any(_is_compiled_for(gpu) for gpu in chosen) else []
    return [*parts, *more, f"{number_format}, batches of at most {rows} windows", *slow]


def _devices(settings: Settings, driver: Driver) -> tuple[int, ...]:
    return settings.transcription.device_index or alike(driver.gpus)


def _is_compiled_for(gpu: Gpu) -> bool:
    """Whether the driver has to compile CTranslate2's code for it."""
    return gpu.capability[0] > MACHINE_CODE[-1][0]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size else "an unknown number of"
