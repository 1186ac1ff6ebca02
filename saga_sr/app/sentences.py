"""What pages say in Chinese: the errors that the app raises, the commonest of others, and what things are."""

from __future__ import annotations

import re
from functools import cache

# English as the code has it, and Chinese; what stands in braces is taken over as it is.
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
    ("A distillation needs a teacher; add teacher=MODEL, a model package or a run.",
     "蒸馏需要教师模型；请添加 teacher=模型，即模型包或训练。"),
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
    # What weights are, and say.
    ("a model package, for model=PATH", "模型包，用于 model=路径"),
    ("a checkpoint of a training, for model=PATH or resume=PATH", "训练的检查点，用于 model=路径 或 resume=路径"),
    ("Stable Audio's transformer in diffusers' layout, for init_from=PATH",
     "Stable Audio 的 Transformer（diffusers 格式），用于 init_from=路径"),
    ("Stable Audio's transformer in the original layout, for init_from=PATH",
     "Stable Audio 的 Transformer（原始格式），用于 init_from=路径"),
    ("Stable Audio's transformer in the layout of SAGA-SR's code, for init_from=PATH",
     "Stable Audio 的 Transformer（SAGA-SR 代码的格式），用于 init_from=路径"),
    ("AudioSR's checkpoint, for model=audiosr path=PATH, init_from=PATH or codec=audiosr codec.path=PATH",
     "AudioSR 的检查点，用于 model=audiosr path=路径、init_from=路径 或 codec=audiosr codec.path=路径"),
    ("AudioSR's codec, for codec=audiosr", "AudioSR 的编解码器，用于 codec=audiosr"),
    ("AudioLDM2's autoencoder and vocoder, for codec=audioldm2_music (_speech, _large) codec.path=PATH",
     "AudioLDM2 的自编码器与声码器，用于 codec=audioldm2_music（_speech、_large）codec.path=路径"),
    ("a vocoder, {kind}, for codec=mel codec.path=PATH", "声码器 {kind}，用于 codec=mel codec.path=路径"),
    ("an Oobleck autoencoder, for codec=oobleck codec.path=PATH",
     "Oobleck 自编码器，用于 codec=oobleck codec.path=路径"),
    ("a DAC of transformers, for codec=dac codec.path=PATH", "transformers 的 DAC，用于 codec=dac codec.path=路径"),
    ("a file of descript-audio-codec, for codec=dac codec.path=PATH",
     "descript-audio-codec 的文件，用于 codec=dac codec.path=路径"),
    ("a T5 encoder, for text_encoder=PATH", "T5 编码器，用于 text_encoder=路径"),
    ("reads {n} mel bands at {rate} Hz, {hop} samples a frame", "读取 {n} 个梅尔频带，{rate} Hz，每帧 {hop} 个样本"),
    ("latents are divided by {scale}", "潜变量除以 {scale}"),
    ("predicts {convention}", "预测 {convention}"),
    ("nothing beside it says what it predicts", "旁边没有文件说明它预测什么"),
    ("state_dict holds the averaged weights, current_model_state those in training",
     "state_dict 中是平均后的权重，current_model_state 中是训练中的权重"),
    ("step {n}", "第 {n} 步"),
    ("{n} not used: CLAP, which sampling does not use: basic and speech are conditioned on the low-passed latent alone",
     "{n} 个未使用：CLAP，采样不用它；basic 与 speech 只以低通后的潜变量为条件"),
    ("{n} not used: averaged weights, which AudioSR itself does not use",
     "{n} 个未使用：平均后的权重，AudioSR 自己也不用"),
    ("{n} not used: the autoencoder's losses", "{n} 个未使用：自编码器的损失函数"),
    ("{n} not used: a copy of the autoencoder, of which the encoder is used",
     "{n} 个未使用：自编码器的副本，只用其中的编码器"),
    ("{n} not used: the schedule, computed here", "{n} 个未使用：噪声时间表，此处自行计算"),
    ("{n} not used: the same as the condition's encoder", "{n} 个未使用：与条件编码器相同"),
    ("{n} not used: unknown", "{n} 个未使用：用途不明"),
    ("The condition's encoder is not the latents' ({name} differs), and is the one that is taken: restoring is as "
     "AudioSR does it, but training would encode its targets by it too.",
     "条件编码器与潜变量编码器不同（{name} 有差异），采用的是条件编码器：修复与 AudioSR 一致，"
     "但训练时目标也会由它编码。"),
    # Recipes.
    ("AudioSR's basic or speech model, trained further: init_from=pytorch_model.bin. With objective=velocity and "
     "sampler=euler the same weights learn as a flow; another backbone, backbone=jat_tiny say, is trained anew in "
     "AudioSR's latents with codec.path=FILE init_from=null, best as a flow, too.",
     "继续训练 AudioSR 的 basic 或 speech 模型：init_from=pytorch_model.bin。用 objective=velocity 与 sampler=euler "
     "时，同样的权重改学流匹配；换用其他主干（如 backbone=jat_tiny）时，用 codec.path=文件 init_from=null 在 AudioSR 的"
     "潜空间中从头训练，同样以流匹配为佳。"),
    ("The model that comes with saga-sr, from the corpus that experiments/bundled/corpus.py makes: saga-sr train "
     "experiment=bundled data.path=CORPUS/train.tsv data.validation_path=CORPUS/validation.tsv",
     "saga-sr 自带的模型，语料由 experiments/bundled/corpus.py 生成：saga-sr train experiment=bundled "
     "data.path=语料/train.tsv data.validation_path=语料/validation.tsv"),
    ("A model that works after about six minutes on two CPU cores, from the built-in data. The number of steps is "
     "fixed, so that a slow machine and a fast one give the same figures.",
     "用内置数据，在两个 CPU 核心上约六分钟即可得到能用的模型。步数固定，因此快慢不同的机器得到相同的数值。"),
    ("The demo at 48 kHz, in segments of 10.24 s: for a GPU, or for patience.",
     "48 kHz 的演示，片段长 10.24 秒：适合 GPU，或有耐心的人。"),
    ("A student that does in one step what a teacher does in sixteen: saga-sr train experiment=distill teacher=DIR Or "
     "in one branch what its guidance makes of several: distillation.steps=0 distillation.scales={scale:[1,3]} What "
     "the model is made of is the teacher's; data and degradation are best those that it was trained on.",
     "学生模型用一步完成教师模型十六步的工作：saga-sr train experiment=distill teacher=目录。也可用一个分支完成引导"
     "需要多个分支的工作：distillation.steps=0 distillation.scales={{scale:[1,3]}}。模型结构取自教师；数据与退化方式"
     "最好与教师训练时相同。"),
    ("A model trained further on recordings of one's own: saga-sr train experiment=finetune data.path=music "
     "init_from=MODEL is whose model and weights it is; one that states no variance needs loss=mse.",
     "用自己的录音继续训练模型：saga-sr train experiment=finetune data.path=music。init_from=模型 指定从哪个模型及权重"
     "开始；不输出方差的模型需要 loss=mse。"),
    ("JaT-AudioSR v3 with the first perceptual loss, for reproduction.",
     "JaT-AudioSR v3，使用第一种感知损失，用于复现。"),
    ("JaT-AudioSR v3 with the recommended perceptual loss.", "JaT-AudioSR v3，使用推荐的感知损失。"),
    ("JaT-AudioSR v2: 284 M parameters on DAC latents, from a 16 kHz input, squared error.",
     "JaT-AudioSR v2：DAC 潜变量上的 2.84 亿参数，输入 16 kHz，平方误差。"),
    ("JaT-AudioSR v3: the same at 762 M parameters.", "JaT-AudioSR v3：同上，7.62 亿参数。"),
    ("Step 4: the same at full size, 1,057 M parameters.", "第 4 步：同上，完整规模，10.57 亿参数。"),
    ("SAGA-SR as its authors trained it: from Stable Audio Open's weights, on 5.9 s of stereo, roll-off and caption, "
     "no EMA. init_as=raw takes the weights as their code does.",
     "按作者的方式训练 SAGA-SR：从 Stable Audio Open 的权重开始，5.9 秒立体声，滚降频率与文字描述，不用 EMA。"
     "init_as=raw 按其代码的方式读取权重。"),
    ("SAGA-SR's ablation, step 0: a small Stable Audio transformer, z_lr and duration. The other steps are one "
     "override each.",
     "SAGA-SR 消融实验第 0 步：小型 Stable Audio Transformer，z_lr 与时长。其余各步各为一项更改。"),
    ("Step 1: captions.", "第 1 步：文字描述。"),
    ("Step 2: the roll-off of input and target.", "第 2 步：输入与目标的滚降频率。"),
    ("Step 2': the low band is the model's own.", "第 2' 步：低频由模型自己生成。"),
    ("Step 3: a tenth of the examples goes without z_lr.", "第 3 步：十分之一的样本不给 z_lr。"),
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
