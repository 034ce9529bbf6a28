"""Export of the encoders' networks to ONNX, from the weights that our encoders read."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


def minilm(folder: Path, out: Path) -> tuple[Path, Path]:
    """MiniLM in f32 and in int8 with a scale for each column, attention and norms fused by onnxruntime's own optimizer for BERT."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import BertConfig, BertModel

    plain, fused, int8 = (out / f"minilm{kind}.onnx" for kind in ("-plain", "-f32", "-int8"))
    if int8.exists():
        return fused, int8
    config = BertConfig.from_pretrained(folder, attn_implementation="eager")
    model = BertModel.from_pretrained(folder, config=config).eval()

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    ids = torch.randint(1000, 2000, (2, 9))
    axes = {0: "texts", 1: "tokens"}
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        Hidden(),
        (ids, torch.ones_like(ids)),
        str(plain),
        input_names=names,
        output_names=["hidden"],
        opset_version=17,
        dynamo=False,
        dynamic_axes={name: axes for name in [*names, "hidden"]},
    )
    optimized = optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    optimized.save_model_to_file(str(fused))
    part = int8.with_suffix(".part")
    quantize_dynamic(
        str(fused), str(part), per_channel=True, weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )
    part.rename(int8)
    plain.unlink()
    return fused, int8


# (repeats, kernel, stride of the first, expansion, input, output channels) by stage.
STAGES = [
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
]  # fmt: skip


def lite0(folder: Path, out: Path) -> tuple[Path, dict]:
    """EfficientNet-Lite0 up to its 1280 features and 1000 logits, batch norm folded, and its config.json."""
    config = json.loads((folder / "config.json").read_text())
    path = out / "efficientnet-lite0.onnx"
    if path.exists():
        return path, config
    weights = load_file(folder / "model.safetensors")
    nodes, constants = [], {}

    def node(kind, inputs, **attributes):
        name = f"{kind}{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(name, value):
        constants[name] = numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name)
        return name

    def conv(x, conv, norm, kernel, stride=1, group=1, relu=True):
        part = {key: weights[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        scale = part["weight"] / np.sqrt(part["running_var"] + 1e-3)
        weight = constant(conv, weights[f"{conv}.weight"] * scale[:, None, None, None])
        bias = constant(f"{conv}.b", part["bias"] - part["running_mean"] * scale)
        x = node("Conv", [x, weight, bias], kernel_shape=[kernel] * 2, strides=[stride] * 2, group=group, auto_pad="SAME_UPPER")
        return node("Clip", [x, constant("zero", np.array(0)), constant("six", np.array(6))]) if relu else x

    x = conv("pixels", "_conv_stem", "_bn0", 3, 2)
    number = 0
    for repeats, kernel, stride, expansion, first, output in STAGES:
        for repeat in range(repeats):
            at, before = f"_blocks.{number}.", x
            inputs, step = (first, stride) if repeat == 0 else (output, 1)
            if expansion != 1:
                x = conv(x, at + "_expand_conv", at + "_bn0", 1)
            x = conv(x, at + "_depthwise_conv", at + "_bn1", kernel, step, group=inputs * expansion)
            x = conv(x, at + "_project_conv", at + "_bn2", 1, relu=False)
            if step == 1 and inputs == output:
                x = node("Add", [x, before])
            number += 1
    x = conv(x, "_conv_head", "_bn1", 1)
    features = node("Flatten", [node("GlobalAveragePool", [x])])
    fc = [constant("fc", weights["_fc.weight"]), constant("fc.b", weights["_fc.bias"])]
    logits = node("Gemm", [features, *fc], transB=1)
    side = config["image_size"]
    graph = helper.make_graph(
        nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in ((features, 1280), (logits, 1000))],
        list(constants.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path, config
