"""A video in, a video out: every frame, in order, at its time, with its sound; complete or not there."""

import math
import os
import signal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import (
    FakePredictor,
    encode,
    frames_of,
    grey_pictures,
    irregular,
    levels,
    regular,
    samples_of,
    seconds_of_sound,
    sound_packets,
    threads,
)

from densedepth_keras.config.predict import PredictConfig
from densedepth_keras.outputs.coloring import Coloring
from densedepth_keras.video import VideoResult, predict_video
from densedepth_keras.video.pyav import fraction

pytest.importorskip("av", reason="PyAV is not installed: pip install densedepth_keras[video]")


def predict(path, output, predictor=None, announce=lambda line: None, **flags):
    config = PredictConfig(video=str(path), output=str(output), **flags)
    return predict_video(config, announce, predictor or FakePredictor(), progress=False)


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("count", [1, 2, 7, 20])
@pytest.mark.parametrize("b_frames", [0, 3])
def test_frames_in_are_frames_out_at_the_same_times(tmp_path, count, b_frames):
    path = encode(tmp_path / "a.mp4", grey_pictures(count), irregular(count), b_frames=b_frames)
    result = predict(path, tmp_path / "b.mp4")
    assert [time for time, _ in frames_of(tmp_path / "b.mp4")] == [Fraction(tick, 1000) for tick, _ in irregular(count)]
    assert result.frames == count
    assert result.output == tmp_path / "b.mp4"
    assert left_behind(tmp_path) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("time_base", [Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 600), Fraction(1, 25)])
def test_time_bases_are_kept(tmp_path, time_base):
    times = [(3 * i + i % 2, 2) for i in range(12)]
    path = encode(tmp_path / "a.mp4", grey_pictures(12), times, time_base=time_base)
    predict(path, tmp_path / "b.mp4")
    assert [time for time, _ in frames_of(tmp_path / "b.mp4")] == [time for time, _ in frames_of(path)]


