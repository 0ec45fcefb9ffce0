"""Makes a small Pocket TTS model with the real architecture and random weights: its sound has no meaning, but
every step runs.
"""

from __future__ import annotations

from pathlib import Path

import yaml

WIDTH = 64
CODEC = {
    "n_filters": 8, "n_residual_layers": 1, "ratios": [6, 5, 4], "kernel_size": 7, "residual_kernel_size": 3,
    "last_kernel_size": 3, "dilation_base": 2, "pad_mode": "constant", "compress": 2,
}  # fmt: skip


def write_pocket_model(folder: Path) -> None:
    """Writes `config.yaml`, `tokenizer.json` and `model.safetensors`."""
    import torch
    from pocket_tts import TTSModel
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    words = _write_tokenizer(folder / "tokenizer.json")
    config = _config(words, str(folder / "tokenizer.json"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    torch.manual_seed(1)
    model = TTSModel.load_model(config=folder / "config.yaml")
    save_file(
        {name: tensor.contiguous() for name, tensor in model.state_dict().items()},
        folder / "model.safetensors",
    )


def _write_tokenizer(path: Path) -> int:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<unk>"])
    tokenizer.train_from_iterator(["the birch canoe slid on the smooth planks"], trainer)
    tokenizer.save(str(path))
    return int(tokenizer.get_vocab_size())


def _config(words: int, tokenizer: str) -> dict[str, object]:
    transformer = {
        "d_model": WIDTH, "num_heads": 4, "num_layers": 1, "layer_scale": 0.01, "context": 50,
        "dim_feedforward": 128, "input_dimension": WIDTH, "output_dimensions": [WIDTH],
    }  # fmt: skip
    return {
        "flow_lm": {
            "insert_bos_before_voice": True,
            "dtype": "float32",
            "flow": {"depth": 2, "dim": 32},
            "transformer": {
                "d_model": WIDTH,
                "hidden_scale": 2,
                "max_period": 10000,
                "num_heads": 4,
                "num_layers": 2,
            },
            "lookup_table": {
                "dim": WIDTH,
                "n_bins": words,
                "tokenizer": "tokenizers",
                "tokenizer_path": tokenizer,
            },
        },
        "mimi": {
            "dtype": "float32",
            "sample_rate": 24000,
            "inner_dim": 32,
            "outer_dim": WIDTH,
            "channels": 1,
            "frame_rate": 12.5,
            "seanet": CODEC | {"dimension": WIDTH, "channels": 1},
            "transformer": transformer,
            "quantizer": {"dimension": 32, "output_dimension": WIDTH},
        },
    }
