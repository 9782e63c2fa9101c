"""One small clip in each format: two people over three frames, one missing point, and fields that others write."""

import csv
import json

import numpy as np

from posekit.skeletons import SKELETONS


def coco(folder, ids=True):
    """COCO results with gaps in the image ids, a track_id, boxes, and a field of another program."""
    rng = np.random.default_rng(1)
    entries = []
    for image in (10, 12, 16):
        for person in (1, 2):
            points = np.round(np.concatenate([rng.uniform(0, 200, (17, 2)), rng.uniform(0.1, 1, (17, 1))], 1), 5)
            points[3] = 0
            entry = {
                "image_id": image,
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "score": 0.91,
                "bbox": [1.1, 2.2, 30.3, 40.4],
                "mine": {"a": [person]},
            }
            entries.append({**entry, "track_id": person} if ids else entry)
    file = folder / "results.json"
    file.write_text(json.dumps(entries))
    return file


def openpose(folder):
    """Two files with people, one without; the second person has a hand in one frame."""
    rng = np.random.default_rng(2)
    out = folder / "openpose"
    out.mkdir()
    for frame in range(3):
        people = []
        for person in range(0 if frame == 1 else 2):
            body = np.concatenate([rng.uniform(0, 640, (25, 2)).round(3), rng.uniform(0.1, 1, (25, 1)).round(6)], 1)
            body[4] = 0
            hand = np.concatenate([rng.uniform(0, 640, (21, 2)).round(3), rng.uniform(0.1, 1, (21, 1)).round(6)], 1)
            people.append(
                {
                    "person_id": [-1],
                    "pose_keypoints_2d": body.ravel().tolist(),
                    "face_keypoints_2d": [],
                    "hand_left_keypoints_2d": hand.ravel().tolist() if person else [],
                    "pose_keypoints_3d": [],
                }
            )
        name = f"clip_{frame:012d}_keypoints.json"
        (out / name).write_text(json.dumps({"version": 1.3, "people": people}))
    return out


def dlc(folder, individuals=("mouse",), likelihood=True, index=1):
    """DeepLabCut's csv; the first point of the last individual is empty in the second frame."""
    rng = np.random.default_rng(3)
    coords = ("x", "y", "likelihood") if likelihood else ("x", "y")
    parts = ("snout", "left_ear", "tail")
    cells = [(who, part, coord) for who in individuals for part in parts for coord in coords]
    pad = [""] * (index - 1)
    rows = [["scorer", *pad, *["DLC_net"] * len(cells)]]
    if len(individuals) > 1:
        rows.append(["individuals", *pad, *[who for who, _, _ in cells]])
    rows.append(["bodyparts", *pad, *[part for _, part, _ in cells]])
    rows.append(["coords", *pad, *[coord for _, _, coord in cells]])
    for frame in range(3):
        values = [repr(float(v)) for v in rng.uniform(0.2, 1, len(cells)) * 100]
        for at, (_, _, coord) in enumerate(cells):
            if coord == "likelihood":
                values[at] = repr(float(values[at]) / 100)
        if frame == 1:
            for at, (who, part, coord) in enumerate(cells):
                if who == individuals[-1] and part == "snout" and coord != "likelihood":
                    values[at] = ""
        head = [str(frame)] if index == 1 else ["labeled-data", "clip", f"img{frame:03d}.png"]
        rows.append([*head, *values])
    file = folder / "poses.csv"
    with file.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    return file


def table(folder, ids=True):
    """posekit's CSV with frame, time, id, a spread, and a column of another program."""
    rng = np.random.default_rng(4)
    header = ["frame", "time", *(["id"] if ids else []), "instance", "instance_score", "x0", "y0", "x1", "y1", "point"]
    header += ["x", "y", "score", "spread_x", "spread_y", "mine"]
    rows = []
    for frame in (0, 1, 3):
        for person in range(2):
            for point in ("tip", "left_grip", "right_grip", "end"):
                gone = point == "end" and person == 0
                x, y = rng.uniform(0, 100, 2).round(3)
                place = ["", "", 0] if gone else [x, y, "0.50000"]
                head = [
                    frame,
                    f"{frame / 25:.2f}",
                    *([person + 5] if ids else []),
                    person,
                    "0.90000",
                    1,
                    2,
                    3,
                    4,
                    point,
                ]
                rows.append([*head, *place, "0.5000", "0.2500", "kept"])
    file = folder / "points.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return file


def npz(folder, ids=True):
    """An archive with an empty slot, a missing point, and an array of another program."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 100, (4, 2, 17, 2)).astype(np.float32)
    xy[1, 1] = np.nan
    xy[2, 0, 5] = np.nan
    score = rng.uniform(0.1, 1, (4, 2, 17)).astype(np.float32)
    file = folder / "poses.npz"
    more = {"ids": np.tile([3, 4], (4, 1))} if ids else {}
    np.savez(
        file,
        xy=xy,
        score=score,
        times=np.arange(4) / 25,
        points=np.array(SKELETONS["coco17"].points),
        spread=np.ones_like(xy),
        mine=np.arange(3),
        **more,
    )
    return file


def rows_npz(folder):
    """An archive by instances as videos are written, with raw points, a frame without instances and one untracked."""
    rng = np.random.default_rng(7)
    frame = np.array([0, 0, 1, 3, 3])
    xy = rng.uniform(0, 100, (5, 17, 2)).astype(np.float32)
    xy[1, 2] = np.nan
    file = folder / "video.npz"
    np.savez(
        file,
        times=np.arange(4) / 25,
        points=np.array(SKELETONS["coco17"].points),
        frame=frame,
        time=frame / 25,
        id=np.array([1, 2, -1, 1, 2]),
        instance_score=rng.uniform(0.1, 1, 5).astype(np.float32),
        box=rng.uniform(0, 99, (5, 4)).astype(np.float32),
        xy=xy,
        score=rng.uniform(0.1, 1, (5, 17)).astype(np.float32),
        raw_xy=xy + 1,
    )
    return file


def lines(folder, ids=True):
    """JSON lines with a line about the clip, and an empty frame."""
    rng = np.random.default_rng(6)
    out = [json.dumps({"posekit": "0.1.0", "model": "m"})]
    for frame in range(4):
        people = []
        for person in range(0 if frame == 2 else 2):
            points = {}
            for name in ("tip", "left_grip", "right_grip", "end"):
                x, y, s = rng.uniform(0.1, 1, 3).tolist()
                points[name] = {"x": 100 * x, "y": 50 * y, "score": s, "spread": [0.5, 0.25]}
            entry = {"score": 0.5, "box": [1.0, 2.0, 3.0, 4.0]}
            people.append({**entry, **({"id": person + 1} if ids else {}), "points": points})
        out.append(json.dumps({"frame": frame, "time": frame / 25, "width": 64, "instances": people}))
    file = folder / "poses.jsonl"
    file.write_text("\n".join(out) + "\n")
    return file


SAMPLES = {"coco": coco, "openpose": openpose, "dlc": dlc, "table": table, "npz": npz, "lines": lines}
