"""Whisper's vocabulary: prompts, the bytes of tokens, the words of tokens.

Law: token ids in, token ids or text out; no model is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from engines.common.installed import module_alone
from engines.types import Token, Window

if TYPE_CHECKING:
    import tokenizers
    from faster_whisper.tokenizer import Tokenizer

DECODER_POSITIONS = 448
"""Positions of Whisper's decoder: the prompt and the text."""
MAX_PROMPT_TOKENS = 223
"""Tokens that may stand before the start token: half of the decoder's positions, less the special tokens."""
LONGEST_TOKEN = 64
"""An upper bound on the characters of one token: the longest token that is made of letters has 33 bytes."""
READ_CHARACTERS = MAX_PROMPT_TOKENS * LONGEST_TOKEN
"""Characters of a prompt, or of hot words, that can become so many tokens. More are not encoded: the
tokenizer keeps Python's lock while it works, for each window, and nobody else is served meanwhile."""


class WhisperTokens:
    """A Hugging Face tokenizer with Whisper's special tokens by name."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, *, multilingual: bool) -> None:
        kind = module_alone("faster_whisper", "tokenizer").Tokenizer

        def for_language(language: str) -> Tokenizer:
            known: Tokenizer = kind(tokenizer, multilingual, task="transcribe", language=language)
            return known

        self.multilingual = multilingual
        self._raw = tokenizer
        # One tokenizer for each language, because the language is a field of it and several threads split
        # words in parallel.
        self._for_language = lru_cache(maxsize=128)(for_language)
        self._tokenizer = self._for_language("en")
        self.eot: int = self._tokenizer.eot
        self.timestamps: int = self._tokenizer.timestamp_begin
        self.suppressed = _suppressed(self._tokenizer)
        self._bytes = _byte_table()

    def encode(self, text: str) -> list[int]:
        """The tokens of plain text. A special token that is spelled out in the text does not become that
        token.
        """
        return self.text_only(self._tokenizer.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens))

    def text_only(self, tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if token < self.eot]

    def before(self, window: Window, said: Sequence[int]) -> list[int]:
        """The tokens before the start token: hot words, then the end of the prompt and of the earlier text.

        `said`: text tokens of the rounds before this one.
        """
        words = ", ".join(window.hotwords)[:READ_CHARACTERS]
        prompt = window.prompt.strip()[-READ_CHARACTERS:]
        hot = self.encode(f" {words}") if words else []
        text = self.encode(f" {prompt}") if prompt else []
        text += said
        hot = hot[: MAX_PROMPT_TOKENS // 2 if text else MAX_PROMPT_TOKENS]
        text = text[-(MAX_PROMPT_TOKENS - len(hot)) :] if text else []
        return [self._tokenizer.sot_prev, *hot, *text] if hot or text else []

    def start(self, language: str, task: str) -> list[int]:
        """The start sequence: start, language, task. Only the start for a model of English alone."""
        if not self.multilingual:
            return [self._tokenizer.sot]
        named = [self._raw.token_to_id(f"<|{name}|>") for name in (language, task)]
        return [self._tokenizer.sot, *(token for token in named if token is not None)]

    def name(self, token: int) -> str:
        """The token as the vocabulary writes it, such as `<|en|>`."""
        return self._raw.id_to_token(token) or ""

    def words(self, tokens: Sequence[int], language: str) -> tuple[list[str], list[list[int]]]:
        """Words and their tokens. The last word is the end-of-text token."""
        texts, ids = self._for_language(language).split_to_word_tokens([*tokens, self.eot])
        return list(texts), [list(some) for some in ids]

    def tokens(self, ids: Sequence[int], logprobs: Sequence[float]) -> tuple[Token, ...]:
        """The tokens with their bytes. `logprobs`: one for each token, or none at all."""
        known: Sequence[float | None] = logprobs or [None] * len(ids)
        return tuple(Token(i, self._data(i), p) for i, p in zip(ids, known, strict=True))

    def _data(self, token: int) -> bytes:
        if token >= self.eot:
            return b""
        return bytes(self._bytes[character] for character in self._raw.id_to_token(token) or "")


def _suppressed(tokenizer: Tokenizer) -> list[int]:
    """The tokens that no text has: sounds in words, and what prompts are made of."""
    t = tokenizer
    special = (t.transcribe, t.translate, t.sot, t.sot_prev, t.sot_lm, t.no_speech)
    return sorted({*t.non_speech_tokens, *(token for token in special if token is not None)})


@lru_cache(maxsize=1)
def _byte_table() -> dict[str, int]:
    """Character -> byte of GPT-2's byte-level alphabet, in which printable bytes stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + index): byte for index, byte in enumerate(others)}
