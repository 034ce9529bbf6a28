"""Writes small randomly initialized sentence encoders to indexer/tests/golden/folders, with the vectors sentence-transformers gives them.

No registry package ships weights of these families, so the loader is tested on these. How they were made: as in golden.py, then
    /tmp/goldenv/bin/python scripts/golden/golden_texts.py indexer/tests/golden
"""

import json
import pathlib
import shutil
import sys
import tempfile

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig, BertModel, DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel,
    PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel,
)

from golden_folder import randomize, rounded, save_golden, save_weights

TEXTS = [
    "red dress",
    " ",
    "Men's waterproof hiking boots, size 44 – brown leather",
    "Café crème naïve façade: ½ price, 50 € ☕🧥",
    "红色连衣裙 女装 夏季新款",
    "красные кроссовки для бега, мужские",
    "a very long text about a lamp " * 20,
]
SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
MAX_TOKENS = 24


def word_pieces():
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(TEXTS, trainers.WordPieceTrainer(
        vocab_size=260, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    ends = [(t, made.token_to_id(t)) for t in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=made, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
                                   unk_token="[UNK]", mask_token="[MASK]", do_lower_case=True)


def unigram():
    """As XLM-RoBERTa's: SentencePiece's unigram model, its special tokens first."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS, trainers.UnigramTrainer(
        vocab_size=220, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    ends = [(t, made.token_to_id(t)) for t in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
                                   pad_token="<pad>", unk_token="<unk>")


def make(golden, name, model, tokens, pooling, behind=(), prompts=None, finish=None):
    folder = golden / "folders" / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        randomize(model, sum(name.encode())).save_pretrained(work)
        tokens.save_pretrained(work)
        transformer = Transformer(work, max_seq_length=MAX_TOKENS)
        whole = SentenceTransformer(modules=[transformer, Pooling(SIZE["hidden_size"], pooling_mode=pooling), *behind],
                                    prompts=prompts, device="cpu").float().eval()
        whole.save(str(folder))
    items = []
    for text in TEXTS:
        for role in ("query", "document"):
            # One text for each call: no padding in the reference. White space around a text is removed, as the indexer does.
            vector = whole.encode(text.strip(), prompt=(prompts or {}).get(role, ""), normalize_embeddings=True)
            items.append({"text": text, "role": role, "vector": rounded(vector)})
    save_weights(dict(model.state_dict()), folder / "model.safetensors")
    for path in [folder / "README.md", *folder.glob("*/README.md")]:
        path.unlink(missing_ok=True)
    if finish:
        finish(folder)
    save_golden(folder, items, "transformers", "sentence-transformers", "tokenizers")


def only_vocabulary(folder):
    """Older folders have only the vocabulary."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in sorted(vocabulary, key=vocabulary.get)))
    (folder / "tokenizer.json").unlink()


def dense():
    layer = Dense(SIZE["hidden_size"], 20, activation_function=torch.nn.Tanh())
    return randomize(layer, 11)


def main(golden):
    tokens = word_pieces()
    # The vocabulary is rounded up: checkpoints have rows without a token.
    size = {**SIZE, "vocab_size": len(tokens) + 4}
    bert = BertConfig(**size, max_position_embeddings=40, pad_token_id=0)
    make(golden, "bert-cls", BertModel(bert), tokens, "cls", [Normalize()],
         {"query": "Represent this sentence: ", "document": ""}, only_vocabulary)
    make(golden, "bert-mean", BertModel(bert), tokens, "mean", [Normalize()], {"query": "query: ", "document": "passage: "})
    distilbert = DistilBertConfig(vocab_size=size["vocab_size"], dim=32, hidden_dim=64, n_layers=2, n_heads=4, max_position_embeddings=40)
    make(golden, "distilbert-dense", DistilBertModel(distilbert), tokens, "mean", [dense()])
    pieces = unigram()
    size = {**SIZE, "vocab_size": len(pieces) + 2}
    roberta = XLMRobertaConfig(**size, max_position_embeddings=26, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1)
    make(golden, "xlm-roberta", XLMRobertaModel(roberta), pieces, "mean", [Normalize()])
    mpnet = MPNetConfig(**size, max_position_embeddings=40, pad_token_id=1)
    make(golden, "mpnet", MPNetModel(mpnet), pieces, "mean", [Normalize()])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
