// What the player says, by language.

const ENGLISH = {
  player: "Player",
  play: "Play",
  pause: "Pause",
  listen: "Listen to",
  input: "Input",
  result: "Result",
  added: "What was added",
  difference: "Difference",
  difference_of: "Result − input",
  loop: "Loop",
  loop_begin: "Loop begins",
  loop_end: "Loop ends",
  channels: "Channels shown",
  all: "All",
  left: "Left",
  right: "Right",
  mono: "Mono",
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  whole: "Whole recording",
  shown: "Stretch shown",
  position: "Position",
  time: "time",
  frequency: "frequency (kHz)",
  level: "level (dBFS)",
  change: "change (dB)",
  spectrogram: "Spectrogram",
  edge: "Content ends",
  full_band: "full band",
  matched: (db) => `levels matched (${db} dB)`,
  waiting: "waiting for audio",
  restored: (done, all) => `restored up to ${done} of ${all}`,
  failed: "The audio could not be read",
  hint: "Space plays, X switches, L loops; drag on the time axis to mark a stretch, and the lines to correct them.",
};

const CHINESE = {
  player: "播放器",
  play: "播放",
  pause: "暂停",
  listen: "试听",
  input: "输入",
  result: "结果",
  added: "新增部分",
  difference: "差异",
  difference_of: "结果 − 输入",
  loop: "循环",
  loop_begin: "循环起点",
  loop_end: "循环终点",
  channels: "显示的声道",
  all: "全部",
  left: "左",
  right: "右",
  mono: "单声道",
  zoom_in: "放大",
  zoom_out: "缩小",
  whole: "全部显示",
  shown: "显示的时段",
  position: "播放位置",
  time: "时间",
  frequency: "频率 (kHz)",
  level: "电平 (dBFS)",
  change: "变化 (dB)",
  spectrogram: "频谱图",
  edge: "频带上限",
  full_band: "全频带",
  matched: (db) => `电平已匹配（${db} dB）`,
  waiting: "正在等待音频",
  restored: (done, all) => `已修复 ${done} / ${all}`,
  failed: "无法读取音频",
  hint: "空格键播放，X 键切换，L 键循环；在时间轴上拖动可标记一段，拖动线条可修正频带上限。",
};

/** The words for a language tag such as `en` or `zh-CN`. */
export function wordsFor(language) {
  return (language ?? "").toLowerCase().startsWith("zh") ? CHINESE : ENGLISH;
}

/** Seconds as minutes and seconds, with hours where there are any. */
export function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const rounded = Math.round(seconds * scale) / scale;
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor((rounded % 3600) / 60)];
  const rest = (rounded % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function kilohertz(hz) {
  return `${(hz / 1000).toFixed(hz % 100 ? 2 : 1)} kHz`;
}
