"""The front end's parameters, and the sample counts that follow from them."""

from dataclasses import field
from functools import cached_property

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_MAX_FFT_LENGTH = 65_536  # its tables take memory before a bundle is known to be good
_MIN_LEVEL_DBFS = -60.0  # at this level the mel bands of white noise hardly exceed the log's offset
_ROUNDING = 1e-6  # of products of decimal seconds


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Preprocessing:
    """What is done to the sound before its log-mel; by default nothing.

    `high_pass_hz`: lower frequencies are removed from every STFT frame. `level_dbfs`: each patch is brought
    to this RMS level, by `max_gain_db` up or down at most, so that silence stays silence. Each works on a
    single frame or patch and keeps no state.

    Raises:
        ValueError: a number out of its range.
    """

    high_pass_hz: float | None = None
    level_dbfs: float | None = None
    max_gain_db: float = 30.0

    def __post_init__(self) -> None:
        if self.high_pass_hz is not None and not self.high_pass_hz > 0:
            raise ValueError(f"high_pass_hz: expected more than 0, got {self.high_pass_hz}")
        if self.level_dbfs is not None and not _MIN_LEVEL_DBFS <= self.level_dbfs <= 0:
            raise ValueError(
                f"level_dbfs: expected {_MIN_LEVEL_DBFS:g} to 0 dBFS, got {self.level_dbfs}"
            )
        if not 0 < self.max_gain_db <= -_MIN_LEVEL_DBFS:
            raise ValueError(
                f"max_gain_db: expected more than 0, at most {-_MIN_LEVEL_DBFS:g}, "
                f"got {self.max_gain_db}"
            )


@dataclass(frozen=True, config=ConfigDict(allow_inf_nan=False))  # no slots: the counts are cached
class FeatureParams:
    """How a waveform becomes log-mel patches; the defaults are those of YAMNet's reference (`params.py`).

    Raises:
        ValueError: a length that is not a whole number of samples or STFT hops.
    """

    sample_rate_hz: int = 16_000
    stft_window_seconds: float = 0.025
    stft_hop_seconds: float = 0.010
    fft_length: int = 512
    mel_bands: int = 64
    mel_min_hz: float = 125.0
    mel_max_hz: float = 7_500.0
    log_offset: float = 0.001
    patch_seconds: float = 0.96
    patch_hop_seconds: float = 0.48
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "stft_window_seconds", "stft_hop_seconds", "mel_bands"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}")
        _check_whole(
            self.stft_window_seconds * self.sample_rate_hz, "stft_window_seconds", "samples"
        )
        _check_whole(self.stft_hop_seconds * self.sample_rate_hz, "stft_hop_seconds", "samples")
        _check_whole(self.patch_seconds / self.stft_hop_seconds, "patch_seconds", "stft hops")
        _check_whole(
            self.patch_hop_seconds / self.stft_hop_seconds, "patch_hop_seconds", "stft hops"
        )
        if not self.stft_window_samples <= self.fft_length <= _MAX_FFT_LENGTH:
            raise ValueError(
                f"fft_length: expected {self.stft_window_samples} to {_MAX_FFT_LENGTH}, "
                f"got {self.fft_length}"
            )
        if not 0 <= self.mel_min_hz < self.mel_max_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"mel_min_hz, mel_max_hz: expected 0 <= min < max <= {self.sample_rate_hz / 2}, "
                f"got {self.mel_min_hz} and {self.mel_max_hz}"
            )
        if not self.patch_hop_seconds <= self.patch_seconds:
            raise ValueError(
                f"patch_hop_seconds: expected at most {self.patch_seconds}, "
                f"got {self.patch_hop_seconds}"
            )
        high_pass_hz = self.preprocessing.high_pass_hz
        if high_pass_hz is not None and not high_pass_hz < self.mel_max_hz:
            raise ValueError(
                f"high_pass_hz: expected less than {self.mel_max_hz:g}, got {high_pass_hz}"
            )

    @cached_property
    def stft_window_samples(self) -> int:
        """Samples in one STFT frame (400)."""
        return round(self.stft_window_seconds * self.sample_rate_hz)

    @cached_property
    def stft_hop_samples(self) -> int:
        """Samples from one STFT frame to the next (160)."""
        return round(self.stft_hop_seconds * self.sample_rate_hz)

    @cached_property
    def patch_frames(self) -> int:
        """STFT frames in a patch (96)."""
        return round(self.patch_seconds / self.stft_hop_seconds)

    @cached_property
    def patch_hop_frames(self) -> int:
        """STFT frames from one patch to the next (48)."""
        return round(self.patch_hop_seconds / self.stft_hop_seconds)

    @cached_property
    def patch_hop_samples(self) -> int:
        """Samples from the start of one patch to the start of the next (7680)."""
        return self.patch_hop_frames * self.stft_hop_samples

    @cached_property
    def window_samples(self) -> int:
        """Samples that yield exactly one patch (15600)."""
        return (self.patch_frames - 1) * self.stft_hop_samples + self.stft_window_samples


def _check_whole(count: float, name: str, unit: str) -> None:
    if round(count) < 1 or abs(count - round(count)) > _ROUNDING:
        raise ValueError(f"{name}: expected a whole number of {unit}, got {count:g}")
