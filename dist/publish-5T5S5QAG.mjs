import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  ActionError,
  MIB,
  formatBytes,
  inert,
  messageOf,
  within
} from "./chunk-2MZQ3STY.mjs";
import {
  info
} from "./chunk-QT2UPS3B.mjs";

// src/publish.ts
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
var LEAST_RATE = 256 * 1024;
function limitFor(size) {
  const stall = Number(process.env.ACTIONS_ARTIFACT_UPLOAD_TIMEOUT_MS) || 5 * 6e4;
  return 2 * stall + size / LEAST_RATE * 1e3;
}
async function uploadFiles(paths, retentionDays, sha256, cancelled) {
  const { DefaultArtifactClient } = await import("./artifact-4UR33WXA.mjs");
  const client = new DefaultArtifactClient();
  const artifacts = [];
  for (const path of paths) {
    const name = basename(path);
    const { size } = statSync(path);
    let uploaded;
    try {
      const upload = () => client.uploadArtifact(name, [path], dirname(path), {
        skipArchive: true,
        ...retentionDays !== null && { retentionDays }
      });
      uploaded = await withSmallMemory(() => within(limitFor(size), cancelled, upload()));
    } catch (error) {
      cancelled.throwIfAborted();
      const { statusCode } = error;
      const words = messageOf(error).trim() || `the storage answered ${statusCode ?? "nothing of use"}`;
      throw new ActionError(explainUpload(name, words), "Upload failed");
    }
    const expected = sha256.get(path);
    if (expected !== void 0 && uploaded.digest !== void 0 && uploaded.digest !== expected) {
      const deleting = client.deleteArtifact(name).catch(() => {
      });
      await within(limitFor(0), cancelled, deleting).catch(() => {
      });
      throw new ActionError(
        `${name} was changed on its way: it is ${expected}, uploaded was ${uploaded.digest} (SHA-256).`,
        "Upload failed"
      );
    }
    const artifact = {
      name,
      id: uploaded.id ?? 0,
      url: artifactUrl(uploaded.id ?? 0),
      digest: `sha256:${uploaded.digest ?? expected}`,
      size
    };
    info(inert(`Uploaded ${name} (${formatBytes(size)}): ${artifact.url}`));
    artifacts.push(artifact);
  }
  return artifacts;
}
function explainUpload(name, words) {
  const message = `The artifact ${name} could not be uploaded: ${inert(words.split("\n")[0] ?? "")}`;
  if (/409|conflict|already exists/i.test(words)) {
    return `${message}
An artifact of this name exists in this workflow run: give each job or step another name, such as name: disk-\${{ matrix.os }}.`;
  }
  if (/GHES/.test(words)) {
    return `${message}
GitHub Enterprise Server does not take such artifacts: set upload-artifact to false and use the path in the output image.`;
  }
  if (/ACTIONS_RUNTIME_TOKEN|ACTIONS_RESULTS_URL/.test(words))
    return `${message}
Outside of a workflow set upload-artifact to false.`;
  return `${message}
The files stay in the output folder; upload them in a later step, or run the job again.`;
}
function artifactUrl(id) {
  const { GITHUB_SERVER_URL = "https://github.com", GITHUB_REPOSITORY = "", GITHUB_RUN_ID = "" } = process.env;
  return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}/artifacts/${id}`;
}
var BUFFERS_LIMIT = 32 * MIB;
var LOOK = 10;
async function withSmallMemory(work) {
  process.env.ACTIONS_ARTIFACT_UPLOAD_CONCURRENCY ??= "3";
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const timer = setInterval(() => {
    if (process.memoryUsage().arrayBuffers > BUFFERS_LIMIT) collect();
  }, LOOK);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
export {
  uploadFiles
};
