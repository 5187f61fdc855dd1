"""Videos as they come: times, turns, odd sizes, damage."""

from fractions import Fraction

import numpy as np
import pytest
from clips import encode, frames_of, grey_pictures, irregular, regular, sound_packets

from densedepth_keras.video.pyav import fraction, pyav
from densedepth_keras.video.reading import VideoFile

pytest.importorskip("av", reason="PyAV is not installed: pip install densedepth_keras[video]")


def read(path):
    """Frames, packets of sound, and the closed file."""
    packets = []
    with VideoFile(path) as video:
        return list(video.frames(packets.append)), packets, video


def quarters(size=(48, 64)):
    """A picture whose corners are red, green, blue and white: no turn or mirror leaves it as it is."""
    picture = np.zeros((*size, 3), np.uint8)
    height, width = size[0] // 2, size[1] // 2
    picture[:height, :width, 0] = picture[:height, width:, 1] = picture[height:, :width, 2] = 220
    picture[height:, width:] = 220
    return picture


def corners(picture):
    """The brightest channels of the four corners' middles."""
    height, width = picture.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [(picture[row, column] > 110).tolist() for row in rows for column in columns]


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("times", [regular, irregular])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_and_times_are_those_encoded(tmp_path, suffix, times, b_frames):
    pictures = grey_pictures(20)
    path = encode(tmp_path / f"a.{suffix}", pictures, times(20), b_frames=b_frames)
    frames, _, video = read(path)
    assert [frame.time * video.time_base for frame in frames] == [Fraction(tick, 1000) for tick, _ in times(20)]
    assert all(frame.picture.shape == (48, 64, 3) and frame.picture.dtype == np.uint8 for frame in frames)
    for frame, picture in zip(frames, pictures, strict=True):
        assert abs(float(frame.picture.mean()) - picture[0, 0, 0]) < 3  # H.264 and 8-bit yuv
    assert video.remarks == []


def test_a_transport_stream_begins_at_zero(tmp_path):
    path = encode(tmp_path / "a.ts", grey_pictures(20), irregular(20), sound=("aac", 44100, 0.8))
    frames, packets, video = read(path)
    first_sound = packets[0].pts * fraction(packets[0].time_base) - video.start
    assert min(first_sound, frames[0].time * video.time_base) == 0
    shown = [frame.time * video.time_base for frame in frames]
    stored = [time for time, _ in frames_of(path)]
    assert [time - shown[0] for time in shown] == [time - stored[0] for time in stored]
    assert video.rate is None or video.rate < 500


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_video_comes_out_upright(tmp_path, rotation, flip):
    stored = quarters()
    path = encode(tmp_path / "a.mp4", [stored] * 3, rotation=rotation, flip=flip)
    frames, _, video = read(path)
    # FFmpeg: the matrix turns counter-clockwise, as np.rot90 does, then mirrors
    expected = np.rot90(stored, rotation // 90)
    expected = expected[:, ::-1] if flip else expected
    assert video.size == expected.shape[:2] == frames[0].picture.shape[:2]
    assert corners(frames[0].picture) == corners(expected)


def test_odd_sizes(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(5, (49, 67)))
    frames, _, video = read(path)
    assert video.size == (49, 67)
    assert [frame.picture.shape for frame in frames] == [(49, 67, 3)] * 5


def test_sound_comes_along_whole(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(20), sound=("aac", 44100, 0.8))
    _, packets, video = read(path)
    assert len(video.sound) == 1
    assert [bytes(packet) for packet in packets] == [data for _, data in sound_packets(path)]


def test_unknown_codecs(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(5), sound=("aac", 44100, 0.2))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))
    frames, packets, video = read(path)
    assert len(frames) == 5
    assert packets == video.sound == []
    assert "1 audio streams of an unknown kind" in video.remarks[0]
    path.write_bytes(data.replace(b"avc1", b"zzzz").replace(b"avcC", b"free"))
    with pytest.raises(ValueError, match="Not a codec that FFmpeg knows"):
        VideoFile(path)


