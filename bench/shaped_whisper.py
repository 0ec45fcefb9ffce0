"""Whisper models of a real one's shape with random weights, for machines that cannot fetch the real ones.

    .venv/bin/python -m bench.shaped_whisper FOLDER --shape large-v3

The cost of a model follows from its shape and from the number of tokens that it writes, not from what its
weights say. The weights here are random, but for the positions of the decoder: each is the embedding of the
token that comes next, times thirty, so that the model writes the same text to every sound, as many tokens as
asked for, and is sure of it. So two programs that run it do equal work.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPOKEN = 30.0
"""Factor on the embedding of the next token within a position, so that it outweighs everything else there."""
CERTAIN = 40.0
"""Logit of the next token."""
HELD_BACK = 1e-4
"""Standard deviation of the output weights of each layer. It is so small that layers change no token."""
POSITIONS, SOUND_POSITIONS = 448, 1500
VOCABULARY = 51865
"""Tokens of every multilingual Whisper; those of large v3 have one language more."""
BLOCK = 1 << 20
"""Random numbers that are repeated to fill all weights."""
FIRST_TEXT_TOKEN = 1000
"""From here on, tokens of the vocabulary are parts of words."""
END_SECONDS = 29.0
"""The end of the text by its last timestamp, in seconds; for shorter sound the timestamp is cut off."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a model, on which its speed and memory depend."""

    encoder_layers: int
    decoder_layers: int
    width: int
    heads: int
    bands: int


SHAPES = {
    "large-v3": Shape(encoder_layers=32, decoder_layers=32, width=1280, heads=20, bands=128),
    "large-v3-turbo": Shape(encoder_layers=32, decoder_layers=4, width=1280, heads=20, bands=128),
    "distil-large-v3.5": Shape(encoder_layers=32, decoder_layers=2, width=1280, heads=20, bands=128),
    "base": Shape(encoder_layers=6, decoder_layers=6, width=512, heads=8, bands=80),
    "smallest": Shape(encoder_layers=1, decoder_layers=1, width=64, heads=1, bands=80),
}


class Weights:
    """Arrays of random numbers, no two alike, because CTranslate2 keeps equal ones only once."""

    def __init__(self) -> None:
        self._numbers = np.random.default_rng(0).standard_normal(BLOCK, np.float32)
        self._made = 0

    def normal(self, *shape: int, deviation: float = 0.02) -> np.ndarray[Any, np.dtype[np.float32]]:
        self._made += 1
        return np.resize(np.roll(self._numbers, self._made) * np.float32(deviation), shape)


def make(folder: Path, shape: Shape, tokens: int, vocabulary: Path) -> Path:
    """Makes a model in `folder`, and returns the folder. `tokens`: number of tokens that the model writes
    for each window. `vocabulary`: folder of a real model, whose vocabulary is copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = json.loads((vocabulary / "config.json").read_text())
    names = (vocabulary / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    names = names[:-1] if not names[-1] else names
    from ctranslate2.specs.whisper_spec import WhisperSpec  # imports PyTorch

    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    weights = Weights()
    _encoder(spec.encoder, shape, weights)
    _decoder(spec.decoder, shape, weights, script(names, known, tokens))
    spec.register_vocabulary(names)
    spec.config.suppress_ids = known["suppress_ids"]
    spec.config.suppress_ids_begin = known["suppress_ids_begin"]
    spec.config.lang_ids = known["lang_ids"]
    spec.config.alignment_heads = [[shape.decoder_layers - 1, 0]]
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    shutil.copy(vocabulary / "tokenizer.json", folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": shape.bands}))
    return folder


def script(names: list[str], known: dict[str, Any], tokens: int) -> list[int]:
    """The token that the model writes at each position: task and first timestamp, the text, last
    timestamp and end.
    """
    place = {name: at for at, name in enumerate(names)}
    banned = set(known["suppress_ids"])
    text = [at for at in range(FIRST_TEXT_TOKEN, place["<|endoftext|>"], 97) if at not in banned][:tokens]
    assert len(text) == tokens
    after_language = [place["<|en|>"], place["<|transcribe|>"]]
    return [
        *after_language,
        place["<|0.00|>"],
        *text,
        place[f"<|{END_SECONDS:.2f}|>"],
        place["<|endoftext|>"],
    ]


def _encoder(spec: Any, shape: Shape, weights: Weights) -> None:
    width = shape.width
    spec.conv1.weight = weights.normal(width, shape.bands, 3)
    spec.conv2.weight = weights.normal(width, width, 3)
    spec.conv1.bias = spec.conv2.bias = np.zeros(width, np.float32)
    spec.position_encodings.encodings = weights.normal(SOUND_POSITIONS, width)
    _norm(spec.layer_norm, width)
    for layer in spec.layer:
        _attention(layer.self_attention, (3 * width, width), weights)
        _feed_forward(layer.ffn, width, weights)


def _decoder(spec: Any, shape: Shape, weights: Weights, said: list[int]) -> None:
    width = shape.width
    embeddings = np.random.default_rng(1).standard_normal((VOCABULARY, width), np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    spec.embeddings.weight = embeddings
    spec.projection.weight = embeddings
    next_tokens = np.resize(said[-1], POSITIONS)
    next_tokens[: len(said)] = said
    spec.position_encodings.encodings = SPOKEN * embeddings[next_tokens]
    _norm(spec.layer_norm, width, scale=CERTAIN / width**0.5)
    for layer in spec.layer:
        _attention(layer.self_attention, (3 * width, width), weights)
        _attention(layer.attention, (width, 2 * width, width), weights)
        _feed_forward(layer.ffn, width, weights)


def _attention(spec: Any, outputs: tuple[int, ...], weights: Weights) -> None:
    width = outputs[-1]
    _norm(spec.layer_norm, width)
    for linear, rows in zip(spec.linear, outputs, strict=True):
        last = linear is spec.linear[-1]
        linear.weight = weights.normal(rows, width, deviation=HELD_BACK if last else 0.02)
        linear.bias = np.zeros(rows, np.float32)


def _feed_forward(spec: Any, width: int, weights: Weights) -> None:
    _norm(spec.layer_norm, width)
    spec.linear_0.weight = weights.normal(4 * width, width)
    spec.linear_0.bias = np.zeros(4 * width, np.float32)
    spec.linear_1.weight = weights.normal(width, 4 * width, deviation=HELD_BACK)
    spec.linear_1.bias = np.zeros(width, np.float32)


def _norm(spec: Any, width: int, *, scale: float = 1.0) -> None:
    spec.gamma, spec.beta = np.full(width, scale, np.float32), np.zeros(width, np.float32)


def main() -> None:
    from tests.conftest import ROOT

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="large-v3")
    parser.add_argument("--tokens", type=int, default=80, help="that it writes to every window")
    parser.add_argument("--vocabulary", type=Path, default=ROOT / "data/weights/whisper-base")
    chosen = parser.parse_args()
    made = make(chosen.folder, SHAPES[chosen.shape], chosen.tokens, chosen.vocabulary)
    print(f"{made}: {sum(file.stat().st_size for file in made.iterdir()) / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
