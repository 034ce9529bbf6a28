// Speech in the search box: the server turns a recording into text, which the shopper can correct.

import { address, ask } from "./api.js";
import { announce, el, icon, ICONS } from "./dom.js";

/** Longest recording that the server accepts, in milliseconds. */
const MAX_MS = 30_000;

/** Creates the button, or nothing where the browser cannot record; `heard` gets texts, `failed` errors. */
export function microphone({ heard, failed }) {
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.MediaRecorder) return null;
  let recorder = null;
  const button = el("button", { type: "button", class: "quiet", title: "Search by voice", "aria-label": "Search by voice", "aria-pressed": "false", on: { click: toggle } }, icon(ICONS.microphone));

  async function toggle() {
    if (recorder) return recorder.stop();
    try {
      await record();
    } catch (error) {
      failed(error);
    }
  }

  async function record() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const chunks = [];
    recorder = new MediaRecorder(stream);
    const timer = setTimeout(() => recorder?.stop(), MAX_MS - 500);
    recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
    recorder.addEventListener("stop", () => {
      clearTimeout(timer);
      for (const track of stream.getTracks()) track.stop();
      const recording = new Blob(chunks, { type: recorder.mimeType });
      recorder = null;
      button.setAttribute("aria-pressed", "false");
      transcribe(recording).then(heard, failed);
    });
    recorder.start();
    button.setAttribute("aria-pressed", "true");
    announce("Recording; press the button again to search");
  }

  return button;
}

async function transcribe(recording) {
  const body = new FormData();
  body.set("file", recording, "query");
  const answer = await ask(address("audio/transcriptions"), { method: "POST", body });
  return (await answer.json()).text.replace(/[.!?。！？]+$/u, "");
}
