"""A T5 encoder that reads each caption once."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from saga_sr.core.errors import WeightsError

logger = logging.getLogger(__name__)

CACHE_BYTES = 2 * 2**30
SHOWN = 40


class CaptionReader(nn.Module):
    """Tokenizer and T5 encoder, with what they made of captions in float16 in main memory, up to 2 GiB.

    Each caption is read alone, so that its embedding does not depend on the batch that it came in.

    Args:
        path: folder with a T5 model and its tokenizer, as `save_pretrained` writes them.
        max_tokens: longer captions are cut.

    Raises:
        WeightsError: no text encoder can be read there.
    """

    def __init__(self, path: Path, max_tokens: int) -> None:
        super().__init__()
        self.tokenizer, self.encoder = load_encoder(path)
        self.max_tokens = max_tokens
        self.width = int(self.encoder.config.d_model)
        self.cache: OrderedDict[str, Tensor] = OrderedDict()
        self.cached_bytes = 0

    def forward(self, caption: str) -> Tensor:
        """Embedding [tokens, width] of `caption`, in float16 on the CPU; no tokens for no words."""
        caption = caption.strip()
        if not caption:
            return torch.zeros(0, self.width, dtype=torch.float16)
        if caption in self.cache:
            self.cache.move_to_end(caption)
            return self.cache[caption]
        embedding = self._read(caption)
        self.cache[caption] = embedding
        self.cached_bytes += embedding.nbytes
        while self.cached_bytes > CACHE_BYTES:
            self.cached_bytes -= self.cache.popitem(last=False)[1].nbytes
        return embedding

    def save_pretrained(self, folder: Path) -> None:
        """Write encoder and tokenizer so that `CaptionReader(folder, ...)` reads them again."""
        self.encoder.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @torch.no_grad()
    def _read(self, caption: str) -> Tensor:
        whole = self.tokenizer(caption, verbose=False)["input_ids"]
        shown = caption if len(caption) <= SHOWN else f"{caption[:SHOWN]}..."
        if len(whole) > self.max_tokens:
            logger.warning("%r has %d tokens; the text encoder reads the first %d.", shown, len(whole), self.max_tokens)
        unknown = whole.count(self.tokenizer.unk_token_id)
        if unknown:
            logger.warning(
                "%r has %d words or letters that the text encoder does not know; write it in the language that the "
                "encoder was trained on.",
                shown,
                unknown,
            )
        read = self.tokenizer(caption, truncation=True, max_length=self.max_tokens, return_tensors="pt")["input_ids"]
        device = next(self.encoder.parameters()).device
        with torch.autocast(device.type, enabled=False):
            return self.encoder(read.to(device)).last_hidden_state[0].to("cpu", torch.float16)


def load_encoder(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and T5 encoder in `folder`; nothing is downloaded, no code from the folder runs.

    Raises:
        WeightsError: it is missing, incomplete, damaged or something else.
    """
    from safetensors import SafetensorError
    from transformers import AutoTokenizer, T5EncoderModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    mend = "give the folder of a T5 encoder with its tokenizer and safetensors weights (text_encoder=...)"
    if not (folder / "config.json").is_file():
        raise WeightsError(f"There is no text encoder at {folder}; {mend}.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        load: Any = T5EncoderModel.from_pretrained
        encoder, report = load(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"The text encoder at {folder} cannot be read ({reason}); {mend}.") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"The weights at {folder} lack {len(missing)} tensors of a T5 encoder, {missing[0]} among them; {mend}."
        )
    return tokenizer, encoder
