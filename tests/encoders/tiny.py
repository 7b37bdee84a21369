"""Models of other libraries with random weights, in tiny configurations, and folders of them."""

from pathlib import Path
from typing import Any

import torch

WORDS = ["<pad>", "<unk>", "<s>", "</s>", "a", "dog", "cat", "photo", "of", "barks", "rain"]


def tokenizer(max_length: int = 12) -> Any:
    """Return a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=max_length,
    )


def clip() -> Any:
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = CLIPConfig(
        text_config={
            "vocab_size": len(WORDS),
            "hidden_size": 12,
            "max_position_embeddings": 12,
            "eos_token_id": 3,
            "bos_token_id": 2,
            "pad_token_id": 0,
            **layers,
        },
        vision_config={"hidden_size": 12, "image_size": 16, "patch_size": 8, **layers},
        projection_dim=6,
    )
    return CLIPModel(config).eval()


def clap() -> Any:
    from transformers import ClapConfig, ClapModel

    torch.manual_seed(1)
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = ClapConfig(
        text_config={
            "vocab_size": len(WORDS),
            "hidden_size": 12,
            "max_position_embeddings": 20,
            "pad_token_id": 0,
            **layers,
        },
        audio_config={
            "spec_size": 64,
            "num_mel_bins": 16,
            "window_size": 4,
            "patch_size": 2,
            "patch_stride": 2,
            "hidden_size": 16,
            "patch_embeds_hidden_size": 8,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "num_hidden_layers": 2,
            "enable_fusion": True,
        },
        projection_dim=6,
    )
    net = ClapModel(config).eval()
    with torch.no_grad():  # else all texts are alike
        for weight in net.text_model.parameters():
            weight.normal_(0, 0.5)
    return net


def ast() -> Any:
    from transformers import ASTConfig, ASTForAudioClassification

    torch.manual_seed(2)
    config = ASTConfig(
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=256,
        num_mel_bins=32,
        id2label={0: "Speech", 1: "Dog", 2: "Rain"},
        label2id={"Speech": 0, "Dog": 1, "Rain": 2},
    )
    return ASTForAudioClassification(config).eval()


def vit(head: bool = True) -> Any:
    from transformers import ViTConfig, ViTForImageClassification, ViTModel

    torch.manual_seed(3)
    config = ViTConfig(
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
        id2label={0: "cat", 1: "dog"},
        label2id={"cat": 0, "dog": 1},
    )
    return (ViTForImageClassification if head else ViTModel)(config).eval()


def bert() -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(4)
    return BertModel(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=12,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=20,
        )
    ).eval()


def image_processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})


def saved(folder: Path, *parts: Any) -> str:
    """Return a folder, as `hf:` takes it, that model, processor and tokenizer are written to."""
    for part in parts:
        part.save_pretrained(folder)
    return f"hf:{folder}"
