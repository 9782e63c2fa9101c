// The page: a model, a photo or the webcam, and the points drawn over it.
import { findPoses, openModel } from "./posekit.js";

const part = (id) => document.getElementById(id);
const canvas = part("canvas");
const context = canvas.getContext("2d");
const pixels = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const LEFT = "rgb(0, 255, 0)";
const RIGHT = "rgb(255, 128, 0)";
const CENTRE = "rgb(51, 153, 255)";

let ort = null;
let model = null;
let photo = null; // ImageBitmap
let stream = null; // of the webcam
let last = null; // { model, poses }: what is drawn over the image
let turn = Promise.resolve(); // of predictions: one at a time

async function runtime() {
  if (ort) return ort;
  try {
    ort = await import("./ort.wasm.bundle.min.mjs");
  } catch {
    throw new Error("ort.wasm.bundle.min.mjs is missing beside this page, or the page was opened as a file: see README.md");
  }
  return ort;
}

function say(text, error = false) {
  part("status").textContent = text;
  part("status").classList.toggle("error", error);
}

// Runs what an event asks for, and shows what went wrong.
const shown = (action) => async (event) => {
  try {
    await action(event);
  } catch (error) {
    say(error.message, true);
  }
};

part("model").onchange = shown(async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  const before = model;
  model = null;
  await turn;
  await before?.session.release();
  say(`opening ${file.name} ...`);
  model = await openModel(await runtime(), new Uint8Array(await file.arrayBuffer()));
  part("threshold").value = model.spec.instance_threshold;
  part("shown").textContent = Number(part("threshold").value).toFixed(2);
  say([`${model.spec.name}: ${model.spec.skeleton.points.length} points`, ...model.notes].join("; "));
  if (photo && !stream) await predict(photo);
});

part("photo").onchange = shown(async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  stop();
  try {
    photo = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name} is not an image that this browser reads`);
  }
  await predict(photo);
});

part("webcam").onclick = shown(async () => {
  if (stream) return stop();
  if (!navigator.mediaDevices) throw new Error("the webcam needs https, or a page of localhost");
  stream = await navigator.mediaDevices.getUserMedia({ video: true });
  part("webcam").textContent = "Stop";
  const video = part("video");
  video.srcObject = stream;
  await video.play();
  try {
    while (stream) {
      await predict(video);
      await new Promise(requestAnimationFrame);
    }
  } finally {
    stop();
  }
});

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  part("webcam").textContent = "Webcam";
}

part("threshold").oninput = ({ target }) => {
  part("shown").textContent = Number(target.value).toFixed(2);
  if (last) draw(last);
};

// Finds and draws the poses of an ImageBitmap or a video's frame, once those before are done.
function predict(source) {
  const done = turn.then(() => predictNow(source, model));
  turn = done.catch(() => {});
  return done;
}

async function predictNow(source, model) {
  const start = performance.now();
  const image = imageOf(source);
  if (!model) return draw({ model, poses: [] });
  const { poses, milliseconds } = await findPoses(model, image);
  draw({ model, poses });
  const total = performance.now() - start;
  const many = poses.filter((pose) => pose.score >= threshold()).length;
  const found = model.crops ? "the image as one box" : `${many} ${many === 1 ? "instance" : "instances"}`;
  const times = `network ${milliseconds.toFixed(0)} ms, all ${total.toFixed(0)} ms`;
  say([`${model.spec.name}: ${found}; ${times}`, ...model.notes].join("; "));
}

function imageOf(source) {
  const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
  [pixels.canvas.width, pixels.canvas.height] = [width, height];
  pixels.drawImage(source, 0, 0);
  return pixels.getImageData(0, 0, width, height);
}

const threshold = () => Number(part("threshold").value);

function draw(what) {
  const { model, poses } = (last = what);
  [canvas.width, canvas.height] = [pixels.canvas.width, pixels.canvas.height];
  context.drawImage(pixels.canvas, 0, 0);
  // With a box given there is always an instance; else one counts from the threshold on.
  const found = poses.filter((pose) => model.crops || pose.score >= threshold());
  for (const pose of found) drawPose(pose, model.spec.skeleton);
  list(found, model?.spec.skeleton.points);
}

function drawPose({ xy, scores }, { points, bones, mirror }) {
  const side = Object.fromEntries(
    mirror.flatMap(([a, b]) => (a.toLowerCase().includes("right") ? [[b, LEFT], [a, RIGHT]] : [[a, LEFT], [b, RIGHT]])),
  );
  const colour = (name) => side[name] ?? CENTRE;
  const visible = (k) => scores[k] >= threshold() && xy[k].every(Number.isFinite);
  const radius = Math.max(2, Math.max(canvas.width, canvas.height) / 120);
  context.lineWidth = radius * 0.9;
  context.lineCap = "round";
  for (const [a, b] of bones) {
    const [i, j] = [points.indexOf(a), points.indexOf(b)];
    if (!visible(i) || !visible(j)) continue;
    const sides = new Set([colour(a), colour(b)].filter((value) => value !== CENTRE));
    context.strokeStyle = sides.size === 1 ? [...sides][0] : CENTRE;
    context.beginPath();
    context.moveTo(...xy[i]);
    context.lineTo(...xy[j]);
    context.stroke();
  }
  points.forEach((name, k) => {
    if (!visible(k)) return;
    context.fillStyle = colour(name);
    context.strokeStyle = "rgb(16, 16, 24)";
    context.lineWidth = radius * 0.35;
    context.beginPath();
    context.arc(...xy[k], radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  });
}

// The points as a table: name, x and y in pixels of the image, score.
function list(poses, points) {
  const row = (values, name = "") => {
    const tr = document.createElement("tr");
    tr.className = name;
    for (const value of values) tr.insertCell().textContent = value;
    return tr;
  };
  part("points").replaceChildren(
    ...(poses.length ? [row(["point", "x", "y", "score"])] : []),
    ...poses.flatMap(({ score, scores, xy }, n) => [
      row([`instance ${n + 1}`, "", "", score.toFixed(3)], "instance"),
      ...points.map((name, k) => row([name, xy[k][0].toFixed(2), xy[k][1].toFixed(2), scores[k].toFixed(3)])),
    ]),
  );
}
