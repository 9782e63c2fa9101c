// A model that `posekit export` wrote, in ONNX Runtime Web: image in, points in its pixels out.
// What the graph does not contain is here: framing, NMS, calibration. Pixels are continuous: the centre of the first is
// (0.5, 0.5). Shapes are written as in posekit: (N, K, 2) for N instances of K points.

// The metadata of an ONNX file by key: the repeated field 14 of the protobuf message ModelProto, each entry with its key
// as field 1 and its value as field 2. All other fields, the graph among them, are skipped by their length.
export function metadataOf(bytes) {
  const found = {};
  for (const [field, entry] of fieldsOf(bytes)) {
    if (field !== 14) continue;
    const text = Object.fromEntries([...fieldsOf(entry)].map(([number, value]) => [number, new TextDecoder().decode(value)]));
    found[text[1] ?? ""] = text[2] ?? "";
  }
  return found;
}

// The length-delimited fields of a protobuf message, as [number, bytes]; numbers are skipped.
function* fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= bytes.length) throw new Error("the file is damaged, or not an ONNX file");
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1 || kind === 5) at += kind === 1 ? 8 : 4;
    else if (kind === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new Error("the file is damaged, or not an ONNX file");
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("the file is damaged, or not an ONNX file");
  }
}

// Opens a file (Uint8Array) with ONNX Runtime `ort`. `notes` says in words what of the spec is left out here.
export async function openModel(ort, bytes) {
  const text = metadataOf(bytes).posekit;
  if (text === undefined) throw new Error("no metadata of posekit in this file: write it with `posekit export`");
  const { spec, format } = JSON.parse(text);
  if (format !== 1) throw new Error(`metadata of format ${format}; this page reads 1`);
  const { framing, nms } = spec;
  if (!(nms.method in SUPPRESSION)) throw new Error(`no NMS by ${nms.method} here; known: ${Object.keys(SUPPRESSION).join(", ")}`);
  const notes = [];
  if (framing.kind === "letterbox" && (framing.tiles || framing.scales.join() !== "1")) {
    notes.push("this model is meant for several scales or tiles; here it sees the full image once");
  }
  if (spec.rescorer) notes.push("scores of instances are not corrected by the shape of the pose here");
  const session = await ort.InferenceSession.create(bytes);
  const model = { ort, spec, notes, crops: framing.kind === "crop", session };
  await findPoses(model, new ImageData(1, 1)); // The first run takes longer than those that follow.
  return model;
}

// Where the full image lies in the model's input: view = scale * image + (left, top).
export function frameOf(spec, width, height) {
  const [rows, columns] = spec.size;
  const padding = spec.framing.kind === "crop" ? spec.framing.padding : 1;
  const scale = 1 / (Math.max(width / columns, height / rows) * padding);
  return { scale, left: (columns - scale * width) / 2, top: (rows - scale * height) / 2 };
}

// The model's input (H, W, 3) from an image (ImageData): bilinear, black outside, alpha left out. The numbers are rounded
// to 32 bits where OpenCV does it, so that pixels are the same; a canvas would resample differently in every browser.
export function warp(image, { scale, left, top }, [rows, columns]) {
  const { width, height, data } = image;
  const out = new Uint8ClampedArray(rows * columns * 3); // Rounds halves to even, as OpenCV does.
  const round = Math.fround;
  const step = round(1 / scale);
  const firstX = round((0.5 - left) / scale - 0.5);
  const firstY = round((0.5 - top) / scale - 0.5);
  const at = (x, y, channel) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : data[(y * width + x) * 4 + channel]);
  const between = (from, to, part) => round(from + round(part * round(to - from)));
  for (let row = 0, index = 0; row < rows; row++) {
    const y = round(round(step * row) + firstY);
    const y0 = Math.floor(y);
    for (let column = 0; column < columns; column++) {
      const x = round(step * column + firstX);
      const x0 = Math.floor(x);
      for (let channel = 0; channel < 3; channel++) {
        const upper = between(at(x0, y0, channel), at(x0 + 1, y0, channel), x - x0);
        const lower = between(at(x0, y0 + 1, channel), at(x0 + 1, y0 + 1, channel), x - x0);
        out[index++] = between(upper, lower, y - y0);
      }
    }
  }
  return new Uint8Array(out.buffer);
}