def test_the_last_frame_stays_as_long_as_it_did(tmp_path):
    import av

    path = encode(tmp_path / "a.mp4", grey_pictures(5), [(40 * i, 40 if i < 4 else 400) for i in range(5)])
    predict(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.duration == 560_000  # microseconds


def test_it_is_what_browsers_play(tmp_path):
    """H.264, yuv420p, BT.709 said, and the index in front."""
    import av

    path = encode(tmp_path / "a.mp4", grey_pictures(5, (49, 67)))
    predict(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert context.width % 2 == context.height % 2 == 0
        assert context.height == 50
    data = (tmp_path / "b.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_colours_are_those_of_the_depth(tmp_path):
    """Every picture's depth, read back from its colours, is what the predictor said, in order."""
    pictures = grey_pictures(20)
    path = encode(tmp_path / "a.mp4", pictures)
    predict(path, tmp_path / "b.mp4", smooth=0)
    depths = np.linspace(1, 9, 1601)
    colours = Coloring(1, 9).paint(depths[None].astype(np.float32))[0].astype(float)
    seen = []
    for (_, drawn), picture in zip(frames_of(tmp_path / "b.mp4"), pictures, strict=True):
        assert abs(drawn[24, 32].astype(float).mean() - picture[0, 0, 0]) < 4  # the input on the left
        colour = drawn[20:28, 92:100].reshape(-1, 3).mean(axis=0)
        seen.append(depths[np.abs(colours - colour).sum(axis=1).argmin()])
    expected = [1 + 8 * picture.mean() / 255 for picture in pictures]
    assert seen == sorted(seen)
    np.testing.assert_allclose(seen, expected, atol=0.25)  # H.264 of 8-bit yuv: a few of 256 colours


def test_flags_of_the_picture(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(3))
    predict(path, tmp_path / "b.mp4")
    predict(path, tmp_path / "c.mp4", side_by_side=False)
    predict(path, tmp_path / "d.mp4", side_by_side=False, range=(1, 5), colormap="gray")
    pair, alone, grey = (frames_of(tmp_path / f"{name}.mp4")[2][1] for name in "bcd")
    assert pair.shape[1] - alone.shape[1] == 64
    colours = grey[20, 30].astype(int)
    assert abs(colours - colours.mean()).max() < 6
    assert colours.mean() > 245  # 8.5 m, beyond the range


def test_smoothing_draws_the_depth_between(tmp_path):
    """From 1.3 m to 8.5 m in steps of 0.38 m: what is smoothed is behind."""
    path = encode(tmp_path / "a.mp4", grey_pictures(20))
    sharp = predict(path, tmp_path / "b.mp4", smooth=0)
    smooth = predict(path, tmp_path / "c.mp4", smooth=0.8)
    assert levels(tmp_path / "b.mp4") != levels(tmp_path / "c.mp4")
    assert math.isnan(sharp.flicker)  # nothing stands still: all get brighter by 12 levels
    assert math.isnan(smooth.flicker)


def test_the_result_says_the_flicker(tmp_path):
    class Trembling(FakePredictor):
        calls = 0

        def predict(self, picture):
            self.calls += 1
            return np.full(picture.shape[:2], 2 + 0.2 * (self.calls % 2), np.float32)

    path = encode(tmp_path / "a.mp4", [grey_pictures(1)[0]] * 20)
    result = predict(path, tmp_path / "b.mp4", Trembling(), smooth=0.6)
    assert result.raw_flicker == pytest.approx(0.2, rel=1e-5)
    assert 0.02 < result.flicker < 0.1
    assert "20 frames in" in str(result)
    assert "without smoothing 0.2000 m" in str(result)
    assert result.frames_per_second > 0
    assert 0 < result.latency < 60


@pytest.mark.parametrize(("suffix", "codec", "rate"), [("mp4", "aac", 44100), ("mkv", "libopus", 48000)])
def test_sound_is_copied_bit_for_bit(tmp_path, suffix, codec, rate):
    path = encode(tmp_path / f"a.{suffix}", grey_pictures(20), sound=(codec, rate, 0.8))
    predict(path, tmp_path / "b.mp4")
    before, after = sound_packets(path), sound_packets(tmp_path / "b.mp4")
    assert [data for _, data in before] == [data for _, data in after]
    assert [float(time) for time, _ in before] == pytest.approx([float(time) for time, _ in after], abs=1e-3)  # mkv: ms


def test_sound_of_a_transport_stream_keeps_in_step(tmp_path):
    path = encode(tmp_path / "a.ts", grey_pictures(20), sound=("aac", 44100, 0.8))
    predict(path, tmp_path / "b.mp4")
    before, after = sound_packets(path), sound_packets(tmp_path / "b.mp4")
    assert len(before) == len(after)
    lead = before[0][0] - frames_of(path)[0][0]
    assert float(after[0][0] - frames_of(tmp_path / "b.mp4")[0][0] - lead) == pytest.approx(0, abs=1e-4)  # a sample
    assert samples_of(tmp_path / "b.mp4").shape == samples_of(path).shape


@pytest.mark.parametrize(("codec", "rate"), [("pcm_s16le", 16000), ("ac3", 48000), ("pcm_s16le", 11000)])
def test_other_sound_becomes_aac(tmp_path, codec, rate):
    import av

    path = encode(tmp_path / "a.mkv", grey_pictures(20), sound=(codec, rate, 0.8))
    predict(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    longer = seconds_of_sound(tmp_path / "b.mp4") - seconds_of_sound(path)
    assert -1e-3 < longer < 2 * 1024 / 16000  # AAC comes in frames of 1024 samples, here of 16 kHz and more
    wave = samples_of(tmp_path / "b.mp4")[0]
    assert np.sqrt((wave**2).mean()) == pytest.approx(0.3 / 2, rel=0.1)  # a sine of 0.3 by sqrt(2), stereo 3 dB less


def test_sound_whose_channels_change_goes_on(tmp_path):
    """Recordings of television: mono news, then a film in stereo."""
    import av

    from densedepth_keras.video.sound import EncodedSound

    def frame(channels, number):
        form = {1: "mono", 2: "stereo"}[channels]
        made = av.AudioFrame.from_ndarray(np.full((channels, 1600), 0.1, np.float32), format="fltp", layout=form)
        made.sample_rate, made.pts, made.time_base = 16000, 1600 * number, Fraction(1, 16000)
        return made

    class Packet:
        def __init__(self, *frames):
            self.decode = lambda: list(frames)

    path = encode(tmp_path / "a.mkv", grey_pictures(2), sound=("pcm_s16le", 16000, 0.1))
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mp4"), "w") as container:
        track = EncodedSound(container, source.streams.audio[0], Fraction(0))
        for number in range(6):
            track.add(Packet(frame(1 if number < 3 else 2, number)))
        track.close()
    assert 6 * 1600 <= samples_of(tmp_path / "b.mp4").shape[1] < 6 * 1600 + 2 * 1024  # whole AAC frames


def test_pixels_that_are_not_square_stay_so(tmp_path):
    import av

    path = encode(tmp_path / "a.mp4", grey_pictures(2), pixel_aspect=Fraction(4, 3))
    predict(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert fraction(container.streams.video[0].sample_aspect_ratio) == Fraction(4, 3)


def test_two_languages_stay_two(tmp_path):
    import av

    path = encode(tmp_path / "a.mp4", grey_pictures(10), sound=("aac", 44100, 0.4))
    both = tmp_path / "both.mkv"
    with av.open(str(path)) as source, av.open(str(both), "w") as container:
        video, sound = source.streams.video[0], source.streams.audio[0]
        tracks = {video.index: [container.add_stream_from_template(video)], sound.index: []}
        tracks[sound.index] = [container.add_stream_from_template(sound) for _ in range(2)]
        for packet in source.demux():
            if packet.dts is None:
                continue
            for track in tracks[packet.stream.index]:
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
                again.is_keyframe, again.duration, again.stream = packet.is_keyframe, packet.duration, track
                container.mux(again)
    predict(both, tmp_path / "b.mp4")
    for number in range(2):
        before, after = sound_packets(both, number), sound_packets(tmp_path / "b.mp4", number)
        assert [data for _, data in before] == [data for _, data in after]


def test_a_cut_file_is_used_and_said(tmp_path, rng):
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(40)]
    path = encode(tmp_path / "a.mp4", pictures)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    lines = []
    result = predict(path, tmp_path / "b.mp4", announce=lines.append)
    assert 10 < result.frames < 30
    assert len(frames_of(tmp_path / "b.mp4")) == result.frames
    assert any("a.mp4: cut off" in line for line in lines)


def test_no_network_is_asked_before_the_files_are_looked_at(tmp_path):
    """No checkpoint, no run: a wrong video is said first, without waiting for a model."""
    config = PredictConfig(video=str(tmp_path / "none.mp4"), output=str(tmp_path / "b.mp4"))
    with pytest.raises(FileNotFoundError, match="no such file"):
        predict_video(config, print)
    path = encode(tmp_path / "a.mp4", grey_pictures(2))
    with pytest.raises(FileNotFoundError, match="No run below"):
        predict_video(PredictConfig(video=str(path), output_dir=str(tmp_path)), lambda line: None)
    assert left_behind(tmp_path) == ["a.mp4"]


def test_nothing_is_written_over_unless_asked(tmp_path):
    path = encode(tmp_path / "a.mp4", grey_pictures(2))
    (tmp_path / "b.mp4").write_text("mine")
    with pytest.raises(FileExistsError, match=r"--overwrite.*Received: output='.*b\.mp4'"):
        predict(path, tmp_path / "b.mp4")
    assert (tmp_path / "b.mp4").read_text() == "mine"
    predict(path, tmp_path / "b.mp4", overwrite=True)
    assert len(frames_of(tmp_path / "b.mp4")) == 2
    with pytest.raises(ValueError, match="one file"):
        predict(path, path, overwrite=True)


def test_where_the_output_goes(tmp_path):
    path = encode(tmp_path / "a.mkv", grey_pictures(2))
    config = PredictConfig(video=str(path))
    assert predict_video(config, print, FakePredictor()).output == tmp_path / "a-depth.mp4"
    (tmp_path / "out").mkdir()
    assert predict(path, tmp_path / "out").output == tmp_path / "out" / "a-depth.mp4"
    assert predict(path, tmp_path / "new" / "folder" / "x.mov").frames == 2
    with pytest.raises(ValueError, match=r"is an mp4: .* Received: output='.*b\.avi'"):
        predict(path, tmp_path / "b.avi")
    with pytest.raises(OSError, match="Nothing can be written there"):
        predict(path, path / "b.mp4")


@pytest.mark.parametrize("at", [0, 5, 19])
def test_an_error_of_the_network_ends_all_and_leaves_nothing(tmp_path, at):
    class Broken(FakePredictor):
        calls = -1

        def predict(self, picture):
            self.calls += 1
            if self.calls == at:
                raise RuntimeError("out of memory")
            return super().predict(picture)

    path = encode(tmp_path / "a.mp4", grey_pictures(20), sound=("aac", 44100, 0.8))
    before = threads()
    with pytest.raises(RuntimeError, match="out of memory"):
        predict(path, tmp_path / "b.mp4", Broken())
    assert left_behind(tmp_path) == ["a.mp4"]
    assert threads() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_half_file(tmp_path, number):
    class Stopping(FakePredictor):
        calls = 0

        def predict(self, picture):
            self.calls += 1
            if self.calls == 10:
                os.kill(os.getpid(), number)
            return super().predict(picture)

    path = encode(tmp_path / "a.mp4", grey_pictures(20))
    before = threads()
    with pytest.raises(KeyboardInterrupt):
        predict(path, tmp_path / "b.mp4", Stopping())
    assert left_behind(tmp_path) == ["a.mp4"]
    assert threads() == before


@pytest.mark.parametrize("room", [200, 3_000, 20_000])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, rng, room):
    resource = pytest.importorskip("resource", reason="no file size limits on this system")
    pictures = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(20)]
    path = encode(tmp_path / "a.mp4", pictures, quality=30)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written: .*Received: output='.*b\.mp4'"):
            predict(path, tmp_path / "b.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert left_behind(tmp_path) == ["a.mp4"]


def test_a_model_without_a_range_asks_for_one(tmp_path):
    class Endless(FakePredictor):
        max_depth = float("inf")

    path = encode(tmp_path / "a.mp4", grey_pictures(2))
    with pytest.raises(ValueError, match="--range NEAR FAR"):
        predict(path, tmp_path / "b.mp4", Endless())
    assert predict(path, tmp_path / "b.mp4", Endless(), range=(0, 10)).frames == 2


def test_pictures_are_no_video():
    with pytest.raises(ValueError, match="Expected one of --video"):
        predict_video(PredictConfig(inputs=("a.jpg",)), print, FakePredictor())


def test_too_wide_for_a_player_is_refused():
    from densedepth_keras.video.writing import VideoWriter

    with pytest.raises(ValueError, match="--no-side-by-side"):
        VideoWriter("never.mp4", (100, 16386), time_base=Fraction(1, 25))


def test_a_result_without_still_pixels_says_no_flicker():
    text = str(VideoResult(None, 10, 2.0, 0.1, float("nan"), float("nan"), dropped=3))
    assert text == "10 frames in 2.0 s: 5.0 frames per second, latency 0.10 s, 3 dropped"


def test_a_result_says_where_the_file_is():
    text = str(VideoResult(Path("out") / "walk-depth.mp4", 1, 2.0, 0.1, 0.02, 0.05))
    assert text.startswith("1 frame in 2.0 s: ")
    assert text.endswith("; flicker 0.0200 m, without smoothing 0.0500 m; written to out/walk-depth.mp4")


def test_regular_times_are_regular():
    assert regular(3) == [(0, 40), (40, 40), (80, 40)]


def test_the_newest_run_is_used_and_named(tmp_path, small_model):
    for name in ("zz-first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        small_model.save(tmp_path / "runs" / name / "model.keras")
    path, lines = encode(tmp_path / "a.mp4", grey_pictures(2)), []
    result = predict_video(PredictConfig(video=str(path), output_dir=str(tmp_path / "runs")), lines.append)
    newest = tmp_path / "runs" / "second"
    assert lines[1] == f"Newest run: {newest}"
    assert lines[2] == f"{newest}: answers 0.1 to 10 m, sees pictures of any size as they are"
    assert result.frames == 2
