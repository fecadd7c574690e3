import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/errors.ts
var ActionError = class extends Error {
  /**
   * @param message one or more sentences, the first of which stands on its own
   * @param title short heading of the annotation
   */
  constructor(message, title = "docker-to-disk") {
    super(message);
    this.title = title;
  }
  title;
  name = "ActionError";
};
var messageOf = (error) => error instanceof Error ? error.message : String(error);
var saysNoSpace = (text) => /ENOSPC|no space left on device|don't have enough free space/i.test(text);

// src/text.ts
var UNITS = {
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  KB: 1e3,
  MB: 1e3 ** 2,
  GB: 1e3 ** 3,
  TB: 1e3 ** 4
};
var MIB = 1024 ** 2;
function parseSize(text) {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([KMGT])(i?B)?$/i.exec(text.trim());
  if (!match) return null;
  const [, number, prefix, suffix] = match;
  const unit = suffix?.toUpperCase() === "B" ? `${prefix}B` : `${prefix}`;
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : null;
}
function formatBytes(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
function quoteArgv(argv) {
  return argv.map((arg) => /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`).join(" ");
}
var ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[PX^_][^\u001b]*\u001b\\|[ -/]*[0-~])/g;
var CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;
var stripTerminal = (text) => text.replace(ESCAPES, "").replace(CONTROLS, "");
var inert = (line) => stripTerminal(line).replace(/^(\s*):(?=:)/, "$1\u200B:").replaceAll("##[", "#\u200B#[");
var inertText = (text) => text.split("\n").map(inert).join("\n");
var markdownCell = (value) => stripTerminal(value).replace(/[\\`*_{}[\]<>|#!~$]/g, "\\$&").replaceAll("\n", " ");
function compareVersions(a, b) {
  const parts = (text) => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x === y) continue;
    if (x.startsWith("~") !== y.startsWith("~")) return x.startsWith("~") ? -1 : 1;
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const difference = BigInt(x) - BigInt(y);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      continue;
    }
    return x < y ? -1 : 1;
  }
  return 0;
}
var markdownTable = (head, rows) => [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

// src/deadline.ts
import { createContext, Script } from "node:vm";
async function within(limitMs, cancelled, work) {
  work.catch(() => {
  });
  cancelled.throwIfAborted();
  let timer;
  let cancel = () => {
  };
  const limit = new Promise((_, reject) => {
    const words = `the service did not finish within ${Math.round(limitMs / 1e3)} seconds`;
    timer = setTimeout(() => reject(new Error(words)), limitMs);
    cancel = () => reject(cancelled.reason);
    cancelled.addEventListener("abort", cancel);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    cancelled.removeEventListener("abort", cancel);
  }
}
var CALL = new Script("work()");
var room;
var INTERRUPTED = "ERR_SCRIPT_EXECUTION_TIMEOUT";
function interruptible(limitMs, work) {
  room ??= createContext({});
  room.work = work;
  return CALL.runInContext(room, { timeout: limitMs });
}

export {
  ActionError,
  messageOf,
  saysNoSpace,
  MIB,
  parseSize,
  formatBytes,
  formatSeconds,
  quoteArgv,
  stripTerminal,
  inert,
  inertText,
  markdownCell,
  compareVersions,
  markdownTable,
  within,
  INTERRUPTED,
  interruptible
};
