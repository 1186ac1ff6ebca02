"""What pages and programs are told of a blind test, and how reports are shown."""

from __future__ import annotations

from html import escape
from typing import Any

from saga_sr.app.blind_tests import Listening
from saga_sr.app.compare_routes import sources_of
from saga_sr.app.guard import REPORTS
from saga_sr.app.reports import Report
from saga_sr.app.tables import facts_html, table_html
from saga_sr.app.words import Words
from saga_sr.inference.measurement import OUTPUT_RATE


def told(listening: Listening) -> dict[str, Any]:
    """How far a test is, where it is heard, and once it is over what has come of it; never what X is."""
    test, measurement = listening.test, listening.entry.measurement
    said: dict[str, Any] = {
        "state": listening.state, "share": listening.share, "failure": listening.failure, "trial": test.trial,
        "trials": test.count, "answered": len(test.answers),
    }  # fmt: skip
    if listening.state == "listening" and measurement is not None:
        said |= {
            "sample_rate": OUTPUT_RATE, "duration_s": measurement.info.duration_s,
            "channels": measurement.info.channels, "sources": sources_of(listening),
        }  # fmt: skip
    if listening.state == "over":
        a, b = test.revealed()
        answers = [{"x": one.x, "said": one.said, "right": one.is_right} for one in test.answers]
        said["result"] = {"right": test.right, "p_value": test.p_value, "a": a, "b": b, "answers": answers}
    return said


def blind_value(listening: Listening, words: Words) -> dict[str, Any] | None:
    """What <saga-blind> is given; None where there is nothing to be heard."""
    state = told(listening)
    if state["state"] != "listening":
        return None
    texts = {name: words(f"blind_{name}") for name in ("listen", "is_a", "is_b", "hint")}
    texts |= {"trial": words("blind_trial", n=state["trial"], count=state["trials"]), "a": "A", "x": "X", "b": "B"}
    shown = {name: state[name] for name in ("sample_rate", "duration_s", "channels", "sources", "trial")}
    return shown | {"id": listening.key, "language": words.language, "words": texts}


def status(listening: Listening, words: Words) -> str:
    """How far a test is that cannot be heard yet, as text; empty for one that can."""
    if listening.are_alike:
        return words("blind_alike")
    if listening.state == "failed":
        return words.sentence(listening.failure)
    if listening.state == "preparing":
        return words("blind_preparing", percent=f"{100 * listening.share:.0f}")
    return words("blind_cancelled") if listening.state == "cancelled" else ""


def result_html(listening: Listening, words: Words) -> str:
    """What has come of a test that is over."""
    test = listening.test
    a, b = test.revealed()
    count = len(test.answers)
    facts = [
        (words("blind_right"), words("blind_right_of", right=test.right, count=count)),
        (words("blind_p"), f"{test.p_value:.3g}"),
        (words("blind_a_was"), a),
        (words("blind_b_was"), b),
    ]
    said = [words("blind_early", n=count, count=test.count)] if count < test.count else []
    said.append(words("blind_heard", percent=f"{100 * test.p_value:.3g}"))
    head = [words(key) for key in ("blind_number", "blind_x_was", "blind_said", "blind_is_right")]
    rows = [
        (str(number), one.x.upper(), one.said.upper(), words("yes" if one.is_right else "no"))
        for number, one in enumerate(test.answers, 1)
    ]
    return (
        f'<section class="saga-report"><h2>{escape(words("blind_result"))}</h2>{facts_html(facts)}'
        f"<p>{escape(' '.join(said))}</p>{table_html(words('blind_result'), head, rows)}</section>"
    )


def report_title(report: Report, words: Words) -> str:
    """What a report is called in a list."""
    return f"{report.name} · {words(f'report_{report.kind}')} · {report.written:%Y-%m-%d %H:%M}"


def report_url(report: Report) -> str:
    """Where it is."""
    return f"{REPORTS}{report.key}"


def report_html(report: Report, words: Words) -> str:
    """A report in a frame, and the way to it alone."""
    url, alone = report_url(report), escape(words("report_alone"))
    return (
        f'<p class="saga-report-link"><a href="{url}" target="_blank" rel="noopener">{alone}</a></p>'
        f'<iframe class="saga-frame" sandbox src="{url}" title="{escape(report_title(report, words))}"></iframe>'
    )
