"""What pages say of errors in Chinese: each sentence that the app itself raises, and the commonest of others'."""

from __future__ import annotations

import re
from functools import cache

# English as it is raised, and Chinese; what stands in braces is taken over as it is.
SENTENCES = (
    # Recordings.
    ("{path} lies in no folder that this app may use for that ({where}); start it with {setting}=FOLDER.",
     "{path} 不在本应用可用的文件夹（{where}）中；请用 {setting}=文件夹 启动应用。"),
    ("There are no recordings in {path}.", "{path} 中没有录音。"),
    ("There are {n} recordings here already, as many as this app takes; remove some.",
     "这里已有 {n} 个录音，达到本应用的上限；请先移除一些。"),
    ("{name} lasts {length}, more than the {most} that this app takes; cut it, or use saga-sr enhance.",
     "{name} 长 {length}，超过本应用允许的 {most}；请剪短，或使用 saga-sr enhance。"),
    ("There is no such upload; drop the file once more.", "没有这个上传的文件；请重新拖入。"),
    ("There is no such recording here; add it again.", "这里没有这个录音；请重新添加。"),
    ("{name} cannot be enhanced, so there is nothing to correct.", "{name} 无法修复，因此没有可修正的内容。"),
    ("{name} has {n} channels; give the edges of each.", "{name} 有 {n} 个声道；请给出每个声道的边界。"),
    ("Edges are lists by channel of begin_s, end_s and hz.", "边界须按声道列出 begin_s、end_s 与 hz。"),
    ("There is nothing to enhance yet; add a recording.", "还没有可修复的录音；请先添加。"),
    ("There is no result yet; enhance a recording first.", "还没有结果；请先修复一个录音。"),
    ("{name} has no result yet; enhance it first.", "{name} 还没有结果；请先修复它。"),
    ("{path} is there already; choose another folder, or move it away.",
     "{path} 已存在；请选择其他文件夹，或先将其移走。"),
    ("The result cannot be kept ({why}); free some space.", "无法保存结果（{why}）；请腾出一些空间。"),
    ("The {n} s of computing that a user has here in an hour are used up; come again in {minutes} minutes.",
     "每位用户每小时 {n} 秒的计算时间已用完；请 {minutes} 分钟后再来。"),
    ("There is no model {name} here; choose one of {names}.", "这里没有模型 {name}；请从 {names} 中选择。"),
    ("{name}={value} cannot be read; see to its brackets and quotation marks.",
     "无法读取 {name}={value}；请检查括号与引号。"),
    ("{path} is empty; record or export it again.", "{path} 是空文件；请重新录制或导出。"),
    ("{path} cannot be read as audio ({why}); convert it to WAV or FLAC again.",
     "{path} 无法作为音频读取（{why}）；请重新转换为 WAV 或 FLAC。"),
    ("{path} holds no audio, only other streams; give a recording.", "{path} 中没有音频；请提供录音。"),
    ("{path} holds no audio samples; record or export it again.", "{path} 中没有音频样本；请重新录制或导出。"),
    ("There is no file {path}; check the name.", "没有文件 {path}；请检查名称。"),
    # Training.
    ("Choose a setting first.", "请先选择一项设置。"),
    ("Name a folder of recordings first.", "请先填写录音文件夹。"),
    ("There is no folder {path}; give one that holds audio files.",
     "没有文件夹 {path}；请给出含有音频文件的文件夹。"),
    ("{path} holds no audio files; give a folder with recordings or films.",
     "{path} 中没有音频文件；请给出含有录音或视频的文件夹。"),
    ("{table} lists no licences; give a CSV or TSV table with the columns path and license.",
     "{table} 未列出许可证；请提供含 path 与 license 两列的 CSV 或 TSV 表。"),
    ("{table} cannot be read ({why}); give a CSV or TSV table.", "无法读取 {table}（{why}）；请提供 CSV 或 TSV 表。"),
    ("There is no recipe {name}; choose one of {names}.", "没有配方 {name}；请从 {names} 中选择。"),
    ("{change} is no change of a setting; write one like optimizer.lr=1e-4.",
     "{change} 不是对设置的更改；请写成 optimizer.lr=1e-4 这样的形式。"),
    ("{name} is not set from this page; use saga-sr train on the command line.",
     "{name} 不能在本页设置；请在命令行使用 saga-sr train。"),
    ("{change} refers to another setting, which pages do not take; write the value itself.",
     "{change} 引用了其他设置，本页不接受；请直接写出取值。"),
    ("{name}={value} cannot be chosen on this page; choose one of {among}.",
     "本页不能选择 {name}={value}；请从 {among} 中选择。"),
    ("{name} names what is to be run, which no page decides; choose an option of a group.",
     "{name} 指定要运行的程序，不能由网页决定；请选择某一组中的选项。"),
    ("There is no setting {name}; the nearest is {near}.", "没有设置 {name}；最接近的是 {near}。"),
    ("{folder} says nothing of how it was begun; begin a new run.",
     "{folder} 中没有如何开始的记录；请开始新的训练。"),
    ("There is no such run any more; choose another one.", "这个训练已不存在；请另选一个。"),
    ("There is no such clip.", "没有这个片段。"),
    ("This app may write nothing; start it with write=FOLDER, where runs are to lie.",
     "本应用没有可写入的文件夹；请用 write=文件夹 启动，训练将保存在那里。"),
    ("A run cannot be called {name}; give letters, digits and . , + - _ (100 at most).",
     "训练不能命名为 {name}；请使用字母、数字和 . , + - _（最多 100 个）。"),
    ("{folder} is finished; begin a new run with more steps.", "{folder} 已完成；请以更多步数开始新的训练。"),
    ("{folder} has saved no checkpoint yet; wait, or stop it, which saves one.",
     "{folder} 还没有保存检查点；请等待，或停止它，停止时会保存。"),
    ("{n} runs are being trained on this machine; stop one of them first.",
     "本机上正在进行 {n} 个训练；请先停止其中一个。"),
    ("The changes cannot be read ({why}); write setting=value, a line each.",
     "无法读取更改（{why}）；请每行写一条 设置=取值。"),
    ("{folder} is there already; give the run another name, or resume the one in it.",
     "{folder} 已存在；请换一个名称，或继续其中的训练。"),
    ("{error} Resume {folder} by its own command line.", "{error} 请用原来的命令行继续 {folder}。"),
    ("{folder} is being trained already; stop it first, or give another name.",
     "{folder} 正在训练；请先停止它，或换一个名称。"),
    ("{folder} is not being trained on this machine, so there is nothing to stop.",
     "{folder} 没有在本机上训练，无需停止。"),
    ("{folder} is trained by another user of this machine; only they can stop it.",
     "{folder} 由本机的另一位用户训练；只有其本人可以停止。"),
    ("Stopped by {signal} at step {step}", "在第 {step} 步被 {signal} 停止"),
    # Models.
    ("format={name} is not known; choose package or onnx.", "没有格式 format={name}；请选择 package 或 onnx。"),
    ("dtype={name} is not known; choose one of {names}.", "没有类型 dtype={name}；请从 {names} 中选择。"),
    ("Choose a model, or name a path, first.", "请先选择模型或填写路径。"),
    ("Name a folder for the result first.", "请先填写结果文件夹。"),
    ("{target} is there already; name a new folder.", "{target} 已存在；请填写新的文件夹。"),
    ("{name} does not say what model it is of, so it cannot be converted; name a package, a run, or a "
     "checkpoint in its run.",
     "{name} 未说明属于哪种模型，因此无法转换；请给出模型包、训练，或训练中的检查点。"),
    ("{name} cannot be written ({why}); free some space.", "无法写入 {name}（{why}）；请腾出一些空间。"),
    ("{name} cannot be written ({why}); give another folder.", "无法写入 {name}（{why}）；请换一个文件夹。"),
    ("{path} cannot be read: it is damaged, or holds more than tensors, which could be code; copy it again, or save "
     "its weights as safetensors.",
     "无法读取 {path}：文件已损坏，或含有张量以外的内容（可能是代码）；请重新复制，或将权重存为 safetensors。"),
    ("{path} cannot be read ({why}); it is missing or truncated: copy it again.",
     "无法读取 {path}（{why}）；文件缺失或不完整，请重新复制。"),
    ("{path} is of no layout that is read here; give {read}.", "无法识别 {path} 的格式；请给出 {read}。"),
    ("{change} is no change of a setting; write one like steps=8.",
     "{change} 不是对设置的更改；请写成 steps=8 这样的形式。"),
    # Comparing.
    ("Drop a recording first.", "请先拖入一个录音。"),
    ("Both are the same; choose another model, preset or setting for one of them.",
     "两者相同；请为其中之一选择其他模型、精细程度或设置。"),
    ("{path} cannot be restored: {why}", "{path} 无法修复：{why}"),
    ("{path} has more than {n} channels, the most that a test can play.", "{path} 超过 {n} 个声道，盲听测试无法播放。"),
    ("A test of {n} trials is not possible; give 1 to {most}.", "不能进行 {n} 次试听的测试；请给出 1 到 {most}。"),
    ("{name} cannot be {x}; say a or b.", "{name} 不能是 {x}；请回答 a 或 b。"),
    ("The test is over; begin another one.", "测试已结束；请开始新的测试。"),
    ("Trial {n} is answered already; it is trial {next}'s turn.", "第 {n} 次试听已回答；现在是第 {next} 次。"),
    ("What A and B are is told when the test is over.", "测试结束后才会公布 A 与 B 是什么。"),
    ("There is no test here; begin one.", "这里没有测试；请先开始一个。"),
    ("There is nothing to be heard yet; wait until both are made.", "还没有可听的内容；请等两者都完成。"),
    ("{name} cannot be written ({why}); begin another test.", "无法写入 {name}（{why}）；请开始新的测试。"),
    ("There is no such report any more; choose another one.", "这个报告已不存在；请另选一个。"),
)  # fmt: skip


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(pattern_of(english), chinese) for english, chinese in SENTENCES]


def pattern_of(template: str) -> re.Pattern[str]:
    """What sentences of a template look like."""
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(f"(?P<{part}>.*)" if i % 2 else re.escape(part) for i, part in enumerate(parts)), re.DOTALL
    )


def in_chinese(sentence: str) -> str:
    """`sentence` in Chinese, if it is known; else as it is."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(sentence):
            return chinese.format(**found.groupdict())
    return sentence
