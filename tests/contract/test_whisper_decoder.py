"""The decoder on OpenVINO beside CTranslate2's own, with real weights and real speech."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines import catalog
from engines.errors import WeightsBroken
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window, WindowResult
from engines.whisper.alignment import AlignedText
from engines.whisper.ctranslate2_arrays import as_rows, numbers
from engines.whisper.ctranslate2_weights import Weights, read_arrays
from engines.whisper.decoder_networks import shape_of
from engines.whisper.features import Features
from engines.whisper.network_parts import NetworkParts
from engines.whisper.openvino_decoder import OpenVinoDecoder
from engines.whisper.quick_decoder import alignment_heads, vocabulary
from engines.whisper.tokens import WhisperTokens
from engines.whisper.word_times import Alignment
from tests.conftest import JFK, ROOT
from tests.support.exact_network import ExactParts
from tests.support.openvino import needs_openvino
from tests.support.sound import decode

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def precise(whisper_folder: Path) -> WhisperModel:
    from faster_whisper import WhisperModel

    return WhisperModel(str(whisper_folder), device="cpu", compute_type="float32", local_files_only=True)


@pytest.fixture(scope="module")
def tokens(precise: WhisperModel) -> WhisperTokens:
    return WhisperTokens(precise.hf_tokenizer, multilingual=True)


@pytest.fixture(scope="module")
def encoded(precise: WhisperModel) -> NDArray[np.float32]:
    """Three pieces of speech, one of which has no end."""
    whole = Features(precise.feature_extractor, 1).of(decode(JFK.read_bytes()))
    pieces = [np.ascontiguousarray(whole[None, :, at : at + 700]) for at in (0, 200, 400)]
    return np.concatenate([numbers(precise.encode(piece)) for piece in pieces])


@pytest.fixture(scope="module")
def weights(whisper_folder: Path) -> Weights:
    return Weights(read_arrays(whisper_folder / "model.bin"), "decoder")


@needs_openvino
@pytest.mark.parametrize("prompt", ["", "A speech by a president."])
@pytest.mark.parametrize("beams", [1, 5])
def test_in_float32_it_is_ctranslate2s(
    precise: WhisperModel,
    tokens: WhisperTokens,
    encoded: NDArray[np.float32],
    weights: Weights,
    prompt: str,
    beams: int,
) -> None:
    known = vocabulary(tokens, weights.shape("embeddings/weight")[0])
    ours = OpenVinoDecoder(ExactParts(weights), weights, known, calls=1, threads=1, precision="f32")
    before = [known.without_speech - 1, *tokens.encode(prompt)] if prompt else []
    prompts = [[*before, *tokens.start("en", "transcribe")]] * len(encoded)
    found = ours.generate(ours.listen(encoded), prompts, beams=beams, most_tokens=[60] * len(prompts))
    theirs = precise.model.generate(
        as_rows(encoded),
        prompts,
        beam_size=beams,
        max_length=120,
        return_scores=True,
        return_no_speech_prob=True,
        suppress_tokens=tokens.suppressed,
        max_initial_timestamp_index=50,
    )
    for one, other in zip(found, theirs, strict=True):
        assert list(one.tokens) == other.sequences_ids[0]
        assert one.score == pytest.approx(other.scores[0], abs=1e-3)
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-3)


@needs_openvino
def test_in_float32_it_hears_the_languages_that_ctranslate2_hears(
    precise: WhisperModel, tokens: WhisperTokens, encoded: NDArray[np.float32], weights: Weights
) -> None:
    known = vocabulary(tokens, weights.shape("embeddings/weight")[0])
    ours = OpenVinoDecoder(ExactParts(weights), weights, known, calls=1, threads=1, precision="f32")
    found = ours.languages(ours.listen(encoded))
    for chances, guesses in zip(found, precise.model.detect_language(as_rows(encoded)), strict=True):
        named = {
            tokens.name(token): float(chance) for token, chance in zip(known.languages, chances, strict=True)
        }
        assert named == pytest.approx(dict(guesses), abs=1e-4)


@needs_openvino
def test_as_it_is_used_a_row_has_the_same_text_in_every_batch(
    tokens: WhisperTokens, encoded: NDArray[np.float32], weights: Weights
) -> None:
    known = vocabulary(tokens, weights.shape("embeddings/weight")[0])
    ours = OpenVinoDecoder(NetworkParts(weights), weights, known, calls=1, threads=1)
    prompt = tokens.start("en", "transcribe")
    for beams in (1, 5):
        together = ours.generate(
            ours.listen(encoded), [prompt] * len(encoded), beams=beams, most_tokens=[60] * len(encoded)
        )
        for row, text in enumerate(together):
            (alone,) = ours.generate(
                ours.listen(encoded[row : row + 1]), [prompt], beams=beams, most_tokens=[60]
            )
            assert alone.tokens == text.tokens


def aligned(
    decoder: OpenVinoDecoder, encoded: NDArray[np.float32], tokens: WhisperTokens
) -> list[tuple[list[int], AlignedText]]:
    """The text tokens of each piece, and when they are heard."""
    start, found = tokens.start("en", "transcribe"), []
    for row in range(len(encoded)):
        one = encoded[row : row + 1]
        (text,) = decoder.generate(decoder.listen(one), [start], beams=5, most_tokens=[60])
        said = tokens.text_only(text.tokens)
        found.append((said, decoder.align(decoder.listen(one), start, said, 300)))
    return found


@needs_openvino
@pytest.mark.parametrize("exact", [True, False])
def test_words_are_timed_as_by_ctranslate2(
    precise: WhisperModel,
    tokens: WhisperTokens,
    encoded: NDArray[np.float32],
    weights: Weights,
    whisper_folder: Path,
    exact: bool,
) -> None:
    """In float32 the positions are the same; as it is used, nearly all."""
    known = vocabulary(tokens, weights.shape("embeddings/weight")[0])
    parts = ExactParts(weights) if exact else NetworkParts(weights)
    heads = alignment_heads(whisper_folder / "config.json", shape_of(parts))
    options: dict[str, Any] = {"precision": "f32" if exact else "bf16", "heads": heads}
    ours = OpenVinoDecoder(parts, weights, known, calls=1, threads=1, **options)
    start, apart = tokens.start("en", "transcribe"), []
    for row, (text, found) in enumerate(aligned(ours, encoded, tokens)):
        (theirs,) = precise.model.align(as_rows(encoded[row : row + 1]), start, [text], [600])
        mine, other = starts(found), starts(theirs)
        apart += [abs(mine[token] - other[token]) for token in range(len(text) + 1)]
        assert found.text_token_probs == pytest.approx(theirs.text_token_probs, abs=1e-3 if exact else 0.15)
    assert max(apart) <= (0 if exact else 10)
    assert sum(one > 1 for one in apart) <= 0.05 * len(apart)


def starts(found: Alignment) -> dict[int, int]:
    """The first position of each token."""
    return dict(reversed(found.alignments))


def test_ctranslate2_and_faster_whisper_are_not_even_imported(whisper_folder: Path, tmp_path: Path) -> None:
    """Whatever is asked for, on a CPU that suits OpenVINO."""
    np.save(tmp_path / "speech.npy", decode(JFK.read_bytes())[:80_000])
    code = f"""
