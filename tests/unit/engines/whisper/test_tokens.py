"""The prompt has as many tokens as the model can use, however long its text is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from engines.types import Pcm, Window
from engines.whisper.tokens import MAX_PROMPT_TOKENS, READ_CHARACTERS, WhisperTokens


class Letters(WhisperTokens):
    """A fake vocabulary in which each letter is a token. It notes how long the texts were."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._tokenizer = SimpleNamespace(sot_prev=1)  # type: ignore[assignment]  # all that is asked for here

    def encode(self, text: str) -> list[int]:
        self.lengths.append(len(text))
        return [ord(sign) for sign in text]


def window(prompt: str, hotwords: tuple[str, ...]) -> Window:
    sound = Pcm(np.zeros(0, np.float32))
    return Window(sound, start=0.0, language="en", task="transcribe", prompt=prompt, hotwords=hotwords)


def test_the_first_hot_words_and_the_end_of_the_prompt_are_used() -> None:
    tokens = Letters()
    before = tokens.before(window("a" * 100_000 + "END", ("FIRST", *["zebra"] * 150_000)), [])
    said = "".join(map(chr, before[1:]))
    assert len(said) == MAX_PROMPT_TOKENS
    assert said.startswith(" FIRST, zebra")
    assert said.endswith("aEND")
    assert max(tokens.lengths) <= READ_CHARACTERS + 1, "a megabyte of hot words took 0.7 s for each window"


def test_short_texts_are_whole() -> None:
    before = Letters().before(window(" Mr. Quilter ", ("lobster",)), [7])
    assert "".join(map(chr, before[1:-1])) == " lobster Mr. Quilter"
    assert before[-1] == 7
    assert Letters().before(window("", ()), []) == []
