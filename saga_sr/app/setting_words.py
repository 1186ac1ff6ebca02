"""What the settings of enhancing mean: in English as `EnhanceSettings` says it, and in Chinese."""

from __future__ import annotations

from saga_sr.app.words import Table
from saga_sr.cli.settings import declared

CHINESE = {
    "solver": "求解器：euler；adams_bashforth、dpmpp_2m（二阶）；gaussian；ddim；midpoint、heun（每步计算网络两次）",
    "steps": "求解器的步数；越多越慢",
    "effort": "fast、balanced 或 best：未给出 steps 时，求解器为此所需的步数",
    "power": "大于 1 时靠近噪声的步长更细，小于 1 时靠近数据的步长更细",
    "eta": "用于 ddim：每一步重新抽取多少噪声，0 为不抽取，1 与扩散过程相同",
    "noise": "采样的起点：gaussian、rademacher（只取符号）或 replicated（把低频段向上复制）",
    "kind": "引导方式：classifier_free（用 scale）、nested 或 parallel（用 acoustic、text）",
    "scale": "classifier_free 的强度；1 为不引导",
    "acoustic": "nested 与 parallel 中录音的权重",
    "text": "nested 与 parallel 中提示词的权重",
    "dropped": "classifier_free 另一支不使用的条件",
    "grid": "采样所经的时间，从 0（噪声）到 1（数据），取代均匀步长",
    "interval": "在哪一段时间内引导（0 为噪声，1 为数据）；其余时间更快",
    "every": "每几次计算才更新一次其他分支，其间沿用",
    "low_band": "低频段如何取自输入：crossfade、hard、energy_matched 或 off",
    "cutoff_hz": "输入内容止于何处（Hz），或按声道列出；不填则测量",
    "stream": "使用文件中的第几条音轨，从 1 数起；不填为第一条",
    "strict": "拒绝损坏或中断的文件，而不是修复其中可用的部分",
    "nan": "输入含 NaN 或无穷大时：refuse 拒绝，zero 以零代替",
    "clip": "结果超过满刻度而要存为 FLAC、OGG、MP3 或整数时：scale 整体调低，limit 只压峰值（也用于流），none 直接削波",
    "prompt": "录音里有什么，供用文字训练的模型使用",
    "rolloff": "输出有多明亮，最大为 1，即全频带",
    "wishes": "对模型其他条件的要求，按其名称",
    "chunk_s": "一次修复的秒数；越大占用内存越多",
    "overlap_s": "相邻片段交叉淡化的秒数",
    "batch_size": "同时修复的片段数",
    "seed": "噪声的种子；种子相同则结果相同",
    "format": "写入文件夹的文件格式；不填为 flac，或视频自身的格式",
    "keep_video": "视频保留画面，只替换声音：MP4、MKV、WebM 或 MOV",
    "rate": "文件的采样率（Hz），或 keep 保持输入的（不低于模型的）；不填为模型的",
    "bits": "WAV、FLAC、AIFF、MKV 的位深：16（加抖动）、24、float、keep 保持输入的；不填为 24，输入为浮点则为 float",
    "bitrate": "MP3、M4A、Opus、MP4、MOV、WebM 的码率（kb/s）；不填时双声道为 320 或 256",
    "tags": "复制标签、封面、时间戳与标记，并注明由什么制作；off 为不写",
}


def _table() -> Table:
    english = {key.rpartition(".")[2]: text for key, (_, _, text) in declared().items()}
    return {f"help_{name}": (text, CHINESE[name]) for name, text in english.items()}


WORDS: Table = _table()