import sys
from pathlib import Path
import numpy as np
from engines import catalog
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window
options = EngineOptions(device="cpu", workers=1, adaptive=True)
engine = catalog.transcriber("faster-whisper")(Path({str(whisper_folder)!r}), options)
speech = np.load({str(tmp_path / "speech.npy")!r})
windows = [Window(Pcm(speech[: 16000 * seconds])) for seconds in (2, 5)]
for asked in ({{"words": True, "logprobs": True}}, {{"beam_size": 60}}, {{"temperatures": (0.7,)}}):
    found = engine.transcribe(windows, TranscribeOptions(**asked))
    assert all(one.segments for one in found)
    words = [word for one in found for segment in one.segments for word in segment.words or ()]
    assert bool(words) == ("words" in asked)
unwanted = {{"ctranslate2", "faster_whisper", "av"}} & sys.modules.keys()
print(engine._rows.quick is not None, sorted(unwanted))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    quick, _, imported = done.stdout.strip().partition(" ")
    if quick != "True":
        pytest.skip("OpenVINO is not installed, or this CPU does not compute in bfloat16")
    assert imported == "[]"


def test_the_tokens_that_no_text_has_are_those_of_the_library(tokens: WhisperTokens) -> None:
    library = import_module("faster_whisper.transcribe")
    assert tokens.suppressed == list(library.get_suppressed_tokens(tokens._tokenizer, [-1]))


def test_cut_weights_are_refused_when_they_are_loaded(whisper_folder: Path, tmp_path: Path) -> None:
    for file in whisper_folder.iterdir():
        (tmp_path / file.name).symlink_to(file.resolve())
    (tmp_path / "model.bin").unlink()
    with (whisper_folder / "model.bin").open("rb") as whole:
        (tmp_path / "model.bin").write_bytes(whole.read(1_000_000))
    with pytest.raises(WeightsBroken):
        catalog.transcriber("faster-whisper")(tmp_path, EngineOptions(device="cpu"))


def test_after_a_rest_texts_and_word_times_are_the_same(whisper_folder: Path) -> None:
    load, options = catalog.transcriber("faster-whisper"), EngineOptions(device="cpu", workers=1)
    tired: Any
    fresh: Any
    tired, fresh = load(whisper_folder, options), load(whisper_folder, options)
    window = Window(Pcm(decode(JFK.read_bytes())))

    def heard(engine: Any, *, words: bool) -> WindowResult:
        results: list[WindowResult] = engine.transcribe([window], TranscribeOptions(words=words))
        return results[0]

    try:
        for words in (False, True, True):
            tired.rest()
            assert heard(tired, words=words) == heard(fresh, words=words)
    finally:
        tired.close()
        fresh.close()
