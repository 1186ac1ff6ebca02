"""What each packet of a stream becomes, found out before any is read."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field

import av

from saga_sr.core.errors import AudioError
from saga_sr.files.damage import Damage
from saga_sr.files.ffmpeg_stream import FfmpegStream, OneKind
from saga_sr.files.timekeeper import timekeeper_of

NO_TIME = -(2**63)
# How much may be missing in all, in seconds, and how often as much as there is, since streams pause. Beyond it, time
# stamps lie.
MISSING_S, MISSING_SHARE = 60.0, 30
# Of an MP3 frame's header: what has to be alike in all frames (MPEG version, layer and rate), and whether it is mono.
MP3_KIND, MP3_CHANNELS, MONO = 0xFFFE_0C00, 0xC0, 0xC0


@dataclass
class Packets:
    """What each packet of a stream becomes.

    Attributes:
        counts: samples, silence before it included.
        gaps: samples of silence before a packet, by its number, where something is lost.
        positions, times: in the file, and time stamps.
    """

    counts: array[int] = field(default_factory=lambda: array("q"))
    gaps: dict[int, int] = field(default_factory=dict)
    positions: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))

    def add(self, packet: av.Packet, count: int, gap: int) -> None:
        """Note what `packet` became."""
        if gap:
            self.gaps[len(self.counts)] = gap
        self.counts.append(gap + count)
        self.positions.append(-1 if packet.pos is None else packet.pos)
        self.times.append(NO_TIME if packet.pts is None else packet.pts)

    @property
    def total(self) -> int:
        """Samples of all packets."""
        return sum(self.counts)

    @property
    def longest(self) -> int:
        """The most samples of a packet."""
        return max(count - self.gaps.get(i, 0) for i, count in enumerate(self.counts))


@dataclass
class Survey:
    """What a stream holds.

    Attributes:
        sample_rate, channels: of its first packet.
        changes: whether others have other ones, and are resampled to these.
        damage: as far as it is known; more may come out where packets are decoded.
    """

    packets: Packets
    sample_rate: int
    channels: int
    changes: bool
    damage: Damage


def survey(stream: FfmpegStream) -> Survey:
    """Decode `stream` from its beginning, where it stands, to its end, and keep nothing of the samples.

    Raises:
        AudioError: there are none, or they change to what cannot be joined.
    """
    packets, kind, clock, damage = Packets(), OneKind(), timekeeper_of(stream), Damage(1)
    total = lost = 0
    for decoded in stream.decoded():
        frames = kind.of(decoded, stream.path)
        damage.sample_rate = kind.sample_rate or 1
        length = sum(frame.samples for frame in frames)
        gap = clock.lost_before(decoded, length, kind.sample_rate)
        if lost + gap > MISSING_S * kind.sample_rate + MISSING_SHARE * (total - lost):
            gap = 0
        lost += gap
        if gap or decoded.failed or decoded.faulty:
            damage.add(total, gap + length)
        packets.add(decoded.packet, length, gap)
        total += gap + length
    if not total:
        raise AudioError(f"{stream.path} holds no audio samples; record or export it again.")
    return Survey(packets, kind.sample_rate, kind.channels, kind.changed, damage)


def survey_undecoded(stream: FfmpegStream) -> Survey | None:
    """The same for an MP3 file whose headers leave no question, in a tenth of the time; None for all others.

    Its length is told, all frames are of one kind and follow each other without a gap, and they are as many as told.
    """
    if (stream.format, stream.codec) != ("mp3", "mp3float") or stream.told_s is None:
        return None
    packets, size, skipped, kind, end = Packets(), stream.frame_size, 0, None, None
    for packet in stream.packets():
        if not packet.size:
            packets.add(packet, 0, 0)
            break
        (header,) = struct.unpack(">I", bytes(memoryview(packet)[:4]).ljust(4))
        kind = kind or _mp3_kind(header)
        if _mp3_kind(header) != kind or packet.pos != (end or packet.pos) or packet.pts is None or packet.is_corrupt:
            return None
        end, count = (packet.pos or 0) + packet.size, size
        if packet.has_sidedata("skip_samples"):
            front, back = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
            skipped += front
            count -= back if back <= count - min(skipped, count) else 0
        taken = min(skipped, count)
        skipped -= taken
        packets.add(packet, count - taken, 0)
    told = round(stream.told_s * stream.sample_rate)
    if not size or not -size < packets.total - told < 2 * size:
        return None
    return Survey(packets, stream.sample_rate, stream.channels, False, Damage(stream.sample_rate))


def _mp3_kind(header: int) -> tuple[int, bool]:
    return header & MP3_KIND, header & MP3_CHANNELS == MONO