// The poses of an image (ImageData), the best first: [{ score, xy: [[x, y], ...], scores: [...], box }], and the
// milliseconds that the network took.
export async function findPoses(model, image) {
  const { ort, spec, session, crops } = model;
  const frame = frameOf(spec, image.width, image.height);
  const input = new ort.Tensor("uint8", warp(image, frame, spec.size), [1, ...spec.size, 3]);
  const start = performance.now();
  const found = await session.run({ image: input });
  const milliseconds = performance.now() - start;
  let poses = posesOf(found, spec.skeleton.points.length, frame);
  if (!crops) poses = suppressed(poses, spec);
  if (spec.calibration) for (const pose of poses) calibrate(pose, spec.calibration, crops);
  return { poses, milliseconds };
}

// The first image's poses in the graph's outputs, in pixels of the image.
function posesOf(found, points, { scale, left, top }) {
  const [xy, score, whole, boxes] = ["xy", "score", "instance_score", "boxes"].map((name) => found[name]?.data);
  const back = (values) => Array.from(values, (value, axis) => (value - (axis % 2 ? top : left)) / scale);
  return Array.from(whole, (instance, n) => ({
    score: instance,
    xy: Array.from({ length: points }, (_, k) => back(xy.subarray((n * points + k) * 2, (n * points + k + 1) * 2))),
    scores: Array.from(score.subarray(n * points, (n + 1) * points)),
    box: boxes ? back(boxes.subarray(n * 4, n * 4 + 4)) : null,
  }));
}

// NMS: of two similar poses the one with the lower score is dropped; of equal scores the first given is kept.
function suppressed(poses, spec) {
  const { method, threshold, score_threshold: lowest, max_instances: most } = spec.nms;
  const alike = SUPPRESSION[method];
  const sigmas = spec.skeleton.points.map((name) => spec.skeleton.sigmas[name] ?? 0.05);
  const kept = [];
  for (const pose of poses.filter(({ score }) => score >= lowest).sort((a, b) => b.score - a.score)) {
    if (!kept.some((better) => alike(better, pose, sigmas) > threshold)) kept.push(pose);
  }
  return kept.slice(0, most);
}

// Similarity of two poses in [0, 1] by the name of the method in the spec.
const SUPPRESSION = {
  none: () => 0,
  box: (a, b) => overlap(boxOf(a), boxOf(b)),
  oks: (a, b, sigmas) => {
    const size = (Math.max(areaOf(boxOf(a)), 1) + Math.max(areaOf(boxOf(b)), 1)) / 2;
    const both = sigmas.map((_, k) => k).filter((k) => finite(a.xy[k]) && finite(b.xy[k]));
    const each = both.map((k) => {
      const squared = (a.xy[k][0] - b.xy[k][0]) ** 2 + (a.xy[k][1] - b.xy[k][1]) ** 2;
      return Math.exp(-squared / (size * 2 * (2 * sigmas[k]) ** 2));
    });
    return each.length ? each.reduce((sum, value) => sum + value, 0) / each.length : 0;
  },
};

const finite = (point) => point.every(Number.isFinite);
const areaOf = ([x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);

function overlap(a, b) {
  const inner = areaOf([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  const union = areaOf(a) + areaOf(b) - inner;
  return union > 0 ? inner / union : 0;
}

// The network's box, or the one around the points.
function boxOf({ box, xy }) {
  if (box) return box;
  const [xs, ys] = [0, 1].map((axis) => xy.filter(finite).map((point) => point[axis]));
  return xs.length ? [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] : [0, 0, 0, 0];
}

// Scores become probabilities: sigmoid(logit(score) / temperature + shift).
function calibrate(pose, { temperature, shift }, crops) {
  pose.scores = pose.scores.map((score) => {
    const inside = Math.min(Math.max(score, 1e-6), 1 - 1e-6);
    return 1 / (1 + Math.exp(-(Math.log(inside / (1 - inside)) / temperature + shift)));
  });
  if (crops) pose.score = pose.scores.reduce((sum, score) => sum + score, 0) / pose.scores.length;
}
