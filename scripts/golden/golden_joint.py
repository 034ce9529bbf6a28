"""Writes a small randomly initialized Chinese-CLIP and SigLIP to indexer/tests/golden/folders, with the vectors transformers gives them.

No registry package ships their weights, so the loaders are tested on these. How they were made: as in golden.py, then
    /tmp/goldenv/bin/python scripts/golden/golden_joint.py indexer/tests/golden
"""

import pathlib
import shutil
import sys

import torch
from PIL import Image
from transformers import ChineseCLIPConfig, ChineseCLIPModel, SiglipConfig, SiglipModel
from transformers import ChineseCLIPImageProcessorPil as ChineseCLIPImageProcessor
from transformers import SiglipImageProcessorPil as SiglipImageProcessor

from golden_folder import randomize, rounded, save_golden, save_weights
from golden_texts import TEXTS, only_vocabulary, unigram, word_pieces

PICTURES = ("ball.png", "tall.png", "wide.png")
SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SIDE = 32


def unit(output):
    vector = output if torch.is_tensor(output) else output.pooler_output
    return rounded(torch.nn.functional.normalize(vector[0], dim=0))


def make(golden, name, model, tokens, processor, ids_of, finish=None):
    folder = golden / "folders" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    randomize(model, sum(name.encode())).save_pretrained(folder)
    tokens.save_pretrained(folder)
    processor.save_pretrained(folder)
    items = []
    with torch.no_grad():
        for text in TEXTS:
            ids = torch.tensor([ids_of(text.strip())])
            items.append({"text": text, "vector": unit(model.get_text_features(input_ids=ids))})
        for picture in PICTURES:
            pixels = processor(Image.open(golden / picture).convert("RGB"), return_tensors="pt")["pixel_values"]
            items.append({"file": picture, "vector": unit(model.get_image_features(pixel_values=pixels))})
    save_weights(model.state_dict(), folder / "model.safetensors")
    if finish:
        finish(folder)
    save_golden(folder, items, "transformers", "tokenizers", "pillow")


def main(golden):
    tokens = word_pieces()
    tokens.model_max_length = 24
    vision = {**SIZE, "image_size": SIDE, "patch_size": 8}
    text = {**SIZE, "vocab_size": len(tokens) + 4, "max_position_embeddings": 40, "pad_token_id": 0}
    config = ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    processor = ChineseCLIPImageProcessor(size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    make(golden, "chinese-clip", ChineseCLIPModel(config), tokens, processor,
         lambda t: tokens(t, truncation=True)["input_ids"], only_vocabulary)
    pieces = unigram()
    text = {**SIZE, "vocab_size": len(pieces) + 2, "max_position_embeddings": 16, "pad_token_id": 1}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config={**vision, "patch_size": 16}))
    processor = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    # Every text is padded to the same length, as it was in training.
    make(golden, "siglip", model, pieces, processor,
         lambda t: pieces(t, truncation=True, max_length=16, padding="max_length")["input_ids"])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
