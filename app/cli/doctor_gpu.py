"""What `antiphon doctor` says of GPUs: driver, sizes, what is missing, and the command that brings it.

Law: a function of the settings and of what the machine tells; nothing is loaded on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engines.gpus import GIB, Driver, batch_rows, compute_type

if TYPE_CHECKING:
    from app.settings import Settings

CUDA_NEEDED = (12, 0)
"""The CUDA that CTranslate2 is built for; a driver runs that of its major version and of older ones."""
NO_DRIVER = (
    "there is no NVIDIA driver, although `transcription.device` is cuda. Install the driver; in a container, "
    "install the NVIDIA container toolkit and give the container the GPUs. If it worked before, restart the "
    "container: `systemctl daemon-reload` takes GPUs from running ones"
)
BRING = "Run `make serve GPU=1`, or `pip install {package}` into the environment of Antiphon."


def gpu_verdict(
    settings: Settings, driver: Driver | None, missing: list[str], package: str
) -> tuple[Literal["ok", "note", "wrong"], str]:
    """The verdict and its sentence. `missing`: libraries that `package` brings."""
    asked = settings.transcription.device == "cuda"
    problem = _problem(settings, driver, missing, package)
    if problem:
        wrong = asked or (driver is not None and settings.transcription.device == "auto")
        return ("wrong" if wrong else "note"), problem
    assert driver  # without one there was a problem
    return "ok", "; ".join(
        [f"driver {driver.version} (CUDA {_dotted(driver.cuda)})", *_chosen(settings, driver)]
    )


def _problem(settings: Settings, driver: Driver | None, missing: list[str], package: str) -> str:
    """What is in the way of using the GPUs that the settings name; empty if nothing is."""
    if settings.transcription.device == "cpu":
        return "not used, because `transcription.device` is cpu"
    if driver is None:
        asked = settings.transcription.device == "cuda"
        return NO_DRIVER if asked else "there is no NVIDIA driver; models run on the CPU"
    known = {gpu.index for gpu in driver.gpus}
    absent = [str(index) for index in settings.transcription.device_index if index not in known]
    if driver.cuda < CUDA_NEEDED:
        able = f"the driver {driver.version} runs CUDA {_dotted(driver.cuda)}"
        return f"{able}, and {_dotted(CUDA_NEEDED)} is needed. Install a newer driver"
    if absent:
        return f"`transcription.device_index` names GPU {', '.join(absent)}, and there are {len(known)}"
    bring = BRING.format(package=package)
    return f"{', '.join(missing)} is missing, so models run on the CPU. {bring}" if missing else ""


def _chosen(settings: Settings, driver: Driver) -> list[str]:
    """A part of the sentence for each GPU that is used, and the choices that follow."""
    chosen = [gpu for gpu in driver.gpus if gpu.index in settings.transcription.device_index]
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
    return [*parts, *more, f"{number_format}, batches of at most {rows} windows"]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size else "an unknown number of"
