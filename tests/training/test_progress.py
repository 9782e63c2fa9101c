"""What a run has written can be written again: the bytes of metrics.csv, and the state in a checkpoint."""

from posekit.training.progress import Progress


def some():
    progress = Progress()
    progress.add({"l1": 1.0, "bone": 3.0}, 4)
    progress.add({"l1": 2.0, "bone": 0.0}, 2)
    return progress


def test_means_count_images_not_steps():
    progress = some()
    # (1 * 4 + 2 * 2) / 6 and (3 * 4 + 0) / 6
    assert progress.mean() == {"l1": 8 / 6, "bone": 2.0}
    assert (progress.seen, progress.counted, progress.step) == (6, 6, 2)
    assert Progress().mean() == {}


def test_closing_an_epoch_starts_the_next():
    progress = some()
    progress.close_epoch({"epoch": 1, "images": progress.seen})
    assert (progress.epoch, progress.step, progress.sums, progress.counted, progress.seen) == (1, 0, {}, 0, 6)


def test_the_csv_has_these_bytes(tmp_path):
    progress = Progress()
    progress.close_epoch({"epoch": 1, "images": 6, "loss/l1": 1 / 3})
    progress.close_epoch({"epoch": 2, "images": 12, "loss/l1": 0.25, "val/pck": 0.5})
    progress.write_csv(tmp_path / "metrics.csv")
    text = b"epoch,images,loss/l1,val/pck\n1,6,0.333333333,\n2,12,0.25,0.5\n"
    assert (tmp_path / "metrics.csv").read_bytes() == text
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_the_state_goes_round():
    progress = some()
    progress.best, progress.waited, progress.stopped = 0.75, 2, True
    other = Progress()
    other.load_state_dict(progress.state_dict())
    assert vars(other) == vars(progress)