def test_a_cover_is_no_video(tmp_path):
    """The picture in a file of music is a video stream of one frame."""
    av = pyav()
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24").reformat(format="yuvj420p")))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="holds no video"):
        VideoFile(tmp_path / "a.mp4")


def test_pixels_that_are_not_square(tmp_path):
    for rotation, expected in ((None, Fraction(4, 3)), (90, Fraction(3, 4))):
        path = encode(tmp_path / "a.mp4", grey_pictures(2), rotation=rotation, pixel_aspect=Fraction(4, 3))
        assert read(path)[2].pixel_aspect == expected


def test_the_last_frames_a_decoder_holds_back_are_there(tmp_path):
    path = encode(tmp_path / "a.mkv", grey_pictures(7), b_frames=3)
    assert len(read(path)[0]) == 7


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_of_a_file_cut_in_the_middle_what_is_there_is_read(tmp_path, rng, suffix):
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(40)]  # noise: bytes spread evenly
    path = encode(tmp_path / f"a.{suffix}", pictures)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames, _, video = read(path)
    assert 10 < len(frames) < 30
    if suffix != "ts":  # a transport stream may end anywhere
        assert len(video.remarks) >= 1
        assert f"a.{suffix}: cut off" in " ".join(video.remarks)


@pytest.mark.parametrize("kept", [0.5, 0.8])
def test_a_file_cut_before_its_index_is_refused(tmp_path, kept):
    path = encode(tmp_path / "a.mp4", grey_pictures(20), movflags="")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ValueError, match=r"cut off: .*Received: video='.*a\.mp4'"):
        VideoFile(path)


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path, rng):
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(30)]
    path = encode(tmp_path / "a.mp4", pictures)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 9000] = bytes(9000)
    path.write_bytes(bytes(data))
    frames, _, video = read(path)
    assert 5 < len(frames) <= 30
    assert "damaged" in " ".join(video.remarks)
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))


def test_zero_frames_are_refused(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(1), sound=("aac", 44100, 0.2), movflags="")
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(data.index(b"moov") - start - 4) + data[data.index(b"moov") - 4 :])
    with pytest.raises(ValueError, match="No frame of this video can be decoded"):
        VideoFile(path)


@pytest.mark.parametrize("content", [b"", b"hello" * 500, b"\x00\x00\x00\x18ftypmp42" + bytes(100)])
def test_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Received: video='.*a\.mp4'"):
        VideoFile(path)


def test_sound_alone_a_picture_a_folder_and_nothing_are_refused(tmp_path):
    av = pyav()
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        track = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with pytest.raises(ValueError, match="holds no video"):
        VideoFile(tmp_path / "a.m4a")
    from PIL import Image

    Image.fromarray(quarters()).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="give it without --video"):
        VideoFile(tmp_path / "a.png")
    with pytest.raises(OSError, match="Is a directory"):
        VideoFile(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        VideoFile(tmp_path / "none.mp4")
    with pytest.raises(FileNotFoundError, match="goes with --stream"):
        VideoFile("rtsp://127.0.0.1/a")


def test_too_small_is_refused(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(2, (24, 64)))
    with pytest.raises(ValueError, match=r"at least 32 pixels .* Received: 64x24"):
        VideoFile(path)


def test_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("densedepth_keras.video.reading.MOST_PIXELS", 48 * 64 - 1)
    path = encode(tmp_path / "a.mp4", grey_pictures(2))
    with pytest.raises(ValueError, match=r"at most 3071 pixels.* Received: 64x48"):
        VideoFile(path)


def test_a_colon_in_the_name_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "b.mp4", grey_pictures(2)).rename(tmp_path / "http:b.mp4")
    assert len(read("http:b.mp4")[0]) == 2


def test_without_pyav_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install densedepth_keras\[video\]"):
        VideoFile("a.mp4")
