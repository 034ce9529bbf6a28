"""Writes indexer/tests/golden/folders/clip: a randomly initialized CLIP of a few kilobytes with the vectors transformers gives it.

No registry package ships CLIP weights, so the loader is tested on these. How they were made: as in golden.py, then
    /tmp/goldenv/bin/python scripts/golden/golden_clip.py indexer/tests/golden
"""

import json
import pathlib
import sys

import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPModel

try:
    from transformers import CLIPImageProcessorPil as CLIPImageProcessor
except ImportError:
    from transformers import CLIPImageProcessor

TEXTS = ["red dress", "a photo of a mug", "Men's waterproof hiking boots, size 44", "very long " * 20]  # style: ignore
SIDE = 32


def tokenizer(out):
    """Byte-level BPE as CLIP's, trained on the texts; the end token has the largest id, as in CLIP."""
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, end_of_word_suffix="</w>", initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    start, end = made.token_to_id("<|startoftext|>"), made.token_to_id("<|endoftext|>")
    assert end == made.get_vocab_size() - 1
    made.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", start), ("<|endoftext|>", end)]
    )
    made.save(str(out / "tokenizer.json"), pretty=False)
    return made, start, end


def main(golden):
    out = golden / "folders" / "clip"
    out.mkdir(exist_ok=True)
    tokens, start, end = tokenizer(out)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {**size, "vocab_size": end + 1, "max_position_embeddings": 16, "bos_token_id": start, "eos_token_id": end}
    vision = {**size, "image_size": SIDE, "patch_size": 8}
    torch.manual_seed(5)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).eval()
    # The initial weights are so small that layers hardly matter: larger ones make every part of the network matter.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
            elif "bias" in name:
                parameter.normal_(0, 0.1)
    model.save_pretrained(out, safe_serialization=True)
    processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor.save_pretrained(out)

    def unit(output):
        vector = output if torch.is_tensor(output) else output.pooler_output
        return [round(float(x), 6) for x in torch.nn.functional.normalize(vector[0], dim=0)]

    tokens.enable_truncation(16)
    items = []
    with torch.no_grad():
        for t in TEXTS:
            ids = torch.tensor([tokens.encode(t).ids])
            items.append({"text": t, "vector": unit(model.get_text_features(input_ids=ids))})
        for name in ("ball.png", "tall.png", "wide.png"):
            pixels = processor(Image.open(golden / name).convert("RGB"), return_tensors="pt")["pixel_values"]
            items.append({"file": name, "vector": unit(model.get_image_features(pixel_values=pixels))})
    from importlib.metadata import version

    made = {name: version(name) for name in ("torch", "transformers", "tokenizers", "pillow")}
    (out / "golden.json").write_text(json.dumps({"made_with": made, "items": items}) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
