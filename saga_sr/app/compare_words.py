"""What the page Compare says."""

from __future__ import annotations

from saga_sr.app.words import Table

WORDS: Table = {
    "compare_page": ("Compare", "对比"),
    "blind": ("A blind test", "盲听测试"),
    "blind_about": (
        "One recording, restored in two ways. You hear A, B and X, which is one of the two, and say which. What they "
        "are is told at the end, with how likely so many right answers are by chance.",
        "同一段录音用两种方式修复。您会听到 A、B 和 X，X 是二者之一，请说出是哪一个。结束时揭晓，"
        "并给出偶然猜对这么多次的概率。",
    ),
    "blind_recording": ("Recording", "录音"),
    "blind_trials": ("Trials", "次数"),
    "blind_first": ("One way", "方式一"),
    "blind_second": ("Another way", "方式二"),
    "blind_model": ("Model", "模型"),
    "blind_preset": ("Effort", "精细程度"),
    "blind_changes": ("Changed settings", "更改的设置"),
    "blind_changes_hint": ("setting=value, like steps=8 seed=1", "设置=值，如 steps=8 seed=1"),
    "blind_start": ("Begin the test", "开始测试"),
    "blind_stop": ("End the test and tell", "结束并揭晓"),
    "blind_preparing": ("Both are being made: {percent} %", "正在生成两个版本：{percent} %"),
    "blind_cancelled": ("cancelled", "已取消"),
    "blind_alike": (
        "Both ways give the same result, sample by sample; choose ways that differ.",
        "两种方式的结果逐样本相同；请选择不同的方式。",
    ),
    "blind_trial": ("Trial {n} of {count}: which one is X?", "第 {n} 次，共 {count} 次：X 是哪一个？"),
    "blind_listen": ("Listen to", "试听"),
    "blind_is_a": ("X is A", "X 是 A"),
    "blind_is_b": ("X is B", "X 是 B"),
    "blind_hint": (
        "Space plays, A, X and B switch, L loops; drag on the time axis to mark a stretch.",
        "空格键播放，A、X、B 键切换，L 键循环；在时间轴上拖动可标记一段。",
    ),
    "blind_result": ("Result", "结果"),
    "blind_right": ("Right answers", "答对"),
    "blind_right_of": ("{right} of {count}", "{right} / {count}"),
    "blind_p": ("p-value (one-sided, binomial)", "p 值（单侧二项检验）"),
    "blind_a_was": ("A was", "A 是"),
    "blind_b_was": ("B was", "B 是"),
    "blind_early": ("Ended after {n} of {count} trials.", "在 {count} 次中的第 {n} 次后结束。"),
    "blind_heard": (
        "Who hears no difference gets so many right, or more, in {percent} % of such tests.",
        "听不出差别的人在这样的测试中，有 {percent} % 的可能答对这么多次或更多。",
    ),
    "blind_number": ("Trial", "次"),
    "blind_x_was": ("X was", "X 是"),
    "blind_said": ("You said", "您的回答"),
    "blind_is_right": ("Right", "正确"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "blind_save": ("Save the answers (CSV)", "保存回答（CSV）"),
    "reports": ("Reports", "报告"),
    "reports_none": (
        "No reports yet. Those of saga-sr evaluate and saga-sr compare are shown if they lie in a folder of this app.",
        "还没有报告。saga-sr evaluate 与 saga-sr compare 的报告，只要位于本应用的文件夹中，就会显示在这里。",
    ),
    "report": ("A report", "报告"),
    "report_evaluate": ("evaluation", "评估"),
    "report_compare": ("comparison of runs", "训练对比"),
    "report_alone": ("Open it in a window of its own", "在新窗口中打开"),
}
