import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  require_tar_stream
} from "./chunk-3AIKWOAU.mjs";
import {
  ActionError,
  INTERRUPTED,
  MIB,
  compareVersions,
  formatBytes,
  formatSeconds,
  inert,
  inertText,
  interruptible,
  markdownCell,
  markdownTable,
  messageOf,
  parseSize,
  quoteArgv,
  saysNoSpace,
  stripTerminal,
  within
} from "./chunk-2MZQ3STY.mjs";
import {
  ExitCode,
  __toESM,
  debug,
  endGroup,
  error,
  getInput,
  getState,
  info,
  notice,
  saveState,
  setOutput,
  setSecret,
  startGroup,
  summary,
  warning
} from "./chunk-QT2UPS3B.mjs";

// src/main.ts
import { existsSync as existsSync4, mkdirSync as mkdirSync5, writeFileSync as writeFileSync6 } from "node:fs";
import { tmpdir as tmpdir2 } from "node:os";
import { basename as basename4, join as join11 } from "node:path";

// src/boot-check/boot-check.ts
import { appendFileSync, rmSync as rmSync3 } from "node:fs";
import { join as join4 } from "node:path";

// src/disk.ts
import { randomBytes, randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, statfsSync, truncateSync } from "node:fs";
import { basename as basename2, dirname, join as join2 } from "node:path";

// src/edits.ts
var import_tar_stream = __toESM(require_tar_stream(), 1);

// src/tree.ts
var BLOCK = 4096;
var MAX_LINKS = 40;
var TreeIndex = class {
  #entries = /* @__PURE__ */ new Map();
  /** Names in each folder; made when first asked for. */
  #children = null;
  #inodes = 0;
  #bytes = 0;
  /**
   * Adds a file.
   * @param path relative path, without `./`
   * @param allocated bytes of allocated blocks, at most the apparent size rounded up; 0 for a further name of an inode
   *   that was added before
   * @param counted whether the name brings an inode of its own
   */
  add(path, entry, allocated, counted) {
    this.#children = null;
    this.#entries.set(
      exactName(path),
      entry.link === null ? entry : { ...entry, link: exactName(entry.link) }
    );
    if (!counted) return;
    this.#inodes++;
    const needsBlocks = entry.kind === "f" || entry.kind === "d" || entry.kind === "l" && entry.size > 59;
    if (needsBlocks) this.#bytes += roundToBlocks(entry.kind === "d" ? Math.max(allocated, BLOCK) : allocated);
    if (allocated > 64 * 1024 ** 2) this.#bytes += BLOCK;
  }
  get measure() {
    return { inodes: this.#inodes, bytes: this.#bytes };
  }
  /** The entry of a path whose parents are no links; does not follow the path itself. */
  entry(path) {
    return path === "" ? ROOT : this.#entries.get(path) ?? null;
  }
  /**
   * The real path that a path names as the booted machine would see it, or null if it leads nowhere: a missing file, a
   * loop of links, a file used as a folder. `..` above the root stays at the root.
   * @param last whether a link in the last component is followed; a missing last component is then no path
   */
  resolve(path, last = "follow") {
    let pending = path.split("/");
    const real = [];
    let links = 0;
    while (pending.length > 0) {
      const [name = "", ...rest] = pending;
      pending = rest;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        real.pop();
        continue;
      }
      const parent = this.entry(real.join("/"));
      if (parent?.kind !== "d") return null;
      const isLast = rest.every((part) => part === "" || part === ".");
      const candidate = [...real, name].join("/");
      const entry = this.entry(candidate);
      if (entry?.kind === "l" && entry.link !== null && !(isLast && last === "keep")) {
        if (++links > MAX_LINKS) return null;
        if (entry.link.startsWith("/")) real.length = 0;
        pending = [...entry.link.split("/"), ...pending];
        continue;
      }
      if (entry === null && !(isLast && last === "keep")) return null;
      real.push(name);
    }
    return real.join("/");
  }
  /** Kind of what a path leads to, links followed; null if nowhere. */
  kind(path) {
    const real = this.resolve(path);
    return real === null ? null : this.entry(real)?.kind ?? null;
  }
  /** Names in the folder that a path leads to, sorted; none if it is no folder. */
  list(path) {
    const real = this.resolve(path);
    if (real === null) return [];
    this.#children ??= this.#listAll();
    return [...this.#children.get(real) ?? []].sort();
  }
  /** One pass for all folders: an image may well have thousands that are asked for, among a million names. */
  #listAll() {
    const children = /* @__PURE__ */ new Map();
    for (const path of this.#entries.keys()) {
      const slash = path.lastIndexOf("/");
      const parent = slash < 0 ? "" : path.slice(0, slash);
      const names = children.get(parent);
      if (names) names.push(path.slice(slash + 1));
      else children.set(parent, [path.slice(slash + 1)]);
    }
    return children;
  }
};
var exactName = (path) => path.replaceAll("\uFFFD", "\0");
var isExact = (path) => !path.includes("\0");
var ROOT = { kind: "d", mode: 493, uid: 0, gid: 0, size: 0, link: null };
var roundToBlocks = (bytes) => Math.ceil(bytes / BLOCK) * BLOCK;
var FIND_FORMAT = ["%y", "%m", "%U", "%G", "%s", "%b", "%n", "%i", "%P", "%l"].map((field) => `${field}\\0`).join("");
var FIELDS = 10;
var FindParser = class {
  index = new TreeIndex();
  #seen = /* @__PURE__ */ new Set();
  #rest = Buffer.alloc(0);
  #fields = [];
  write(chunk2) {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk2]) : chunk2;
    let from = 0;
    for (let at = data.indexOf(0, from); at !== -1; at = data.indexOf(0, from)) {
      this.#fields.push(data.toString("utf8", from, at));
      from = at + 1;
      if (this.#fields.length === FIELDS) {
        this.#add(this.#fields);
        this.#fields = [];
      }
    }
    this.#rest = data.subarray(from);
  }
  #add([
    kind = "",
    mode = "",
    uid = "",
    gid = "",
    size = "",
    blocks = "",
    names = "",
    inode = "",
    path = "",
    link2 = ""
  ]) {
    if (path === "") return;
    const first = Number(names) < 2 || kind === "d" || !this.#seen.has(inode);
    if (first && Number(names) > 1 && kind !== "d") this.#seen.add(inode);
    this.index.add(
      path,
      {
        kind,
        mode: Number.parseInt(mode, 8),
        uid: Number(uid),
        gid: Number(gid),
        size: Number(size),
        link: kind === "l" ? link2 : null
      },
      Math.min(Number(blocks) * 512, roundToBlocks(Number(size))),
      first
    );
  }
};

// src/edits.ts
var entryAt = (index, path) => {
  const real = index.resolve(path, "keep");
  return real === null ? null : index.entry(real);
};
function placeOf(index, path) {
  const names = path.split("/");
  for (let depth = names.length - 1; depth >= 0; depth--) {
    const parent = names.slice(0, depth).join("/");
    if (entryAt(index, parent) === null) continue;
    const realParent = index.resolve(parent);
    if (realParent === null || index.entry(realParent)?.kind !== "d") {
      throw new ActionError(
        `/${path} has to be written, but /${parent} in the image is ${realParent === null ? "a link that leads nowhere" : "no folder"}.`,
        "Unusable root filesystem"
      );
    }
    const rest = names.slice(depth);
    const below = (count) => [realParent, ...rest.slice(0, count)].filter(Boolean).join("/");
    const real = below(rest.length);
    if (index.entry(real)?.kind === "d") {
      throw new ActionError(
        `/${path} has to be a file, but it is a folder in the image.`,
        "Unusable root filesystem"
      );
    }
    if (!isExact(real)) {
      throw new ActionError(
        `/${path} has to be written, but it leads through a name in the image that is not valid UTF-8.`,
        "Unusable root filesystem"
      );
    }
    return { real, missingFolders: rest.slice(0, -1).map((_, i) => below(i + 1)) };
  }
  return { real: path, missingFolders: [] };
}
function placeOfFolder(index, path) {
  const real = index.resolve(path);
  if (real === null || index.entry(real)?.kind !== "d" || !isExact(real)) {
    if (entryAt(index, path) !== null)
      throw new ActionError(
        `/${path} has to be a folder, but it is none in the image.`,
        "Unusable root filesystem"
      );
    return placeOf(index, path);
  }
  return { real, missingFolders: [] };
}
async function applyEdits(host, index, mountPoint, edits) {
  const placed = edits.map((edit) => ({
    edit,
    ...(edit.kind === "folder" ? placeOfFolder : placeOf)(index, edit.path)
  }));
  const removals = placed.filter(({ edit }) => edit.kind === "remove").map(({ real }) => `${mountPoint}/${real}`);
  if (removals.length > 0) await host.runAsRoot(["rm", "--force", "--", ...removals]);
  const archive = (0, import_tar_stream.pack)();
  const mtime = /* @__PURE__ */ new Date();
  const folders = /* @__PURE__ */ new Set();
  for (const { edit, real, missingFolders } of placed) {
    if (edit.kind === "remove") continue;
    for (const folder of missingFolders) {
      if (!folders.has(folder))
        archive.entry({ name: folder, type: "directory", mode: 493, uid: 0, gid: 0, mtime });
      folders.add(folder);
    }
    const header = { name: real, uid: 0, gid: 0, mtime };
    if (edit.kind === "file") {
      const { mode, uid = 0, gid = 0 } = edit;
      const content = typeof edit.content === "string" ? Buffer.from(edit.content, "latin1") : edit.content;
      archive.entry({ ...header, mode, uid, gid }, content);
    } else if (edit.kind === "folder") {
      const { mode, uid, gid } = edit;
      archive.entry({ ...header, type: "directory", mode, uid, gid });
      folders.add(real);
    } else if (edit.kind === "link") archive.entry({ ...header, type: "symlink", linkname: edit.target });
    else {
      const { mode, major, minor } = edit;
      archive.entry({ ...header, type: "character-device", mode, devmajor: major, devminor: minor });
    }
  }
  archive.finalize();
  const chunks = [];
  for await (const chunk2 of archive) chunks.push(chunk2);
  await host.runAsRoot(extractArgv(mountPoint), { input: Buffer.concat(chunks) });
}
var extractArgv = (folder) => [
  ...["tar", "--extract", "--file", "-", "--directory", folder, "--blocking-factor", "512"],
  ...[
    "--numeric-owner",
    "--same-owner",
    "--preserve-permissions",
    "--acls",
    "--xattrs",
    "--xattrs-include",
    "*"
  ]
];

// src/inputs.ts
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";

// node_modules/csv-parse/lib/api/CsvError.js
var CsvError = class _CsvError extends Error {
  constructor(code, message, options, ...contexts) {
    if (Array.isArray(message)) message = message.join(" ").trim();
    super(message);
    if (Error.captureStackTrace !== void 0) {
      Error.captureStackTrace(this, _CsvError);
    }
    this.code = code;
    for (const context of contexts) {
      for (const key in context) {
        const value = context[key];
        this[key] = Buffer.isBuffer(value) ? value.toString(options.encoding) : value == null ? value : JSON.parse(JSON.stringify(value));
      }
    }
  }
};

// node_modules/csv-parse/lib/utils/is_object.js
var is_object = function(obj) {
  return typeof obj === "object" && obj !== null && !Array.isArray(obj);
};

// node_modules/csv-parse/lib/api/normalize_columns_array.js
var normalize_columns_array = function(columns) {
  const normalizedColumns = [];
  for (let i = 0, l = columns.length; i < l; i++) {
    const column = columns[i];
    if (column === void 0 || column === null || column === false) {
      normalizedColumns[i] = { disabled: true };
    } else if (typeof column === "string" || typeof column === "number") {
      normalizedColumns[i] = { name: `${column}` };
    } else if (is_object(column)) {
      if (typeof column.name !== "string") {
        throw new CsvError("CSV_OPTION_COLUMNS_MISSING_NAME", [
          "Option columns missing name:",
          `property "name" is required at position ${i}`,
          "when column is an object literal"
        ]);
      }
      normalizedColumns[i] = column;
    } else {
      throw new CsvError("CSV_INVALID_COLUMN_DEFINITION", [
        "Invalid column definition:",
        "expect a string or a literal object,",
        `got ${JSON.stringify(column)} at position ${i}`
      ]);
    }
  }
  return normalizedColumns;
};

// node_modules/csv-parse/lib/utils/ResizeableBuffer.js
var ResizeableBuffer = class {
  constructor(size = 100) {
    this.size = size;
    this.length = 0;
    this.buf = Buffer.allocUnsafe(size);
  }
  prepend(val) {
    if (Buffer.isBuffer(val)) {
      const length = this.length + val.length;
      if (length >= this.size) {
        this.resize();
        if (length >= this.size) {
          throw Error("INVALID_BUFFER_STATE");
        }
      }
      const buf = this.buf;
      this.buf = Buffer.allocUnsafe(this.size);
      val.copy(this.buf, 0);
      buf.copy(this.buf, val.length);
      this.length += val.length;
    } else {
      const length = this.length++;
      if (length === this.size) {
        this.resize();
      }
      const buf = this.clone();
      this.buf[0] = val;
      buf.copy(this.buf, 1, 0, length);
    }
  }
  append(val) {
    const length = this.length++;
    if (length === this.size) {
      this.resize();
    }
    this.buf[length] = val;
  }
  clone() {
    return Buffer.from(this.buf.slice(0, this.length));
  }
  resize() {
    const length = this.length;
    this.size = this.size * 2;
    const buf = Buffer.allocUnsafe(this.size);
    this.buf.copy(buf, 0, 0, length);
    this.buf = buf;
  }
  toString(encoding) {
    if (encoding) {
      return this.buf.toString(encoding, 0, this.length);
    } else {
      return Uint8Array.prototype.slice.call(this.buf.slice(0, this.length));
    }
  }
  toJSON() {
    return this.toString("utf8");
  }
  reset() {
    this.length = 0;
  }
};
var ResizeableBuffer_default = ResizeableBuffer;

// node_modules/csv-parse/lib/api/init_state.js
var init_state = function(options) {
  const timchars = [
    // Basic Latin
    32,
    // [Space](https://www.fileformat.info/info/unicode/char/0020/index.htm)
    9,
    // [CHARACTER TABULATION (HT)](https://www.fileformat.info/info/unicode/char/0009/index.htm)
    10,
    // [LINE FEED (LF)](https://www.fileformat.info/info/unicode/char/000a/index.htm)
    13,
    // [CARRIAGE RETURN (CR)](https://www.fileformat.info/info/unicode/char/000d/index.htm)
    12,
    // [FORM FEED (FF)](https://www.fileformat.info/info/unicode/char/000c/index.htm)
    11,
    // [LINE TABULATION (VT)](https://www.fileformat.info/info/unicode/char/000b/index.htm)
    // Latin-1 Supplement
    160,
    // [NO-BREAK SPACE (NBSP)](https://www.fileformat.info/info/unicode/char/00a0/index.htm)
    // Ogham
    5760,
    // [OGHAM SPACE MARK](https://www.fileformat.info/info/unicode/char/1680/index.htm)
    // General Punctuation
    8192,
    // [EN QUAD](https://www.fileformat.info/info/unicode/char/2000/index.htm)
    8193,
    // [EM QUAD](https://www.fileformat.info/info/unicode/char/2001/index.htm)
    8194,
    // [EN SPACE](https://www.fileformat.info/info/unicode/char/2002/index.htm)
    8195,
    // [EM SPACE](https://www.fileformat.info/info/unicode/char/2003/index.htm)
    8196,
    // [THREE-PER-EM SPACE](https://www.fileformat.info/info/unicode/char/2004/index.htm)
    8197,
    // [FOUR-PER-EM SPACE](https://www.fileformat.info/info/unicode/char/2005/index.htm)
    8198,
    // [SIX-PER-EM SPACE](https://www.fileformat.info/info/unicode/char/2006/index.htm)
    8199,
    // [FIGURE SPACE](https://www.fileformat.info/info/unicode/char/2007/index.htm)
    8200,
    // [PUNCTUATION SPACE](https://www.fileformat.info/info/unicode/char/2008/index.htm)
    8201,
    // [THIN SPACE](https://www.fileformat.info/info/unicode/char/2009/index.htm)
    8202,
    // [HAIR SPACE](https://www.fileformat.info/info/unicode/char/200a/index.htm)
    8232,
    // [LINE SEPARATOR](https://www.fileformat.info/info/unicode/char/2028/index.htm)
    8233,
    // [PARAGRAPH SEPARATOR](https://www.fileformat.info/info/unicode/char/2029/index.htm)
    8239,
    // [NARROW NO-BREAK SPACE (NNBSP)](https://www.fileformat.info/info/unicode/char/202f/index.htm)
    8287,
    // [MEDIUM MATHEMATICAL SPACE (MMSP)](https://www.fileformat.info/info/unicode/char/205f/index.htm)
    12288,
    // [IDEOGRAPHIC SPACE](https://www.fileformat.info/info/unicode/char/3000/index.htm)
    65279
    // [ZERO WIDTH NO-BREAK SPACE (BOM)](https://www.fileformat.info/info/unicode/char/feff/index.htm)
  ].reduce((acc, codepoint) => {
    const encoded = Buffer.from(
      String.fromCharCode(codepoint),
      options.encoding
    );
    if (codepoint !== 63 && encoded.length === 1 && encoded[0] === 63) {
      return acc;
    }
    acc.push(encoded);
    return acc;
  }, []);
  const timcharFirstBytes = new Uint8Array(256);
  for (const t of timchars) timcharFirstBytes[t[0]] = 1;
  return {
    bomSkipped: false,
    bufBytesStart: 0,
    castField: options.cast_function,
    commenting: false,
    delimiterBufPrevious: void 0,
    delimiterDiscovered: false,
    // Current error encountered by a record
    error: void 0,
    enabled: options.from_line === 1,
    escaping: false,
    escapeIsQuote: Buffer.isBuffer(options.escape) && Buffer.isBuffer(options.quote) && Buffer.compare(options.escape, options.quote) === 0,
    // columns can be `false`, `true`, `Array`
    expectedRecordLength: Array.isArray(options.columns) ? options.columns.length : void 0,
    field: new ResizeableBuffer_default(20),
    firstLineToHeaders: options.cast_first_line_to_header,
    needMoreDataSize: Math.max(
      // Skip if the remaining buffer smaller than comment
      options.comment !== null ? options.comment.length : 0,
      ...options.delimiter ? options.delimiter.map((delimiter2) => delimiter2.length) : [],
      // Auto discovery of delimiter is limited to 1 character
      options.delimiter_auto ? 1 : 0,
      // Skip if the remaining buffer can be escape sequence
      options.quote !== null ? options.quote.length : 0,
      ...timchars.map((t) => t.length)
    ),
    previousBuf: void 0,
    quoting: false,
    stop: false,
    rawBuffer: new ResizeableBuffer_default(100),
    record: [],
    recordHasError: false,
    record_length: 0,
    recordDelimiterMaxLength: options.record_delimiter.length === 0 ? 0 : Math.max(...options.record_delimiter.map((v) => v.length)),
    trimChars: [
      Buffer.from(" ", options.encoding)[0],
      Buffer.from("	", options.encoding)[0]
    ],
    wasQuoting: false,
    wasRowDelimiter: false,
    timchars,
    timcharFirstBytes
  };
};

// node_modules/csv-parse/lib/utils/underscore.js
var underscore = function(str) {
  return str.replace(/([A-Z])/g, function(_, match) {
    return "_" + match.toLowerCase();
  });
};

// node_modules/csv-parse/lib/api/normalize_options.js
var normalize_options = function(opts) {
  const options = {};
  for (const opt in opts) {
    options[underscore(opt)] = opts[opt];
  }
  if (options.encoding === void 0 || options.encoding === true) {
    options.encoding = "utf8";
  } else if (options.encoding === null || options.encoding === false) {
    options.encoding = null;
  } else if (typeof options.encoding !== "string" && options.encoding !== null) {
    throw new CsvError(
      "CSV_INVALID_OPTION_ENCODING",
      [
        "Invalid option encoding:",
        "encoding must be a string or null to return a buffer,",
        `got ${JSON.stringify(options.encoding)}`
      ],
      options
    );
  }
  if (options.bom === void 0 || options.bom === null || options.bom === false) {
    options.bom = false;
  } else if (options.bom !== true) {
    throw new CsvError(
      "CSV_INVALID_OPTION_BOM",
      [
        "Invalid option bom:",
        "bom must be true,",
        `got ${JSON.stringify(options.bom)}`
      ],
      options
    );
  }
  options.cast_function = null;
  if (options.cast === void 0 || options.cast === null || options.cast === false || options.cast === "") {
    options.cast = void 0;
  } else if (typeof options.cast === "function") {
    options.cast_function = options.cast;
    options.cast = true;
  } else if (options.cast !== true) {
    throw new CsvError(
      "CSV_INVALID_OPTION_CAST",
      [
        "Invalid option cast:",
        "cast must be true or a function,",
        `got ${JSON.stringify(options.cast)}`
      ],
      options
    );
  }
  if (options.cast_date === void 0 || options.cast_date === null || options.cast_date === false || options.cast_date === "") {
    options.cast_date = false;
  } else if (options.cast_date === true) {
    options.cast_date = function(value) {
      const date = Date.parse(value);
      return !isNaN(date) ? new Date(date) : value;
    };
  } else if (typeof options.cast_date !== "function") {
    throw new CsvError(
      "CSV_INVALID_OPTION_CAST_DATE",
      [
        "Invalid option cast_date:",
        "cast_date must be true or a function,",
        `got ${JSON.stringify(options.cast_date)}`
      ],
      options
    );
  }
  options.cast_first_line_to_header = void 0;
  if (options.columns === true) {
    options.cast_first_line_to_header = void 0;
  } else if (typeof options.columns === "function") {
    options.cast_first_line_to_header = options.columns;
    options.columns = true;
  } else if (Array.isArray(options.columns)) {
    options.columns = normalize_columns_array(options.columns);
  } else if (options.columns === void 0 || options.columns === null || options.columns === false) {
    options.columns = false;
  } else {
    throw new CsvError(
      "CSV_INVALID_OPTION_COLUMNS",
      [
        "Invalid option columns:",
        "expect an array, a function or true,",
        `got ${JSON.stringify(options.columns)}`
      ],
      options
    );
  }
  if (options.group_columns_by_name === void 0 || options.group_columns_by_name === null || options.group_columns_by_name === false) {
    options.group_columns_by_name = false;
  } else if (options.group_columns_by_name !== true) {
    throw new CsvError(
      "CSV_INVALID_OPTION_GROUP_COLUMNS_BY_NAME",
      [
        "Invalid option group_columns_by_name:",
        "expect an boolean,",
        `got ${JSON.stringify(options.group_columns_by_name)}`
      ],
      options
    );
  } else if (options.columns === false) {
    throw new CsvError(
      "CSV_INVALID_OPTION_GROUP_COLUMNS_BY_NAME",
      [
        "Invalid option group_columns_by_name:",
        "the `columns` mode must be activated."
      ],
      options
    );
  }
  if (options.comment === void 0 || options.comment === null || options.comment === false || options.comment === "") {
    options.comment = null;
  } else {
    if (typeof options.comment === "string") {
      options.comment = Buffer.from(options.comment, options.encoding);
    }
    if (!Buffer.isBuffer(options.comment)) {
      throw new CsvError(
        "CSV_INVALID_OPTION_COMMENT",
        [
          "Invalid option comment:",
          "comment must be a buffer or a string,",
          `got ${JSON.stringify(options.comment)}`
        ],
        options
      );
    }
  }
  if (options.comment_no_infix === void 0 || options.comment_no_infix === null || options.comment_no_infix === false) {
    options.comment_no_infix = false;
  } else if (options.comment_no_infix !== true) {
    throw new CsvError(
      "CSV_INVALID_OPTION_COMMENT",
      [
        "Invalid option comment_no_infix:",
        "value must be a boolean,",
        `got ${JSON.stringify(options.comment_no_infix)}`
      ],
      options
    );
  }
  if (options.delimiter_auto === void 0 || options.delimiter_auto === null || options.delimiter_auto === false) {
    options.delimiter_auto = false;
  } else if (options.delimiter_auto === true) {
    options.delimiter_auto = {};
  } else if (!is_object(options.delimiter_auto)) {
    throw new CsvError(
      "CSV_INVALID_OPTION_DELIMITER_AUTO",
      [
        "Invalid option delimiter_auto:",
        "delimiter_auto must be a boolean or a configuration object,",
        `got ${JSON.stringify(options.delimiter_auto)}`
      ],
      options
    );
  }
  if (options.delimiter_auto) {
    if (options.delimiter_auto.preferred === void 0)
      options.delimiter_auto.preferred = {
        [",".charCodeAt(0)]: 1.8,
        ["	".charCodeAt(0)]: 1.8,
        [";".charCodeAt(0)]: 1.6,
        [" ".charCodeAt(0)]: 1.6,
        [":".charCodeAt(0)]: 1.5,
        [".".charCodeAt(0)]: 1.4,
        ["/".charCodeAt(0)]: 1.4
      };
    else if (!is_object(options.delimiter_auto.preferred)) {
      throw new CsvError(
        "CSV_INVALID_OPTION_DELIMITER_AUTO",
        [
          "Invalid option delimiter_auto:",
          "preferred must be an object,",
          `got ${JSON.stringify(options.delimiter_auto.preferred)}`
        ],
        options
      );
    }
    if (options.delimiter_auto.score === void 0)
      options.delimiter_auto.score = (info2, options2) => {
        return (info2.total - info2.std) * (options2.preferred[info2.char_code] || 1);
      };
    else if (typeof options.delimiter_auto.score !== "function") {
      throw new CsvError(
        "CSV_INVALID_OPTION_DELIMITER_AUTO",
        [
          "Invalid option delimiter_auto:",
          "score must be a function,",
          `got ${JSON.stringify(options.delimiter_auto.score)}`
        ],
        options
      );
    }
    if (options.delimiter_auto.size === void 0)
      options.delimiter_auto.size = 2048;
    else if (typeof options.delimiter_auto.size !== "number") {
      throw new CsvError(
        "CSV_INVALID_OPTION_DELIMITER_AUTO",
        [
          "Invalid option delimiter_auto:",
          "size must be a number,",
          `got ${JSON.stringify(options.delimiter_auto.size)}`
        ],
        options
      );
    }
  }
  const delimiter_json = JSON.stringify(options.delimiter);
  if (options.delimiter_auto !== false) {
    options.delimiter = [];
  }
  if (!Array.isArray(options.delimiter)) {
    if (options.delimiter === void 0 || options.delimiter === null || options.delimiter === false) {
      options.delimiter = Buffer.from(",", options.encoding);
    }
    options.delimiter = [options.delimiter];
  }
  options.delimiter = options.delimiter.map(function(delimiter2) {
    if (typeof delimiter2 === "string") {
      delimiter2 = Buffer.from(delimiter2, options.encoding);
    }
    if (!Buffer.isBuffer(delimiter2) || delimiter2.length === 0) {
      throw new CsvError(
        "CSV_INVALID_OPTION_DELIMITER",
        [
          "Invalid option delimiter:",
          "delimiter must be a non empty string or buffer or array of string|buffer,",
          `got ${delimiter_json}`
        ],
        options
      );
    }
    return delimiter2;
  });
  if (options.escape === void 0 || options.escape === true) {
    options.escape = Buffer.from('"', options.encoding);
  } else if (typeof options.escape === "string") {
    options.escape = Buffer.from(options.escape, options.encoding);
  } else if (options.escape === null || options.escape === false) {
    options.escape = null;
  }
  if (options.escape !== null) {
    if (!Buffer.isBuffer(options.escape)) {
      throw new Error(
        `Invalid Option: escape must be a buffer, a string or a boolean, got ${JSON.stringify(options.escape)}`
      );
    }
  }
  if (options.from === void 0 || options.from === null) {
    options.from = 1;
  } else {
    if (typeof options.from === "string" && /\d+/.test(options.from)) {
      options.from = parseInt(options.from);
    }
    if (Number.isInteger(options.from)) {
      if (options.from < 0) {
        throw new Error(
          `Invalid Option: from must be a positive integer, got ${JSON.stringify(opts.from)}`
        );
      }
    } else {
      throw new Error(
        `Invalid Option: from must be an integer, got ${JSON.stringify(options.from)}`
      );
    }
  }
  if (options.from_line === void 0 || options.from_line === null) {
    options.from_line = 1;
  } else {
    if (typeof options.from_line === "string" && /\d+/.test(options.from_line)) {
      options.from_line = parseInt(options.from_line);
    }
    if (Number.isInteger(options.from_line)) {
      if (options.from_line <= 0) {
        throw new Error(
          `Invalid Option: from_line must be a positive integer greater than 0, got ${JSON.stringify(opts.from_line)}`
        );
      }
    } else {
      throw new Error(
        `Invalid Option: from_line must be an integer, got ${JSON.stringify(opts.from_line)}`
      );
    }
  }
  if (options.ignore_last_delimiters === void 0 || options.ignore_last_delimiters === null) {
    options.ignore_last_delimiters = false;
  } else if (typeof options.ignore_last_delimiters === "number") {
    options.ignore_last_delimiters = Math.floor(options.ignore_last_delimiters);
    if (options.ignore_last_delimiters === 0) {
      options.ignore_last_delimiters = false;
    }
  } else if (typeof options.ignore_last_delimiters !== "boolean") {
    throw new CsvError(
      "CSV_INVALID_OPTION_IGNORE_LAST_DELIMITERS",
      [
        "Invalid option `ignore_last_delimiters`:",
        "the value must be a boolean value or an integer,",
        `got ${JSON.stringify(options.ignore_last_delimiters)}`
      ],
      options
    );
  }
  if (options.ignore_last_delimiters === true && options.columns === false) {
    throw new CsvError(
      "CSV_IGNORE_LAST_DELIMITERS_REQUIRES_COLUMNS",
      [
        "The option `ignore_last_delimiters`",
        "requires the activation of the `columns` option"
      ],
      options
    );
  }
  if (options.info === void 0 || options.info === null || options.info === false) {
    options.info = false;
  } else if (options.info !== true) {
    throw new Error(
      `Invalid Option: info must be true, got ${JSON.stringify(options.info)}`
    );
  }
  if (options.max_record_size === void 0 || options.max_record_size === null || options.max_record_size === false) {
    options.max_record_size = 0;
  } else if (Number.isInteger(options.max_record_size) && options.max_record_size >= 0) {
  } else if (typeof options.max_record_size === "string" && /\d+/.test(options.max_record_size)) {
    options.max_record_size = parseInt(options.max_record_size);
  } else {
    throw new Error(
      `Invalid Option: max_record_size must be a positive integer, got ${JSON.stringify(options.max_record_size)}`
    );
  }
  if (options.objname === void 0 || options.objname === null || options.objname === false) {
    options.objname = void 0;
  } else if (Buffer.isBuffer(options.objname)) {
    if (options.objname.length === 0) {
      throw new Error(`Invalid Option: objname must be a non empty buffer`);
    }
    if (options.encoding === null) {
    } else {
      options.objname = options.objname.toString(options.encoding);
    }
  } else if (typeof options.objname === "string") {
    if (options.objname.length === 0) {
      throw new Error(`Invalid Option: objname must be a non empty string`);
    }
  } else if (typeof options.objname === "number") {
  } else {
    throw new Error(
      `Invalid Option: objname must be a string or a buffer, got ${options.objname}`
    );
  }
  if (options.objname !== void 0) {
    if (typeof options.objname === "number") {
      if (options.columns !== false) {
        throw Error(
          "Invalid Option: objname index cannot be combined with columns or be defined as a field"
        );
      }
    } else {
      if (options.columns === false) {
        throw Error(
          "Invalid Option: objname field must be combined with columns or be defined as an index"
        );
      }
    }
  }
  if (options.on_record === void 0 || options.on_record === null) {
    options.on_record = void 0;
  } else if (typeof options.on_record !== "function") {
    throw new CsvError(
      "CSV_INVALID_OPTION_ON_RECORD",
      [
        "Invalid option `on_record`:",
        "expect a function,",
        `got ${JSON.stringify(options.on_record)}`
      ],
      options
    );
  }
  if (options.on_skip !== void 0 && options.on_skip !== null && typeof options.on_skip !== "function") {
    throw new Error(
      `Invalid Option: on_skip must be a function, got ${JSON.stringify(options.on_skip)}`
    );
  }
  if (options.quote === null || options.quote === false || options.quote === "") {
    options.quote = null;
  } else {
    if (options.quote === void 0 || options.quote === true) {
      options.quote = Buffer.from('"', options.encoding);
    } else if (typeof options.quote === "string") {
      options.quote = Buffer.from(options.quote, options.encoding);
    }
    if (!Buffer.isBuffer(options.quote)) {
      throw new Error(
        `Invalid Option: quote must be a buffer or a string, got ${JSON.stringify(options.quote)}`
      );
    }
  }
  if (options.raw === void 0 || options.raw === null || options.raw === false) {
    options.raw = false;
  } else if (options.raw !== true) {
    throw new Error(
      `Invalid Option: raw must be true, got ${JSON.stringify(options.raw)}`
    );
  }
  if (options.record_delimiter === void 0) {
    options.record_delimiter = [];
  } else if (typeof options.record_delimiter === "string" || Buffer.isBuffer(options.record_delimiter)) {
    if (options.record_delimiter.length === 0) {
      throw new CsvError(
        "CSV_INVALID_OPTION_RECORD_DELIMITER",
        [
          "Invalid option `record_delimiter`:",
          "value must be a non empty string or buffer,",
          `got ${JSON.stringify(options.record_delimiter)}`
        ],
        options
      );
    }
    options.record_delimiter = [options.record_delimiter];
  } else if (!Array.isArray(options.record_delimiter)) {
    throw new CsvError(
      "CSV_INVALID_OPTION_RECORD_DELIMITER",
      [
        "Invalid option `record_delimiter`:",
        "value must be a string, a buffer or array of string|buffer,",
        `got ${JSON.stringify(options.record_delimiter)}`
      ],
      options
    );
  }
  options.record_delimiter = options.record_delimiter.map(function(rd, i) {
    if (typeof rd !== "string" && !Buffer.isBuffer(rd)) {
      throw new CsvError(
        "CSV_INVALID_OPTION_RECORD_DELIMITER",
        [
          "Invalid option `record_delimiter`:",
          "value must be a string, a buffer or array of string|buffer",
          `at index ${i},`,
          `got ${JSON.stringify(rd)}`
        ],
        options
      );
    } else if (rd.length === 0) {
      throw new CsvError(
        "CSV_INVALID_OPTION_RECORD_DELIMITER",
        [
          "Invalid option `record_delimiter`:",
          "value must be a non empty string or buffer",
          `at index ${i},`,
          `got ${JSON.stringify(rd)}`
        ],
        options
      );
    }
    if (typeof rd === "string") {
      rd = Buffer.from(rd, options.encoding);
    }
    return rd;
  });
  if (typeof options.relax_column_count === "boolean") {
  } else if (options.relax_column_count === void 0 || options.relax_column_count === null) {
    options.relax_column_count = false;
  } else {
    throw new Error(
      `Invalid Option: relax_column_count must be a boolean, got ${JSON.stringify(options.relax_column_count)}`
    );
  }
  if (typeof options.relax_column_count_less === "boolean") {
  } else if (options.relax_column_count_less === void 0 || options.relax_column_count_less === null) {
    options.relax_column_count_less = false;
  } else {
    throw new Error(
      `Invalid Option: relax_column_count_less must be a boolean, got ${JSON.stringify(options.relax_column_count_less)}`
    );
  }
  if (typeof options.relax_column_count_more === "boolean") {
  } else if (options.relax_column_count_more === void 0 || options.relax_column_count_more === null) {
    options.relax_column_count_more = false;
  } else {
    throw new Error(
      `Invalid Option: relax_column_count_more must be a boolean, got ${JSON.stringify(options.relax_column_count_more)}`
    );
  }
  if (typeof options.relax_quotes === "boolean") {
  } else if (options.relax_quotes === void 0 || options.relax_quotes === null) {
    options.relax_quotes = false;
  } else {
    throw new Error(
      `Invalid Option: relax_quotes must be a boolean, got ${JSON.stringify(options.relax_quotes)}`
    );
  }
  if (typeof options.skip_empty_lines === "boolean") {
  } else if (options.skip_empty_lines === void 0 || options.skip_empty_lines === null) {
    options.skip_empty_lines = false;
  } else {
    throw new Error(
      `Invalid Option: skip_empty_lines must be a boolean, got ${JSON.stringify(options.skip_empty_lines)}`
    );
  }
  if (typeof options.skip_records_with_empty_values === "boolean") {
  } else if (options.skip_records_with_empty_values === void 0 || options.skip_records_with_empty_values === null) {
    options.skip_records_with_empty_values = false;
  } else {
    throw new Error(
      `Invalid Option: skip_records_with_empty_values must be a boolean, got ${JSON.stringify(options.skip_records_with_empty_values)}`
    );
  }
  if (typeof options.skip_records_with_error === "boolean") {
  } else if (options.skip_records_with_error === void 0 || options.skip_records_with_error === null) {
    options.skip_records_with_error = false;
  } else {
    throw new Error(
      `Invalid Option: skip_records_with_error must be a boolean, got ${JSON.stringify(options.skip_records_with_error)}`
    );
  }
  if (options.rtrim === void 0 || options.rtrim === null || options.rtrim === false) {
    options.rtrim = false;
  } else if (options.rtrim !== true) {
    throw new Error(
      `Invalid Option: rtrim must be a boolean, got ${JSON.stringify(options.rtrim)}`
    );
  }
  if (options.ltrim === void 0 || options.ltrim === null || options.ltrim === false) {
    options.ltrim = false;
  } else if (options.ltrim !== true) {
    throw new Error(
      `Invalid Option: ltrim must be a boolean, got ${JSON.stringify(options.ltrim)}`
    );
  }
  if (options.trim === void 0 || options.trim === null || options.trim === false) {
    options.trim = false;
  } else if (options.trim !== true) {
    throw new Error(
      `Invalid Option: trim must be a boolean, got ${JSON.stringify(options.trim)}`
    );
  }
  if (options.trim === true && opts.ltrim !== false) {
    options.ltrim = true;
  } else if (options.ltrim !== true) {
    options.ltrim = false;
  }
  if (options.trim === true && opts.rtrim !== false) {
    options.rtrim = true;
  } else if (options.rtrim !== true) {
    options.rtrim = false;
  }
  if (options.to === void 0 || options.to === null) {
    options.to = -1;
  } else if (options.to !== -1) {
    if (typeof options.to === "string" && /\d+/.test(options.to)) {
      options.to = parseInt(options.to);
    }
    if (Number.isInteger(options.to)) {
      if (options.to <= 0) {
        throw new Error(
          `Invalid Option: to must be a positive integer greater than 0, got ${JSON.stringify(opts.to)}`
        );
      }
    } else {
      throw new Error(
        `Invalid Option: to must be an integer, got ${JSON.stringify(opts.to)}`
      );
    }
  }
  if (options.to_line === void 0 || options.to_line === null) {
    options.to_line = -1;
  } else if (options.to_line !== -1) {
    if (typeof options.to_line === "string" && /\d+/.test(options.to_line)) {
      options.to_line = parseInt(options.to_line);
    }
    if (Number.isInteger(options.to_line)) {
      if (options.to_line <= 0) {
        throw new Error(
          `Invalid Option: to_line must be a positive integer greater than 0, got ${JSON.stringify(opts.to_line)}`
        );
      }
    } else {
      throw new Error(
        `Invalid Option: to_line must be an integer, got ${JSON.stringify(opts.to_line)}`
      );
    }
  }
  return options;
};

// node_modules/csv-parse/lib/utils/delimiter_discover.js
var delimiter_discover = function(records, options) {
  if (!options) {
    ({ delimiter_auto: options } = normalize_options({ delimiter_auto: true }));
  }
  if (typeof records === "string") {
    records = Buffer.from(records);
  }
  if (Buffer.isBuffer(records)) {
    records = ((data) => {
      const records2 = [];
      const parser = transform({ delimiter: [] });
      const push = (record) => records2.push(record);
      const close = () => {
      };
      const error2 = parser.parse(data, true, push, close);
      if (error2 !== void 0) throw error2;
      return records2;
    })(records);
  }
  const info2 = Array(127).fill().map(() => ({ lines: [] }));
  records.map(([record], line) => {
    for (let i = 0, l = record.length; i < l; i++) {
      const code = record.charCodeAt(i);
      if (info2[code].lines[line] === void 0) info2[code].lines[line] = 0;
      info2[code].lines[line]++;
    }
  });
  info2.map((info3, i) => {
    info3.char_code = i;
    info3.std = std(info3.lines);
    info3.total = info3.lines.reduce((acc, val) => acc + val, 0);
    info3.preferred = !!options.preferred[i];
    info3.score = options.score(info3, options);
  });
  const result = info2.reduce(
    (acc, info3) => acc.score > info3.score ? acc : info3,
    {}
  );
  return String.fromCharCode(result.char_code);
};
var std = function(array) {
  const n = array.length;
  if (n === 0) return 0;
  const mean = array.reduce((a, b) => a + b) / n;
  return Math.sqrt(
    array.map((x) => Math.pow(x - mean, 2)).reduce((a, b) => a + b) / n
  );
};

// node_modules/csv-parse/lib/api/index.js
var isRecordEmpty = function(record) {
  return record.every(
    (field) => field == null || field.toString && field.toString().trim() === ""
  );
};
var cr = 13;
var nl = 10;
var boms = {
  // Note, the following are equals:
  // Buffer.from("\ufeff")
  // Buffer.from([239, 187, 191])
  // Buffer.from('EFBBBF', 'hex')
  utf8: Buffer.from([239, 187, 191]),
  // Note, the following are equals:
  // Buffer.from "\ufeff", 'utf16le
  // Buffer.from([255, 254])
  utf16le: Buffer.from([255, 254])
};
var transform = function(original_options = {}) {
  const info2 = {
    bytes: 0,
    bytes_records: 0,
    comment_lines: 0,
    empty_lines: 0,
    invalid_field_length: 0,
    lines: 1,
    records: 0
  };
  const options = normalize_options(original_options);
  return {
    info: info2,
    original_options,
    options,
    state: init_state(options),
    __needMoreData: function(i, bufLen, end) {
      if (end) return false;
      const { encoding, escape, quote: quote2 } = this.options;
      const { quoting, needMoreDataSize, recordDelimiterMaxLength } = this.state;
      const numOfCharLeft = bufLen - i - 1;
      const requiredLength = Math.max(
        needMoreDataSize,
        // Skip if the remaining buffer smaller than record delimiter
        // If "record_delimiter" is yet to be discovered:
        // 1. It is equals to `[]` and "recordDelimiterMaxLength" equals `0`
        // 2. We set the length to windows line ending in the current encoding
        // Note, that encoding is known from user or bom discovery at that point
        // recordDelimiterMaxLength,
        recordDelimiterMaxLength === 0 ? Buffer.from("\r\n", encoding).length : recordDelimiterMaxLength,
        // Skip if remaining buffer can be an escaped quote
        quoting ? (escape === null ? 0 : escape.length) + quote2.length : 0,
        // Skip if remaining buffer can be record delimiter following the closing quote
        quoting ? quote2.length + recordDelimiterMaxLength : 0
      );
      return numOfCharLeft < requiredLength;
    },
    // Central parser implementation
    parse: function(nextBuf, end, push, close) {
      const {
        bom,
        comment_no_infix,
        delimiter_auto,
        encoding,
        from_line,
        ltrim,
        max_record_size,
        raw,
        relax_quotes,
        rtrim,
        skip_empty_lines,
        to,
        to_line
      } = this.options;
      let { comment, escape, quote: quote2, record_delimiter } = this.options;
      const {
        bomSkipped,
        delimiterDiscovered,
        delimiterBufPrevious,
        rawBuffer,
        escapeIsQuote
      } = this.state;
      if (!delimiterDiscovered && delimiter_auto) {
        let delimiterBuf;
        if (delimiterBufPrevious === void 0) {
          delimiterBuf = nextBuf;
        } else if (delimiterBufPrevious !== void 0 && nextBuf === void 0) {
          delimiterBuf = delimiterBufPrevious;
        } else {
          delimiterBuf = Buffer.concat([delimiterBufPrevious, nextBuf]);
        }
        nextBuf = void 0;
        if (end || delimiterBuf.length > delimiter_auto.size) {
          this.options.delimiter = [
            Buffer.from(
              delimiter_discover(delimiterBuf, this.options.delimiter_auto)
            )
          ];
          this.state.previousBuf = delimiterBuf;
          this.state.delimiterBufPrevious = void 0;
          this.state.delimiterDiscovered = true;
        } else {
          this.state.delimiterBufPrevious = delimiterBuf;
          return;
        }
      }
      const { previousBuf } = this.state;
      let buf;
      if (previousBuf === void 0) {
        if (nextBuf === void 0) {
          close();
          return;
        } else {
          buf = nextBuf;
        }
      } else if (previousBuf !== void 0 && nextBuf === void 0) {
        buf = previousBuf;
      } else {
        buf = Buffer.concat([previousBuf, nextBuf]);
      }
      if (bomSkipped === false) {
        if (bom === false) {
          this.state.bomSkipped = true;
        } else if (buf.length < 3) {
          if (end === false) {
            this.state.previousBuf = buf;
            return;
          }
        } else {
          for (const encoding2 in boms) {
            if (boms[encoding2].compare(buf, 0, boms[encoding2].length) === 0) {
              const bomLength = boms[encoding2].length;
              this.state.bufBytesStart += bomLength;
              buf = buf.slice(bomLength);
              const options2 = normalize_options({
                ...this.original_options,
                encoding: encoding2
              });
              for (const key in options2) {
                this.options[key] = options2[key];
              }
              ({ comment, escape, quote: quote2 } = this.options);
              break;
            }
          }
          this.state.bomSkipped = true;
        }
      }
      const bufLen = buf.length;
      let pos;
      for (pos = 0; pos < bufLen; pos++) {
        if (this.__needMoreData(pos, bufLen, end)) {
          break;
        }
        if (this.state.wasRowDelimiter === true) {
          this.info.lines++;
          this.state.wasRowDelimiter = false;
        }
        if (to_line !== -1 && this.info.lines > to_line) {
          this.state.stop = true;
          close();
          return;
        }
        if (this.state.quoting === false && record_delimiter.length === 0) {
          const record_delimiterCount = this.__autoDiscoverRecordDelimiter(
            buf,
            pos
          );
          if (record_delimiterCount) {
            record_delimiter = this.options.record_delimiter;
          }
        }
        const chr = buf[pos];
        if (raw === true) {
          rawBuffer.append(chr);
        }
        if ((chr === cr || chr === nl) && this.state.wasRowDelimiter === false) {
          this.state.wasRowDelimiter = true;
        }
        if (this.state.escaping === true) {
          this.state.escaping = false;
        } else {
          if (escape !== null && this.state.quoting === true && this.__isEscape(buf, pos, chr) && pos + escape.length < bufLen) {
            if (escapeIsQuote) {
              if (this.__isQuote(buf, pos + escape.length)) {
                this.state.escaping = true;
                pos += escape.length - 1;
                continue;
              }
            } else {
              this.state.escaping = true;
              pos += escape.length - 1;
              continue;
            }
          }
          if (this.state.commenting === false && this.__isQuote(buf, pos)) {
            if (this.state.quoting === true) {
              const nextChr = buf[pos + quote2.length];
              const isNextChrTrimable = rtrim && this.__isCharTrimable(buf, pos + quote2.length);
              const isNextChrComment = comment !== null && this.__compareBytes(comment, buf, pos + quote2.length, nextChr);
              const isNextChrDelimiter = this.__isDelimiter(
                buf,
                pos + quote2.length,
                nextChr
              );
              const isNextChrRecordDelimiter = record_delimiter.length === 0 ? this.__autoDiscoverRecordDelimiter(buf, pos + quote2.length) : this.__isRecordDelimiter(nextChr, buf, pos + quote2.length);
              if (escape !== null && this.__isEscape(buf, pos, chr) && this.__isQuote(buf, pos + escape.length)) {
                pos += escape.length - 1;
              } else if (!nextChr || isNextChrDelimiter || isNextChrRecordDelimiter || isNextChrComment || isNextChrTrimable) {
                this.state.quoting = false;
                this.state.wasQuoting = true;
                pos += quote2.length - 1;
                continue;
              } else if (relax_quotes === false) {
                const err = this.__error(
                  new CsvError(
                    "CSV_INVALID_CLOSING_QUOTE",
                    [
                      "Invalid Closing Quote:",
                      `got "${String.fromCharCode(nextChr)}"`,
                      `at line ${this.info.lines}`,
                      "instead of delimiter, record delimiter, trimable character",
                      "(if activated) or comment"
                    ],
                    this.options,
                    this.__infoField()
                  )
                );
                if (err !== void 0) return err;
              } else {
                this.state.quoting = false;
                this.state.wasQuoting = true;
                this.state.field.prepend(quote2);
                pos += quote2.length - 1;
              }
            } else {
              if (this.state.field.length !== 0) {
                if (relax_quotes === false) {
                  const info3 = this.__infoField();
                  const bom2 = Object.keys(boms).map(
                    (b) => boms[b].equals(this.state.field.toString()) ? b : false
                  ).filter(Boolean)[0];
                  const err = this.__error(
                    new CsvError(
                      "INVALID_OPENING_QUOTE",
                      [
                        "Invalid Opening Quote:",
                        `a quote is found on field ${JSON.stringify(info3.column)} at line ${info3.lines}, value is ${JSON.stringify(this.state.field.toString(encoding))}`,
                        bom2 ? `(${bom2} bom)` : void 0
                      ],
                      this.options,
                      info3,
                      {
                        field: this.state.field
                      }
                    )
                  );
                  if (err !== void 0) return err;
                }
              } else {
                this.state.quoting = true;
                pos += quote2.length - 1;
                continue;
              }
            }
          }
          if (this.state.quoting === false) {
            const recordDelimiterLength = this.__isRecordDelimiter(
              chr,
              buf,
              pos
            );
            if (recordDelimiterLength !== 0) {
              const skipCommentLine = this.state.commenting && this.state.wasQuoting === false && this.state.record.length === 0 && this.state.field.length === 0;
              if (skipCommentLine) {
                this.info.comment_lines++;
              } else {
                if (this.state.enabled === false && this.info.lines + (this.state.wasRowDelimiter === true ? 1 : 0) >= from_line) {
                  this.state.enabled = true;
                  this.__resetField();
                  this.__resetRecord();
                  pos += recordDelimiterLength - 1;
                  continue;
                }
                if (skip_empty_lines === true && this.state.wasQuoting === false && this.state.record.length === 0 && this.state.field.length === 0) {
                  this.info.empty_lines++;
                  pos += recordDelimiterLength - 1;
                  continue;
                }
                this.info.bytes = this.state.bufBytesStart + pos;
                const errField = this.__onField();
                if (errField !== void 0) return errField;
                this.info.bytes = this.state.bufBytesStart + pos + recordDelimiterLength;
                const errRecord = this.__onRecord(push);
                if (errRecord !== void 0) return errRecord;
                if (to !== -1 && this.info.records >= to) {
                  this.state.stop = true;
                  close();
                  return;
                }
              }
              this.state.commenting = false;
              pos += recordDelimiterLength - 1;
              continue;
            }
            if (this.state.commenting) {
              continue;
            }
            if (comment !== null && (comment_no_infix === false || this.state.record.length === 0 && this.state.field.length === 0)) {
              const commentCount = this.__compareBytes(comment, buf, pos, chr);
              if (commentCount !== 0) {
                this.state.commenting = true;
                continue;
              }
            }
            const delimiterLength = this.__isDelimiter(buf, pos, chr);
            if (delimiterLength !== 0) {
              this.info.bytes = this.state.bufBytesStart + pos;
              const errField = this.__onField();
              if (errField !== void 0) return errField;
              pos += delimiterLength - 1;
              continue;
            }
          }
        }
        if (this.state.commenting === false) {
          if (max_record_size !== 0 && this.state.record_length + this.state.field.length > max_record_size) {
            return this.__error(
              new CsvError(
                "CSV_MAX_RECORD_SIZE",
                [
                  "Max Record Size:",
                  "record exceed the maximum number of tolerated bytes",
                  `of ${max_record_size}`,
                  `at line ${this.info.lines}`
                ],
                this.options,
                this.__infoField()
              )
            );
          }
        }
        const lappend = ltrim === false || this.state.quoting === true || this.state.field.length !== 0 || !this.__isCharTrimable(buf, pos);
        const rappend = rtrim === false || this.state.wasQuoting === false;
        if (lappend === true && rappend === true) {
          this.state.field.append(chr);
        } else if (rtrim === true && !this.__isCharTrimable(buf, pos)) {
          return this.__error(
            new CsvError(
              "CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE",
              [
                "Invalid Closing Quote:",
                "found non trimable byte after quote",
                `at line ${this.info.lines}`
              ],
              this.options,
              this.__infoField()
            )
          );
        } else {
          if (lappend === false) {
            pos += this.__isCharTrimable(buf, pos) - 1;
          }
          continue;
        }
      }
      if (end === true) {
        if (this.state.quoting === true) {
          const err = this.__error(
            new CsvError(
              "CSV_QUOTE_NOT_CLOSED",
              [
                "Quote Not Closed:",
                `the parsing is finished with an opening quote at line ${this.info.lines}`
              ],
              this.options,
              this.__infoField()
            )
          );
          if (err !== void 0) return err;
        } else {
          if (this.state.wasQuoting === true || this.state.record.length !== 0 || this.state.field.length !== 0) {
            this.info.bytes = this.state.bufBytesStart + pos;
            const errField = this.__onField();
            if (errField !== void 0) return errField;
            const errRecord = this.__onRecord(push);
            if (errRecord !== void 0) return errRecord;
          } else if (this.state.wasRowDelimiter === true) {
            this.info.empty_lines++;
          } else if (this.state.commenting === true) {
            this.info.comment_lines++;
          }
        }
      } else {
        this.state.bufBytesStart += pos;
        this.state.previousBuf = buf.slice(pos);
      }
      if (this.state.wasRowDelimiter === true) {
        this.info.lines++;
        this.state.wasRowDelimiter = false;
      }
    },
    __onRecord: function(push) {
      const {
        columns,
        group_columns_by_name,
        encoding,
        info: info3,
        from,
        relax_column_count,
        relax_column_count_less,
        relax_column_count_more,
        raw,
        skip_records_with_empty_values
      } = this.options;
      const { enabled, record } = this.state;
      if (enabled === false) {
        return this.__resetRecord();
      }
      const recordLength = record.length;
      if (columns === true) {
        if (skip_records_with_empty_values === true && isRecordEmpty(record)) {
          this.__resetRecord();
          return;
        }
        return this.__firstLineToColumns(record);
      }
      if (columns === false && this.info.records === 0) {
        this.state.expectedRecordLength = recordLength;
      }
      if (recordLength !== this.state.expectedRecordLength) {
        const err = columns === false ? new CsvError(
          "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH",
          [
            "Invalid Record Length:",
            `expect ${this.state.expectedRecordLength},`,
            `got ${recordLength} on line ${this.info.lines}`
          ],
          this.options,
          this.__infoField(),
          {
            record
          }
        ) : new CsvError(
          "CSV_RECORD_INCONSISTENT_COLUMNS",
          [
            "Invalid Record Length:",
            `columns length is ${columns.length},`,
            // rename columns
            `got ${recordLength} on line ${this.info.lines}`
          ],
          this.options,
          this.__infoField(),
          {
            record
          }
        );
        if (relax_column_count === true || relax_column_count_less === true && recordLength < this.state.expectedRecordLength || relax_column_count_more === true && recordLength > this.state.expectedRecordLength) {
          this.info.invalid_field_length++;
          this.state.error = err;
        } else {
          const finalErr = this.__error(err);
          if (finalErr) return finalErr;
        }
      }
      if (skip_records_with_empty_values === true && isRecordEmpty(record)) {
        this.__resetRecord();
        return;
      }
      if (this.state.recordHasError === true) {
        this.__resetRecord();
        this.state.recordHasError = false;
        return;
      }
      this.info.records++;
      if (from === 1 || this.info.records >= from) {
        const { objname } = this.options;
        if (columns !== false) {
          const obj = {};
          for (let i = 0, l = record.length; i < l; i++) {
            if (columns[i] === void 0 || columns[i].disabled) continue;
            if (group_columns_by_name === true && Object.hasOwn(obj, columns[i].name)) {
              if (Array.isArray(obj[columns[i].name])) {
                obj[columns[i].name] = obj[columns[i].name].concat(record[i]);
              } else {
                obj[columns[i].name] = [obj[columns[i].name], record[i]];
              }
            } else {
              Object.defineProperty(obj, columns[i].name, {
                value: record[i],
                enumerable: true,
                writable: true,
                configurable: true
              });
            }
          }
          if (raw === true || info3 === true) {
            const extRecord = Object.assign(
              { record: obj },
              raw === true ? { raw: this.state.rawBuffer.toString(encoding) } : {},
              info3 === true ? { info: this.__infoRecord() } : {}
            );
            const err = this.__push(
              objname === void 0 ? extRecord : [obj[objname], extRecord],
              push
            );
            if (err) {
              return err;
            }
          } else {
            const err = this.__push(
              objname === void 0 ? obj : [obj[objname], obj],
              push
            );
            if (err) {
              return err;
            }
          }
        } else {
          if (raw === true || info3 === true) {
            const extRecord = Object.assign(
              { record },
              raw === true ? { raw: this.state.rawBuffer.toString(encoding) } : {},
              info3 === true ? { info: this.__infoRecord() } : {}
            );
            const err = this.__push(
              objname === void 0 ? extRecord : [record[objname], extRecord],
              push
            );
            if (err) {
              return err;
            }
          } else {
            const err = this.__push(
              objname === void 0 ? record : [record[objname], record],
              push
            );
            if (err) {
              return err;
            }
          }
        }
      }
      this.__resetRecord();
    },
    __firstLineToColumns: function(record) {
      const { firstLineToHeaders } = this.state;
      try {
        const headers = firstLineToHeaders === void 0 ? record : firstLineToHeaders.call(null, record);
        if (!Array.isArray(headers)) {
          return this.__error(
            new CsvError(
              "CSV_INVALID_COLUMN_MAPPING",
              [
                "Invalid Column Mapping:",
                "expect an array from column function,",
                `got ${JSON.stringify(headers)}`
              ],
              this.options,
              this.__infoField(),
              {
                headers
              }
            )
          );
        }
        const normalizedHeaders = normalize_columns_array(headers);
        this.state.expectedRecordLength = normalizedHeaders.length;
        this.options.columns = normalizedHeaders;
        this.__resetRecord();
        return;
      } catch (err) {
        return err;
      }
    },
    __resetRecord: function() {
      if (this.options.raw === true) {
        this.state.rawBuffer.reset();
      }
      this.state.error = void 0;
      this.state.record = [];
      this.state.record_length = 0;
    },
    __onField: function() {
      const { cast, encoding, rtrim, max_record_size } = this.options;
      const { enabled, wasQuoting } = this.state;
      if (enabled === false) {
        return this.__resetField();
      }
      let field = this.state.field.toString(encoding);
      if (rtrim === true && wasQuoting === false) {
        field = field.trimRight();
      }
      if (cast === true) {
        const [err, f] = this.__cast(field);
        if (err !== void 0) return err;
        field = f;
      }
      this.state.record.push(field);
      if (max_record_size !== 0 && typeof field === "string") {
        this.state.record_length += field.length;
      }
      this.__resetField();
    },
    __resetField: function() {
      this.state.field.reset();
      this.state.wasQuoting = false;
    },
    __push: function(record, push) {
      const { on_record } = this.options;
      if (on_record !== void 0) {
        const info3 = this.__infoRecord();
        try {
          record = on_record.call(null, record, info3);
        } catch (err) {
          return err;
        }
        if (record === void 0 || record === null) {
          return;
        }
      }
      this.info.bytes_records += this.info.bytes;
      push(record);
    },
    // Return a tuple with the error and the casted value
    __cast: function(field) {
      const { columns, relax_column_count } = this.options;
      const isColumns = Array.isArray(columns);
      if (isColumns === true && relax_column_count && this.options.columns.length <= this.state.record.length) {
        return [void 0, void 0];
      }
      if (this.state.castField !== null) {
        try {
          const info3 = this.__infoField();
          return [void 0, this.state.castField.call(null, field, info3)];
        } catch (err) {
          return [err];
        }
      }
      if (this.__isFloat(field)) {
        return [void 0, parseFloat(field)];
      } else if (this.options.cast_date !== false) {
        const info3 = this.__infoField();
        return [void 0, this.options.cast_date.call(null, field, info3)];
      }
      return [void 0, field];
    },
    __compareBytes: function(sourceBuf, targetBuf, targetPos, firstByte) {
      if (sourceBuf[0] !== firstByte) return 0;
      const sourceLength = sourceBuf.length;
      for (let i = 1; i < sourceLength; i++) {
        if (sourceBuf[i] !== targetBuf[targetPos + i]) return 0;
      }
      return sourceLength;
    },
    // Helper to test if a character is trimable
    __isCharTrimable: function(buf, pos) {
      const { timchars, timcharFirstBytes } = this.state;
      const first = buf[pos];
      if (first === void 0 || timcharFirstBytes[first] === 0) return 0;
      loop1: for (let i = 0; i < timchars.length; i++) {
        const timchar = timchars[i];
        for (let j = 0; j < timchar.length; j++) {
          if (timchar[j] !== buf[pos + j]) continue loop1;
        }
        return timchar.length;
      }
      return 0;
    },
    __isDelimiter: function(buf, pos, chr) {
      const { delimiter: delimiter2, ignore_last_delimiters } = this.options;
      if (ignore_last_delimiters === true && this.state.record.length === this.options.columns.length - 1) {
        return 0;
      } else if (ignore_last_delimiters !== false && typeof ignore_last_delimiters === "number" && this.state.record.length === ignore_last_delimiters - 1) {
        return 0;
      }
      loop1: for (let i = 0; i < delimiter2.length; i++) {
        const del = delimiter2[i];
        if (del[0] === chr) {
          for (let j = 1; j < del.length; j++) {
            if (del[j] !== buf[pos + j]) continue loop1;
          }
          return del.length;
        }
      }
      return 0;
    },
    __isEscape: function(buf, pos, chr) {
      const { escape } = this.options;
      if (escape === null) return false;
      const l = escape.length;
      if (escape[0] === chr) {
        for (let i = 0; i < l; i++) {
          if (escape[i] !== buf[pos + i]) {
            return false;
          }
        }
        return true;
      }
      return false;
    },
    __isFloat: function(value) {
      return value - parseFloat(value) + 1 >= 0;
    },
    // Keep it in case we implement the `cast_int` option
    // __isInt(value){
    //   // return Number.isInteger(parseInt(value))
    //   // return !isNaN( parseInt( obj ) );
    //   return /^(\-|\+)?[1-9][0-9]*$/.test(value)
    // }
    __isQuote: function(buf, pos) {
      const { quote: quote2 } = this.options;
      if (quote2 === null) return false;
      const l = quote2.length;
      for (let i = 0; i < l; i++) {
        if (quote2[i] !== buf[pos + i]) {
          return false;
        }
      }
      return true;
    },
    __isRecordDelimiter: function(chr, buf, pos) {
      const { record_delimiter } = this.options;
      const recordDelimiterLength = record_delimiter.length;
      loop1: for (let i = 0; i < recordDelimiterLength; i++) {
        const rd = record_delimiter[i];
        const rdLength = rd.length;
        if (rd[0] !== chr) {
          continue;
        }
        for (let j = 1; j < rdLength; j++) {
          if (rd[j] !== buf[pos + j]) {
            continue loop1;
          }
        }
        return rd.length;
      }
      return 0;
    },
    __autoDiscoverRecordDelimiter: function(buf, pos) {
      const { encoding } = this.options;
      const rds = [
        // Important, the windows line ending must be before mac os 9
        Buffer.from("\r\n", encoding),
        Buffer.from("\n", encoding),
        Buffer.from("\r", encoding)
      ];
      loop: for (let i = 0; i < rds.length; i++) {
        const l = rds[i].length;
        for (let j = 0; j < l; j++) {
          if (rds[i][j] !== buf[pos + j]) {
            continue loop;
          }
        }
        this.options.record_delimiter.push(rds[i]);
        this.state.recordDelimiterMaxLength = rds[i].length;
        return rds[i].length;
      }
      return 0;
    },
    __error: function(msg) {
      const { encoding, raw, skip_records_with_error } = this.options;
      const err = typeof msg === "string" ? new Error(msg) : msg;
      if (skip_records_with_error) {
        this.state.recordHasError = true;
        if (this.options.on_skip !== void 0) {
          try {
            this.options.on_skip(
              err,
              raw ? this.state.rawBuffer.toString(encoding) : void 0
            );
          } catch (err2) {
            return err2;
          }
        }
        return void 0;
      } else {
        return err;
      }
    },
    __infoDataSet: function() {
      return {
        ...this.info,
        columns: this.options.columns
      };
    },
    __infoRecord: function() {
      const { columns, raw, encoding } = this.options;
      return {
        ...this.__infoDataSet(),
        bytes_records: this.info.bytes,
        error: this.state.error,
        header: columns === true,
        index: this.state.record.length,
        raw: raw ? this.state.rawBuffer.toString(encoding) : void 0
      };
    },
    __infoField: function() {
      const { columns } = this.options;
      const isColumns = Array.isArray(columns);
      const bytes_records = this.info.bytes_records;
      return {
        ...this.__infoRecord(),
        bytes_records,
        column: isColumns === true ? columns.length > this.state.record.length ? columns[this.state.record.length].name : null : this.state.record.length,
        quoting: this.state.wasQuoting
      };
    }
  };
};

// node_modules/csv-parse/lib/sync.js
var parse = function(data, opts = {}) {
  if (typeof data === "string") {
    data = Buffer.from(data);
  }
  const records = opts && opts.objname ? /* @__PURE__ */ Object.create(null) : [];
  const parser = transform(opts);
  const push = (record) => {
    if (parser.options.objname === void 0) records.push(record);
    else {
      records[record[0]] = record[1];
    }
  };
  const close = () => {
  };
  const error2 = parser.parse(data, true, push, close);
  if (error2 !== void 0) throw error2;
  return records;
};

// src/distro/disk-buses.ts
var DISK_BUSES = ["virtio", "sata", "nvme", "scsi"];
var DISK_DRIVERS = {
  virtio: ["virtio_blk", "virtio_pci"],
  sata: ["ahci", "sd_mod"],
  nvme: ["nvme"],
  scsi: ["virtio_scsi", "virtio_pci", "sd_mod"]
};

// src/boot-check/devices.ts
var NETWORK_CARDS = ["virtio", "e1000", "e1000e", "vmxnet3"];
var describeDevices = ({ diskBus, networkCard }) => `disk on ${diskBus}, network card ${networkCard}`;
var NETWORK_DRIVERS = {
  virtio: ["virtio_net", "virtio_pci"],
  e1000: ["e1000"],
  e1000e: ["e1000e"],
  vmxnet3: ["vmxnet3"]
};
var fitting = (needed, all, drivers) => drivers === void 0 ? all[0] : all.find((one) => needed[one].every((name) => drivers.has(name))) ?? all[0];
function planDevices({
  diskBus,
  networkCard,
  matrix
}, drivers) {
  const card = networkCard === "auto" ? fitting(NETWORK_DRIVERS, NETWORK_CARDS, drivers?.all) ?? "virtio" : networkCard;
  const bus = diskBus === "auto" ? fitting(DISK_DRIVERS, DISK_BUSES, drivers?.early) ?? "virtio" : diskBus;
  return (matrix.length > 0 ? matrix : [bus]).map((one) => ({ diskBus: one, networkCard: card }));
}
var lacksDiskDriver = ({ diskBus }, drivers) => drivers === null ? [] : DISK_DRIVERS[diskBus].filter((name) => !drivers.early.has(name));

// src/boot-check/expectations.ts
import { request } from "node:http";
import { createConnection } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
var PAUSE = 500;
var PATIENCE = 5e3;
var LOOK = 50;
function parsePort(text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}
function parseHttpExpectation(text) {
  const [, digits = "", path = "", status] = /^(\d{1,5})(\/[\x21-\x7e]*)?=([1-5]\d\d)$/.exec(text) ?? [];
  const port = parsePort(digits);
  return port === null ? null : { kind: "http", port, path: path || "/", status: Number(status) };
}
var nameOf = (expected) => expected.kind === "port" ? `expect-port ${expected.port}` : `expect-http ${expected.port}${expected.path}=${expected.status}`;
var readForwards = (usernet) => [...usernet.matchAll(/^\s*TCP\[(\w+)\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+[\d.]+\s+(\d+)\s/gm)].map(
  ([, state2 = "", hostPort, guestPort]) => ({
    state: state2,
    hostPort: Number(hostPort),
    guestPort: Number(guestPort)
  })
);
var REFUSED = "nothing listens there";
var SILENT = "the guest does not answer at all";
async function meetExpectations(expectations, forwards, giveUp) {
  const begin = performance.now();
  const met = [];
  const unmet = [];
  const meet = async (expected) => {
    for (; ; ) {
      const answer = await ask(expected, forwards);
      if (answer === null) {
        met.push({ name: nameOf(expected), seconds: (performance.now() - begin) / 1e3 });
        return;
      }
      if (giveUp.aborted) {
        unmet.push({ name: nameOf(expected), answer });
        return;
      }
      await delay(PAUSE, void 0, { signal: giveUp }).catch(() => {
      });
    }
  };
  await Promise.all(expectations.map(meet));
  return { met, unmet };
}
async function ask(expected, forwards) {
  const door = (await forwards()).find(
    ({ state: state2, guestPort }) => state2 === "HOST_FORWARD" && guestPort === expected.port
  );
  if (door === void 0) return "QEMU does not forward the port";
  if (expected.kind === "port") return askPort(door.hostPort, forwards);
  const status = await askHttp(door.hostPort, expected);
  if (status === expected.status) return null;
  if (typeof status === "number") return `the answer is ${status}`;
  return await askPort(door.hostPort, forwards) ?? status;
}
async function askPort(hostPort, forwards) {
  const socket2 = createConnection({ host: "127.0.0.1", port: hostPort, allowHalfOpen: true });
  let over = false;
  let spoke = false;
  socket2.on("error", () => {
    over = true;
  });
  socket2.on("end", () => {
    over = true;
  });
  socket2.on("data", () => {
    spoke = true;
  });
  try {
    for (const end = performance.now() + PATIENCE; performance.now() < end; ) {
      await delay(LOOK);
      if (spoke) return null;
      const wasOver = over;
      const states = (await forwards()).filter((forward) => forward.hostPort === hostPort);
      if (states.some(({ state: state2 }) => /ESTABLISHED|WAIT|CLOSING|LAST_ACK/.test(state2))) return null;
      if (wasOver) return REFUSED;
    }
    return SILENT;
  } finally {
    socket2.destroy();
  }
}
function askHttp(hostPort, { port, path }) {
  return new Promise((resolve2) => {
    const silence = `there is no answer within ${PATIENCE / 1e3} seconds`;
    const asking = request({
      host: "127.0.0.1",
      port: hostPort,
      path,
      // As somebody on the machine itself would ask: services refuse names that they do not know.
      headers: { host: `localhost:${port}`, "user-agent": "docker-to-disk", connection: "close" },
      agent: false,
      signal: AbortSignal.timeout(PATIENCE)
    });
    asking.on("response", (response) => {
      resolve2(response.statusCode ?? "the answer has no status");
      response.on("error", () => {
      });
      asking.destroy();
    });
    asking.on("error", (error2) => {
      if (error2.code === "ABORT_ERR" || error2.name === "TimeoutError") resolve2(silence);
      else if (error2.code?.startsWith("HPE_")) resolve2("the answer is not HTTP");
      else resolve2("the connection is closed without an answer");
    });
    asking.end();
  });
}

// src/inputs.ts
var CONTAINERS = ["raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"];
var COMPRESSIONS = ["zst", "gz", "xz"];
var FILESYSTEMS = ["ext4", "ext3", "ext2"];
var ACCELERATORS = ["auto", "kvm", "tcg"];
var INSTALL_SYSTEM = ["auto", "always", "never"];
var KERNEL_FLAVOURS = ["cloud", "generic"];
var NETWORKS = ["dhcp", "none"];
var machineName = ({ hostname, name }) => hostname ?? (isHostname(name) ? name : "localhost");
var needsCopy = ({ scripts, checkPersistence, failOnFailedUnits }) => scripts.length > 0 || checkPersistence || failOnFailedUnits;
var extensionOf = (format) => format.compression ? `${format.container}.${format.compression}` : format.container;
var Reader = class {
  problems = [];
  text(name) {
    return getInput(name);
  }
  optional(name) {
    return this.text(name) || null;
  }
  wrong(name, value, allowed) {
    const shown = value.length > 200 ? `${value.slice(0, 200)}\u2026` : value;
    this.problems.push(`Input ${name} is ${JSON.stringify(shown)}, but ${allowed}`);
  }
  boolean(name) {
    const value = this.text(name);
    if (/^(true|True|TRUE)$/.test(value)) return true;
    if (!/^(false|False|FALSE)$/.test(value)) this.wrong(name, value, "it has to be true or false.");
    return false;
  }
  oneOf(name, allowed, fallback) {
    const value = this.text(name);
    const found = allowed.find((candidate) => candidate === value);
    if (found === void 0) this.wrong(name, value, `it has to be one of ${allowed.join(", ")}.`);
    return found ?? fallback;
  }
  integer(name, from, to, what) {
    const value = this.text(name);
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= from && number <= to) return number;
    this.wrong(name, value, `it has to be a whole number of ${what} from ${from} to ${to}.`);
    return from;
  }
  size(name, least) {
    const value = this.text(name);
    const bytes = parseSize(value);
    if (bytes === null) {
      this.wrong(name, value, "it has to be a number with a unit, such as 1500M, 2G or 2GiB.");
      return least;
    }
    if (bytes < least || bytes > 1024 ** 4 * 8) {
      this.wrong(name, value, `it has to be from ${formatBytes(least)} to 8 TiB.`);
    }
    return bytes;
  }
  /**
   * Items of a list input, one a line. As in docker/build-push-action, a line may be quoted as a CSV field to hold newlines
   * (`"NAME=two\nlines"`, a quote inside doubled); other than there, commas and quotes inside an item reach Docker as they
   * are.
   */
  list(name) {
    const value = this.text(name);
    try {
      const records = parse(value, {
        delimiter: "\0",
        relax_quotes: true,
        skip_empty_lines: true,
        cast: (field, { quoting }) => quoting ? field : field.trim()
      });
      return records.map(([field = ""]) => field).filter(Boolean);
    } catch (error2) {
      this.wrong(name, value, `a quoted item in it does not end as one (${messageOf(error2)}).`);
      return [];
    }
  }
  /** Items of a list input that have to be `key=value`; both sides non-empty. */
  pairs(name, example) {
    return this.list(name).flatMap((item) => {
      const at = item.indexOf("=");
      if (at > 0 && at < item.length - 1) return [[item.slice(0, at).trim(), item.slice(at + 1)]];
      this.problems.push(
        `Input ${name} holds an item that is not of the form ${example}; write ${example}, one a line.`
      );
      return [];
    });
  }
};
function readInputs(env = process.env) {
  const read = new Reader();
  const rootPassword = getInput("root-password", { trimWhitespace: false }) || null;
  if (rootPassword !== null) setSecret(rootPassword);
  const secrets = readSecrets(read, env);
  const inputs = {
    source: readSource(read, secrets),
    platform: readPlatform(read),
    installSystem: read.oneOf("install-system", INSTALL_SYSTEM, "auto"),
    kernel: read.oneOf("kernel", KERNEL_FLAVOURS, "cloud"),
    network: readMachineNetwork(read),
    user: readUser(read),
    authorizedKeys: readAuthorizedKeys(read),
    entrypointService: read.boolean("entrypoint-service"),
    hostname: readHostname(read),
    rootPassword: checkPassword(read, rootPassword),
    kernelArgs: readKernelArgs(read),
    serialConsole: read.boolean("serial-console"),
    sizeBytes: read.text("size") === "auto" ? null : roundUp(read.size("size", 16 * MIB), MIB),
    extraSpaceBytes: read.size("extra-space", 0),
    filesystem: read.oneOf("filesystem", FILESYSTEMS, "ext4"),
    name: readName(read, env),
    formats: readFormats(read),
    outputDir: readOutputDir(read),
    uploadArtifact: read.boolean("upload-artifact"),
    retentionDays: read.text("retention-days") ? read.integer("retention-days", 1, 400, "days") : null,
    maxImageBytes: read.text("max-image-size") ? read.size("max-image-size", MIB) : null,
    boot: readBoot(read),
    installTools: read.boolean("install-tools")
  };
  if (read.problems.length > 0) throw new ActionError(read.problems.join("\n"), "Wrong input");
  return inputs;
}
var roundUp = (value, multiple) => Math.ceil(value / multiple) * multiple;
function readSecrets(read, env) {
  const inline = read.pairs("secrets", "id=value").map(([id, value]) => {
    setSecret(value);
    return { id, value };
  });
  const files = read.pairs("secret-files", "id=path").map(([id, path]) => {
    if (!isFile(path)) read.wrong("secret-files", `${id}=${path}`, "there is no such file.");
    return { id, path: resolve(path) };
  });
  const variables = read.pairs("secret-envs", "id=VARIABLE").map(([id, variable]) => {
    if (env[variable] === void 0) {
      read.wrong(
        "secret-envs",
        `${id}=${variable}`,
        "there is no such environment variable; set it under env: of the step."
      );
    } else setSecret(env[variable]);
    return { id, variable };
  });
  const secrets = [...inline, ...files, ...variables];
  for (const { id } of secrets) {
    if (!/^(?!\.+$)[\w.-]+$/.test(id)) {
      read.problems.push(
        `A secret's id is ${JSON.stringify(id)}, but it has to consist of letters, digits, '_', '.' and '-'.`
      );
    }
  }
  return secrets;
}
var BUILD_ONLY = [
  [
    "file",
    "target",
    "build-args",
    "build-contexts",
    "secrets",
    "secret-files",
    "secret-envs",
    "ssh",
    "labels"
  ],
  ["add-hosts", "cache-from", "cache-to", "build-network", "builder"]
].flat();
function readSource(read, secrets) {
  const reference = read.optional("image");
  if (reference !== null) {
    if (!/^[\w][\w.:/@-]*$/.test(reference)) {
      read.wrong("image", reference, "it has to be an image reference, such as debian:bookworm.");
    }
    const given = BUILD_ONLY.filter((name) => read.text(name) !== "");
    if (given.length > 0)
      read.wrong("image", reference, `an image is not built: leave out ${given.join(", ")}.`);
    return { kind: "image", reference };
  }
  return {
    kind: "build",
    build: {
      ...readContext(read),
      target: read.optional("target"),
      buildArgs: read.list("build-args"),
      buildContexts: read.pairs("build-contexts", "name=path").map((pair) => pair.join("=")),
      secrets,
      ssh: read.list("ssh"),
      labels: read.list("labels"),
      addHosts: read.list("add-hosts"),
      cacheFrom: read.list("cache-from"),
      cacheTo: read.list("cache-to"),
      noCache: read.boolean("no-cache"),
      pull: read.boolean("pull"),
      network: readBuildNetwork(read),
      builder: read.optional("builder")
    }
  };
}
var isRemote = (context) => /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(context);
function readContext(read) {
  const context = read.text("context");
  const file = read.optional("file");
  if (isRemote(context)) return { context, file };
  if (!isFolder(context)) {
    read.wrong("context", context, `there is no such folder (looked in ${process.cwd()}).`);
    return { context, file };
  }
  const dockerfile = resolve(file ?? join(context, "Dockerfile"));
  if (!isFile(dockerfile)) {
    const hint = existsSync(dockerfile) ? `${dockerfile} is not a file` : `there is no file ${dockerfile}`;
    if (file) read.wrong("file", file, `${hint}; give the path of the Dockerfile.`);
    else read.wrong("context", context, `${hint}; add a Dockerfile there or name it with file.`);
  }
  return { context: resolve(context), file: file === null ? null : dockerfile };
}
function readPlatform(read) {
  const platform = read.text("platform");
  if (!/^linux\/(amd64|x86_64|x86-64)$/.test(platform)) {
    read.wrong("platform", platform, "linux/amd64 is the only platform supported for now.");
  }
  return "linux/amd64";
}
var isMachineNetwork = (text) => NETWORKS.some((known) => known === text);
function readMachineNetwork(read) {
  const network2 = read.text("network");
  return isMachineNetwork(network2) ? network2 : "dhcp";
}
function readBuildNetwork(read) {
  const [own, network2] = [read.optional("build-network"), read.optional("network")];
  if (network2 === null || isMachineNetwork(network2)) return own;
  if (own !== null && own !== network2)
    read.wrong("network", network2, "it has to be dhcp or none where build-network is given.");
  return network2;
}
function readUser(read) {
  const user = read.optional("user");
  if (user !== null && !/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) {
    read.wrong(
      "user",
      user,
      "it has to be at most 32 lower-case letters, digits, hyphens and underscores, beginning with a letter."
    );
  }
  return user === "root" ? null : user;
}
var AUTHORIZED_KEY = /^(?:[^#].*[\s,])?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)(?:-cert-v01@openssh\.com)?\s+[A-Za-z0-9+/]{40,}={0,3}(?:\s.*)?$/;
function readAuthorizedKeys(read) {
  const lines = read.text("authorized-keys").split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines) {
    if (/PRIVATE KEY/.test(line)) {
      read.problems.push(
        "Input authorized-keys holds a private key; give the public one, the file that ends with .pub."
      );
      break;
    }
    if (!AUTHORIZED_KEY.test(line) || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) {
      read.wrong(
        "authorized-keys",
        line,
        'each line has to be a public key as in authorized_keys, such as "ssh-ed25519 AAAA\u2026 me@home".'
      );
    }
  }
  return lines;
}
function readHostname(read) {
  const hostname = read.optional("hostname");
  if (hostname !== null && !isHostname(hostname)) {
    read.wrong(
      "hostname",
      hostname,
      "it has to be at most 64 letters, digits, hyphens and dots, as in RFC 1123."
    );
  }
  return hostname;
}
var isHostname = (text) => text.length <= 64 && text.split(".").every((label2) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label2));
function checkPassword(read, password) {
  if (password !== null && (/[\u0000-\u001f\u007f]/.test(password) || Buffer.byteLength(password) > 255)) {
    read.problems.push(
      "Input root-password holds a control character or more than 255 bytes; give one line of text."
    );
  }
  return password;
}
function readKernelArgs(read) {
  const args = read.text("kernel-args").split(/\s+/).join(" ");
  if (!/^[\x20-\x7e]*$/.test(args) || args.length > 1024) {
    read.wrong("kernel-args", args, "it has to be at most 1024 printable ASCII characters.");
  }
  return args;
}
function readName(read, env) {
  const given = read.optional("name");
  if (given === null) {
    const own = env.GITHUB_REPOSITORY?.split("/").pop() || basename(process.cwd());
    return own.replace(/[^\w.-]+/g, "-").replace(/^[-.]+/, "").slice(0, 100) || "disk";
  }
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029":<>|*?\\/]|^[-.]|##\[/.test(given) || Buffer.byteLength(given) > 128) {
    read.wrong(
      "name",
      given,
      'it has to be at most 128 bytes without any of " : < > | * ? \\ / ##[ and control characters, not beginning with - or a dot.'
    );
  }
  return given;
}
function readFormats(read) {
  const words = read.text("formats").split(/[\s,]+/).filter(Boolean);
  const formats = /* @__PURE__ */ new Map();
  const unknown = [];
  for (const word of words) {
    const [container, compression, ...rest] = word.split(".");
    const format = {
      container: CONTAINERS.find((known) => known === container),
      compression: compression === void 0 ? null : COMPRESSIONS.find((known) => known === compression)
    };
    if (format.container === void 0 || format.compression === void 0 || rest.length > 0)
      unknown.push(word);
    else formats.set(word, { container: format.container, compression: format.compression });
  }
  if (unknown.length > 0 || words.length === 0) {
    const allowed = `${CONTAINERS.join(", ")}, each also with .${COMPRESSIONS.join(", .")}`;
    read.wrong("formats", unknown.join(", "), `each format has to be one of ${allowed}.`);
  }
  return [...formats.values()];
}
function readOutputDir(read) {
  const folder = read.optional("output-dir");
  if (folder !== null && existsSync(folder) && !isFolder(folder)) {
    read.wrong("output-dir", folder, "that exists and is not a folder.");
  }
  if (folder !== null && /[\u0000-\u001f\u007f]/.test(folder))
    read.wrong("output-dir", folder, "it has to be a path without control characters.");
  return folder === null ? null : resolve(folder);
}
function readBoot(read) {
  const boot = {
    timeout: read.integer("boot-timeout", 1, 21600, "seconds"),
    successPattern: readPattern(read),
    memoryMiB: Math.floor(read.size("memory", 64 * MIB) / MIB),
    cpus: read.integer("cpus", 1, 64, "processors"),
    accelerator: read.oneOf("accelerator", ACCELERATORS, "auto"),
    expectations: readExpectations(read),
    diskBus: read.oneOf("disk-bus", ["auto", ...DISK_BUSES], "auto"),
    networkCard: read.oneOf("network-card", ["auto", ...NETWORK_CARDS], "auto"),
    matrix: readMatrix(read),
    scripts: readScripts(read),
    testTimeout: read.integer("test-timeout", 1, 21600, "seconds"),
    checkPersistence: read.boolean("check-persistence"),
    failOnFailedUnits: read.boolean("fail-on-failed-units"),
    maxSeconds: read.text("max-boot-seconds") ? read.integer("max-boot-seconds", 1, 21600, "seconds") : null
  };
  if (read.boolean("boot-test")) return boot;
  const asked = BOOT_CHECKS.filter((name) => read.text(name) !== "");
  if (boot.checkPersistence) asked.push("check-persistence");
  if (boot.failOnFailedUnits) asked.push("fail-on-failed-units");
  if (asked.length > 0)
    read.wrong("boot-test", read.text("boot-test"), `it has to be true for ${asked.join(", ")}.`);
  return null;
}
var BOOT_CHECKS = [
  "boot-matrix",
  "expect-http",
  "expect-port",
  "test-script",
  "test-scripts",
  "max-boot-seconds"
];
var LARGEST_SCRIPT = MIB;
function readScripts(read) {
  const inline = read.text("test-script");
  const paths = read.list("test-scripts").flatMap((pattern) => {
    const found = globSync(pattern).filter(isFile).sort();
    if (found.length === 0)
      read.wrong("test-scripts", pattern, `it matches no file (looked in ${process.cwd()}).`);
    return found;
  });
  const files = [...new Set(paths)].flatMap((path) => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= LARGEST_SCRIPT)
      return [{ name: path, content: readFileSync(path) }];
    read.wrong("test-scripts", path, "a script has at most 1 MiB; put larger files into the image.");
    return [];
  });
  return [...inline === "" ? [] : [{ name: "test-script", content: `${inline}
` }], ...files];
}
function readMatrix(read) {
  const text = read.text("boot-matrix");
  const words = [...new Set(text.split(/[\s,]+/).filter(Boolean))];
  const buses = DISK_BUSES.filter((bus) => words.includes(bus));
  if (buses.length < words.length)
    read.wrong("boot-matrix", text, `each machine has to be one of ${DISK_BUSES.join(", ")}.`);
  else if (words.length > 0 && read.text("disk-bus") !== "auto")
    read.wrong("boot-matrix", text, "disk-bus names the one machine to boot: leave one of the two out.");
  return words.flatMap((word) => buses.filter((bus) => bus === word));
}
function readExpectations(read) {
  const ports = [...new Set(read.list("expect-port"))].flatMap((item) => {
    const port = parsePort(item);
    if (port !== null) return [{ kind: "port", port }];
    read.wrong("expect-port", item, "each line has to be a TCP port from 1 to 65535, such as 22.");
    return [];
  });
  const answers = [...new Set(read.list("expect-http"))].flatMap((item) => {
    const expected = parseHttpExpectation(item);
    if (expected !== null) return [expected];
    read.wrong("expect-http", item, "each line has to be PORT/PATH=STATUS, such as 8080/healthz=200.");
    return [];
  });
  return [...ports, ...answers];
}
function readPattern(read) {
  const pattern = read.optional("boot-success-pattern");
  if (pattern === null) return null;
  try {
    const expression = new RegExp(pattern);
    if (expression.test(""))
      read.wrong("boot-success-pattern", pattern, "it matches an empty line; name what the line has to hold.");
    return expression;
  } catch (error2) {
    read.wrong("boot-success-pattern", pattern, `it is not a regular expression (${messageOf(error2)}).`);
    return null;
  }
}
var isFile = (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
var isFolder = (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

// src/disk.ts
var SECTOR = 512;
var START_SECTOR = 2048;
var START_BYTES = START_SECTOR * SECTOR;
var INODE_BYTES = 256;
var BLOCKS_PER_GROUP = 8 * BLOCK;
var DESCRIPTORS_PER_BLOCK = BLOCK / 32;
var LEAST_FILESYSTEM = 15 * MIB;
var partuuid = (plan) => `${plan.diskId}-01`;
function journalFor(filesystem, bytes) {
  if (filesystem === "ext2") return 0;
  const [, mib] = [
    [128, 4],
    [1024, 16],
    [2048, 32],
    [Infinity, 64]
  ].find(([below = 0]) => bytes < below * MIB) ?? [];
  return mib ?? 64;
}
function overhead(filesystem, bytes, inodes) {
  const blocks = Math.ceil(bytes / BLOCK);
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP);
  const descriptorBlocks = Math.ceil(groups / DESCRIPTORS_PER_BLOCK);
  const grown = Math.ceil(Math.min(blocks * 1024, 2 ** 32) / BLOCKS_PER_GROUP / DESCRIPTORS_PER_BLOCK);
  const reserved = Math.min(grown, BLOCK / 4);
  const copies = Array.from({ length: groups }, (_, group) => group).filter(hasSuperblock).length;
  const tables = roundToBlocks(inodes * INODE_BYTES) + groups * 3 * BLOCK;
  return tables + copies * (1 + descriptorBlocks + reserved) * BLOCK + journalFor(filesystem, bytes) * MIB;
}
function hasSuperblock(group) {
  if (group < 2) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}
var inodesFor = (measure, bytes) => (
  // mke2fs' own ratio is one inode for 16 KiB; a tree of small files needs more, and room to add some.
  Math.max(Math.ceil(bytes / 16384), Math.ceil(measure.inodes * 1.05) + 1024)
);
function roomFor(measure, filesystem, freeBytes2) {
  const lists = filesystem === "ext4" ? 0 : measure.bytes / 512;
  const content = measure.bytes * 1.01 + lists + 2 * MIB + freeBytes2;
  let bytes = Math.max(content, LEAST_FILESYSTEM);
  for (; ; ) {
    const needed = (content + overhead(filesystem, bytes, inodesFor(measure, bytes))) / 0.99;
    if (needed <= bytes) break;
    bytes = Math.ceil(needed / MIB) * MIB;
  }
  return {
    filesystemBytes: bytes,
    inodes: inodesFor(measure, bytes),
    journalMiB: journalFor(filesystem, bytes)
  };
}
function planDisk(measure, inputs) {
  const { filesystem, sizeBytes, extraSpaceBytes } = inputs;
  let room = roomFor(measure, filesystem, sizeBytes === null ? extraSpaceBytes : 0);
  if (sizeBytes !== null) {
    const least = room.filesystemBytes + START_BYTES;
    if (sizeBytes < least) {
      throw new ActionError(
        `Input size is ${formatBytes(sizeBytes)} (${sizeBytes} bytes), but the content needs a disk of at least ${formatBytes(least)} (${least} bytes): set size to ${Math.ceil(least / MIB)}M or more, or to auto.`,
        "Disk too small"
      );
    }
    const filesystemBytes = sizeBytes - START_BYTES;
    room = {
      filesystemBytes,
      inodes: inodesFor(measure, filesystemBytes),
      journalMiB: journalFor(filesystem, filesystemBytes)
    };
  }
  return {
    sizeBytes: room.filesystemBytes + START_BYTES,
    partition: { startSector: START_SECTOR, sectors: room.filesystemBytes / SECTOR },
    diskId: randomBytes(4).toString("hex"),
    filesystem,
    uuid: randomUUID(),
    label: "root",
    inodes: room.inodes,
    journalMiB: room.journalMiB
  };
}
var sfdiskScript = ({ diskId, partition }) => [
  "label: dos",
  `label-id: 0x${diskId}`,
  "unit: sectors",
  "",
  `start=${partition.startSector}, size=${partition.sectors}, type=83, bootable`,
  ""
].join("\n");
var FEATURES = {
  ext2: ["ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"],
  ext3: ["ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"],
  ext4: [
    ...["ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"],
    ...["extent", "flex_bg", "huge_file", "uninit_bg", "dir_nlink", "extra_isize"]
  ]
};
function mkfsArgv(plan, path, knowsPrezeroed) {
  const extended = [
    `offset=${START_BYTES}`,
    "nodiscard",
    "root_owner=0:0",
    // The file is sparse: its blocks are zero already.
    "lazy_journal_init=1",
    knowsPrezeroed ? "assume_storage_prezeroed=1" : "lazy_itable_init=1"
  ];
  return [
    ...["mke2fs", "-q", "-F", "-t", plan.filesystem, "-b", `${BLOCK}`, "-I", `${INODE_BYTES}`, "-m", "1"],
    ...[
      "-O",
      ["none", ...plan.journalMiB > 0 ? ["has_journal"] : [], ...FEATURES[plan.filesystem]].join(","),
      "-N",
      `${plan.inodes}`
    ],
    ...plan.journalMiB > 0 ? ["-J", `size=${plan.journalMiB}`] : [],
    ...[
      "-U",
      plan.uuid,
      "-L",
      plan.label,
      "-E",
      extended.join(","),
      "--",
      path,
      `${plan.partition.sectors * SECTOR / 1024}k`
    ]
  ];
}
var filesystemIn = (path) => ({
  name: `./${basename2(path)}?offset=${START_BYTES}`,
  cwd: dirname(path)
});
async function createDisk(host, plan, path) {
  closeSync(openSync(path, "wx", 420));
  truncateSync(path, plan.sizeBytes);
  await host.run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", path], {
    input: sfdiskScript(plan)
  });
  const version = await host.run(["mke2fs", "-V"]);
  const [, major = "0", minor = "0"] = /mke2fs (\d+)\.(\d+)/.exec(version.stderr) ?? [];
  await host.run(mkfsArgv(plan, path, Number(major) > 1 || Number(minor) >= 47));
  await showJournal(host, plan, path, false);
}
function checkSpace(folder, plan, measure, inputs) {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const made = inputs.formats.filter(
    ({ container, compression }) => container !== "raw" || compression
  ).length;
  const copies = inputs.boot !== null && needsCopy(inputs.boot) ? 1 : 0;
  const needed = Math.ceil(measure.bytes * (1 + copies + made * 0.8)) + 64 * MIB;
  if (free >= needed) return;
  throw new ActionError(
    `${folder} has ${formatBytes(free)} free, but about ${formatBytes(needed)} are needed for a disk of ${formatBytes(plan.sizeBytes)} in the formats asked for. Set output-dir to a folder on a larger disk (/mnt on some hosted runners) or free space first.`,
    "Not enough disk space"
  );
}
var FILL_LIMIT = 60 * 6e4;
async function mountDisk(host, undo, plan, path, workDir) {
  const mountPoint = join2(workDir, "root");
  mkdirSync(mountPoint);
  const resources = [
    { kind: "loop", file: path },
    { kind: "mount", target: mountPoint }
  ];
  for (const resource of resources) undo.register(resource);
  const options = [
    ...[
      "loop",
      `offset=${START_BYTES}`,
      `sizelimit=${plan.partition.sectors * SECTOR}`,
      "nodev",
      "nosuid",
      "noexec"
    ],
    // The file is not the disk of a machine that may lose power: every barrier would be an fsync of it.
    ...["barrier=0", "noinit_itable"]
  ];
  try {
    await host.runAsRoot(["mount", "-t", "ext4", "-o", options.join(","), path, mountPoint], {
      timeout: 12e4
    });
  } catch (error2) {
    if (host.cancelled.aborted) throw error2;
    throw new ActionError(
      `The new filesystem cannot be mounted through a loop device. ${messageOf(error2)}`,
      "No loop device"
    );
  }
  return { path, mountPoint, resources };
}
async function fillDisk(host, disk, container, edits) {
  const { mountPoint } = disk;
  try {
    await host.pipe(container.archive, { asRoot: true, argv: extractArgv(mountPoint) }, FILL_LIMIT);
    if (!container.keepsHoles) await digHoles(host, mountPoint);
    await applyEdits(host, container.index, mountPoint, edits);
  } catch (error2) {
    throw explainFullDisk(error2, disk);
  }
}
async function finishDisk(host, undo, plan, disk) {
  try {
    await host.runAsRoot(["sync", "--file-system", disk.mountPoint], { timeout: FILL_LIMIT });
    if (freeBytes(disk.path) < FULL) throw new Error("No space left on device");
  } catch (error2) {
    throw explainFullDisk(error2, disk);
  }
  for (const resource of disk.resources.toReversed()) await undo.release(resource);
  await showJournal(host, plan, disk.path, true);
  await checkFilesystem(host, disk.path);
}
async function digHoles(host, folder) {
  await host.runAsRoot(
    // A swap file with holes cannot be used.
    [
      "find",
      folder,
      "-xdev",
      "-type",
      "f",
      "-size",
      "+1024k",
      "!",
      "-iname",
      "*swap*",
      "-exec",
      "fallocate",
      "--dig-holes",
      "--",
      "{}",
      ";"
    ],
    { timeout: FILL_LIMIT }
  );
  await host.runAsRoot(["fstrim", folder], { allowFailure: true, timeout: FILL_LIMIT });
}
async function showJournal(host, plan, path, shown) {
  if (plan.journalMiB === 0) return;
  const request2 = `feature ${shown ? "" : "-"}has_journal`;
  const { name, cwd } = filesystemIn(path);
  const { stdout } = await host.run(["debugfs", "-w", "-R", request2, name], { cwd });
  if (stdout.includes("has_journal") !== shown)
    throw new ActionError(`debugfs could not do "${request2}": ${stdout.trim()}`);
}
async function checkFilesystem(host, path) {
  const { name, cwd } = filesystemIn(path);
  const checked = await host.run(["e2fsck", "-fn", name], { allowFailure: true, cwd });
  if (checked.exitCode !== 0) {
    throw new ActionError(
      `e2fsck finds errors in the new filesystem:
${checked.stdout.slice(-2e3)}`,
      "Damaged filesystem"
    );
  }
  info(checked.stdout.trim().split("\n").pop() ?? "");
}
async function uncleanFilesystem(host, path) {
  const { name, cwd } = filesystemIn(path);
  const { stdout } = await host.run(["debugfs", "-R", "show_super_stats -h", name], { cwd });
  const field = (label2) => stdout.split("\n").find((line) => line.startsWith(`${label2}:`))?.slice(label2.length + 1).trim() ?? "";
  if (field("Filesystem features").split(" ").includes("needs_recovery"))
    return "its journal holds what was not written yet";
  return field("Filesystem state") === "clean" ? null : `its state is "${field("Filesystem state")}"`;
}
var FULL = 8 * MIB;
var freeBytes = (path) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};
function explainFullDisk(error2, { path, mountPoint }) {
  const outerFull = /No space left|Input\/output error|Read-only file system/.test(messageOf(error2)) && freeBytes(path) < FULL;
  if (!outerFull && !/No space left on device/.test(messageOf(error2))) return error2;
  const { bavail, bsize, ffree } = statfsSync(mountPoint);
  const full = bavail * bsize < FULL || ffree === 0;
  return new ActionError(
    full && !outerFull ? `The content does not fit the root filesystem (${formatBytes(bavail * bsize)} and ${ffree} inodes left). Give it a larger size or extra-space.` : `The runner's disk is full while the image is made. Set output-dir to a folder on a larger disk. ${messageOf(error2)}`,
    "No space left"
  );
}

// src/boot-check/console.ts
import { StringDecoder } from "node:string_decoder";
var KEPT = 4096;
var LINE_BREAK = /\u001b(?:c|\[[23]J|\[\d*(?:;0*1?)?[Hf])/;
function visible(raw) {
  const line = raw.replace(/\r+$/, "");
  return stripTerminal(line.slice(line.lastIndexOf("\r") + 1));
}
function shorten(raw) {
  if (raw.length <= 2 * KEPT) return raw;
  const current = raw.slice(raw.lastIndexOf("\r", raw.length - 2) + 1);
  return current.length <= 2 * KEPT ? current : current.slice(0, KEPT) + current.slice(-KEPT);
}
var isBlank = (line) => line.trim() === "";
var ConsoleLines = class {
  #decoder = new StringDecoder("utf8");
  #pending = "";
  /** @returns the lines that the chunk completes */
  write(chunk2) {
    const [first = "", ...rest] = this.#decoder.write(chunk2).split("\n");
    const parts = [this.#pending + first, ...rest];
    const pieces = (parts.pop() ?? "").split(LINE_BREAK);
    this.#pending = shorten(pieces.pop() ?? "");
    const lines = parts.flatMap((part) => {
      const shown = part.split(LINE_BREAK).map(visible);
      return shown.filter((line, i) => i === shown.length - 1 || !isBlank(line));
    });
    return [...lines, ...pieces.map(visible).filter((line) => !isBlank(line))];
  }
  /** The line that has no newline yet: where a prompt stands. */
  get partial() {
    return visible(this.#pending);
  }
};
var KERNEL_STAMP = /\[ {0,6}(\d{1,7}\.\d{6})\](?:\[ *[TC]\d+\])? /;
var Strands = class {
  #decoder = new StringDecoder("utf8");
  #program = "";
  #message = null;
  #wasCut = false;
  /** @returns the messages and lines that the chunk completes */
  write(chunk2) {
    return this.#decoder.write(chunk2).split(/(?<=\n)/).flatMap((piece) => this.#add(piece));
  }
  /** The program's unfinished line, if a message stands in it; else nothing. */
  get partial() {
    return this.#wasCut ? visible(this.#program) : "";
  }
  /** @param piece with a newline at its end or none */
  #add(piece) {
    const isEnd = piece.endsWith("\n");
    if (this.#message !== null) {
      this.#message = shorten(this.#message + piece);
      if (!isEnd) return [];
      const message = visible(this.#message.trimEnd());
      this.#message = null;
      return this.#wasCut ? [message] : [];
    }
    const text = this.#program + piece;
    const stamp = KERNEL_STAMP.exec(text);
    if (stamp !== null) {
      this.#program = text.slice(0, stamp.index);
      this.#wasCut ||= !isBlank(visible(this.#program));
      this.#message = "";
      return this.#add(text.slice(stamp.index));
    }
    if (!isEnd) {
      this.#program = shorten(text);
      return [];
    }
    const line = visible(text.trimEnd());
    const wasCut = this.#wasCut;
    this.#program = "";
    this.#wasCut = false;
    return wasCut ? [line] : [];
  }
};

// src/boot-check/causes.ts
var UNMOUNTED_ROOT = [
  /VFS: Unable to mount root/,
  /VFS: Cannot open root device/,
  /ALERT!.*does not exist/,
  /Failed to mount \S+ as root file system/,
  /mount: mounting .* on \/(?:root|sysroot) failed/i,
  /Mounting .* on .*sysroot failed/i,
  /(?:dracut|Warning: ).*(?:Could not boot|\/dev\/\S+ does not exist)/
];
var NO_INIT = [
  /Kernel panic - not syncing: (?:No working init found|Requested init)/,
  /can't execute '.*init'/i,
  /No init found\. Try passing init=/
];
var isTalkative = ({ commandLine }) => commandLine !== null;
function describeRoot(facts) {
  const { root, unmounted, disks, filesystemTrouble } = facts;
  const tried = [
    ...root === null ? [] : [`was asked for ${root.slice(0, 200)}`],
    ...unmounted === null || unmounted === root ? [] : [`tried ${unmounted}`]
  ].join(" and ");
  const found = disks.length > 0 ? disks.slice(0, 12).join(", ") : isTalkative(facts) ? "no disk" : null;
  const parts = [
    ...tried === "" ? [] : [`it ${tried}`],
    ...found === null ? [] : [`the kernel found ${found}`],
    ...unmounted === null || filesystemTrouble === null ? [] : [`it says "${filesystemTrouble}"`]
  ].join("; ");
  return parts === "" ? "" : ` ${parts.charAt(0).toUpperCase()}${parts.slice(1)}.`;
}
var NO_DRIVER = "The kernel or the initrd lacks a driver for the machine's disk (Debian's cloud kernel has virtio and NVMe but no SATA): choose another disk-bus, or set kernel: generic, or have the initrd include the driver.";
var WRONG_ROOT = "The disk is there, and root= or rootfstype= does not fit it: leave both out of kernel-args, and the root filesystem out of what the image changes about its initrd.";
function adviseRoot(facts) {
  if (facts.unmounted !== null)
    return "The device is there, but not with a filesystem that this kernel mounts: leave rootfstype= out of kernel-args, and filesystem at ext4, or install a newer kernel in the Dockerfile.";
  if (facts.disks.length > 0) return WRONG_ROOT;
  return isTalkative(facts) ? NO_DRIVER : `Take quiet out of kernel-args to see which: ${NO_DRIVER} Or: ${WRONG_ROOT}`;
}
var list = (units) => units.slice(0, 5).map(({ name, how }) => `${name} (${how})`).join(", ");
var culprits = ({ failedUnits }) => failedUnits.filter(({ name, how }) => how !== "needs another" || /\.mount$|^\//.test(name));
var EMERGENCY = {
  patterns: [
    /You are in (?:emergency|rescue) mode/,
    /Cannot open access to console, the root account is locked/
  ],
  prompts: [/^Press Enter for (?:maintenance|emergency)/, /^Give root password for maintenance/]
};
var LOADER_ADVICE = "Files in /boot/extlinux were changed after extlinux was installed, or the filesystem has features that it cannot read: leave /boot/extlinux out of the image and filesystem at ext4.";
var SELINUX_LOCKOUT = {
  id: "selinux-lockout",
  summary: "SELinux keeps init from starting the system.",
  advice: "Files of a container image have no SELinux labels: leave enforcing=1 out of kernel-args and SELINUX=enforcing out of /etc/selinux/config, and relabel in the machine that runs."
};
var NO_TIMER = "no-timer";
var CAUSES = [
  {
    id: "no-boot-device",
    summary: "The firmware found nothing to start on the disk.",
    advice: "The MBR or its active partition is damaged; nothing in the image should be able to do that: please report it.",
    patterns: [/Boot failed: not a bootable disk/],
    prompts: [/No bootable device/, /^Missing operating system/i],
    recorded: ["mbr-signature-wiped", "no-active-partition", "boot-sector-wiped"]
  },
  {
    id: "loader-broken",
    summary: "The boot loader could not load the rest of itself.",
    advice: LOADER_ADVICE,
    patterns: [/Failed to load ldlinux/, /Failed to load COM32 file/],
    prompts: [/^Boot error/],
    recorded: ["loader-corrupt", "loader-module-deleted"]
  },
  {
    id: "loader-broken",
    summary: "The boot loader found no configuration that says what to load.",
    advice: LOADER_ADVICE,
    patterns: [/WARNING: No configuration file found/],
    prompts: [/No DEFAULT or UI configuration directive found!/],
    recorded: ["loader-config-missing", "loader-config-empty"]
  },
  {
    id: "kernel-not-loaded",
    summary: "The boot loader loaded a kernel that is none.",
    advice: "The kernel in /boot of the image is no Linux kernel for x86: install its package anew in the Dockerfile.",
    patterns: [/Booting kernel failed/, /Invalid or corrupt kernel image/],
    recorded: ["kernel-is-text"]
  },
  {
    id: "kernel-not-loaded",
    summary: ({ loading }) => loading === null ? "The boot loader could not load the kernel or its initrd." : `The boot loader could not load ${loading}.`,
    advice: "Look at that file in the image: it is missing, or larger than memory; for the last, raise memory. What removes files from /boot in the Dockerfile has to leave kernel and initrd there.",
    patterns: [
      /^Loading .*\.\. *failed:/,
      /Could not find kernel image/,
      /Could not find ramdisk image/,
      /Initrd too large/i
    ],
    recorded: ["loader-entry-misspelt", "kernel-deleted", "kernel-deleted-loader-silent", "initrd-deleted"]
  },
  {
    id: "out-of-memory",
    summary: "The machine has too little memory to start.",
    advice: "Raise memory, such as memory: 2048M, or make the initrd smaller.",
    patterns: [
      /System is out of memory/,
      /Kernel panic - not syncing: (?:System is deadlocked on memory|Out of memory)/,
      /Not enough memory to load specified image/i
    ],
    prompts: [/Out of memory.*-- System halted/i],
    recorded: ["memory-96", "memory-128-systemd"]
  },
  {
    id: "out-of-memory",
    summary: "The machine has too little memory to unpack its initrd.",
    advice: "Raise memory, such as memory: 2048M, or make the initrd smaller.",
    patterns: [...UNMOUNTED_ROOT, ...NO_INIT, /Kernel panic - not syncing/],
    given: ({ isShortOfMemory }) => isShortOfMemory,
    recorded: []
  },
  {
    id: NO_TIMER,
    summary: "The kernel found no timer that ticks: IO-APIC + timer doesn't work.",
    advice: "The machine has one. A runner that is busy with other work may keep QEMU from having it tick in the fraction of a second that a kernel under TCG waits for it, which is no fault of the image: leave the runner less to do or give it KVM, or add no_timer_check to kernel-args.",
    patterns: [/Kernel panic - not syncing: IO-APIC \+ timer doesn't work/],
    recorded: ["no-timer"]
  },
  {
    id: "kernel-damaged",
    summary: "The kernel could not unpack itself.",
    advice: "The kernel file in /boot of the image is damaged: install its package anew in the Dockerfile.",
    patterns: [],
    prompts: [/-- System halted/],
    recorded: []
  },
  {
    id: "initrd-corrupt",
    summary: ({ initrdTrouble }) => `The kernel could not unpack the initrd: ${initrdTrouble}.`,
    advice: "The initrd in /boot of the image is damaged or packed in a way that the kernel does not know: make it anew in the Dockerfile, with update-initramfs -u on Debian and Ubuntu, mkinitfs on Alpine, dracut --force on the Fedora family.",
    patterns: [...UNMOUNTED_ROOT, ...NO_INIT],
    given: ({ initrdTrouble }) => initrdTrouble !== null,
    recorded: ["initrd-truncated", "initrd-garbage", "initrd-corrupt-inside", "initrd-corrupt-zstd"]
  },
  {
    id: "filesystem-damaged",
    summary: "The root filesystem is damaged in a way that fsck does not repair by itself.",
    advice: "It was sound when it was written: what runs in the initrd or in the machine damages it, as a tool does that grows or converts it at first boot. Take that out of the Dockerfile.",
    patterns: [/requires a manual fsck/, /File system check of the root filesystem failed/],
    recorded: ["fsck-gives-up"]
  },
  {
    id: "no-root",
    summary: (facts) => `The kernel or its initrd could not mount the root filesystem.${describeRoot(facts)}`,
    advice: adviseRoot,
    patterns: UNMOUNTED_ROOT,
    recorded: [
      "root-uuid-wrong",
      "root-device-wrong-panic",
      "root-wrong-without-initrd",
      "disk-without-driver-without-initrd",
      "root-waited-for",
      "disk-without-driver",
      "disk-cut-short",
      "filesystem-too-new",
      "journal-damaged",
      "root-type-wrong",
      "root-type-wrong-without-initrd",
      "root-wrong-dracut"
    ]
  },
  {
    id: "no-init",
    summary: ({ init }) => `The kernel found no init program that it can start${init === null ? "" : `; it tried ${init} last`}.`,
    advice: "Install an init system in the Dockerfile (systemd-sysv on Debian and Ubuntu, openrc on Alpine), or look at init= in kernel-args.",
    patterns: NO_INIT,
    recorded: ["init-and-shell-deleted", "init-nonexistent-without-initrd", "init-deleted-without-initrd"]
  },
  {
    id: "no-init",
    summary: ({ initTrouble }) => `The initrd could not start init: ${initTrouble}.`,
    advice: "Look at what that file is in the image: a program for x86-64, or a script whose interpreter is there, and so is all that it is linked to. Install an init system in the Dockerfile (systemd-sysv on Debian and Ubuntu, openrc on Alpine), or look at init= in kernel-args.",
    // The initrd's last resort is a shell, which does not find itself on a terminal.
    patterns: [
      /Kernel panic - not syncing: Attempted to kill init/,
      /can't access tty; job control turned off/
    ],
    given: ({ initTrouble }) => initTrouble !== null,
    recorded: ["init-deleted", "init-without-interpreter", "init-of-another-machine"]
  },
  {
    id: "init-died",
    summary: ({ initEnd, missing }) => `The init program ended${initEnd === null ? "" : ` ${initEnd}`}, and the kernel cannot go on without it.` + (missing === null ? "" : ` It lacks ${missing}.`),
    advice: "Look at what /sbin/init is in the image and at its last lines above; a shared library it needs may be missing.",
    patterns: [/Kernel panic - not syncing: Attempted to kill init/],
    recorded: ["init-exits", "init-crashes", "init-lacks-library"]
  },
  {
    ...SELINUX_LOCKOUT,
    patterns: [
      /Failed to load SELinux policy/,
      /Unable to load SELinux Policy/i,
      /Kernel panic - not syncing: SELinux/
    ],
    recorded: []
  },
  {
    ...SELINUX_LOCKOUT,
    patterns: [/systemd\[1\]: .*Freezing execution/, /You are in (?:emergency|rescue) mode/],
    given: ({ isDeniedBySelinux }) => isDeniedBySelinux,
    recorded: []
  },
  {
    id: "init-crashes",
    summary: "Init, systemd, gave up and froze.",
    advice: "The line above says what it missed or where it crashed; most often a file of systemd was removed or replaced in the Dockerfile.",
    patterns: [/systemd\[1\]: .*Freezing execution/, /^\[?!{4,}.*Freezing/, /systemd\[1\]: Caught <\w+>/],
    recorded: ["systemd-without-units", "systemd-without-run"]
  },
  {
    id: "rescue",
    summary: "The system went into emergency or rescue mode, as its kernel command line asks for.",
    advice: "Leave that out of kernel-args.",
    ...EMERGENCY,
    given: ({ commandLine }) => /(?:^| )(?:systemd\.unit=(?:rescue|emergency)\.target|single|rescue|emergency|[1sS])(?: |$)/.test(
      commandLine ?? ""
    ),
    recorded: ["rescue-asked-for", "emergency-asked-for", "single-user-asked-for"]
  },
  {
    id: "emergency-mode",
    summary: (facts) => {
      const units = culprits(facts);
      const why = units.length > 0 ? ` because of ${list(units)}` : "";
      const check = facts.fsckTrouble === null ? "" : ` The check of a filesystem says "${facts.fsckTrouble}".`;
      return `The system went into emergency or rescue mode${why}.${check}`;
    },
    advice: "Something that the boot depends on failed, most often a mount in /etc/fstab that does not exist in this machine: take it out of the Dockerfile, or give it nofail there.",
    ...EMERGENCY,
    recorded: [
      "fstab-disk-missing",
      "fstab-disk-missing-root-open",
      "fstab-type-wrong",
      "local-filesystems-fail",
      "sysvinit-fsck-fails"
    ]
  },
  {
    id: "initramfs-shell",
    summary: "The initrd gave up and opened its shell.",
    advice: "The lines above say what it missed; most often the disk driver or the root filesystem. break= in kernel-args opens it too.",
    patterns: [
      /initramfs emergency recovery shell/i,
      /Dropping to a shell/i,
      /Spawning shell within the initramfs/,
      /Generating "\/run\/initramfs\/rdsosreport\.txt"/
    ],
    prompts: [/^\(initramfs\)/],
    recorded: ["break-asked-for"]
  },
  {
    id: "panic",
    summary: ({ panic, oops }) => `The kernel panicked${panic === null ? "" : `: ${panic}`}.${oops === null ? "" : ` Before that: ${oops}.`}`,
    advice: "The first lines of the panic above name the reason. Another kernel may do: kernel: generic, or its package in the Dockerfile.",
    patterns: [/Kernel panic - not syncing/, /end Kernel panic/],
    recorded: ["crash-by-sysrq", "crash-under-systemd", "panic-that-reboots"]
  },
  {
    id: "halted",
    summary: "The machine halted before it was up.",
    advice: "Something in the image halts it during boot: the last lines above name it.",
    patterns: [/reboot: System halted/],
    recorded: ["halts"]
  }
];
var LOGIN_PROMPT = /^(?!last )([\w.()-]+) login:(?: +(.*))?$|^login: *$/i;
function successOf(line, { pattern, hostname }) {
  if (pattern !== null) return pattern.test(line) ? "likely" : null;
  const match = LOGIN_PROMPT.exec(line);
  if (match === null) return null;
  const [, host = "", rest = ""] = match;
  if (hostname !== null && [hostname, hostname.split(".")[0]].includes(host)) return "certain";
  return rest.trim() === "" || rest.search(KERNEL_STAMP) === 0 || STATUS.test(rest) ? "likely" : null;
}
var STATUS = /^\[(?: +OK +|FAILED|DEPEND| +TIME +|[ *]+)\] /;
function causeOf(line, facts, isFinished) {
  const matches = (patterns = []) => patterns.some((pattern) => pattern.test(line));
  return CAUSES.find(
    ({ patterns, prompts, given }) => (isFinished && matches(patterns) || matches(prompts)) && (given === void 0 || given(facts))
  ) ?? null;
}
function causeNamed(id) {
  const cause = CAUSES.find((each) => each.id === id);
  if (cause === void 0) throw new Error(`There is no cause ${id}.`);
  return cause;
}
var say = (words, facts) => typeof words === "string" ? words : words(facts);
var reasonOf = ({ id, summary: summary2, advice: advice2 }, facts) => ({
  id,
  summary: say(summary2, facts),
  advice: say(advice2, facts)
});
var EVENTS = {
  shutdown: {
    id: "shutdown",
    summary: "The machine powered itself off before it was up.",
    advice: "Something in the image shuts it down during boot: the last lines above name it."
  },
  "reboot-loop": {
    id: "reboot-loop",
    summary: "The machine resets itself again and again.",
    advice: "A kernel or init that reboots on failure: the last lines above say why it gave up."
  },
  panic: {
    id: "panic",
    summary: "The kernel panicked, and its console does not say why.",
    advice: "The kernel logs elsewhere: leave serial-console true, and console= and quiet out of kernel-args, to see the reason."
  },
  "shutdown-later": {
    id: "shutdown",
    summary: "The machine powered itself off although it was up.",
    advice: "Something in the image shuts it down: the last lines above name it."
  },
  "reset-later": {
    id: "reset",
    summary: "The machine reset itself although it was up.",
    advice: "Something in the image reboots it, or its kernel failed: the last lines above say why."
  }
};

// src/boot-check/checks.ts
import { randomBytes as randomBytes2 } from "node:crypto";

// src/boot-check/guest-tests.ts
import { StringDecoder as StringDecoder2 } from "node:string_decoder";
var FOLDER = ".docker-to-disk";
var STARTER = `/${FOLDER}/init`;
var quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
var starter = (init) => `#!/bin/sh
/bin/sh /${FOLDER}/watch &
exec ${quote(init)} "$@"
`;
var watcher = (token) => `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
cd /
while [ ! -c /dev/ttyS1 ]; do sleep 1; done
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
stty raw -echo 2>/dev/null
last=0
while read -r word number; do
  [ "$word" = ${token} ] && [ "$number" -gt "$last" ] 2>/dev/null || continue
  last=$number
  printf '\\n%s begin %s\\n' ${token} "$number"
  "/${FOLDER}/run-$number" < /dev/null
  printf '\\n%s end %s %s\\n' ${token} "$number" "$?"
done
`;
var runnable = (content) => {
  const bytes = Buffer.from(content);
  return bytes.subarray(0, 2).toString("latin1") === "#!" ? bytes : Buffer.concat([Buffer.from("#!/bin/sh -e\n"), bytes]);
};
var hookEdits = (scripts, token, init) => [
  { kind: "folder", path: FOLDER, mode: 493, uid: 0, gid: 0 },
  { kind: "file", path: `${FOLDER}/init`, content: Buffer.from(starter(init)), mode: 493 },
  { kind: "file", path: `${FOLDER}/watch`, content: Buffer.from(watcher(token)), mode: 493 },
  ...scripts.map(({ content }, i) => ({
    kind: "file",
    path: `${FOLDER}/run-${i + 1}`,
    content: runnable(content),
    mode: 493
  }))
];
var initOf = (kernelArgs, init) => [...kernelArgs.matchAll(/(?:^| )init=(\S+)/g)].pop()?.[1] ?? init;
var persistenceScripts = (token) => ({
  write: {
    name: "check-persistence: writing",
    content: `#!/bin/sh
echo ${token} > /${FOLDER}/written && exit 0
echo 'The root filesystem is mounted like this:'
grep ' / ' /proc/mounts
exit 1
`
  },
  shutDown: {
    name: "check-persistence: shutting down",
    content: `#!/bin/sh
if [ -d /run/systemd/system ]; then systemctl poweroff && exit; fi
poweroff || openrc-shutdown --poweroff now || shutdown -h now || init 0
`
  },
  read: {
    name: "check-persistence: reading",
    content: `#!/bin/sh
[ "$(cat /${FOLDER}/written)" = ${token} ] && exit 0
echo 'What the first boot wrote is not there.'
exit 1
`
  }
});
var FAILED_UNIT = "failed unit: ";
var failedUnitsScript = (isAwaited) => ({
  name: "fail-on-failed-units",
  content: `#!/bin/sh
${isAwaited ? `[ -d /run/systemd/system ] || { echo 'systemd does not run here: there are no units.'; exit 0; }
systemctl is-system-running --wait > /dev/null` : "[ -d /run/systemd/system ] || exit 0"}
failed=$(systemctl list-units --failed --plain --no-legend --no-pager --full) || exit
echo "$failed" | while read -r unit rest; do
  [ -n "$unit" ] || continue
  echo "${FAILED_UNIT}$unit"
  journalctl --unit "$unit" --boot --no-pager --output cat --lines 3 2>/dev/null
done
`
});
var readFailedUnits = (output) => output.split("\n").filter((line) => line.startsWith(FAILED_UNIT)).map((line) => line.slice(FAILED_UNIT.length));
var LONGEST_LINE = 1 << 14;
var GuestReader = class {
  constructor(token) {
    this.token = token;
  }
  token;
  #decoder = new StringDecoder2("utf8");
  #pending = "";
  #running = null;
  #blank = 0;
  write(chunk2) {
    const lines = (this.#pending + this.#decoder.write(chunk2)).split("\n");
    this.#pending = (lines.pop() ?? "").slice(-LONGEST_LINE);
    return lines.flatMap((line) => this.#read(stripTerminal(line)));
  }
  #read(line) {
    const [word, what, digits, code] = line.split(" ");
    const number = Number(digits);
    if (word === this.token && what === "begin") {
      this.#running = number;
      this.#blank = 0;
      return [{ kind: "begin", number }];
    }
    if (this.#running === null) return [];
    if (word === this.token && what === "end" && number === this.#running) {
      this.#running = null;
      return [...this.#blanks(this.#blank - 1), { kind: "end", number, exitCode: Number(code) }];
    }
    if (line === "") {
      this.#blank++;
      return [];
    }
    const before = this.#blanks(this.#blank);
    this.#blank = 0;
    return [...before, { kind: "line", text: line }];
  }
  #blanks(count) {
    return Array.from({ length: Math.max(count, 0) }, () => ({ kind: "line", text: "" }));
  }
};

// src/boot-check/checks.ts
function planScripts(boot) {
  if (!needsCopy(boot)) return null;
  const token = `docker-to-disk-${randomBytes2(8).toString("hex")}`;
  const persistence = persistenceScripts(token);
  const failedUnits = failedUnitsScript(boot.failOnFailedUnits);
  const all = [...boot.scripts, failedUnits, ...boot.checkPersistence ? Object.values(persistence) : []];
  return { token, all, failedUnits, persistence };
}
var LEAST_FOR_EXPECTATIONS = 15e3;
var STEADY = 2e3;
async function checkSteadiness({ up }, since) {
  let timer;
  const steady = new Promise((resolve2) => {
    timer = setTimeout(() => resolve2(null), since + STEADY - performance.now());
  });
  const end = await Promise.race([steady, up.downfall]);
  clearTimeout(timer);
  if (end instanceof Error) throw end;
  if (end === null) return;
  up.note("stays up", STEADY / 1e3, end.summary);
  throw up.failure(end);
}
function checkBudget({ up, boot }) {
  const { maxSeconds } = boot;
  if (maxSeconds === null) return;
  const reason = up.seconds > maxSeconds ? overBudget(up.seconds, maxSeconds) : null;
  up.note("max-boot-seconds", up.seconds, reason?.summary ?? null);
  if (reason !== null) throw up.failure(reason);
}
async function checkExpectations({ up, boot, pace }) {
  const { expectations } = boot;
  if (expectations.length === 0) return [];
  const left = Math.max((pace.timeout - up.seconds) * 1e3, LEAST_FOR_EXPECTATIONS);
  info(`The machine is up. Waiting for ${expectations.map(nameOf).join(", ")}`);
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), left);
  const forwards = async () => {
    const usernet = await up.monitor.execute("human-monitor-command", { "command-line": "info usernet" }).catch(() => "");
    return readForwards(`${usernet}`);
  };
  try {
    const outcome = await Promise.race([meetExpectations(expectations, forwards, giveUp.signal), up.downfall]);
    if (outcome instanceof Error) throw outcome;
    if (!("met" in outcome)) {
      for (const expected of expectations) up.note(nameOf(expected), 0, outcome.summary);
      throw up.failure(outcome);
    }
    const { met, unmet } = outcome;
    for (const { name, seconds } of met) {
      info(`${name}: holds after ${formatSeconds(seconds)}`);
      up.note(name, seconds, null);
    }
    for (const { name, answer } of unmet) up.note(name, left / 1e3, answer);
    if (unmet.length > 0) throw up.failure(unmetCause(unmet, left / 1e3));
    return met;
  } finally {
    clearTimeout(timer);
    giveUp.abort();
  }
}
async function runScripts(examination) {
  const { up, boot, pace } = examination;
  const ended = [];
  for (const script of boot.scripts) {
    const { name } = script;
    if (ended.at(-1)?.exitCode === null) break;
    info(`Running ${inert(name)} in the machine`);
    const result = await runInGuest(examination, name, script, boot.testTimeout * pace.stretch);
    const failure = failureOf(result, "It", "test-timeout");
    up.note(name, result.seconds, failure, result.output);
    info(
      `${inert(name)}: ${failure === null ? "passed" : "failed"} after ${formatSeconds(result.seconds)}`
    );
    ended.push({ ...result, name });
  }
  const failed = ended.filter(({ exitCode }) => exitCode !== 0);
  const [first] = failed;
  if (first === void 0) return ended.map(({ name, seconds }) => ({ name, seconds }));
  throw up.failure(
    {
      id: "test-script",
      summary: failed.map((result) => failureOf(result, inert(result.name), "test-timeout")).join(" "),
      advice: 'All that it printed is in the log, behind "test \u2502".'
    },
    { what: `The output of ${inert(first.name)}`, lines: first.lastLines }
  );
}
function failureOf({ exitCode, began, limit }, what, input = null) {
  if (exitCode === 0) return null;
  if (exitCode !== null) return `${what} failed with exit code ${exitCode}.`;
  return began ? `${what} did not end within ${input === null ? `${limit} seconds` : `${input} (${limit} seconds)`}.` : `${what} could not be started within ${limit} seconds: the machine has no second serial port, /dev/ttyS1, or ended what was started before its init.`;
}
async function runInGuest({ up, scripts }, name, script, seconds) {
  if (up.guest === null || scripts === null) throw new Error("The machine has no scripts.");
  const outcome = await Promise.race([up.guest.run(scripts.all.indexOf(script) + 1, seconds), up.downfall]);
  if (outcome instanceof Error) throw outcome;
  if ("seconds" in outcome) return outcome;
  up.note(name, 0, outcome.summary);
  throw up.failure({ ...outcome, summary: `While ${inert(name)} ran: ${outcome.summary}` });
}
var FAILED_UNITS = "fail-on-failed-units";
var STEP_LIMIT = 120;
async function checkFailedUnits(examination) {
  const { up, boot, pace, scripts } = examination;
  if (scripts === null) return { checks: [], failedUnits: [] };
  if (boot.failOnFailedUnits) info("The machine is up. Waiting until systemd has started everything");
  const limit = STEP_LIMIT * pace.stretch;
  const result = await runInGuest(examination, FAILED_UNITS, scripts.failedUnits, limit);
  const failedUnits = readFailedUnits(result.output);
  if (!boot.failOnFailedUnits) return { checks: [], failedUnits };
  const failed = failedUnits.length > 0 ? `${failedUnits.join(", ")} failed.` : null;
  const summary2 = failureOf(result, "Asking systemd for its units") ?? failed;
  up.note(FAILED_UNITS, result.seconds, summary2, result.output);
  if (summary2 === null) return { checks: [{ name: FAILED_UNITS, seconds: result.seconds }], failedUnits: [] };
  throw up.failure(
    {
      id: "failed-units",
      summary: `${FAILED_UNITS}: ${inert(summary2)}`,
      advice: "What the units themselves say is below. Mend them in the Dockerfile, or disable there what the machine does not need: systemctl disable, or mask."
    },
    { what: "What the machine said", lines: result.lastLines }
  );
}
var PERSISTENCE = "check-persistence";
var persistenceFailure = (up, summary2, advice2, lines = []) => {
  up.note(PERSISTENCE, 0, summary2, lines.join("\n"));
  const reason = { id: "persistence", summary: `${PERSISTENCE}: ${summary2}`, advice: advice2 };
  return lines.length > 0 ? up.failure(reason, { what: "What the machine said", lines }) : up.failure(reason);
};
async function writeAndShutDown(examination) {
  const { up, pace, scripts } = examination;
  if (scripts === null) throw new Error("The machine has no scripts.");
  const { write, shutDown } = scripts.persistence;
  const limit = STEP_LIMIT * pace.stretch;
  const written = await runInGuest(examination, PERSISTENCE, write, limit);
  if (written.exitCode !== 0) {
    const summary2 = failureOf(written, "Writing a file to the root filesystem") ?? "";
    throw persistenceFailure(
      up,
      summary2,
      "The root filesystem has to be writable once the system is up: look at ro in kernel-args, at /etc/fstab, and at what remounts it.",
      written.lastLines
    );
  }
  info("A file was written; the machine is shut down now.");
  const down = up.expectShutdown().then(() => true);
  let timer;
  const late = new Promise((resolve2) => {
    timer = setTimeout(() => resolve2(false), limit * 1e3);
  });
  const asked = runInGuest(examination, PERSISTENCE, shutDown, limit);
  const hasFailed = ({ exitCode }) => exitCode !== null && exitCode > 0 && exitCode < 128;
  const refused = asked.then((said) => hasFailed(said) ? said : new Promise(() => {
  }));
  const outcome = await Promise.race([down, late, refused]);
  clearTimeout(timer);
  if (outcome === true) return;
  throw persistenceFailure(
    up,
    outcome === false ? `The machine did not power itself off within ${limit} seconds.` : failureOf(outcome, "The command poweroff") ?? "",
    "The command poweroff has to work in the image, and every service has to end when it is told to.",
    outcome === false ? [] : outcome.lastLines
  );
}
async function readAgain(examination, unclean) {
  const { up, pace, scripts } = examination;
  if (scripts === null) throw new Error("The machine has no scripts.");
  const read = await runInGuest(examination, PERSISTENCE, scripts.persistence.read, STEP_LIMIT * pace.stretch);
  if (read.exitCode !== 0) {
    throw persistenceFailure(
      up,
      "The second boot does not see what the first wrote.",
      "Something takes the place of the root filesystem, such as an overlay in memory, or undoes what was written.",
      read.lastLines
    );
  }
  if (unclean !== null) {
    throw persistenceFailure(
      up,
      `The root filesystem was not shut down cleanly: ${unclean}.`,
      "Something keeps it from being unmounted, or mounted read-only, at the end: under BusyBox init a line such as ::shutdown:/bin/umount -a -r in /etc/inittab does that."
    );
  }
  info(`${PERSISTENCE}: the second boot sees what the first wrote`);
  up.note(PERSISTENCE, read.seconds, null);
  return { name: PERSISTENCE, seconds: read.seconds };
}
var overBudget = (seconds, most) => ({
  id: "over-budget",
  summary: `The boot took ${(seconds - most).toFixed(1)} seconds more than max-boot-seconds (${most}) allows.`,
  advice: "Look at the times in the console for what holds it up; under systemd, systemd-analyze blame tells. Under TCG a machine takes several times as long as under KVM."
});
var unmetCause = (unmet, seconds) => ({
  id: "expectation",
  summary: `${unmet.map(({ name, answer }) => `${name}: ${answer}`).join("; ")}, ${Math.round(seconds)} seconds after the machine was up.`,
  advice: "Look whether the service is enabled and what it says. It has to listen on all addresses, not on 127.0.0.1 alone, and the machine needs the address that it is offered by DHCP, 10.0.2.15. If it is only slow, raise boot-timeout."
});

// src/boot-check/failure.ts
var BootFailure = class extends ActionError {
  constructor(reason, progress, { what, lines }, lead) {
    const { seconds, accelerator } = progress;
    super(
      [
        `${lead}: ${inert(reason.summary)} (after ${formatSeconds(seconds)}, ${accelerator.toUpperCase()})`,
        reason.advice,
        ...lines.length > 0 ? [`${what} ends with:`, ...lines.map((line) => `  ${inert(line)}`)] : [`${what} is empty.`]
      ].join("\n"),
      "Boot check failed"
    );
    this.reason = reason;
    this.progress = progress;
  }
  reason;
  progress;
};

// src/boot-check/kvm.ts
import { closeSync as closeSync2, openSync as openSync2 } from "node:fs";
var KvmFailure = class extends Error {
};
var noKvm = (reason) => new ActionError(
  `Input accelerator is "kvm", but KVM does not work here: ${reason}. Set accelerator to auto or tcg.`,
  "No KVM"
);
async function makeKvmUsable(host, undo) {
  const device = "/dev/kvm";
  const open2 = () => {
    try {
      closeSync2(openSync2(device, "r+"));
      return null;
    } catch (error2) {
      return error2.code ?? "unknown error";
    }
  };
  const code = open2();
  if (code === null) return null;
  if (code === "ENOENT") return `${device} is absent`;
  if (code !== "EACCES") return `${device} cannot be opened: ${code}`;
  if (host.which("udevadm") !== null)
    await host.run(["udevadm", "settle", "--timeout=15"], { allowFailure: true, timeout: 2e4 });
  const present = await host.runAsRoot(["stat", "--format", "%a", device], { allowFailure: true });
  const mode = present.stdout.trim() || "660";
  if (!/[67]$/.test(mode)) undo.register({ kind: "mode", path: device, mode });
  await host.runAsRoot(["chmod", "o+rw", device], { allowFailure: true });
  const after = open2();
  return after === null ? null : `${device} cannot be opened: ${after}`;
}

// src/boot-check/session.ts
import { closeSync as closeSync3, openSync as openSync3, rmSync as rmSync2 } from "node:fs";
import { join as join3 } from "node:path";

// src/boot-check/console-log.ts
import { once } from "node:events";
import { createWriteStream } from "node:fs";
var FILE_LIMIT = 64 * MIB;
var LOG_LIMIT = 4 * MIB;
var ConsoleLog = class {
  /** @param path of the file, which is added to */
  constructor(path, limits = { file: FILE_LIMIT, log: LOG_LIMIT }, print = info) {
    this.limits = limits;
    this.print = print;
    this.#file = createWriteStream(path, { flags: "a" });
  }
  limits;
  print;
  #file;
  #bytes = 0;
  #characters = 0;
  onError(listener) {
    this.#file.on("error", listener);
  }
  write(chunk2) {
    const room = this.limits.file - this.#bytes;
    this.#bytes += chunk2.length;
    if (room > 0) this.#file.write(chunk2.subarray(0, room));
    if (room > 0 && chunk2.length >= room)
      this.#file.write(`
[docker-to-disk: the rest, after ${formatBytes(this.limits.file)}, was not kept]
`);
  }
  line(text) {
    const isOver = this.#characters >= this.limits.log;
    this.#characters += text.length + 1;
    if (isOver) return;
    this.print(`guest \u2502 ${inert(text)}`);
    if (this.#characters >= this.limits.log)
      this.print(`The console says more than ${formatBytes(this.limits.log)}: the rest is in its own file.`);
  }
  async close() {
    this.#file.end();
    await once(this.#file, "close").catch(() => {
    });
  }
};

// src/boot-check/guest.ts
import { createConnection as createConnection2 } from "node:net";
var RETRY = 50;
var ASK_AGAIN = 1e3;
var BEGIN_LIMIT = 90;
var KEPT_OUTPUT = 1 << 16;
var QUOTED = 16;
var Guest = class {
  /** @param path of the socket that QEMU makes */
  constructor(path, token) {
    this.path = path;
    this.token = token;
    this.#reader = new GuestReader(token);
    this.#connect();
  }
  path;
  token;
  #socket = null;
  #closed = false;
  #reader;
  #onData = () => {
  };
  /**
   * Runs a script and shows what it prints.
   * @param limit seconds that it may take
   */
  run(number, limit) {
    const asked = performance.now();
    let begin = null;
    let output = "";
    const lastLines = [];
    return new Promise((resolve2) => {
      const finish = (exitCode) => {
        clearInterval(asking);
        this.#onData = () => {
        };
        resolve2({
          exitCode,
          began: begin !== null,
          seconds: begin === null ? 0 : (performance.now() - begin) / 1e3,
          limit: begin === null ? BEGIN_LIMIT : limit,
          output,
          lastLines
        });
      };
      const ask2 = () => {
        const [from, most] = begin === null ? [asked, BEGIN_LIMIT] : [begin, limit];
        if (this.#closed || performance.now() - from > most * 1e3) finish(null);
        else if (begin === null) this.#socket?.write(`${this.token} ${number}
`);
      };
      const asking = setInterval(ask2, ASK_AGAIN);
      this.#onData = (chunk2) => {
        for (const event of this.#reader.write(chunk2)) {
          if (event.kind === "begin" && event.number === number) begin = performance.now();
          else if (event.kind === "end" && event.number === number) finish(event.exitCode);
          else if (event.kind === "line") {
            info(`test \u2502 ${inert(event.text)}`);
            output = `${output}${event.text}
`.slice(-KEPT_OUTPUT);
            lastLines.push(event.text);
            if (lastLines.length > QUOTED) lastLines.shift();
          }
        }
      };
      ask2();
    });
  }
  close() {
    this.#closed = true;
    this.#socket?.destroy();
  }
  #connect() {
    if (this.#closed) return;
    const socket2 = createConnection2(this.path);
    socket2.on("connect", () => {
      this.#socket = socket2;
    });
    socket2.on("error", () => setTimeout(() => this.#connect(), RETRY).unref());
    socket2.on("data", (chunk2) => this.#onData(chunk2));
  }
};

// src/boot-check/machine.ts
function qemuArgv(machine) {
  const disk = {
    driver: "qcow2",
    "node-name": "disk",
    // The overlay is thrown away: what the guest flushes need not reach the host's disk.
    cache: { "no-flush": true },
    file: { driver: "file", filename: machine.overlay }
  };
  return [
    ...["qemu-system-x86_64", "-name", machine.name, "-nodefaults", "-no-user-config", "-display", "none"],
    // With this SeaBIOS speaks on the serial port too, so that "No bootable device" is seen; the display comes below.
    ...["-machine", "q35,graphics=off", "-accel", machine.accelerator === "tcg" ? "tcg,thread=multi" : "kvm"],
    // All that a machine of today has: recent distributions are built for x86-64-v2 and v3.
    ...["-cpu", machine.accelerator === "tcg" ? "max,la57=off" : "host"],
    ...["-m", `${machine.memoryMiB}M`, "-smp", `${machine.cpus}`],
    ...[
      "-blockdev",
      JSON.stringify(disk),
      ...DISKS[machine.devices.diskBus].flatMap((device) => ["-device", device])
    ],
    ...[
      "-netdev",
      network(machine.forwards),
      "-device",
      `${CARDS[machine.devices.networkCard]},netdev=net,romfile=`
    ],
    ...["-device", "virtio-rng-pci", "-serial", "stdio"],
    ...machine.guest === null ? [] : ["-chardev", socket("guest", machine.guest), "-serial", "chardev:guest"],
    ...["-chardev", socket("monitor", machine.monitor), "-mon", "chardev=monitor,mode=control"],
    // A display for the screenshot. It comes last so that the other devices are where they would be without it.
    ...["-device", "VGA"],
    // Where the kernel has the driver, QEMU is told of a panic even if the console is silent, and stops the machine.
    ...["-device", "pvpanic"],
    // A machine that powers itself off stays, so that its display is still there.
    ...["-no-shutdown", "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
  ];
}
var DISKS = {
  virtio: ["virtio-blk-pci,drive=disk,bootindex=1"],
  sata: ["ide-hd,bus=ide.0,drive=disk,bootindex=1"],
  nvme: ["nvme,serial=docker-to-disk,drive=disk,bootindex=1"],
  scsi: ["virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0,drive=disk,bootindex=1"]
};
var CARDS = {
  virtio: "virtio-net-pci",
  e1000: "e1000",
  e1000e: "e1000e",
  vmxnet3: "vmxnet3"
};
var network = (forwards) => ["user,id=net,restrict=on", ...forwards.map((port) => `hostfwd=tcp:127.0.0.1:0-:${port}`)].join(",");
var socket = (id, path) => `socket,id=${id},path=${path.replaceAll(",", ",,")},server=on,wait=off`;
var KVM_FAILURE = /KVM internal error|failed to initialize kvm|Could not access KVM|kvm.*(?:not supported|failed)|invalid accelerator kvm/i;

// src/boot-check/monitor.ts
import { createConnection as createConnection3 } from "node:net";
import { createInterface } from "node:readline";
var RETRY2 = 50;
var PATIENCE2 = 1e4;
var Monitor = class {
  /** @param path of the socket that QEMU makes */
  constructor(path) {
    this.path = path;
    this.#connect();
  }
  path;
  #socket = null;
  /** Called with every event of QMP as it comes, such as `RESET`, and its data. */
  onEvent = () => {
  };
  #closed = false;
  #finished = () => {
  };
  #ended = new Promise((resolve2) => {
    this.#finished = resolve2;
  });
  #connected = () => {
  };
  #ready = new Promise((resolve2) => {
    this.#connected = resolve2;
  });
  #pending = /* @__PURE__ */ new Map();
  #lastId = 0;
  /**
   * Has QEMU carry out a command.
   * @returns what the command returns
   * @throws Error with QEMU's words if it refuses, or if it does not answer
   */
  async execute(command, args = {}) {
    const id = ++this.#lastId;
    const answered = this.#ready.then(
      () => new Promise((resolve2) => {
        this.#pending.set(id, resolve2);
        this.#socket?.write(`${JSON.stringify({ execute: command, arguments: args, id })}
`);
      })
    );
    let timer;
    const late = new Promise((resolve2) => {
      timer = setTimeout(() => resolve2({ error: { desc: "QEMU does not answer" } }), PATIENCE2);
    });
    const ended = this.#ended.then(() => ({ error: { desc: "QEMU has ended" } }));
    const message = await Promise.race([answered, late, ended]);
    clearTimeout(timer);
    this.#pending.delete(id);
    if (message.error) throw new Error(`${command}: ${message.error.desc ?? "QEMU refuses"}`);
    return message.return;
  }
  /** Ends the talk; commands under way and later ones fail. */
  close() {
    this.#closed = true;
    this.#finished();
    this.#socket?.destroy();
  }
  #connect() {
    if (this.#closed) return;
    const socket2 = createConnection3(this.path);
    this.#socket = socket2;
    socket2.on("connect", () => {
      socket2.write('{"execute":"qmp_capabilities"}\n');
      this.#connected();
      this.execute("query-status").then(
        (answer) => {
          if (answer.status === "shutdown")
            this.onEvent("SHUTDOWN", { guest: true, reason: "guest-shutdown" });
        },
        () => {
        }
      );
    });
    socket2.on("error", () => setTimeout(() => this.#connect(), RETRY2).unref());
    socket2.on("close", (hadError) => {
      if (!hadError) this.#finished();
    });
    const lines = createInterface({ input: socket2 });
    lines.on("error", () => {
    });
    lines.on("line", (line) => this.#hear(line));
  }
  #hear(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    if (message.event !== void 0) this.onEvent(message.event, message.data ?? {});
    if (message.id !== void 0) this.#pending.get(message.id)?.(message);
  }
};

// src/boot-check/screenshot.ts
import { readFileSync as readFileSync2, rmSync, writeFileSync } from "node:fs";
import { basename as basename3 } from "node:path";
import { crc32, deflateSync } from "node:zlib";
var PNG_SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
function pngOf(ppm) {
  const [header = "", columns, lines] = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(ppm.toString("latin1", 0, 64)) ?? [];
  const [width, height] = [Number(columns), Number(lines)];
  const pixels = ppm.subarray(header.length);
  if (header === "" || width * height === 0 || pixels.length < width * height * 3)
    throw new Error("QEMU wrote no picture");
  const rows = Array.from({ length: height }, (_, y) => [
    Buffer.from([0]),
    // no filter
    pixels.subarray(y * width * 3, (y + 1) * width * 3)
  ]);
  const size = Buffer.alloc(13);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  size.set([8, 2], 8);
  return Buffer.concat([
    PNG_SIGNATURE,
    chunk("IHDR", size),
    chunk("IDAT", deflateSync(Buffer.concat(rows.flat()))),
    chunk("IEND", Buffer.alloc(0))
  ]);
}
function chunk(type, data) {
  const content = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, check]);
}
async function takeScreenshot(monitor, path) {
  const ppm = `${path}.ppm`;
  try {
    await monitor.execute("screendump", { filename: basename3(ppm) });
    writeFileSync(path, pngOf(readFileSync2(ppm)));
  } catch (error2) {
    info(`No screenshot of the machine: ${inert(messageOf(error2))}`);
  } finally {
    rmSync(ppm, { force: true });
  }
}

// src/boot-check/facts.ts
var NO_FACTS = {
  isLoaderConfigured: false,
  loading: null,
  awaitedRoot: null,
  commandLine: null,
  root: null,
  unmounted: null,
  filesystemTrouble: null,
  disks: [],
  init: null,
  initTrouble: null,
  initEnd: null,
  oops: null,
  panic: null,
  initrdTrouble: null,
  isShortOfMemory: false,
  failedUnits: [],
  fsckTrouble: null,
  gettyTrouble: null,
  waitingFor: null,
  isDeniedBySelinux: false,
  isUp: false,
  missing: null
};
var SIGNALS = {
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  9: "SIGKILL",
  11: "SIGSEGV"
};
function describeEnd(hex) {
  const status = Number.parseInt(hex, 16);
  const signal = status & 127;
  return signal === 0 ? `with exit code ${status >> 8 & 255}` : `by ${SIGNALS[signal] ?? `signal ${signal}`}`;
}
var withDisks = (facts, ...names) => ({
  disks: [.../* @__PURE__ */ new Set([...facts.disks, ...names])]
});
var withUnit = ({ failedUnits }, name, how) => failedUnits.some((unit2) => unit2.name === name) ? {} : { failedUnits: [...failedUnits, { name, how }] };
var unitIn = (words) => /^(\S+\.(?:service|mount|device|target|swap|socket|timer|path))(?: - .*)?\.?$/.exec(words)?.[1] ?? // A long name loses its middle, and with it half of what colours it.
words.replace(/^[\d;]*(?=…)|\.+$|…$/g, "");
var partitionsOf = (disk, names) => names.split(" ").filter((name) => name !== "").map((name) => name.startsWith("p") ? disk + name : name);
var withNameOfLast = (facts, name) => {
  const last = facts.failedUnits.at(-1);
  const others = { ...facts, failedUnits: facts.failedUnits.slice(0, -1) };
  return last === void 0 ? {} : { failedUnits: others.failedUnits, ...withUnit(others, name, last.how) };
};
var SIGNS = [
  [/^SYSLINUX \S+ \d{8} Copyright/, () => ({ isLoaderConfigured: true })],
  // On the display and the serial port that the firmware shows it on too, it stands twice.
  [/^Loading (\S+?)\.{2,}(?=Loading |\s|failed|ok|$)/, (_, loading = "") => ({ loading })],
  [/Waiting for root device (\S+?)\.\.\./, (_, awaitedRoot = "") => ({ awaitedRoot, root: awaitedRoot })],
  [
    /Command line: (.*)/,
    ({ root }, commandLine = "") => ({
      commandLine,
      root: /(?:^| )root=(\S+)/.exec(commandLine)?.[1] ?? root
    })
  ],
  [/ALERT! {2}(\S+) does not exist/, (_, root = "") => ({ root })],
  [/ \[([a-z]+\w*)\] [\d,]+ \d+-byte logical blocks/, (facts, disk = "") => withDisks(facts, disk)],
  [
    /\] {1,3}([svx]d[a-z]+|nvme\d+n\d+|mmcblk\d+):((?: p?\w+)*)$/,
    (facts, disk = "", names = "") => withDisks(facts, disk, ...partitionsOf(disk, names))
  ],
  [
    /(?:Failed to mount |mount: mounting )(\/dev\/\S+) (?:as root|on \/root|on \/sysroot)/,
    (_, unmounted = "") => ({ unmounted })
  ],
  [
    /\] ((?:EXT[234]-fs|XFS|BTRFS|SQUASHFS)(?: error| \()(?!.*(?:mounted filesystem|re-mounted|Mounting|Ending clean|using )).*)/,
    (_, filesystemTrouble = "") => ({ filesystemTrouble })
  ],
  // What a kernel lists that cannot mount its root.
  [/\] [\da-f]{4} +\d+ ([a-z]+\w*)/, (facts, disk = "") => withDisks(facts, disk)],
  [/\bRun (?!\/init )(\S+) as init process/, (_, init = "") => ({ init })],
  [
    /run-init: ((\S+): .+)/,
    ({ initTrouble }, words = "", init = "") => ({ initTrouble: initTrouble ?? words, init })
  ],
  [/Failed to execute (\S+) \(error/, (_, init = "") => ({ init })],
  [/Attempted to kill init! exitcode=0x([\da-f]+)/, (_, status = "") => ({ initEnd: describeEnd(status) })],
  [/Kernel panic - not syncing: (.*)/, ({ panic }, words = "") => ({ panic: panic ?? words })],
  [
    /((?:BUG: |Oops: |Oops - |general protection fault|Unable to handle kernel |kernel BUG at ).*)/,
    ({ oops }, words = "") => ({ oops: oops ?? words })
  ],
  [
    /(Initramfs unpacking failed.*|Failed to decompress.*initr.*|XZ-compressed data is corrupt|Decoding failed)$/,
    ({ initrdTrouble }, words = "") => ({ initrdTrouble: initrdTrouble ?? words })
  ],
  [
    /Out of memory: |invoked oom-killer|Initramfs unpacking failed: write error/,
    () => ({ isShortOfMemory: true })
  ],
  [/^\[FAILED\] Failed to \w+ (.*)/, (facts, words = "") => withUnit(facts, unitIn(words), "failed")],
  [
    /^\[ *TIME *\] Timed out (?:waiting for device|starting|stopping) (.*)/,
    (facts, words = "") => withUnit(facts, unitIn(words), "timed out")
  ],
  [
    /^\[DEPEND\] Dependency failed for (.*)/,
    (facts, words = "") => withUnit(facts, unitIn(words), "needs another")
  ],
  [/^See 'systemctl status ([^']+)' for details/, withNameOfLast],
  [
    /(A (?:start|stop) job is running for .+?|Job \S+\/(?:start|stop) running)(?: *\((?:\d|no limit).*)?$/,
    (_, waitingFor = "") => ({ waitingFor })
  ],
  [/\b(fsck(?:\.\w+)?: .+)$/, (_, fsckTrouble = "") => ({ fsckTrouble })],
  [
    /(can't run '\S*getty\S*'.*|Id "\S+" respawning too fast.*)$/,
    (_, gettyTrouble = "") => ({ gettyTrouble })
  ],
  [/avc: +denied/, () => ({ isDeniedBySelinux: true })],
  [
    /Reached target .*(?:multi-user\.target|Multi-User System|Graphical Interface)|systemd\[1\]: Startup finished in/,
    () => ({ isUp: true })
  ],
  [
    /(?:error while loading shared libraries: |Error loading shared library )([^:]+)/,
    (_, missing = "") => ({ missing })
  ]
];
function readFacts(facts, line) {
  let known = facts;
  for (const [sign, news] of SIGNS) {
    const match = sign.exec(line);
    if (match !== null) known = { ...known, ...news(known, ...match.slice(1)) };
  }
  return known;
}

// src/boot-check/phases.ts
var PHASES = ["firmware", "loader", "kernel", "initrd", "init", "login"];
var SIGNS2 = {
  loader: [/^Booting from (?:Hard Disk|0000:7c00)/, /\b(?:SYS|EXT|ISO)LINUX \d/, /^Loading \S+\.\.\./],
  kernel: [KERNEL_STAMP, /^Decompressing Linux/, /^(?:early|Early) console in/],
  initrd: [
    /\bRun \/init as init process/,
    // initramfs-tools, dracut, mkinitfs, mkinitcpio
    /^Loading, please wait/,
    /^Begin: (?:Loading essential drivers|Running \/scripts\/init-(?:top|premount))/,
    /Running in initrd|in initial RAM disk|\(Initramfs\)!$/i,
    /\bAlpine Init \d/,
    /^:: running (?:early )?hook/
  ],
  init: [
    /\bRun (?!\/init )\S+ as init process/,
    /^Begin: Running \/scripts\/init-bottom/,
    /Switching root/,
    /^Welcome to (?!.*\(Initramfs\)!$).+!$/,
    /\bINIT: version \S+ booting/,
    /\bOpenRC \S+ is starting up/,
    /\binit started: BusyBox/,
    /- runit: .*booting/
  ],
  login: [
    /Reached target .*(?:getty\.target|Login Prompts|Multi-User System)/,
    /\bINIT: Entering runlevel/,
    /- runit: enter stage: .*2$/,
    // The end of what getty prints before it asks.
    / ttyS\d+$/
  ]
};
var milliseconds = (seconds) => Math.round(seconds * 1e3) / 1e3;
var PhaseClock = class {
  #starts;
  /** When the kernel's clock began, as far as its messages tell: they come late, never early. */
  #kernelStart = Number.POSITIVE_INFINITY;
  /** @param start seconds from power-on to where the firmware began: not 0 after a reset */
  constructor(start2 = 0) {
    this.#starts = /* @__PURE__ */ new Map([["firmware", start2]]);
  }
  /** The phase that the boot is in. */
  get current() {
    return [...this.#starts.keys()].at(-1) ?? "firmware";
  }
  /** @param at seconds since power-on */
  hear(line, at) {
    const stamp = KERNEL_STAMP.exec(line);
    if (stamp !== null) this.#kernelStart = Math.min(this.#kernelStart, at - Number(stamp[1]));
    for (const name of PHASES.slice(PHASES.indexOf(this.current) + 1)) {
      if (name !== "firmware" && SIGNS2[name].some((sign) => sign.test(line))) this.#starts.set(name, at);
    }
  }
  /**
   * What was seen so far. A phase that said nothing is missing, and the one before it has its time.
   * @param end seconds since power-on
   */
  phases(end) {
    const starts = [...this.#starts].map(([name, seen]) => ({
      name,
      // With console=ttyS0 the kernel is silent until it knows the port, and then tells all at once.
      start: name === "kernel" ? Math.min(seen, this.#kernelStart) : seen
    }));
    let earliest = 0;
    for (const phase of starts) earliest = phase.start = Math.max(phase.start, earliest);
    return starts.map(({ name, start: start2 }, i) => ({
      name,
      start: milliseconds(start2),
      seconds: milliseconds(Math.max(0, (starts[i + 1]?.start ?? end) - start2))
    }));
  }
};

// src/boot-check/timeouts.ts
function timeoutReason(unfinished) {
  const { sign, within: within2, phase, facts, lastLine } = unfinished;
  const summary2 = `No ${sign} appeared on the serial console within ${within2}`;
  switch (phase) {
    case "firmware":
      return silent(unfinished);
    case "loader":
      return facts.loading === null && !facts.isLoaderConfigured ? {
        ...reasonOf(causeNamed("loader-broken"), facts),
        summary: `The boot loader started, and loaded nothing within ${within2}.`
      } : silent(unfinished);
    case "kernel":
    case "initrd": {
      if (facts.awaitedRoot !== null) return reasonOf(causeNamed("no-root"), facts);
      if (facts.initrdTrouble !== null) return reasonOf(causeNamed("initrd-corrupt"), facts);
      const trouble = facts.oops === null ? "" : ` The kernel is in trouble: ${facts.oops}.`;
      return {
        id: "timeout",
        summary: `${summary2}; the ${phase === "kernel" ? "kernel was still starting" : "initrd was still running"}.${trouble}`,
        advice: `${LATE} Otherwise the last lines above name what it waits for, most often a disk that the machine does not have.`
      };
    }
    case "init":
    case "login": {
      if (facts.isUp) return noPrompt(`${summary2}, although the system is up.`, facts);
      if (facts.isDeniedBySelinux) return noPrompt(`${summary2}.`, facts);
      if (facts.gettyTrouble !== null)
        return noPrompt(`${summary2}: init says "${facts.gettyTrouble}".`, facts);
      if (facts.waitingFor !== null) {
        return {
          id: "timeout",
          summary: `${summary2}: systemd says "${facts.waitingFor}".`,
          advice: `${LATE} Otherwise that unit waits for what never comes: give it a limit (TimeoutStartSec=, x-systemd.device-timeout=) or take it out of the Dockerfile.`
        };
      }
      const words = lastLine === null ? "" : ` The last line is "${lastLine.trim().slice(0, 200)}".`;
      return {
        id: "timeout",
        summary: `${summary2}; init was running.${words}`,
        advice: `${LATE} If it was up, it has no getty on ttyS0: enable one, or set boot-success-pattern to a line that it prints.`
      };
    }
  }
}
var LATE = "If the system was still starting, raise boot-timeout.";
var silent = ({ lastLine, within: within2 }) => ({
  id: "silent-console",
  summary: `Nothing ${lastLine === null ? "" : "of the kernel "}appeared on the serial console within ${within2}.`,
  advice: "The kernel may log elsewhere: leave serial-console true and console= out of kernel-args. A kernel that stops before it can speak may lack a feature of the processor or memory: raise memory."
});
var gettyMissing = (sign, facts) => noPrompt(`The system is up, but no ${sign} appears on the serial console.`, facts);
function noPrompt(summary2, facts) {
  if (facts.isDeniedBySelinux) {
    const { id, advice: advice2 } = reasonOf(causeNamed("selinux-lockout"), facts);
    return { id, summary: `${summary2} SELinux refuses what its programs ask for.`, advice: advice2 };
  }
  return {
    id: "getty-missing",
    summary: summary2,
    advice: "It has no getty on ttyS0: enable one in the Dockerfile (under systemd: systemctl enable serial-getty@ttyS0.service), or set boot-success-pattern to a line that it prints."
  };
}

// src/boot-check/verdict.ts
var AFTERMATH = 0.4;
var STANDING = { silent: 0.3, growing: 0.9 };
var RESETS = 2;
var RESET_ECHO = 2;
var GETTY_GRACE = 30;
var QUOTED_BEFORE = 16;
var QUOTED_AFTER = 4;
function splitAfterNewlines(chunk2) {
  const pieces = [];
  let from = 0;
  for (let end = chunk2.indexOf(10); end >= 0; end = chunk2.indexOf(10, from)) {
    pieces.push(chunk2.subarray(from, end + 1));
    from = end + 1;
  }
  return from < chunk2.length ? [...pieces, chunk2.subarray(from)] : pieces;
}
var Judge = class {
  constructor(options) {
    this.options = options;
  }
  options;
  #lines = new ConsoleLines();
  #strands = new Strands();
  #recent = [];
  #after = [];
  #facts = NO_FACTS;
  #clock = new PhaseClock();
  #resets = 0;
  #lastReset = Number.NEGATIVE_INFINITY;
  /** Since the last reset. */
  #hasFirmwareSpoken = false;
  #lastSound = 0;
  #lastLine = null;
  #upSince = null;
  #pending = null;
  #standing = null;
  /** Whether a line of the console has decided. */
  #isTold = false;
  #verdict = null;
  /**
   * @param at seconds since power-on
   * @returns the lines that the chunk completes, as a person would see them
   */
  hear(chunk2, at) {
    this.tick(at);
    this.#lastSound = at;
    return splitAfterNewlines(chunk2).flatMap((piece) => this.#hearLine(piece, at));
  }
  /** @param at seconds since power-on */
  notice(event, at) {
    this.tick(at);
    if (this.#verdict !== null) return;
    const isUp = this.options.isUp ?? false;
    if (event.kind === "ended") this.#suspect(event.reason, at);
    else if (event.kind === "shutdown") this.#suspect(EVENTS[isUp ? "shutdown-later" : "shutdown"], at);
    else if (event.kind === "panicked") this.#suspect(EVENTS.panic, at);
    else if (isUp) this.#suspect(EVENTS["reset-later"], at);
    else this.#restart(at);
  }
  /** Has time pass. @param at seconds since power-on */
  tick(at) {
    if (this.#verdict !== null) return;
    const due = this.due;
    if (due === null || at < due) return;
    const { timeout, sign } = this.options;
    if (this.#pending !== null) {
      this.#verdict = { at: this.#pending.at, outcome: "failure", reason: this.#pending.reason() };
    } else if (this.#standing !== null) {
      this.#verdict = { at: this.#standing.since, outcome: "success", line: this.#standing.line };
    } else if (timeout !== null && due === timeout.seconds) {
      const reason = timeoutReason({
        sign: this.#wanted,
        within: timeout.within,
        phase: this.#clock.current,
        facts: this.#facts,
        lastLine: this.partial.trim() === "" ? this.#lastLine : this.partial
      });
      this.#verdict = { at: due, outcome: "failure", reason };
    } else if (sign.pattern === null) {
      this.#verdict = { at: due, outcome: "failure", reason: gettyMissing(this.#wanted, this.#facts) };
    }
  }
  /** When time alone brings the verdict: seconds from power-on; null for never. */
  get due() {
    if (this.#verdict !== null) return null;
    if (this.#pending !== null) return this.#pending.due;
    if (this.#standing !== null) return this.#standing.due;
    const { timeout, sign } = this.options;
    const dues = [
      ...timeout === null ? [] : [timeout.seconds],
      ...this.#upSince === null || sign.pattern !== null ? [] : [Math.max(this.#upSince, this.#lastSound) + GETTY_GRACE]
    ];
    return dues.length === 0 ? null : Math.min(...dues);
  }
  get verdict() {
    return this.#verdict;
  }
  /** The line that has no newline yet. */
  get partial() {
    return this.#lines.partial;
  }
  /** Whether anything at all has appeared on the console. */
  get spoke() {
    return this.#recent.length > 0 || this.partial.trim() !== "";
  }
  /** The lines for a person to see: the last before the decision with the one that decided, and the first after it. */
  get quotation() {
    const end = !this.#isTold && this.partial.trim() !== "" ? [this.partial] : this.#after;
    return [...this.#recent, ...end];
  }
  /** The phases of the boot until the verdict. */
  get phases() {
    return this.#clock.phases(this.#verdict?.at ?? this.#lastSound);
  }
  /** Names of units that failed, which need not keep the system from coming up. */
  get failedUnits() {
    return this.#facts.failedUnits.map(({ name }) => name);
  }
  get #wanted() {
    const { pattern } = this.options.sign;
    return pattern === null ? "login prompt" : `line that matches ${pattern}`;
  }
  /** @param piece that holds one end of a line at most, at its own end */
  #hearLine(piece, at) {
    const wasTold = this.#isTold;
    const stood = this.#standing;
    this.#standing = null;
    const strands = this.#strands.write(piece);
    for (const line of strands) {
      this.#learn(line, at);
      this.#weigh(line, true, at);
    }
    this.#weigh(this.#strands.partial, false, at, stood);
    const lines = this.#lines.write(piece);
    for (const line of lines) {
      if (strands.length === 0) this.#learn(line, at);
      this.#weigh(line, true, at);
      this.#quote(line, wasTold);
    }
    const { partial } = this.#lines;
    const isQuoted = this.#isTold && lines.length > 0;
    this.#weigh(partial, false, at, stood);
    if (this.#isTold && !wasTold && !isQuoted) this.#quote(partial, false);
    return lines;
  }
  #quote(line, wasTold) {
    if (line.trim() === "") return;
    if (!wasTold) {
      this.#recent.push(line);
      if (this.#recent.length > QUOTED_BEFORE) this.#recent.shift();
    } else if (line !== this.#recent.at(-1) && this.#after.length < QUOTED_AFTER) this.#after.push(line);
  }
  /** Notes what a finished line tells that is no verdict by itself. */
  #learn(line, at) {
    if (this.#verdict !== null || line.trim() === "") return;
    this.#lastLine = line;
    this.#hasFirmwareSpoken ||= line.startsWith("SeaBIOS");
    this.#facts = readFacts(this.#facts, line);
    this.#clock.hear(line, at);
    if (this.#facts.isUp) this.#upSince ??= at;
  }
  /** Says what follows from a line. @param stood what looked like success before the line grew */
  #weigh(line, isFinished, at, stood = null) {
    if (this.#verdict !== null || this.#isTold || line.trim() === "") return;
    const success = this.#pending === null ? successOf(line, this.options.sign) : null;
    if (success === "certain" || success !== null && isFinished) {
      this.#verdict = { at, outcome: "success", line: this.#standing?.line ?? line };
      this.#isTold = true;
      return;
    }
    if (success !== null) {
      const since = stood?.since ?? at;
      this.#standing ??= { line, since, due: Math.min(at + STANDING.silent, since + STANDING.growing) };
    }
    const cause = causeOf(line, this.#facts, isFinished);
    if (cause === null) return;
    this.#isTold = true;
    const reason = () => reasonOf(causeOf(line, this.#facts, isFinished) ?? cause, this.#facts);
    this.#pending = { at, due: at + AFTERMATH, reason };
  }
  /** Something other than the console tells of a failure; the console may still tell why. */
  #suspect(reason, at) {
    this.#pending ??= { at, due: at + AFTERMATH, reason: () => reason };
  }
  #restart(at) {
    if (!this.#hasFirmwareSpoken && at - this.#lastReset < RESET_ECHO) return;
    this.#lastReset = at;
    this.#hasFirmwareSpoken = false;
    this.#resets++;
    if (this.#resets >= RESETS) {
      this.#suspect(EVENTS["reboot-loop"], at);
      return;
    }
    this.#facts = NO_FACTS;
    this.#clock = new PhaseClock(at);
    this.#upSince = null;
    this.#standing = null;
  }
};

// src/boot-check/session.ts
async function withMachine(host, undo, start2, work) {
  const { boot, devices, pace, workDir, overlay, token, cases, on } = start2;
  const { accelerator } = pace;
  const { memoryMiB, cpus } = boot;
  const folder = openSync3(workDir, "r");
  const sockets = { monitor: "monitor.qmp", guest: token === null ? null : "guest.socket" };
  const forwards = [...new Set(boot.expectations.map(({ port }) => port))];
  const begin = performance.now();
  const secondsSince = () => (performance.now() - begin) / 1e3;
  const qemu = host.start(
    qemuArgv({
      ...{ name: `docker-to-disk-${undo.runId}`, accelerator, memoryMiB, cpus, overlay, forwards, devices },
      ...sockets
    }),
    { stdio: ["ignore", "pipe", "pipe"], cwd: workDir }
  );
  const log = new ConsoleLog(start2.serialLog);
  const monitor = new Monitor(`/proc/self/fd/${folder}/${sockets.monitor}`);
  const guest = token === null ? null : new Guest(`/proc/self/fd/${folder}/${sockets.guest}`, token);
  void qemu.ended.then(() => monitor.close());
  const judge = new Judge({
    sign: { pattern: boot.successPattern, hostname: start2.hostname },
    timeout: { seconds: pace.timeout, within: describeTimeout(boot, pace) }
  });
  const { successPattern: pattern } = boot;
  const watch = new MachineWatch({ qemu, monitor, log, accelerator, pattern, secondsSince });
  const note = (check, seconds, failure, output = "") => void cases.push({ name: check, machine: describeDevices(devices), seconds, failure, output });
  const consoleOf = ({ quotation: lines }) => ({ what: "The console", lines });
  let verdict = null;
  try {
    verdict = await watch.follow(judge);
    if (host.cancelled.aborted) throw host.cancelled.reason;
    if (judge.partial.trim() !== "") log.line(judge.partial);
    if (verdict instanceof Error) throw verdict;
    const { phases, failedUnits } = judge;
    if (verdict.outcome === "failure") {
      const progress = { accelerator, seconds: verdict.at, phases };
      const failed = new BootFailure(verdict.reason, progress, consoleOf(judge), start2.lead + on);
      note(start2.name, verdict.at, failed.message);
      throw failed;
    }
    const { at: seconds, line: evidence } = verdict;
    note(start2.name, seconds, null);
    const later = new Judge({ sign: { pattern: /(?!)/, hostname: null }, timeout: null, isUp: true });
    const downfall = watch.follow(later).then((end) => end instanceof Error || end.outcome === "success" ? unexpected(end) : end.reason);
    return await work({
      ...{ monitor, seconds, evidence, phases, failedUnits, guest, note, downfall },
      expectShutdown: () => watch.expectShutdown(),
      failure: (reason, quotation) => {
        const told = later.quotation.length > 0 ? later : judge;
        const progress = { accelerator, seconds: secondsSince(), phases };
        const lead = `The image boots${on}, but a check failed`;
        return new BootFailure(reason, progress, quotation ?? consoleOf(told), lead);
      }
    });
  } catch (error2) {
    throw host.cancelled.aborted ? host.cancelled.reason : error2;
  } finally {
    watch.close();
    if (!host.cancelled.aborted && !(verdict instanceof KvmFailure))
      await takeScreenshot(monitor, start2.screenshot);
    await qemu.end(2e3);
    monitor.close();
    guest?.close();
    await log.close();
    closeSync3(folder);
    for (const socket2 of Object.values(sockets))
      if (socket2 !== null) rmSync2(join3(workDir, socket2), { force: true });
  }
}
var unexpected = (end) => end instanceof Error ? end : new Error("A machine that is up cannot come up.");
function describeTimeout(boot, pace) {
  const doubled = pace.timeout === boot.timeout ? "" : `, doubled from ${boot.timeout} without KVM`;
  return `boot-timeout (${pace.timeout} seconds${doubled})`;
}
var PATTERN_LIMIT = 5e3;
var endlessPattern = ({ source }) => new ActionError(
  `Input boot-success-pattern is ${JSON.stringify(source)}, but it is not done with a line of the console after ${PATTERN_LIMIT / 1e3} seconds. Write it without a repetition inside of a repetition, such as a+b instead of (a+)+b.`,
  "Wrong input"
);
var MachineWatch = class {
  constructor(sources) {
    this.sources = sources;
    const { qemu, monitor, log, accelerator } = sources;
    qemu.stdout?.on("data", (chunk2) => {
      log.write(chunk2);
      for (const line of this.#hear(chunk2)) log.line(line);
      this.#look();
    });
    log.onError((error2) => this.#decide(error2));
    qemu.stderr?.setEncoding("utf8");
    qemu.stderr?.on("data", (text) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
      if (accelerator === "kvm" && KVM_FAILURE.test(this.#stderr))
        this.#decide(new KvmFailure(firstLine(this.#stderr)));
    });
    monitor.onEvent = (name, data) => {
      if (name === "BLOCK_IO_ERROR" && data.nospace)
        this.#decide(new Error("QEMU cannot write the machine's disk: no space left on device"));
      const event = readEvent(name, data);
      if (event?.kind === "shutdown" && this.#shutDown !== null) this.#shutDown();
      else if (event !== null) this.#notice(event);
    };
    void qemu.ended.then((end) => {
      if (accelerator === "kvm" && !(this.#judge?.spoke ?? false))
        this.#decide(new KvmFailure(firstLine(this.#stderr) || "QEMU ended at once"));
      this.#notice({ kind: "ended", reason: endReason(end, this.#stderr) });
    });
  }
  sources;
  #judge = null;
  #decide = () => {
  };
  #timer;
  #stderr = "";
  #shutDown = null;
  /** Resolves to the judge's verdict, or to what failed on the host's side. */
  follow(judge) {
    this.#judge = judge;
    return new Promise((resolve2) => {
      this.#decide = resolve2;
      this.#look();
    });
  }
  expectShutdown() {
    return new Promise((resolve2) => {
      this.#shutDown = resolve2;
    });
  }
  /** What happens from now on matters to nobody. */
  close() {
    clearTimeout(this.#timer);
    this.sources.monitor.onEvent = () => {
    };
    this.#judge = null;
  }
  /** @returns the lines that the chunk completes */
  #hear(chunk2) {
    const { pattern, secondsSince } = this.sources;
    const judge = this.#judge;
    if (judge === null) return [];
    const hear = () => judge.hear(chunk2, secondsSince());
    if (pattern === null) return hear();
    try {
      return interruptible(PATTERN_LIMIT, hear);
    } catch (error2) {
      if (error2.code !== INTERRUPTED) throw error2;
      this.#judge = null;
      this.#decide(endlessPattern(pattern));
      return [];
    }
  }
  #notice(event) {
    this.#judge?.notice(event, this.sources.secondsSince());
    this.#look();
  }
  /** Sees whether there is a verdict, and looks again when time alone may bring it. */
  #look() {
    clearTimeout(this.#timer);
    const judge = this.#judge;
    if (judge === null) return;
    if (judge.verdict !== null) {
      this.#decide(judge.verdict);
      return;
    }
    const { due } = judge;
    if (due === null) return;
    const wake = () => {
      judge.tick(Math.max(due, this.sources.secondsSince()));
      this.#look();
    };
    this.#timer = setTimeout(wake, Math.max(0, due - this.sources.secondsSince()) * 1e3);
  }
};
function readEvent(name, data) {
  if (name === "GUEST_PANICKED" || data.reason === "guest-panic") return { kind: "panicked" };
  if (data.guest !== true) return null;
  if (name === "RESET") return { kind: "reset" };
  return name === "SHUTDOWN" ? { kind: "shutdown" } : null;
}
var firstLine = (text) => text.trim().split("\n")[0] ?? "";
function endReason({ exitCode, signal }, stderr) {
  const words = stderr.trim().split("\n").slice(-3).map(inert).join(" ");
  return {
    id: "qemu-ended",
    summary: `QEMU ${signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`}${words ? `: ${words}` : ""}.`,
    advice: "If memory was short on the runner, lower memory; otherwise the message above says what QEMU could not do."
  };
}

// src/boot-check/boot-check.ts
var TCG_STRETCH = 2;
async function checkBoot(host, undo, options) {
  const { boot, machines, cases } = options;
  const fallBack = (reason) => {
    if (boot.accelerator === "kvm") throw noKvm(reason);
    const timeout = boot.timeout * TCG_STRETCH;
    info(
      `No KVM (${inert(reason)}): the machine runs under TCG, QEMU's own emulation, which is several times slower. boot-timeout is doubled to ${timeout} seconds, test-timeout too.`
    );
    return { accelerator: "tcg", timeout, stretch: TCG_STRETCH };
  };
  const unusable2 = boot.accelerator === "tcg" ? null : await makeKvmUsable(host, undo);
  let pace = {
    accelerator: boot.accelerator === "tcg" ? "tcg" : "kvm",
    timeout: boot.timeout,
    stretch: 1
  };
  if (unusable2 !== null) pace = fallBack(unusable2);
  const scripts = planScripts(boot);
  const disk = scripts === null ? options.disk : await options.copyDisk(hookEdits(scripts.all, scripts.token, options.init));
  const bootOn = async (trial) => {
    const before = cases.length;
    for (let wasBusy = false; ; ) {
      try {
        return await attempt(host, undo, { ...trial, pace });
      } catch (error2) {
        if (error2 instanceof KvmFailure) pace = fallBack(error2.message);
        else if (!wasBusy && error2 instanceof BootFailure && error2.reason.id === NO_TIMER) {
          wasBusy = true;
          cases.splice(before);
          const words = "The runner was too busy for the machine to have a timer that ticks: it is started once more.";
          info(words);
          appendFileSync(options.serialLog, `
=== ${words} ===
`);
        } else throw error2;
      }
    }
  };
  const results = [];
  for (const [i, devices] of machines.entries()) {
    if (machines.length > 1) {
      const title = `Machine ${i + 1} of ${machines.length}: ${describeDevices(devices)}`;
      info(title);
      appendFileSync(options.serialLog, `${i > 0 ? "\n" : ""}=== ${title} ===
`);
    }
    const trial = {
      options,
      devices,
      disk,
      scripts,
      persists: boot.checkPersistence && i === machines.length - 1
    };
    const result = await bootOn(trial);
    results.push(result);
    const { evidence, seconds, accelerator, phases, failedUnits } = result;
    info(
      `The image boots: ${inert(evidence.trim())} after ${formatSeconds(seconds)} under ${accelerator.toUpperCase()} (${phases.map(({ name, seconds: seconds2 }) => `${name} ${formatSeconds(seconds2)}`).join(", ")})`
    );
    if (failedUnits.length > 0)
      warning(`The system is up, but these units failed: ${inert(failedUnits.join(", "))}`, {
        title: "Failed units"
      });
  }
  return results;
}
async function attempt(host, undo, trial) {
  const { options, devices, pace, disk, scripts, persists } = trial;
  const { boot, hostname, workDir, serialLog, screenshot, cases, machines } = options;
  const { accelerator } = pace;
  const overlay = join4(workDir, "overlay.qcow2");
  await host.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", disk, overlay]);
  const start2 = {
    ...{
      name: "boot",
      lead: "The image does not boot",
      boot,
      hostname,
      devices,
      pace,
      workDir,
      overlay,
      serialLog
    },
    ...{ screenshot, cases, token: scripts?.token ?? null },
    on: machines.length > 1 || devices.diskBus !== "virtio" ? ` with its ${describeDevices(devices)}` : ""
  };
  try {
    const result = await withMachine(host, undo, start2, async (up) => {
      const since = performance.now();
      const examination = { up, boot, pace, scripts };
      checkBudget(examination);
      const answers = await checkExpectations(examination);
      const scripted = await runScripts(examination);
      const units = await checkFailedUnits(examination);
      await checkSteadiness(examination, since);
      if (persists) await writeAndShutDown(examination);
      const { seconds, evidence, phases } = up;
      const failedUnits = [.../* @__PURE__ */ new Set([...up.failedUnits, ...units.failedUnits])];
      const checks = [...answers, ...scripted, ...units.checks];
      return { devices, accelerator, seconds, evidence, phases, failedUnits, checks };
    });
    if (!persists) return result;
    await host.run(["qemu-img", "commit", "-q", overlay], { timeout: 30 * 6e4 });
    const unclean = await uncleanFilesystem(host, disk);
    const second = { ...start2, name: "second boot", lead: "The image does not boot a second time" };
    const again = await withMachine(host, undo, second, (up) => readAgain({ up, boot, pace, scripts }, unclean));
    return { ...result, checks: [...result.checks, again] };
  } finally {
    rmSync3(overlay, { force: true });
  }
}

// src/boot-check/junit.ts
var xml = (text) => stripTerminal(text).toWellFormed().replace(/[\ufffe\uffff]/g, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
function junitXml(name, cases) {
  const counts = (some) => {
    const failures = some.filter(({ failure }) => failure !== null).length;
    const seconds = some.reduce((sum, each) => sum + each.seconds, 0);
    return `tests="${some.length}" failures="${failures}" errors="0" skipped="0" time="${seconds.toFixed(3)}"`;
  };
  const suites = [...new Set(cases.map(({ machine }) => machine))].map((machine) => {
    const own = cases.filter((each) => each.machine === machine);
    const body = own.map((each) => testCase(name, each)).join("\n");
    return `  <testsuite name="${xml(`${name}: ${machine}`)}" ${counts(own)}>
${body}
  </testsuite>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xml(name)}" ${counts(cases)}>`,
    ...suites,
    "</testsuites>",
    ""
  ].join("\n");
}
function testCase(suite, { name, machine, seconds, failure, output }) {
  const attributes = `classname="${xml(`${suite}: ${machine}`)}" name="${xml(name)}" time="${seconds.toFixed(3)}"`;
  const parts = [
    ...failure === null ? [] : [`      <failure message="${xml(failure.split("\n")[0] ?? "")}">${xml(failure)}</failure>`],
    ...output === "" ? [] : [`      <system-out>${xml(output)}</system-out>`]
  ];
  return parts.length === 0 ? `    <testcase ${attributes}/>` : `    <testcase ${attributes}>
${parts.join("\n")}
    </testcase>`;
}

// src/bootloader.ts
import { closeSync as closeSync4, openSync as openSync4, readFileSync as readFileSync3, writeSync } from "node:fs";
var LOADER_FOLDER = "boot/extlinux";
var STALE = ["extlinux.conf", "ldlinux.sys", "ldlinux.c32", "extlinux.sys"].map(
  (name) => `${LOADER_FOLDER}/${name}`
);
var MBR_CODE_BYTES = 440;
var MBR_PLACES = [
  "/usr/lib/syslinux/mbr/mbr.bin",
  "/usr/lib/EXTLINUX/mbr.bin",
  "/usr/share/syslinux/mbr.bin",
  "/usr/lib/syslinux/bios/mbr.bin"
];
var MODULE_FOLDERS = [
  "/usr/lib/syslinux/modules/bios",
  "/usr/share/syslinux",
  "/usr/lib/syslinux/bios"
];
var MENU_MODULES = ["menu.c32", "libutil.c32"];
var MENU_SECONDS = 3;
function kernelCommandLine(plan, kernel, { serialConsole, kernelArgs }) {
  return [
    kernel.initrd === null ? `root=PARTUUID=${partuuid(plan)}` : `root=UUID=${plan.uuid}`,
    // Alpine's initramfs mounts nothing without it.
    `rootfstype=${plan.filesystem}`,
    // Writable whatever init makes of fstab; the initrd checks the filesystem before it mounts it.
    "rw",
    ...kernel.initrd === null ? ["rootwait"] : [],
    // The last console is where init writes; both get the kernel's messages.
    "console=tty0",
    ...serialConsole ? ["console=ttyS0,115200"] : [],
    kernelArgs
  ].filter(Boolean).join(" ");
}
function syslinuxConfig(entries2, options) {
  const several = entries2.length > 1;
  const lines = [
    ...options.serialConsole ? ["SERIAL 0 115200"] : [],
    ...several && options.menu ? ["UI menu.c32", "MENU TITLE Boot"] : [],
    `DEFAULT ${label(0)}`,
    "PROMPT 0",
    // In tenths of a second.
    ...several ? [`TIMEOUT ${MENU_SECONDS * 10}`] : []
  ];
  entries2.forEach(({ kernel, commandLine }, i) => {
    lines.push("", `LABEL ${label(i)}`, `  MENU LABEL Linux ${kernel.version}`, `  LINUX /${kernel.path}`);
    if (kernel.initrd !== null) lines.push(`  INITRD /${kernel.initrd}`);
    lines.push(`  APPEND ${commandLine}`);
  });
  return `${lines.join("\n")}
`;
}
var label = (i) => i === 0 ? "linux" : `linux-${i}`;
function planLoader(index, plan, kernels, options) {
  for (const path of kernels.flatMap(({ path: path2, initrd }) => initrd === null ? [path2] : [path2, initrd])) {
    if (!/^[\x21-\x7e]{1,200}$/.test(path)) {
      throw new ActionError(
        `The boot loader cannot name /${JSON.stringify(path)}: rename it without blanks and special characters.`,
        "Unusable kernel name"
      );
    }
  }
  const menu = kernels.length > 1 && options.moduleFolder !== null;
  const config = syslinuxConfig(
    kernels.map((kernel) => ({ kernel, commandLine: kernelCommandLine(plan, kernel, options) })),
    { serialConsole: options.serialConsole, menu }
  );
  return [
    { kind: "file", path: `${LOADER_FOLDER}/syslinux.cfg`, content: config, mode: 420 },
    ...STALE.filter((path) => {
      const real = index.resolve(path, "keep");
      return real !== null && index.entry(real) !== null;
    }).map((path) => ({ kind: "remove", path })),
    ...menu ? MENU_MODULES.map((name) => ({
      kind: "file",
      path: `${LOADER_FOLDER}/${name}`,
      content: readFileSync3(`${options.moduleFolder}/${name}`),
      mode: 420
    })) : []
  ];
}
async function installLoader(host, index, mountPoint) {
  const { real } = placeOf(index, `${LOADER_FOLDER}/syslinux.cfg`);
  const folder = `${mountPoint}/${real.slice(0, real.lastIndexOf("/"))}`;
  await host.runAsRoot(["extlinux", "--install", folder], { timeout: 12e4 });
}
function writeBootCode(diskPath, mbrPath) {
  const code = readFileSync3(mbrPath);
  if (code.length === 0 || code.length > MBR_CODE_BYTES) {
    throw new ActionError(
      `${mbrPath} is no MBR code: it has ${code.length} bytes, and 1 to ${MBR_CODE_BYTES} fit.`
    );
  }
  const disk = openSync4(diskPath, "r+");
  try {
    writeSync(disk, code, 0, code.length, 0);
  } finally {
    closeSync4(disk);
  }
}

// src/container.ts
import { mkdirSync as mkdirSync2, readFileSync as readFileSync4, rmSync as rmSync4, statfsSync as statfsSync2, writeFileSync as writeFileSync2 } from "node:fs";
import { join as join5 } from "node:path";
import { pipeline } from "node:stream/promises";
var import_tar_stream2 = __toESM(require_tar_stream(), 1);

// src/docker-build.ts
var NEEDS = [
  { input: "build-contexts", builders: ["buildx"], used: (build2) => build2.buildContexts.length > 0 },
  { input: "cache-to", builders: ["buildx"], used: (build2) => build2.cacheTo.length > 0 },
  { input: "builder", builders: ["buildx"], used: (build2) => build2.builder !== null },
  { input: "secrets", builders: ["buildx", "buildkit"], used: (build2) => build2.secrets.length > 0 },
  { input: "ssh", builders: ["buildx", "buildkit"], used: (build2) => build2.ssh.length > 0 }
];
var unsupportedInputs = (build2, builder) => NEEDS.filter(({ builders, used }) => used(build2) && !builders.includes(builder)).map(({ input }) => input);
var csvField = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
function buildArgv(build2, options) {
  const { builder, platform, iidFile, secretPath } = options;
  const each = (flag, values) => values.flatMap((value) => [flag, value]);
  const one = (flag, value) => value === null ? [] : [flag, value];
  const secrets = build2.secrets.map((secret) => {
    const place = "path" in secret ? secret.path : secretPath(secret.id);
    const fields = "variable" in secret ? [`id=${secret.id}`, `env=${secret.variable}`] : ["type=file", `id=${secret.id}`, `src=${place}`];
    return fields.map(csvField).join(",");
  });
  return [
    "docker",
    ...builder === "buildx" ? ["buildx", "build", "--load"] : ["build"],
    // Without it the legacy builder leaves the container of a step that fails.
    ...builder === "legacy" ? ["--force-rm"] : ["--progress", "plain"],
    // The legacy builder takes a platform only with experimental features on; without one it builds the engine's own.
    ...builder === "legacy" ? [] : ["--platform", platform],
    ...["--iidfile", iidFile],
    ...one("--builder", build2.builder),
    ...one("--file", build2.file),
    ...one("--target", build2.target),
    ...one("--network", build2.network),
    ...build2.noCache ? ["--no-cache"] : [],
    ...build2.pull ? ["--pull"] : [],
    ...each("--build-arg", build2.buildArgs),
    ...each("--build-context", build2.buildContexts),
    ...each("--secret", secrets),
    ...each("--ssh", build2.ssh),
    ...each("--label", build2.labels),
    ...each("--add-host", build2.addHosts),
    ...each("--cache-from", build2.cacheFrom),
    ...each("--cache-to", build2.cacheTo),
    // A context that begins with a hyphen was made an absolute path or is a URL: nothing after this is an option.
    "--",
    build2.context
  ];
}

// src/container.ts
var MINUTE = 6e4;
var BUILD_LIMIT = 6 * 60 * MINUTE;
var MOUNT_OPTIONS_LIMIT = 3900;
async function obtainImage(host, inputs, workDir) {
  const { source } = inputs;
  if (source.kind === "build") return build(host, source.build, inputs.platform, workDir);
  const present = await host.run(["docker", "image", "inspect", "--format", "{{.Id}}", source.reference], {
    allowFailure: true
  });
  if (present.exitCode === 0) {
    info(`Image ${source.reference} is present.`);
    return source.reference;
  }
  try {
    await host.run(["docker", "pull", "--platform", inputs.platform, source.reference], {
      onLine: (line) => info(inert(line)),
      timeout: 30 * MINUTE
    });
  } catch (error2) {
    throw new ActionError(
      `Input image is ${JSON.stringify(source.reference)}, which is neither present nor could be pulled. ${messageOf(error2)}`,
      "No such image"
    );
  }
  return source.reference;
}
async function build(host, inputs, platform, workDir) {
  const builder = await detectBuilder(host);
  const unsupported = unsupportedInputs(inputs, builder);
  if (unsupported.length > 0) {
    throw new ActionError(
      `${unsupported.join(", ")} cannot be honoured: this machine's Docker has ${BUILDER_NAMES[builder]}. Add a step with docker/setup-buildx-action before this one, or leave the input out.`,
      "Docker cannot build this"
    );
  }
  info(`Building with ${BUILDER_NAMES[builder]}.`);
  const secretDir = join5(workDir, "secrets");
  const secretPath = (id) => join5(secretDir, id);
  mkdirSync2(secretDir, { mode: 448 });
  for (const secret of inputs.secrets) {
    if ("value" in secret) writeFileSync2(secretPath(secret.id), secret.value, { mode: 384 });
  }
  const iidFile = join5(workDir, "image-id");
  try {
    await host.run(buildArgv(inputs, { builder, platform, iidFile, secretPath }), {
      env: builder === "buildx" ? {} : { DOCKER_BUILDKIT: builder === "buildkit" ? "1" : "0" },
      onLine: (line) => info(inert(line)),
      timeout: BUILD_LIMIT
    });
  } catch (error2) {
    if (host.cancelled.aborted) throw error2;
    throw new ActionError(`The Docker build failed. ${messageOf(error2)}`, "Docker build failed");
  } finally {
    rmSync4(secretDir, { recursive: true, force: true });
  }
  return readFileSync4(iidFile, "utf8").trim();
}
var BUILDER_NAMES = {
  buildx: "buildx",
  buildkit: "BuildKit without buildx",
  legacy: "the legacy builder, without buildx"
};
async function detectBuilder(host) {
  if (process.env.DOCKER_BUILDKIT === "0") return "legacy";
  const buildx = await host.run(["docker", "buildx", "version"], { allowFailure: true });
  if (buildx.exitCode === 0) return "buildx";
  const client = await host.run(["docker", "version", "--format", "{{.Client.Version}}"], {
    allowFailure: true
  });
  return Number.parseInt(client.stdout, 10) < 23 ? "buildkit" : "legacy";
}
async function readImageConfig(host, image) {
  const inspected = await host.run(["docker", "image", "inspect", "--format", "{{json .}}", image]);
  const { Architecture, Config } = JSON.parse(inspected.stdout);
  return {
    architecture: Architecture ?? "",
    entrypoint: Config?.Entrypoint ?? [],
    cmd: Config?.Cmd ?? [],
    env: Config?.Env ?? [],
    user: Config?.User ?? "",
    workingDir: Config?.WorkingDir ?? "",
    stopSignal: Config?.StopSignal ?? "",
    volumes: Object.keys(Config?.Volumes ?? {}),
    exposedPorts: Object.keys(Config?.ExposedPorts ?? {}),
    onBuild: (Config?.OnBuild ?? []).length > 0
  };
}
async function openContainer(host, undo, image, workDir) {
  const name = `docker-to-disk-${undo.runId}`;
  const held = [];
  const hold = (resource) => {
    undo.register(resource);
    held.unshift(resource);
  };
  hold({ kind: "container", name });
  await host.run(["docker", "create", "--name", name, "--network", "none", image, "/docker-to-disk"], {
    timeout: 10 * MINUTE
  });
  const read = (path, limit = 1 << 20) => readFromContainer(host, name, path, limit);
  const layers = await mountLayers(host, name, workDir, hold);
  const tree = layers ? await readMounted(host, layers) : await readExported(host, name, workDir);
  const close = async () => {
    for (const resource of held) await undo.release(resource);
  };
  return { image, name, read, close, ...tree };
}
async function readMounted(host, mountPoint) {
  const parser = new FindParser();
  const find = host.startAsRoot(["find", mountPoint, "-printf", FIND_FORMAT], {
    stdio: ["ignore", "pipe", "inherit"]
  });
  find.stdout?.on("data", (chunk2) => parser.write(chunk2));
  const { exitCode } = await find.ended;
  if (exitCode !== 0)
    throw new ActionError(`find could not read the container's files (exit code ${exitCode}).`);
  return {
    index: parser.index,
    keepsHoles: true,
    archive: {
      asRoot: true,
      argv: [
        ...["tar", "--create", "--file", "-", "--directory", mountPoint],
        ...["--format", "posix", "--pax-option", "delete=atime,delete=ctime"],
        ...[
          "--numeric-owner",
          "--acls",
          "--xattrs",
          "--xattrs-include",
          "*",
          "--sparse",
          "--blocking-factor",
          "512"
        ],
        "."
      ]
    }
  };
}
async function readExported(host, name, workDir) {
  const argv = ["docker", "export", name];
  const index = new TreeIndex();
  const running = host.start(argv, { stdio: ["ignore", "pipe", "inherit"] });
  if (!running.stdout) throw new ActionError("docker export has no output.");
  const parser = (0, import_tar_stream2.extract)();
  const { bavail, bsize } = statfsSync2(workDir);
  const free = bavail * bsize;
  parser.on("entry", (header, stream, next) => {
    const kind = TAR_KINDS[header.type ?? "file"];
    const path = header.name.replace(/^(\.?\/)+/, "").replace(/\/$/, "");
    if (kind !== void 0 && path !== "") {
      const size = header.size ?? 0;
      const link2 = kind === "l" ? header.linkname ?? "" : null;
      const isFurtherName = header.type === "link";
      const { mode = 0, uid = 0, gid = 0 } = header;
      const entry = { kind, mode, uid, gid, size: link2?.length ?? size, link: link2 };
      if (size > free) {
        parser.destroy(
          new ActionError(
            `${workDir} has ${formatBytes(free)} free, but the image's files take more: /${inert(path)} has ${formatBytes(size)}.`,
            "Not enough disk space"
          )
        );
        return;
      }
      index.add(
        path,
        isFurtherName ? index.entry(header.linkname ?? "") ?? entry : entry,
        roundToBlocks(size),
        !isFurtherName
      );
    }
    stream.on("end", next);
    stream.on("error", () => {
    });
    stream.resume();
  });
  const problem = await pipeline(running.stdout, parser).then(
    () => null,
    (error2) => error2
  );
  if (problem !== null) await running.end();
  if (problem instanceof ActionError) throw problem;
  const { exitCode } = await running.ended;
  if (exitCode !== 0 || problem !== null) {
    throw new ActionError(
      `docker export, which reads the container's files, failed with exit code ${exitCode}${problem === null ? "" : ` (${problem.message})`}. If the engine died, its own log says why; docker's words are in the log above.`,
      "Docker failed"
    );
  }
  return { index, archive: { asRoot: false, argv }, keepsHoles: false };
}
var TAR_KINDS = {
  file: "f",
  "contiguous-file": "f",
  link: "f",
  symlink: "l",
  directory: "d",
  "character-device": "c",
  "block-device": "b",
  fifo: "p"
};
async function mountLayers(host, name, workDir, hold) {
  const because = (reason) => {
    info(`The tree is read with docker export, since ${reason}.`);
    return null;
  };
  const info2 = await host.run(["docker", "info", "--format", "{{json .SecurityOptions}}"], {
    allowFailure: true
  });
  if (/name=(rootless|userns)/.test(info2.stdout)) return because("the engine maps user ids");
  const graph = await host.run(["docker", "container", "inspect", "--format", "{{json .GraphDriver}}", name]);
  const lowerDirs = overlayLayers(graph.stdout);
  if (lowerDirs === null) return because("the storage driver is not overlay2");
  const options = `ro,nodev,nosuid,noexec,lowerdir=${lowerDirs.join(":")}`;
  if (options.length > MOUNT_OPTIONS_LIMIT)
    return because(`${lowerDirs.length} layers are too many for one mount`);
  const target = join5(workDir, "layers");
  mkdirSync2(target, { recursive: true });
  hold({ kind: "mount", target });
  const mounted = await host.runAsRoot(
    ["mount", "-t", "overlay", "-o", options, "overlay", target],
    {
      allowFailure: true,
      timeout: MINUTE
    }
  );
  return mounted.exitCode === 0 ? target : because(`its layers cannot be mounted (${inert(mounted.stderr.trim())})`);
}
function overlayLayers(graphDriver) {
  const { Name, Data } = JSON.parse(graphDriver || "null") ?? {};
  if (Name !== "overlay2" || !Data?.LowerDir || !Data.UpperDir) return null;
  const folders = [Data.UpperDir, ...Data.LowerDir.split(":")];
  return folders.every((folder) => /^\/[^,:\\]+$/.test(folder)) ? folders : null;
}
async function readFromContainer(host, name, path, limit) {
  if (!isExact(path)) return null;
  const running = host.start(["docker", "cp", `${name}:/${path}`, "-"], {
    stdio: ["ignore", "pipe", "ignore"]
  });
  const chunks = [];
  let size = 0;
  let isFile2 = null;
  const parser = (0, import_tar_stream2.extract)();
  parser.on("entry", (header, stream, next) => {
    isFile2 ??= header.type === "file";
    stream.on("data", (data) => {
      if (size >= limit) return;
      const chunk2 = data;
      chunks.push(chunk2);
      size += chunk2.length;
      if (size >= limit) void running.end(0);
    });
    stream.on("end", next);
    stream.on("error", () => {
    });
  });
  if (running.stdout) await pipeline(running.stdout, parser).catch(() => {
  });
  await running.ended;
  return isFile2 ? Buffer.concat(chunks).subarray(0, limit) : null;
}

// src/distro/drivers.ts
var LARGEST_LIST = 1 << 20;
async function readDrivers({ index, read }, { version, initrd }) {
  const folder = ["lib/modules", "usr/lib/modules"].map((parent) => index.resolve(`${parent}/${version}`)).find((real) => real !== null);
  if (folder === void 0 || version === "") return null;
  const list2 = index.resolve(`${folder}/modules.builtin`);
  const text = list2 === null ? null : await read(list2, LARGEST_LIST);
  if (text === null) return null;
  const builtIn = new Set(text.toString("latin1").split("\n").map(moduleOf));
  const all = /* @__PURE__ */ new Set([...builtIn, ...filesBelow(index, folder).map(moduleOf)]);
  return { early: initrd === null ? builtIn : all, all };
}
function missingForRoot(drivers, filesystem) {
  if (drivers === null) return null;
  const has = (name) => drivers.early.has(name);
  const missing = [
    // The driver ext4 reads ext3 and ext2 as well.
    ...has("ext4") || has(filesystem) ? [] : [`the filesystem (${filesystem})`],
    ...DISK_BUSES.some((bus) => DISK_DRIVERS[bus].every(has)) ? [] : [`any disk (${DISK_BUSES.join(", ")})`]
  ];
  return missing.length === 0 ? null : missing.join(" and ");
}
function filesBelow(index, folder) {
  return index.list(folder).flatMap((name) => {
    const path = `${folder}/${name}`;
    const kind = index.entry(path)?.kind;
    if (kind === "d") return filesBelow(index, path);
    return kind === "f" ? [path] : [];
  });
}
var moduleOf = (path) => (path.split("/").pop() ?? "").replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");

// src/formats.ts
import { createHash } from "node:crypto";
import {
  closeSync as closeSync5,
  createWriteStream as createWriteStream2,
  fsyncSync,
  openSync as openSync5,
  renameSync,
  rmSync as rmSync5,
  statSync as statSync2,
  writeFileSync as writeFileSync3
} from "node:fs";
import { open } from "node:fs/promises";
import { join as join6 } from "node:path";
import { pipeline as pipeline2 } from "node:stream/promises";
var ImageTooLarge = class extends ActionError {
  constructor(files, most) {
    const each = files.map(
      ({ name, size }) => `${name} has ${formatBytes(size)}, ${formatBytes(size - most)} more`
    );
    super(
      `${inert(each.join("; "))} than max-image-size (${formatBytes(most)}) allows. Leave out of the image what it does not need, such as package lists and caches, or choose a compressed format.`,
      "Image too large"
    );
  }
};
function checkImageSizes(files, most, cases) {
  if (most === null) return;
  const large = files.filter(({ size }) => size > most);
  const error2 = large.length > 0 ? new ImageTooLarge(large, most) : null;
  cases.push({
    ...{ name: "max-image-size", machine: "files", seconds: 0, output: "" },
    failure: error2?.message ?? null
  });
  if (error2 !== null) throw error2;
}
var LIMIT = 3 * 60 * 6e4;
var CONVERSIONS = {
  qcow2: ["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
  vmdk: ["-O", "vmdk"],
  vdi: ["-O", "vdi"],
  vhd: ["-O", "vpc", "-o", "subformat=fixed,force_size=on"],
  vhdx: ["-O", "vhdx", "-o", "subformat=dynamic"]
};
var convertArgv = (container, from, to) => [
  ...["qemu-img", "convert", "-f", "raw", "-m", "16", ...container === "vmdk" ? [] : ["-W"]],
  ...[...CONVERSIONS[container], from, to]
];
var compressArgv = (compression, from) => ({
  zst: ["zstd", "-q", "-T0", "-3", "--stdout", "--", from],
  gz: ["pigz", "--stdout", "--", from],
  xz: ["xz", "-T0", "-3", "--stdout", "--", from]
})[compression];
async function makeFormats(host, disk, formats, baseName, workDir) {
  const containers = /* @__PURE__ */ new Map([["raw", disk]]);
  const made = [];
  const beside = [];
  const goOn = (work) => {
    work.catch(() => {
    });
    beside.push(work);
    return work;
  };
  try {
    for (const format of formats) {
      const begin = performance.now();
      const name = `${baseName}.${extensionOf(format)}`;
      let path = containers.get(format.container);
      if (path === void 0 && format.container !== "raw") {
        path = join6(workDir, `disk.${format.container}`);
        await convert(host, format.container, disk, path);
        goOn(verify(host, format.container, disk, path));
        containers.set(format.container, path);
      }
      if (path === void 0) throw new ActionError(`no disk for ${name}`);
      let sha256;
      if (format.compression === null) sha256 = goOn(hashFile(path, host.cancelled));
      else {
        const compressed = join6(workDir, `disk.${extensionOf(format)}`);
        sha256 = Promise.resolve(await compress(host, format.compression, path, compressed));
        path = compressed;
      }
      const { size } = statSync2(path);
      made.push({ format, name, path, size, sha256 });
      info(
        inert(`Made ${name}: ${formatBytes(size)} in ${formatSeconds((performance.now() - begin) / 1e3)}`)
      );
    }
    await Promise.all(beside);
  } finally {
    await Promise.allSettled(beside);
  }
  const wanted = /* @__PURE__ */ new Set([disk, ...made.map((file) => file.path)]);
  for (const path of containers.values()) if (!wanted.has(path)) rmSync5(path);
  return Promise.all(made.map(async (file) => ({ ...file, sha256: await file.sha256 })));
}
async function convert(host, container, from, to) {
  const argv = convertArgv(container, from, to);
  try {
    await host.run(argv, { timeout: LIMIT });
  } catch (error2) {
    if (container !== "qcow2" || !/compression.type/i.test(messageOf(error2))) throw error2;
    info("This qemu-img has no zstd: compressing qcow2 with zlib.");
    rmSync5(to, { force: true });
    await host.run(
      argv.map((arg) => arg === "compression_type=zstd" ? "compression_type=zlib" : arg),
      { timeout: LIMIT }
    );
  }
}
var CHECKABLE = ["qcow2", "vmdk", "vdi", "vhdx"];
async function verify(host, container, disk, path) {
  const driver = container === "vhd" ? "vpc" : container;
  try {
    if (CHECKABLE.includes(container))
      await host.run(["qemu-img", "check", "-q", "-f", driver, path], { timeout: LIMIT });
    await host.run(["qemu-img", "compare", "-f", "raw", "-F", driver, disk, path], { timeout: LIMIT });
  } catch (error2) {
    if (host.cancelled.aborted) throw error2;
    throw new ActionError(
      `The ${container} made does not hold what the disk holds. ${messageOf(error2)}`,
      "Damaged image"
    );
  }
}
async function compress(host, compression, from, to) {
  const running = host.start(compressArgv(compression, from), { stdio: ["ignore", "pipe", "inherit"] });
  if (!running.stdout) throw new ActionError(`${compression} has no output`);
  const hash = createHash("sha256");
  running.stdout.on("data", (chunk2) => hash.update(chunk2));
  await pipeline2(running.stdout, createWriteStream2(to));
  const { exitCode } = await running.ended;
  if (host.cancelled.aborted) throw host.cancelled.reason;
  if (exitCode !== 0)
    throw new ActionError(`Compressing ${from} to ${compression} failed with exit code ${exitCode}.`);
  return hash.digest("hex");
}
async function hashFile(path, signal) {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(MIB);
  const file = await open(path);
  try {
    for (; ; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
function settle(from, to) {
  const file = openSync5(from, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync5(file);
  }
  renameSync(from, to);
}
function writeChecksums(files, path) {
  writeFileSync3(path, files.map(({ name, sha256 }) => `${sha256}  ${name}
`).join(""));
}

// src/host.ts
import { spawn } from "node:child_process";
import { accessSync, constants, statSync as statSync3 } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, join as join7 } from "node:path";
var KEPT_OUTPUT2 = 1 << 20;
var RUN_VARIABLE = "DOCKER_TO_DISK_RUN";
var SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
var CommandError = class extends ActionError {
  constructor(argv, result, how) {
    const words = result.stderr.trim() || result.stdout.trim();
    const lines = words.split("\n").slice(-12).map(inert).join("\n");
    super(`${argv[0]} ${how}${lines ? `:
${lines}` : " and said nothing."}`);
    this.argv = argv;
    this.result = result;
  }
  argv;
  result;
};
var Host = class {
  /** @param cancelled aborted when the run is to end: every command under way is ended and no other starts */
  constructor(cancelled = new AbortController().signal, env = process.env) {
    this.cancelled = cancelled;
    const own = (env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
    this.#searchPath = [.../* @__PURE__ */ new Set([...own, ...SYSTEM_FOLDERS])];
    const rest = Object.entries(env).filter(([name]) => !name.startsWith("INPUT_"));
    this.#env = { ...Object.fromEntries(rest), PATH: this.#searchPath.join(delimiter), LC_ALL: "C.UTF-8" };
  }
  cancelled;
  isRoot = process.getuid?.() === 0;
  user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, name: userInfo().username };
  #rootPrograms = /* @__PURE__ */ new Set();
  #searchPath;
  #env;
  /** Marks every command started from now on with the run's id, so that {@link Undo} finds what a killed run left running. */
  mark(runId) {
    this.#env[RUN_VARIABLE] = runId;
  }
  /** Id of the run that commands are marked with; null if there is none. */
  get runId() {
    return this.#env[RUN_VARIABLE] ?? null;
  }
  /** Names of the programs that were run as root so far, sorted. */
  get rootPrograms() {
    return [...this.#rootPrograms].sort();
  }
  /** Absolute path of a program, or null. */
  which(program) {
    for (const folder of this.#searchPath) {
      const path = join7(folder, program);
      try {
        accessSync(path, constants.X_OK);
        if (statSync3(path).isFile()) return path;
      } catch {
      }
    }
    return null;
  }
  /** Runs a command as the current user. Throws {@link CommandError} on a non-zero exit, unless `allowFailure`. */
  run(argv, options = {}) {
    return this.#collect(argv, argv, options);
  }
  /** Runs a command as root, through passwordless sudo unless the current user is root. */
  runAsRoot(argv, options = {}) {
    const { env, ...rest } = options;
    debug(`as root: ${quoteArgv(argv)}`);
    return this.#collect(argv, this.#asRoot(argv, env), rest);
  }
  /** Starts a command whose streams the caller handles. */
  start(argv, options = {}) {
    return this.#spawn(argv, options);
  }
  /** As {@link start}, as root. */
  startAsRoot(argv, options = {}) {
    debug(`as root: ${quoteArgv(argv)}`);
    return this.#spawn(this.#asRoot(argv), options);
  }
  /**
   * Runs `source | sink` with the pipe between the two processes themselves: no byte passes through this one.
   * @param limit milliseconds for both together
   */
  async pipe(source, sink, limit) {
    const begin = (end, options) => end.asRoot ? this.startAsRoot(end.argv, options) : this.start(end.argv, options);
    const from = begin(source, { stdio: ["ignore", "pipe", "pipe"] });
    const to = begin(sink, { stdio: [from.stdout, "ignore", "pipe"] });
    from.stdout?.destroy();
    const [fromWords, toWords] = [new Tail(from.stderr), new Tail(to.stderr)];
    const timer = setTimeout(() => void Promise.all([from.end(), to.end()]), limit);
    const [fromEnd, toEnd] = await Promise.all([from.ended, to.ended]);
    clearTimeout(timer);
    this.#throwIfCancelled();
    for (const [end, how, words] of [
      [sink, toEnd, toWords],
      [source, fromEnd, fromWords]
    ]) {
      if (how.exitCode !== 0) {
        const result = { exitCode: how.exitCode, stdout: "", stderr: words.text };
        throw new CommandError(end.argv, result, describeEnd2(how));
      }
    }
  }
  #asRoot(argv, env = {}) {
    this.#rootPrograms.add(argv[0] ?? "");
    const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const command = assignments.length > 0 ? ["env", ...assignments, ...argv] : argv;
    return this.isRoot ? command : ["sudo", "-n", "--", ...command];
  }
  #throwIfCancelled() {
    if (this.cancelled.aborted) throw this.cancelled.reason;
  }
  async #collect(shown, argv, { input, env, cwd, timeout, onLine, allowFailure, evenIfCancelled }) {
    const running = this.#spawn(
      argv,
      {
        stdio: [input === void 0 ? "ignore" : "pipe", "pipe", "pipe"],
        ...env && { env: { ...this.#env, ...env } },
        ...cwd && { cwd }
      },
      evenIfCancelled
    );
    const [stdout, stderr] = [new Tail(running.stdout, onLine), new Tail(running.stderr, onLine)];
    running.stdin?.on("error", () => {
    });
    running.stdin?.end(input);
    let timedOut = false;
    const timer = timeout && setTimeout(() => {
      timedOut = true;
      void running.end();
    }, timeout);
    const ended = await running.ended;
    clearTimeout(timer);
    if (!evenIfCancelled) this.#throwIfCancelled();
    const result = { exitCode: ended.exitCode, stdout: stdout.text, stderr: stderr.text };
    if (timedOut) {
      throw new CommandError(shown, result, `did not end within ${Math.round((timeout ?? 0) / 1e3)} seconds`);
    }
    if (ended.error) throw new ActionError(`${shown[0]} could not be started: ${ended.error.message}`);
    if (ended.exitCode !== 0 && !allowFailure) throw new CommandError(shown, result, describeEnd2(ended));
    return result;
  }
  #spawn(argv, options, evenIfCancelled = false) {
    if (!evenIfCancelled) this.#throwIfCancelled();
    const [program = "", ...args] = argv;
    const child = spawn(program, args, { env: this.#env, ...options, detached: true });
    const running = new RunningChild(child, this);
    if (!evenIfCancelled) {
      const cancel = () => void running.end();
      this.cancelled.addEventListener("abort", cancel, { once: true });
      void running.ended.then(() => this.cancelled.removeEventListener("abort", cancel));
    }
    return running;
  }
};
var describeEnd2 = (end) => end.signal ? `was ended by ${end.signal}` : `failed with exit code ${end.exitCode}`;
var RunningChild = class {
  pid;
  stdin;
  stdout;
  stderr;
  ended;
  #host;
  constructor(child, host) {
    this.#host = host;
    this.pid = child.pid ?? 0;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    this.stderr = child.stderr;
    this.ended = new Promise((resolve2) => {
      child.once("error", (error2) => resolve2({ exitCode: 127, signal: null, error: error2 }));
      child.once("close", (code, signal) => resolve2({ exitCode: code ?? 128, signal }));
    });
  }
  async end(graceMs = 3e3) {
    if (this.pid === 0) return;
    let over = false;
    const ended = this.ended.then(() => {
      over = true;
    });
    for (const signal of ["TERM", "KILL"]) {
      if (over) return;
      await this.#signalGroup(signal);
      await Promise.race([ended, new Promise((resolve2) => setTimeout(resolve2, graceMs).unref())]);
    }
  }
  async #signalGroup(signal) {
    try {
      process.kill(-this.pid, `SIG${signal}`);
    } catch (error2) {
      if (error2.code === "EPERM") {
        await this.#host.runAsRoot(["kill", `-${signal}`, "--", `-${this.pid}`], {
          allowFailure: true,
          evenIfCancelled: true
        }).catch(() => {
        });
      }
    }
  }
};
var Tail = class {
  #text = "";
  #line = "";
  constructor(stream, onLine) {
    stream?.setEncoding("utf8");
    stream?.on("error", () => {
    });
    stream?.on("data", (chunk2) => {
      this.#text = (this.#text + chunk2).slice(-KEPT_OUTPUT2);
      if (!onLine) return;
      const lines = (this.#line + chunk2).split(/\r?\n|\r/);
      this.#line = (lines.pop() ?? "").slice(-KEPT_OUTPUT2);
      lines.forEach(onLine);
    });
    stream?.on("end", () => {
      if (onLine && this.#line) onLine(this.#line);
    });
  }
  get text() {
    return this.#text;
  }
};

// src/machine/inittab.ts
var BOOT_SCRIPT = {
  path: "usr/lib/docker-to-disk/boot",
  content: `#!/bin/sh
# Run first by BusyBox init. Most initrds hand over /proc, /sys and /dev; without one they are still to be mounted.
PATH=/sbin:/usr/sbin:/bin:/usr/bin
mounted() {
    while read -r _ place _; do
        [ "$place" = "$1" ] && return 0
    done </proc/mounts
    return 1
}
[ -r /proc/mounts ] || mount -t proc proc /proc
mounted /sys || mount -t sysfs sysfs /sys
mounted /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mounted /dev/pts || mount -t devpts -o mode=620,gid=5 devpts /dev/pts
mounted /dev/shm || mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
mount -o remount,rw /
mount -a
hostname -F /etc/hostname
ifconfig lo up 2>/dev/null || ip link set lo up
`
};
var readInittab = (text) => text.split("\n").flatMap((line) => parseLine(line) ?? []);
function parseLine(line) {
  const match = /^\s*([^#:\s]*):([^:]*):([^:]*):(.*)$/.exec(line);
  if (!match) return null;
  const [, id = "", runlevels = "", action = "", process2 = ""] = match;
  return { id, runlevels, action: action.trim(), process: process2.trim() };
}
function hasPrompt(lines, tty) {
  const isLasting = ({ action }) => /^(respawn|askfirst)$/.test(action);
  return lines.filter(isLasting).some(({ id, process: process2 }) => id === tty || process2.split(/[\s/]+/).includes(tty));
}
function hasConsolePrompt(lines) {
  const isPrompt = (process2) => /^-?\S*\b(sh|ash|bash|login)$|getty\s.*\s-(\s|$)/.test(process2);
  return hasPrompt(lines, "console") || lines.some(
    ({ id, action, process: process2 }) => id === "" && (action === "askfirst" || action === "respawn" && isPrompt(process2))
  );
}
function sysvInittab(present, { getty, baud, serialConsole }) {
  if (getty === null) return present;
  const lines = readInittab(present);
  const taken = new Set(lines.map(({ id }) => id));
  const freeId2 = (...ids) => ids.find((id) => !taken.has(id)) ?? "dd01";
  const added = [];
  if (!hasPrompt(lines, "tty1")) added.push(`${freeId2("1", "tty1")}:2345:respawn:${getty} 38400 tty1`);
  if (serialConsole && !hasPrompt(lines, "ttyS0") && !hasPrompt(lines, "console"))
    added.push(`${freeId2("S0", "T0", "ttS0")}:2345:respawn:${getty} -L ${baud} ttyS0 vt100`);
  return append(present, added);
}
function busyboxInittab(present, { getty, baud, serialConsole, openrc, exists }) {
  const isDead = (line) => {
    const [program = ""] = line?.process.split(/\s+/) ?? [];
    return /^(sysinit|wait|once|shutdown)$/.test(line?.action ?? "") && program.startsWith("/") && !exists(program);
  };
  const kept = (present ?? "").split("\n").filter((line) => !isDead(parseLine(line))).join("\n");
  const lines = readInittab(kept);
  const has = (wanted) => lines.some(({ action }) => action === wanted);
  const added = [];
  if (!has("sysinit")) {
    const script = present === null && exists("/etc/init.d/rcS") ? ["::sysinit:/etc/init.d/rcS"] : [];
    if (openrc !== null)
      added.push(`::sysinit:${openrc} sysinit`, `::sysinit:${openrc} boot`, `::wait:${openrc} default`);
    else added.push(`::sysinit:/${BOOT_SCRIPT.path}`, ...script);
    if (!has("ctrlaltdel")) added.push("::ctrlaltdel:reboot");
    if (!has("shutdown"))
      added.push(openrc === null ? "::shutdown:umount -a -r" : `::shutdown:${openrc} shutdown`);
  }
  if (getty !== null) {
    if (!hasPrompt(lines, "tty1")) added.push(`tty1::respawn:${getty} 38400 tty1`);
    if (serialConsole && !hasPrompt(lines, "ttyS0") && !hasConsolePrompt(lines))
      added.push(`ttyS0::respawn:${getty} -L ${baud} ttyS0 vt100`);
  }
  return append(kept, added);
}
var append = (text, lines) => lines.length === 0 ? text : `${text.trim() === "" ? "" : text.replace(/\n*$/, "\n")}${lines.join("\n")}
`;

// src/machine/programs.ts
var FOLDERS = ["usr/local/sbin", "usr/local/bin", "sbin", "usr/sbin", "bin", "usr/bin"];
function findProgram(draft, ...names) {
  for (const name of names) {
    const folder = FOLDERS.find((folder2) => draft.kind(`${folder2}/${name}`) === "f");
    if (folder !== void 0) return `/${folder}/${name}`;
  }
  return null;
}
function isBusybox(draft, path) {
  const real = draft.index.resolve(path.slice(1));
  return real !== null && /(^|\/)busybox[^/]*$/.test(real);
}

// src/machine/systemd.ts
var SETTINGS = "etc/systemd/system";
var UNIT_FOLDERS = ["usr/lib/systemd/system", "lib/systemd/system"];
var NEEDED_UNITS = [
  "dev-hugepages.mount",
  "getty.target",
  "proc-sys-fs-binfmt_misc.automount",
  "sys-fs-fuse-connections.mount",
  "systemd-journal-flush.service",
  "systemd-journald-dev-log.socket",
  "systemd-journald.service",
  "systemd-journald.socket",
  "systemd-logind.service",
  "systemd-machine-id-commit.service",
  "systemd-modules-load.service",
  "systemd-random-seed.service",
  "systemd-remount-fs.service",
  "systemd-sysctl.service",
  "systemd-tmpfiles-setup-dev.service",
  "systemd-tmpfiles-setup.service",
  "systemd-udev-trigger.service",
  "systemd-udevd-control.socket",
  "systemd-udevd-kernel.socket",
  "systemd-udevd.service",
  "systemd-user-sessions.service"
];
var NEEDED_WANTS = [
  [
    "sysinit.target",
    [
      "systemd-journal-flush.service",
      "systemd-journald.service",
      "systemd-machine-id-commit.service",
      "systemd-modules-load.service",
      "systemd-random-seed.service",
      "systemd-sysctl.service",
      "systemd-tmpfiles-setup-dev.service",
      "systemd-tmpfiles-setup.service",
      "systemd-udev-trigger.service",
      "systemd-udevd.service"
    ]
  ],
  [
    "sockets.target",
    [
      "systemd-journald-dev-log.socket",
      "systemd-journald.socket",
      "systemd-udevd-control.socket",
      "systemd-udevd-kernel.socket"
    ]
  ],
  ["multi-user.target", ["getty.target", "systemd-logind.service", "systemd-user-sessions.service"]]
];
function planUnits(draft) {
  for (const unit2 of NEEDED_UNITS) {
    if (isMasked(draft, unit2)) draft.remove(`${SETTINGS}/${unit2}`);
  }
  for (const [target, units] of NEEDED_WANTS) {
    for (const unit2 of units) {
      const isWanted = [SETTINGS, ...UNIT_FOLDERS].some(
        (folder) => draft.entry(`${folder}/${target}.wants/${unit2}`) !== null
      );
      if (!isWanted) link(draft, unit2, target);
    }
  }
}
var hasUnit = (draft, unit2) => unitPath(draft, unit2) !== null;
function isMasked(draft, unit2) {
  const entry = draft.entry(`${SETTINGS}/${unit2}`);
  return entry?.kind === "l" && entry.link === "/dev/null" || entry?.kind === "f" && entry.size === 0;
}
var isUsable = (draft, unit2) => hasUnit(draft, unit2) && !isMasked(draft, unit2);
function isEnabled(draft, unit2) {
  if (!isUsable(draft, unit2)) return false;
  return [SETTINGS, ...UNIT_FOLDERS].some(
    (folder) => draft.list(folder).some((name) => /\.(wants|requires)$/.test(name) && draft.entry(`${folder}/${name}/${unit2}`) !== null)
  );
}
function enable(draft, unit2, target, aliases = []) {
  if (isEnabled(draft, unit2)) return;
  link(draft, unit2, target);
  const path = unitPath(draft, unit2);
  for (const alias of aliases) {
    if (path !== null && draft.entry(`${SETTINGS}/${alias}`) === null)
      draft.link(`${SETTINGS}/${alias}`, `/${path}`);
  }
}
function link(draft, unit2, target) {
  const path = unitPath(draft, unit2);
  if (path !== null) draft.link(`${SETTINGS}/${target}.wants/${unit2}`, `/${path}`);
}
function unitPath(draft, unit2) {
  const file = unit2.replace(/@[^.]+\./, "@.");
  const folder = [SETTINGS, ...UNIT_FOLDERS].find((folder2) => {
    const entry = draft.entry(`${folder2}/${file}`);
    return entry?.kind === "f" && (folder2 !== SETTINGS || entry.size > 0);
  });
  return folder === void 0 ? null : `${folder}/${file}`;
}

// src/machine/consoles.ts
var RUNIT_SERIAL = "etc/sv/getty-ttyS0/run";
var CONSOLES_TEXTS = ["etc/inittab", "etc/securetty", RUNIT_SERIAL];
var BAUD = 115200;
var findGetty = (draft) => findProgram(draft, "getty", "agetty");
function planConsoles(draft, facts) {
  const { system, program } = facts.init;
  if (system === "other") return;
  if (findGetty(draft) === null || findProgram(draft, "login") === null) {
    draft.warn(
      "The image has no getty or no login program: nobody can log in at its consoles. Install them: util-linux and login on Debian and Ubuntu, util-linux elsewhere."
    );
  }
  if (system === "systemd") planSystemd(draft);
  else if (system === "runit") planRunit(draft, facts);
  else if (system === "openrc" && program.endsWith("/openrc-init")) planOpenrcInit(draft, facts);
  else planInittab(draft, facts);
  if (system === "openrc") planRunlevels(draft);
  if (facts.serialConsole && system !== "systemd") planSecuretty(draft);
}
function planSystemd(draft) {
  planUnits(draft);
  if (isUsable(draft, "getty@tty1.service")) enable(draft, "getty@tty1.service", "getty.target");
}
function planInittab(draft, { init, serialConsole }) {
  const isBusybox2 = /(^|\/)busybox[^/]*$/.test(init.program);
  const getty = findGetty(draft);
  const present = draft.text("etc/inittab");
  const options = { getty, baud: BAUD, serialConsole, openrc: findProgram(draft, "openrc") };
  const exists = (path) => draft.kind(path.slice(1)) !== null;
  const wanted = isBusybox2 ? busyboxInittab(present, { ...options, exists }) : (
    // Without one of its own, sysvinit has no script to run either: there is nothing to add a prompt to.
    present === null ? null : sysvInittab(present, options)
  );
  if (wanted === null || wanted === present) return;
  draft.write("etc/inittab", wanted);
  if (readInittab(wanted).some(({ process: process2 }) => process2 === `/${BOOT_SCRIPT.path}`))
    draft.write(BOOT_SCRIPT.path, BOOT_SCRIPT.content, { mode: 493 });
}
function planOpenrcInit(draft, { serialConsole }) {
  if (draft.kind("etc/init.d/agetty") !== "f") return;
  for (const tty of serialConsole ? ["tty1", "ttyS0"] : ["tty1"]) {
    const service = `agetty.${tty}`;
    if (isInRunlevel(draft, service)) continue;
    if (draft.entry(`etc/init.d/${service}`) === null) draft.link(`etc/init.d/${service}`, "agetty");
    draft.link(`etc/runlevels/default/${service}`, `/etc/init.d/${service}`);
    if (tty === "ttyS0" && draft.entry(`etc/conf.d/${service}`) === null)
      draft.write(`etc/conf.d/${service}`, `agetty_options="-L"
baud="${BAUD}"
term_type="vt100"
`);
  }
}
var ALPINE_RUNLEVELS = [
  ["sysinit", ["devfs", "dmesg", "mdev", "hwdrivers"]],
  [
    "boot",
    [
      ...["modules", "hwclock", "swap", "hostname", "sysctl", "bootmisc", "syslog", "seedrng", "urandom"],
      // Not made by `need` of others: without them the root filesystem is neither checked nor remounted writable.
      ...["root", "fsck", "localmount"]
    ]
  ],
  ["shutdown", ["killprocs", "savecache", "mount-ro"]]
];
function planRunlevels(draft) {
  if (draft.list("etc/runlevels/sysinit").length > 0) return;
  for (const [level, services] of ALPINE_RUNLEVELS) {
    for (const service of services) {
      if (draft.kind(`etc/init.d/${service}`) === "f" && !isInRunlevel(draft, service))
        draft.link(`etc/runlevels/${level}/${service}`, `/etc/init.d/${service}`);
    }
  }
}
var isInRunlevel = (draft, service) => draft.list("etc/runlevels").some((level) => draft.entry(`etc/runlevels/${level}/${service}`) !== null);
var RUNIT_SERVICES = "etc/runit/runsvdir/default";
function planRunit(draft, { serialConsole }) {
  const getty = findGetty(draft);
  for (const tty of serialConsole ? ["tty1", "ttyS0"] : ["tty1"]) {
    const names = [`getty-${tty}`, `agetty-${tty}`];
    const isThere = names.flatMap((name) => [name, `.${name}`]).some((name) => draft.entry(`${RUNIT_SERVICES}/${name}`) !== null);
    if (!isThere) {
      const service = names.find((name) => draft.kind(`etc/sv/${name}/run`) === "f");
      if (service === void 0 && getty === null) continue;
      if (service === void 0) {
        const line = tty === "ttyS0" ? `-L ${BAUD} ttyS0 vt100` : "38400 tty1 linux";
        draft.write(`etc/sv/getty-${tty}/run`, `#!/bin/sh
exec ${getty} ${line}
`, { mode: 493 });
      }
      draft.link(`${RUNIT_SERVICES}/${service ?? `getty-${tty}`}`, `/etc/sv/${service ?? `getty-${tty}`}`);
    }
  }
  const script = serialConsole ? draft.text(RUNIT_SERIAL) : null;
  const faster = script?.replace(/^(\s*exec\s+\S*getty\s.*)\b9600\b/m, `$1${BAUD}`);
  if (faster !== void 0 && faster !== script) draft.write(RUNIT_SERIAL, faster);
}
function planSecuretty(draft) {
  const present = draft.text("etc/securetty");
  if (present === null || /^ttyS0$/m.test(present)) return;
  draft.write("etc/securetty", `${present.replace(/\n*$/, "\n")}ttyS0
`);
}

// src/machine/draft.ts
var LARGEST_TEXT = 1 << 20;
async function readTexts({ index, read }, paths) {
  const texts = paths.map(async (path) => {
    const real = index.resolve(path);
    if (real === null || index.entry(real)?.kind !== "f") return [path, null];
    const content = await read(real, LARGEST_TEXT + 1);
    if (content !== null && content.length > LARGEST_TEXT) {
      throw new ActionError(
        `/${path} in the image is larger than 1 MiB, which is no file that a system can read.`,
        "Unusable root filesystem"
      );
    }
    return [path, content?.toString("latin1") ?? null];
  });
  return new Map(await Promise.all(texts));
}
var Draft = class {
  constructor(index, texts) {
    this.index = index;
    this.#texts = texts;
  }
  index;
  #texts;
  #edits = /* @__PURE__ */ new Map();
  /** What the user should know of the plan, each a sentence or two. */
  warnings = [];
  /** In the order in which they were planned; one a path. */
  get edits() {
    return [...this.#edits.values()];
  }
  /** What the path itself is in the image, a last link not followed; null if it is absent. */
  entry(path) {
    const real = this.index.resolve(path, "keep");
    return real === null ? null : this.index.entry(real);
  }
  /** Kind of what a path leads to, links followed, with the edits; null if nowhere. */
  kind(path) {
    const edit = this.#edits.get(path);
    if (edit === void 0 || edit.kind === "link") return this.index.kind(path);
    return { file: "f", folder: "d", device: "c", remove: null }[edit.kind];
  }
  /** Names in a folder of the image, sorted; none if it is no folder. */
  list(path) {
    return this.index.list(path);
  }
  /** Content of a file, with the edits; null if it is absent. Only of files that were read or written. */
  text(path) {
    const edit = this.#edits.get(path);
    if (edit?.kind === "file") return edit.content.toString("latin1");
    if (edit !== void 0) return null;
    const text = this.#texts.get(path);
    if (text === void 0) throw new Error(`/${path} was not read.`);
    return text;
  }
  /** Writes a file; a string holds one byte a character. */
  write(path, content, status = {}) {
    const before = this.#edits.get(path);
    const present = before?.kind === "file" ? before : this.index.entry(this.index.resolve(path) ?? "");
    const { mode = 420, uid = 0, gid = 0 } = { ...isRegular(present) ? present : {}, ...status };
    this.#edits.set(path, { kind: "file", path, content, mode, uid, gid });
  }
  /** Makes a symbolic link in place of what is there. */
  link(path, target) {
    this.#edits.set(path, { kind: "link", path, target });
  }
  /** Makes a folder, or gives the one that is there this mode and owner. Its parents are made as root's, 0755. */
  folder(path, { mode = 493, uid = 0, gid = 0 } = {}) {
    this.#edits.set(path, { kind: "folder", path, mode, uid, gid });
  }
  device(path, numbers) {
    this.#edits.set(path, { kind: "device", path, ...numbers });
  }
  /** Removes what is there, if anything. */
  remove(...paths) {
    for (const path of paths) {
      this.#edits.delete(path);
      if (this.entry(path) !== null) this.#edits.set(path, { kind: "remove", path });
    }
  }
  warn(text) {
    this.warnings.push(text);
  }
};
var isRegular = (what) => what?.kind === "f" || what?.kind === "file";

// src/machine/entrypoint.ts
import { posix as posix2 } from "node:path";

// src/machine/service/script.ts
var quoteWord = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
var BIN_FOLDERS = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];
function findTool(index, name, realName) {
  for (const folder of BIN_FOLDERS) {
    const real = index.resolve(`${folder}/${name}`);
    if (real === null || index.entry(real)?.kind !== "f") continue;
    if (realName.test(real.split("/").pop() ?? "")) return `/${folder}/${name}`;
  }
  return null;
}
function switchUser(index, { uid, gid, groups, loginName }) {
  if (uid === 0 && gid === 0) return "";
  const setpriv = findTool(index, "setpriv", /^setpriv$/);
  if (setpriv) return `${setpriv} --reuid ${uid} --regid ${gid} --groups ${groups.join(",")} -- `;
  const chpst = findTool(index, "chpst", /^chpst$/);
  if (chpst) return `${chpst} -u :${[uid, gid, ...groups.filter((group) => group !== gid)].join(":")} `;
  const gosu = findTool(index, "gosu", /^gosu/) ?? findTool(index, "su-exec", /^su-exec/);
  if (gosu && groups.length === 1) return `${gosu} ${uid}:${gid} `;
  if (gosu && loginName !== null) return `${gosu} ${quoteWord(loginName)} `;
  const su = findTool(index, "su", /^(busybox|bbsuid)/);
  if (su && loginName !== null) return `${su} -s /bin/sh -c 'exec "$@"' -- ${quoteWord(loginName)} sh `;
  throw new ActionError(
    `The image's process runs as user ${uid} with group ${gid}, but the image has no program that can start it so: looked for setpriv of util-linux, chpst, gosu and su-exec` + (su ? ", and su needs a user of that name and group in /etc/passwd. " : ", and su of BusyBox. ") + "Add to the Dockerfile RUN apk add --no-cache setpriv on Alpine, or install util-linux.",
    "No service to run"
  );
}
function entrypointScript(index, process2, folders, lowestPort) {
  const { argv, env, identity, workingDir } = process2;
  const { uid, gid } = identity;
  const envTool = findTool(index, "env", /./);
  if (envTool === null) {
    throw new ActionError(
      "The image has no program env, which gives the service its environment. Install coreutils or busybox in the Dockerfile.",
      "No service to run"
    );
  }
  if (argv[0]?.includes("=")) {
    throw new ActionError(
      `The image's ENTRYPOINT or CMD begins with ${JSON.stringify(argv[0])}: a program whose path holds "=" cannot be started by env. Give it another name in the Dockerfile.`,
      "No service to run"
    );
  }
  const variables = [...env].map(
    ([name, value]) => value === null ? `${quoteWord(`${name}=`)}"$hostname"` : quoteWord(`${name}=${value}`)
  );
  return `${[
    "#!/bin/sh",
    "# Becomes the image's ENTRYPOINT and CMD with the user, folder and environment that Docker gives them.",
    "# Made by docker-to-disk.",
    "umask 022",
    ...folders.map(makeFolder),
    ...lowestPort !== null && lowestPort < 1024 && uid !== 0 ? [
      "# In a container any user may serve on any port.",
      `echo ${lowestPort} >/proc/sys/net/ipv4/ip_unprivileged_port_start`
    ] : [],
    "# The output is a pipe of the user's, as in Docker: a socket or the console could not be opened as /dev/stdout.",
    "pipe=/run/docker-to-disk-entrypoint.pipe",
    'rm -f "$pipe"',
    `if mkfifo -m 600 "$pipe" && chown ${uid}:${gid} "$pipe"; then`,
    '  (cat "$pipe" &)',
    '  exec >"$pipe" 2>&1',
    '  rm -f "$pipe"',
    "fi",
    "read -r hostname </proc/sys/kernel/hostname",
    `cd ${quoteWord(workingDir)} || exit`,
    `exec ${switchUser(index, identity)}${[`${envTool} -i --`, ...variables, ...argv.map(quoteWord)].join(" \\\n  ")}`
  ].join("\n")}
`;
}
var makeFolder = ({ path, mode, uid, gid }) => {
  const word = quoteWord(`/${path}`);
  return `[ -d ${word} ] || { mkdir -p ${word} && chown ${uid}:${gid} ${word} && chmod ${mode.toString(8)} ${word}; }`;
};
var VOLATILE = /^(run|tmp|dev\/shm)(\/|$)/;
function volatileFolders(index, wanted) {
  const folders = /* @__PURE__ */ new Map();
  const add = (path) => {
    const { mode, uid, gid } = index.entry(path) ?? { mode: 493, uid: 0, gid: 0 };
    folders.set(path, { path, mode, uid, gid });
  };
  const walk = (folder) => {
    for (const name of index.list(folder)) {
      const path = `${folder}/${name}`;
      if (index.entry(path)?.kind !== "d" || !isExact(path)) continue;
      add(path);
      walk(path);
    }
  };
  if (index.entry("run")?.kind === "d") walk("run");
  for (const path of wanted.map((path2) => index.resolve(path2) ?? path2)) {
    if (VOLATILE.test(path) && path.includes("/") && !folders.has(path)) add(path);
  }
  return [...folders.values()];
}

// src/machine/service/inits.ts
var SERVICE = "docker-to-disk-entrypoint";
var FOLDER2 = "usr/lib/docker-to-disk";
var ENTRYPOINT = `${FOLDER2}/entrypoint`;
var SUPERVISE = `${FOLDER2}/supervise`;
function planSupervision(draft, { init, network: network2 }, stopSignal) {
  const script = (path, text) => draft.write(path, text, { mode: 493, uid: 0, gid: 0 });
  switch (init.system) {
    case "systemd":
      draft.write(`etc/systemd/system/${SERVICE}.service`, unit(network2, stopSignal), { mode: 420 });
      draft.link(`etc/systemd/system/multi-user.target.wants/${SERVICE}.service`, `../${SERVICE}.service`);
      return;
    case "openrc": {
      const path = ["sbin", "usr/bin", "usr/sbin"].find((folder) => draft.kind(`${folder}/openrc-run`) === "f");
      script(SUPERVISE, supervise(stopSignal));
      script(`etc/init.d/${SERVICE}`, openrcScript(path ?? "sbin"));
      draft.link(`etc/runlevels/default/${SERVICE}`, `/etc/init.d/${SERVICE}`);
      return;
    }
    case "runit": {
      for (const [name, text] of Object.entries(runitScripts(stopSignal)))
        script(`etc/sv/${SERVICE}/${name}`, text);
      const runlevel = "etc/runit/runsvdir/default";
      draft.link(
        `${draft.kind(runlevel) === "d" ? runlevel : "etc/service"}/${SERVICE}`,
        `/etc/sv/${SERVICE}`
      );
      return;
    }
    case "sysvinit":
    case "busybox":
      script(SUPERVISE, supervise(stopSignal));
      planInittab2(draft, init.system);
      return;
    default:
      throw new ActionError(
        `Input entrypoint-service is true, but the image's init /${init.program} is none that starts services: looked for systemd, OpenRC, SysV init, runit and BusyBox init. Install one in the Dockerfile, or leave the input out.`,
        "No service to run"
      );
  }
}
var unit = (network2, stopSignal) => `[Unit]
Description=ENTRYPOINT and CMD of the container image
${network2 === "dhcp" ? "Wants=network-online.target\n" : ""}After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/${ENTRYPOINT}
# Lets what was written last reach the journal.
ExecStopPost=/bin/sleep 0.2
SyslogIdentifier=${SERVICE}
StandardOutput=journal+console
StandardError=journal+console
IgnoreSIGPIPE=no
KillMode=mixed
KillSignal=${stopSignal}
TimeoutStopSec=10
Restart=on-failure
RestartForceExitStatus=SIGHUP SIGINT SIGPIPE SIGTERM
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
var TO_CONSOLE = `if (: >/dev/console) 2>/dev/null; then
  exec </dev/null >/dev/console 2>&1
fi
`;
var supervise = (stopSignal) => `#!/bin/sh
# Runs the image's process, again after a failure; with the argument "stop" ends it. Made by docker-to-disk.
supervisor=/run/${SERVICE}.supervisor.pid
process=/run/${SERVICE}.pid
if [ "$1" = stop ]; then
  # First what would start it again.
  read -r pid <"$supervisor" && kill "$pid"
  if read -r pid <"$process" && kill -${stopSignal} "$pid"; then
    seconds=0
    while [ "$seconds" -lt 10 ] && kill -0 "$pid"; do
      sleep 1
      seconds=$((seconds + 1))
    done
    kill -9 "$pid"
  fi
  rm -f "$supervisor" "$process"
  exit 0
fi 2>/dev/null
${TO_CONSOLE}rm -f "$process"
echo $$ >"$supervisor"
until /bin/sh -c 'echo $$ >"$0"; exec /${ENTRYPOINT}' "$process"; do
  echo "${SERVICE}: ended with status $?, starts again"
  rm -f "$process"
  sleep 1
done
rm -f "$supervisor" "$process"
`;
var openrcScript = (folder) => `#!/${folder}/openrc-run
# Made by docker-to-disk.
description="ENTRYPOINT and CMD of the container image"
command=/${SUPERVISE}
command_background=yes
pidfile=/run/${SERVICE}.supervisor.pid

depend() {
	use net logger
	after localmount bootmisc
}

stop() {
	ebegin "Stopping \${RC_SVCNAME}"
	/${SUPERVISE} stop
	eend $?
}
`;
var runitScripts = (stopSignal) => ({
  run: `#!/bin/sh
${TO_CONSOLE}exec /${ENTRYPOINT}
`,
  finish: '#!/bin/sh\n# Starts again after a failure only.\n[ "$1" -ne 0 ] || printf d >supervise/control\n',
  "control/t": `#!/bin/sh
# Ends it as \`docker stop\` does.
read -r pid <supervise/pid && kill -${stopSignal} "$pid" || exit
(
  sleep 10
  read -r now <supervise/pid
  [ "$now" != "$pid" ] || kill -9 "$pid"
) </dev/null >/dev/null 2>&1 &
`
});
var BUSYBOX_INITTAB = `::sysinit:/etc/init.d/rcS
::askfirst:-/bin/sh
tty2::askfirst:-/bin/sh
tty3::askfirst:-/bin/sh
tty4::askfirst:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/swapoff -a
::shutdown:/bin/umount -a -r
::restart:/sbin/init
`;
function planInittab2(draft, system) {
  const present = draft.text("etc/inittab") ?? (system === "busybox" ? BUSYBOX_INITTAB : "");
  const setsid = findTool(draft.index, "setsid", /./);
  const start2 = `${setsid === null ? "" : `${setsid} `}/${SUPERVISE}`;
  const lines = system === "busybox" ? `::shutdown:/${SUPERVISE} stop
::once:${start2}
` : `d2d0:016:wait:/${SUPERVISE} stop
`;
  const last = system === "busybox" ? "" : `d2d1:2345:once:${start2}
`;
  const gap = present === "" || present.endsWith("\n") ? "" : "\n";
  draft.write("etc/inittab", `${lines}${present}${gap}${last}`);
}

// src/machine/service/process.ts
import { posix } from "node:path";
var DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
var LARGEST_ID = 2 ** 31 - 1;
var SIGTERM = 15;
var TITLE = "No service to run";
function dockerProcess(config, passwd, group) {
  const argv = [...config.entrypoint, ...config.cmd];
  if (argv.length === 0) {
    throw new ActionError(
      'Input entrypoint-service is true, but the image has neither ENTRYPOINT nor CMD. Add one to the Dockerfile, such as CMD ["/usr/local/bin/server"], or leave the input out.',
      TITLE
    );
  }
  const users = parseUsers(passwd);
  const identity = identityOf(config.user, users, parseGroups(group));
  return {
    argv,
    env: environment(config.env, users.find(({ uid }) => uid === identity.uid)?.home ?? "/"),
    identity,
    workingDir: posix.resolve("/", config.workingDir),
    stopSignal: signalNumber(config.stopSignal)
  };
}
function environment(given, home) {
  const env = /* @__PURE__ */ new Map([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", null]
  ]);
  for (const assignment of given) {
    const equals = assignment.indexOf("=");
    const name = equals < 0 ? assignment : assignment.slice(0, equals);
    if (equals < 0) env.delete(name);
    else if (equals > 0) env.set(name, assignment.slice(equals + 1));
  }
  if (!env.get("HOME")) env.set("HOME", home);
  return env;
}
var fieldsOf = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((line) => line.split(":"));
var parseUsers = (passwd) => fieldsOf(passwd).map(([name = "", , uid, gid, , home = ""]) => ({
  name,
  uid: Number(uid),
  gid: Number(gid),
  home
}));
var parseGroups = (group) => fieldsOf(group).map(([name = "", , gid, members = ""]) => ({
  name,
  gid: Number(gid),
  members: members.split(",")
}));
function identityOf(spec, users, groups) {
  const [userPart = "", groupPart = ""] = spec.split(":");
  const refuse2 = (kind, name, file, advice2) => {
    throw new ActionError(
      `The image's USER is ${JSON.stringify(spec)}, but the image has no ${kind} ${JSON.stringify(name)}: /${file} does not name one. Add it in the Dockerfile, such as RUN ${advice2} ${name}, or give its number.`,
      TITLE
    );
  };
  const number = (text, fallback) => {
    if (!/^\d+$/.test(text) || Number(text) > LARGEST_ID) fallback();
    return Number(text);
  };
  const user = users.find(
    ({ name, uid: uid2 }) => /^\d*$/.test(userPart) ? uid2 === Number(userPart) : name === userPart
  );
  const uid = user?.uid ?? (userPart === "" ? 0 : number(userPart, () => refuse2("user", userPart, "etc/passwd", "useradd")));
  if (groupPart !== "") {
    const named = /^\d+$/.test(groupPart) ? void 0 : groups.find(({ name }) => name === groupPart);
    const gid2 = named?.gid ?? number(groupPart, () => refuse2("group", groupPart, "etc/group", "groupadd"));
    return { uid, gid: gid2, groups: [gid2], loginName: null };
  }
  const gid = user?.gid ?? 0;
  const further = user ? groups.filter(({ members }) => members.includes(user.name)).map((g) => g.gid) : [];
  const isFirst = users.find(({ name }) => name === user?.name) === user;
  return {
    uid,
    gid,
    groups: [.../* @__PURE__ */ new Set([gid, ...further])],
    loginName: isFirst ? user?.name ?? null : null
  };
}
var SIGNALS2 = Object.fromEntries(
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" ").map((name, i) => [name, i + 1]).concat([
    ["IOT", 6],
    ["CLD", 17],
    ["POLL", 29],
    ["RTMIN", 34],
    ["RTMAX", 64]
  ])
);
function signalNumber(name) {
  const upper = name.trim().toUpperCase().replace(/^SIG/, "");
  const [, base = upper, sign, offset] = /^(RTMIN|RTMAX)([+-])(\d+)$/.exec(upper) ?? [];
  const first = /^\d+$/.test(base) ? Number(base) : SIGNALS2[base];
  const number = (first ?? 0) + (offset === void 0 ? 0 : Number(`${sign}${offset}`));
  return number >= 1 && number <= 64 ? number : SIGTERM;
}
function findProgram2(index, { argv: [program = ""], env, workingDir }) {
  const from = (folder) => folder.startsWith("/") ? folder : `${workingDir.replace(/\/$/, "")}/${folder}`;
  const places = program.includes("/") ? [from(program)] : (env.get("PATH") ?? "").split(":").map((folder) => `${from(folder)}/${program}`);
  const files = places.filter((place) => program !== "" && index.kind(place) === "f");
  for (const file of files) {
    const real = index.resolve(file) ?? "";
    if (((index.entry(real)?.mode ?? 0) & 73) !== 0) return real;
  }
  throw new ActionError(
    `The image's ENTRYPOINT or CMD begins with ${JSON.stringify(program)}, ` + (files.length > 0 ? `but ${files[0]} is not executable. Add RUN chmod +x ${files[0]} to the Dockerfile.` : `but there is no such program in the image: looked for ${places.join(", ")}. Install it in the Dockerfile, or correct the instruction.`),
    TITLE
  );
}

// src/machine/entrypoint.ts
var ENTRYPOINT_TEXTS = ["etc/passwd", "etc/group", "etc/inittab"];
function planEntrypoint(draft, facts) {
  const { service } = facts;
  if (service === null) return;
  const { index } = draft;
  const process2 = dockerProcess(service, utf8(draft.text("etc/passwd")), utf8(draft.text("etc/group")));
  checkProgram(draft, facts, process2);
  const wanted = [process2.workingDir, ...service.volumes].map((path) => posix2.resolve("/", path).slice(1)).filter((path) => path !== "");
  for (const path of wanted) if (draft.kind(path) === null) draft.folder(path);
  const ports = service.exposedPorts.map((port) => Number.parseInt(port, 10)).filter((port) => port > 0);
  const lowestPort = ports.length > 0 ? Math.min(...ports) : null;
  const text = entrypointScript(index, process2, volatileFolders(index, wanted), lowestPort);
  draft.write(ENTRYPOINT, Buffer.from(text), { mode: 448, uid: 0, gid: 0 });
  planSupervision(draft, facts, process2.stopSignal);
}
var SHELL = /^(?:a|ba|da|z)?sh$/;
function checkProgram(draft, { init }, process2) {
  const [program = "", ...args] = process2.argv;
  const name = program.split("/").pop() ?? "";
  const real = findProgram2(draft.index, process2);
  if (real === init.program && (name === "init" || !real.endsWith("busybox"))) {
    throw new ActionError(
      `Input entrypoint-service is true, but the image's ENTRYPOINT or CMD is ${program}, the init that the machine starts with anyway. Name the program to serve in the Dockerfile, or leave the input out.`,
      "No service to run"
    );
  }
  if (args.length === 0 && SHELL.test(name)) {
    draft.warn(
      `The service of entrypoint-service is just the shell ${program}, which ends as soon as it starts. The CMD is probably that of the base image: add one to the Dockerfile.`
    );
  }
}
var utf8 = (text) => Buffer.from(text ?? "", "latin1").toString();

// src/machine/identity.ts
var IDENTITY_TEXTS = ["etc/fstab", "usr/sbin/policy-rc.d"];
function planIdentity(draft, { hostname, rootMount, init }) {
  draft.write("etc/fstab", fstab(draft.text("etc/fstab"), rootMount));
  draft.write("etc/hostname", `${hostname}
`, { mode: 420 });
  draft.write("etc/hosts", hosts(hostname), { mode: 420 });
  if (init.system === "systemd") draft.write("etc/machine-id", "", { mode: 292 });
  else draft.remove("etc/machine-id");
  if (draft.entry("var/lib/dbus/machine-id")?.kind === "f") draft.remove("var/lib/dbus/machine-id");
  planDevices2(draft);
  draft.remove(".dockerenv", "run/.containerenv");
  if (/exit\s+101/.test(draft.text("usr/sbin/policy-rc.d") ?? "")) draft.remove("usr/sbin/policy-rc.d");
}
function fstab(present, rootMount) {
  const lines = (present ?? "").split("\n").filter((line) => line.trim().split(/\s+/)[1] !== "/" || line.trim().startsWith("#"));
  const kept = lines.filter((line) => !/UNCONFIGURED FSTAB/.test(line)).join("\n").trim();
  return `${rootMount}
${kept === "" ? "" : `${kept}
`}`;
}
function hosts(hostname) {
  return [
    "127.0.0.1	localhost",
    `127.0.1.1	${hostname}`,
    "::1	localhost ip6-localhost ip6-loopback",
    "ff02::1	ip6-allnodes",
    "ff02::2	ip6-allrouters",
    ""
  ].join("\n");
}
function planDevices2(draft) {
  if (draft.entry("dev/console")?.kind !== "c")
    draft.device("dev/console", { major: 5, minor: 1, mode: 384 });
  if (draft.entry("dev/null")?.kind !== "c") draft.device("dev/null", { major: 1, minor: 3, mode: 438 });
}

// src/distro/family.ts
function packagesFor(family, part, at) {
  const reached = (version) => at.version === "" || compareVersions(at.version, version) >= 0;
  return family.packages[part].filter(
    ({ since, until, kernel, init, withoutSystemd, ids }) => (since === void 0 || reached(since)) && (until === void 0 || !reached(until)) && (kernel === void 0 || kernel === at.kernel) && (init === void 0 || init === at.init) && (withoutSystemd === void 0 || at.init !== "systemd") && (ids === void 0 || ids.includes(at.id))
  ).map(({ name }) => name);
}
function installCommands(family, parts, packages) {
  const install = family.install(packages.join(" "));
  const initrd = parts.includes("initrd") || parts.includes("kernel") && family.initrdsByHand;
  return initrd ? [family.prepare, install, family.makeInitrds].filter((command) => command !== null) : [install];
}
function dockerfileLine(family, part, { id, version }) {
  const packages = packagesFor(family, part, { id, version, kernel: "generic", init: family.init });
  return `RUN ${installCommands(family, [part], packages).join(" && ")}`;
}
var DISK_DRIVERS2 = [
  "virtio_blk",
  "virtio_pci",
  "virtio_scsi",
  "ahci",
  "sd_mod",
  "nvme",
  "usb_storage",
  "uas",
  "xhci_pci",
  "ext4"
];
var forEachKernel = (command) => `for modules in /lib/modules/*/modules.dep; do version="$(basename "$(dirname "$modules")")"; ${command}; done`;
var GENERIC_DRACUT = `mkdir -p /etc/dracut.conf.d && echo 'hostonly="no"' >/etc/dracut.conf.d/90-generic.conf`;
var dracut = (initrd) => forEachKernel(
  [
    `[ -e "${initrd}" ] && continue`,
    "drivers=",
    `for driver in ${DISK_DRIVERS2.join(" ")}; do if modinfo -k "$version" "$driver" >/dev/null 2>&1; then drivers="$drivers $driver"; fi; done`,
    `dracut --force --no-hostonly --add-drivers "$drivers" --kver "$version" "${initrd}"`
  ].join("; ")
);

// src/distro/families/alpine.ts
var alpine = {
  name: "Alpine",
  ids: ["alpine"],
  init: "openrc",
  manager: "sbin/apk",
  packages: {
    kernel: [
      { name: "linux-virt", kernel: "cloud" },
      { name: "linux-lts", kernel: "generic" },
      // Without it linux-lts brings the firmware of every device, half a gigabyte.
      { name: "linux-firmware-none", kernel: "generic" },
      { name: "e2fsprogs" }
    ],
    initrd: [{ name: "mkinitfs" }],
    init: [
      { name: "openrc" },
      { name: "busybox-openrc", since: "3.17" },
      { name: "busybox-mdev-openrc", since: "3.17" },
      { name: "busybox-initscripts", until: "3.17" }
    ],
    network: [{ name: "busybox" }, { name: "openrc", init: "openrc" }],
    login: [{ name: "busybox" }],
    sudo: [{ name: "doas" }],
    ssh: [{ name: "openssh" }]
  },
  install: (packages) => `apk add --no-cache ${packages}`,
  prepare: null,
  // Its default features hold virtio, AHCI (ata), NVMe and USB storage.
  makeInitrds: forEachKernel(
    'flavour="$(echo "$version" | sed "s/.*-//")"; [ -e "/boot/initramfs-$flavour" ] || mkinitfs -o "/boot/initramfs-$flavour" "$version"'
  ),
  initrdsByHand: false,
  kernelNames: [/^vmlinuz-(.+)$/],
  initrdNames: (flavour) => [`initramfs-${flavour}`]
};

// src/distro/families/arch.ts
var arch = {
  name: "Arch",
  ids: ["arch"],
  init: "systemd",
  manager: "usr/bin/pacman",
  packages: {
    // One kernel for all: there is no smaller one.
    kernel: [{ name: "linux" }, { name: "mkinitcpio" }],
    initrd: [{ name: "mkinitcpio" }],
    init: [{ name: "systemd" }, { name: "systemd-sysvcompat" }],
    network: [{ name: "systemd" }],
    login: [{ name: "util-linux" }, { name: "shadow" }],
    sudo: [{ name: "sudo" }],
    ssh: [{ name: "openssh" }]
  },
  // Arch knows no partial upgrade: what is new may need newer versions of what is there.
  install: (packages) => `pacman -Syu --noconfirm --needed ${packages}`,
  prepare: null,
  // The hook autodetect would leave out all that the build host does not have.
  makeInitrds: forEachKernel(
    'name="$(cat "/lib/modules/$version/pkgbase")"; mkinitcpio -S autodetect -k "$version" -g "/boot/initramfs-$name.img"'
  ),
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(linux.*)$/],
  initrdNames: (name) => [`initramfs-${name}.img`]
};

// src/distro/families/debian.ts
var apt = {
  manager: "usr/bin/apt-get",
  install: (packages) => `apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${packages}`,
  prepare: null,
  makeInitrds: forEachKernel('[ -e "/boot/initrd.img-$version" ] || update-initramfs -c -k "$version"'),
  initrdsByHand: false,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: (version) => [`initrd.img-${version}`]
};
var login = [{ name: "login" }, { name: "util-linux" }];
var debian = {
  ...apt,
  name: "Debian",
  ids: ["debian"],
  init: "systemd",
  packages: {
    kernel: [
      { name: "linux-image-cloud-amd64", kernel: "cloud" },
      { name: "linux-image-amd64", kernel: "generic" }
    ],
    initrd: [{ name: "initramfs-tools" }],
    init: [{ name: "systemd-sysv" }],
    network: [
      // Part of the package systemd before.
      { name: "systemd-resolved", since: "12", init: "systemd" },
      { name: "dbus", init: "systemd" },
      { name: "ifupdown", withoutSystemd: true },
      { name: "isc-dhcp-client", until: "13", withoutSystemd: true },
      { name: "dhcpcd-base", since: "13", withoutSystemd: true }
    ],
    login,
    sudo: [{ name: "sudo" }],
    ssh: [{ name: "openssh-server" }]
  }
};
var kali = { ...debian, name: "Kali", ids: ["kali"] };
var devuan = {
  ...debian,
  name: "Devuan",
  ids: ["devuan"],
  init: "sysvinit",
  packages: { ...debian.packages, init: [{ name: "sysvinit-core" }] }
};
var ubuntu = {
  ...apt,
  name: "Ubuntu",
  ids: ["ubuntu"],
  init: "systemd",
  packages: {
    kernel: [
      { name: "linux-image-virtual", kernel: "cloud" },
      { name: "linux-image-generic", kernel: "generic" },
      // Only recommended by Ubuntu's kernels: without it there would be no initrd.
      { name: "initramfs-tools" }
    ],
    initrd: [{ name: "initramfs-tools" }],
    init: [{ name: "systemd-sysv" }],
    network: [
      { name: "systemd-resolved", since: "22.10", init: "systemd" },
      { name: "dbus", init: "systemd" },
      { name: "ifupdown", withoutSystemd: true },
      { name: "isc-dhcp-client", withoutSystemd: true }
    ],
    login,
    sudo: [{ name: "sudo" }],
    ssh: [{ name: "openssh-server" }]
  }
};

// src/distro/families/fedora.ts
var ENTERPRISE = ["rhel", "centos", "rocky", "almalinux", "ol"];
var fedora = {
  name: "Fedora",
  ids: ["fedora", ...ENTERPRISE],
  init: "systemd",
  manager: "usr/bin/dnf",
  packages: {
    kernel: [
      { name: "kernel-core", kernel: "cloud" },
      { name: "kernel", kernel: "generic" },
      { name: "dracut" },
      { name: "kmod" },
      { name: "e2fsprogs" }
    ],
    initrd: [{ name: "dracut" }, { name: "kmod" }, { name: "e2fsprogs" }],
    init: [{ name: "systemd" }, { name: "systemd-udev" }],
    network: [
      { name: "systemd-networkd", ids: ["fedora"] },
      { name: "systemd-resolved", ids: ["fedora"] },
      { name: "NetworkManager", ids: ENTERPRISE }
    ],
    login: [{ name: "util-linux" }, { name: "passwd", ids: ENTERPRISE, until: "10" }],
    sudo: [{ name: "sudo" }],
    ssh: [{ name: "openssh-server" }]
  },
  install: (packages) => `dnf install -y --setopt=install_weak_deps=False ${packages}`,
  prepare: GENERIC_DRACUT,
  makeInitrds: dracut("/boot/initramfs-$version.img"),
  // Installing a kernel in a container makes none, or one below /boot/MACHINE-ID.
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: (version) => [`initramfs-${version}.img`]
};

// src/distro/families/opensuse.ts
var opensuse = {
  name: "openSUSE",
  ids: ["opensuse", "opensuse-leap", "opensuse-tumbleweed", "suse", "sles"],
  init: "systemd",
  manager: "usr/bin/zypper",
  packages: {
    kernel: [
      { name: "kernel-default-base", kernel: "cloud" },
      { name: "kernel-default", kernel: "generic" },
      { name: "dracut" },
      { name: "kmod" },
      { name: "e2fsprogs" }
    ],
    initrd: [{ name: "dracut" }, { name: "kmod" }, { name: "e2fsprogs" }],
    init: [{ name: "systemd" }, { name: "udev" }],
    // systemd-networkd and -resolved.
    network: [{ name: "systemd-network" }],
    login: [{ name: "util-linux" }, { name: "util-linux-systemd" }, { name: "shadow" }],
    sudo: [{ name: "sudo" }],
    ssh: [{ name: "openssh" }]
  },
  install: (packages) => `zypper --non-interactive install --no-recommends ${packages}`,
  prepare: GENERIC_DRACUT,
  makeInitrds: dracut("/boot/initrd-$version"),
  initrdsByHand: true,
  kernelNames: [/^vmlinuz-(\d.*)$/],
  initrdNames: (version) => [`initrd-${version}`, `initrd-${version}.img`]
};

// src/distro/families.ts
var FAMILIES = [debian, ubuntu, kali, devuan, alpine, fedora, arch, opensuse];
function familyOf(distribution) {
  for (const id of [distribution.id, ...distribution.like]) {
    const family = FAMILIES.find((candidate) => candidate.ids.includes(id));
    if (family) return family;
  }
  return null;
}

// src/machine/udhcpc.ts
var UDHCPC = {
  path: "usr/lib/docker-to-disk/dhcp",
  content: `#!/bin/sh
# DHCP on the first wired interface.
PATH=/sbin:/usr/sbin:/bin:/usr/bin
wired() {
    for interface in /sys/class/net/*; do
        # A device behind it, an Ethernet address (ARPHRD_ETHER), no radio.
        [ -e "$interface/device" ] && [ "$(cat "$interface/type")" = 1 ] || continue
        [ -e "$interface/wireless" ] || [ -e "$interface/phy80211" ] || return 0
    done
    return 1
}
until wired; do
    # The driver may be a module that nothing has loaded yet.
    find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u | xargs modprobe -a -b -q 2>/dev/null
    wired || sleep 2
done
interface=\${interface##*/}
ip link set "$interface" up 2>/dev/null || ifconfig "$interface" up
script=/usr/share/udhcpc/default.script
[ -e "$script" ] || script=/usr/lib/docker-to-disk/lease
# Its messages would break the login prompt.
exec udhcpc -f -R -i "$interface" -s "$script" </dev/null >/dev/null 2>&1
`
};
var UDHCPC_LEASE = {
  path: "usr/lib/docker-to-disk/lease",
  content: `#!/bin/sh
# Sets what udhcpc was given; see https://udhcp.busybox.net/README.udhcpc
PATH=/sbin:/usr/sbin:/bin:/usr/bin
case "$1" in
deconfig)
    ifconfig "$interface" 0.0.0.0
    ;;
bound | renew)
    ifconfig "$interface" "$ip" \${subnet:+netmask "$subnet"} \${broadcast:+broadcast "$broadcast"}
    for gateway in $router; do
        route add default gw "$gateway" dev "$interface" 2>/dev/null
    done
    {
        [ -z "$domain" ] || echo "search $domain"
        for server in $dns; do
            echo "nameserver $server"
        done
    } >/etc/resolv.conf
    ;;
esac
`
};
var NAME_SERVERS = {
  path: "usr/lib/docker-to-disk/name-servers",
  // The state file is what libsystemd's sd-network reads, resolved among others.
  script: `#!/bin/sh
# Copies the name servers that systemd-networkd was given to /etc/resolv.conf.
state=/run/systemd/netif/state
[ -r "$state" ] || exit 0
while IFS== read -r key value; do
    [ "$key" = DNS ] || continue
    for server in $value; do
        echo "nameserver $server"
    done
done <"$state" >/etc/resolv.conf
`,
  units: {
    "network-name-servers.path": `[Unit]
Description=Watch for name servers of systemd-networkd

[Path]
PathChanged=/run/systemd/netif/state

[Install]
WantedBy=multi-user.target
`,
    "network-name-servers.service": `[Unit]
Description=Name servers of systemd-networkd
After=systemd-networkd.service

[Service]
Type=oneshot
ExecStart=/bin/sh /usr/lib/docker-to-disk/name-servers

[Install]
WantedBy=multi-user.target
`
  }
};

// src/machine/network.ts
var INTERFACES = "etc/network/interfaces";
var NETWORK_TEXTS = [INTERFACES, "etc/inittab", "etc/init.d/rcS"];
function planNetwork(draft, facts) {
  const client = facts.network === "none" ? null : chooseClient(draft, facts.init.system);
  if (client !== null && !isConfigured(draft, client)) configure(draft, facts, client);
  if (client !== null) start(draft, facts, client);
  if (facts.network === "dhcp" && client === null) draft.warn(noClient(facts));
  planResolver(draft, facts, client);
}
function noClient({ distribution, init }) {
  if (init.system === "other")
    return `The network is left alone: ${init.path} is no init that is known. It has to bring the network up itself.`;
  const packages = {
    Debian: init.system === "systemd" ? "systemd-resolved" : "ifupdown with isc-dhcp-client or dhcpcd-base",
    Ubuntu: "netplan.io and systemd-resolved",
    Alpine: "alpine-base",
    Fedora: "NetworkManager",
    Arch: "systemd",
    openSUSE: "NetworkManager"
  };
  const named = packages[familyOf(distribution)?.name ?? ""] ?? "dhcpcd";
  return `The machine has no network: nothing in the image can ask for an address by DHCP. Install ${named}, or set network to none.`;
}
var dhcpProgram = (draft) => findProgram(draft, "dhclient", "dhcpcd", "udhcpc");
function hasIfupdown(draft) {
  const ifup = findProgram(draft, "ifup");
  const isDebians = ["usr/lib/ifupdown", "lib/ifupdown"].some((folder) => draft.kind(folder) === "d");
  return ifup !== null && isDebians && !isBusybox(draft, ifup);
}
function chooseClient(draft, system) {
  const canIfupdown = hasIfupdown(draft) && dhcpProgram(draft) !== null;
  switch (system) {
    case "systemd":
      if (findProgram(draft, "netplan") !== null) return "netplan";
      if (isUsable(draft, "NetworkManager.service")) return "NetworkManager";
      if (isEnabled(draft, "systemd-networkd.service")) return "networkd";
      if (isEnabled(draft, "connman.service")) return "connman";
      if (isEnabled(draft, "wicked.service")) return "wicked";
      if (isEnabled(draft, "dhcpcd.service")) return "dhcpcd";
      if (canIfupdown && isUsable(draft, "networking.service")) return "ifupdown";
      if (isUsable(draft, "systemd-networkd.service")) return "networkd";
      return isUsable(draft, "dhcpcd.service") ? "dhcpcd" : null;
    case "openrc":
      if (draft.kind("etc/init.d/dhcpcd") === "f" && isInRunlevel(draft, "dhcpcd")) return "dhcpcd";
      if (draft.kind("etc/init.d/networking") === "f") {
        if (canIfupdown) return "ifupdown";
        if (!hasIfupdown(draft) && findProgram(draft, "ifup") !== null) return "ifup";
      }
      return draft.kind("etc/init.d/dhcpcd") === "f" ? "dhcpcd" : null;
    case "sysvinit":
      if (isInRc(draft, "dhcpcd")) return "dhcpcd";
      return canIfupdown ? "ifupdown" : null;
    case "runit":
      if (draft.entry(`${RUNIT_SERVICES}/dhcpcd`) !== null || isInRc(draft, "dhcpcd")) return "dhcpcd";
      if (canIfupdown) return "ifupdown";
      return draft.kind("etc/sv/dhcpcd/run") === "f" ? "dhcpcd" : null;
    case "busybox":
      return findProgram(draft, "udhcpc") === null ? null : "udhcpc";
    default:
      return null;
  }
}
var isInRc = (draft, script) => ["S", "2", "3", "4", "5"].some(
  (level) => draft.list(`etc/rc${level}.d`).some((name) => /^S\d+/.test(name) && name.replace(/^S\d+/, "") === script)
);
function isConfigured(draft, client) {
  const holds = (folder, names) => draft.list(folder).some((name) => names.test(name));
  switch (client) {
    case "netplan":
      return holds("etc/netplan", /\.yaml$/) || holds("etc/systemd/network", /\.network$/);
    case "networkd":
      return holds("etc/systemd/network", /\.network$/) || holds("usr/local/lib/systemd/network", /\.network$/);
    case "ifupdown":
    case "ifup":
      return /^\s*iface\s+(?!lo\s)\S/m.test(draft.text(INTERFACES) ?? "") || holds("etc/network/interfaces.d", /^[^.]/);
    case "udhcpc":
      return ["etc/inittab", "etc/init.d/rcS"].some(
        (path) => /^[^#\n]*\b(udhcpc|ifup|dhcpcd)\b/m.test(draft.text(path) ?? "")
      );
    default:
      return true;
  }
}
var NETWORKD = `# Written by docker-to-disk: DHCP on the wired interfaces.
[Match]
Name=en* eth*

[Network]
DHCP=yes
`;
var waitOnline = (program) => `[Service]
ExecStart=
ExecStart=/${program} --any --timeout=30
`;
var netplan = (renderer) => `# Written by docker-to-disk: DHCP on the wired interfaces.
network:
  version: 2
  renderer: ${renderer}
  ethernets:
    wired:
      match:
        name: "e*"
      dhcp4: true
      dhcp6: true
`;
function configure(draft, { init }, client) {
  switch (client) {
    case "netplan": {
      const renderer = isUsable(draft, "systemd-networkd.service") ? "networkd" : "NetworkManager";
      draft.write("etc/netplan/80-dhcp.yaml", netplan(renderer), { mode: 384 });
      break;
    }
    case "networkd": {
      draft.write("etc/systemd/network/80-dhcp.network", NETWORKD);
      const waiter = ["usr/lib/systemd", "lib/systemd"].map((folder) => `${folder}/systemd-networkd-wait-online`).find((path) => draft.kind(path) === "f");
      const settings = "etc/systemd/system/systemd-networkd-wait-online.service.d";
      if (waiter !== void 0 && draft.list(settings).length === 0)
        draft.write(`${settings}/any.conf`, waitOnline(waiter));
      break;
    }
    case "ifupdown":
      addInterfaces(draft, "auto /e[nt]*/1=wired\niface wired inet dhcp\n");
      break;
    case "ifup":
      addInterfaces(draft, "auto eth0\niface eth0 inet dhcp\n");
      break;
    case "udhcpc":
      if (init.system === "busybox") {
        draft.write(UDHCPC.path, UDHCPC.content, { mode: 493 });
        if (draft.kind("usr/share/udhcpc/default.script") !== "f")
          draft.write(UDHCPC_LEASE.path, UDHCPC_LEASE.content, { mode: 493 });
        const inittab = draft.text("etc/inittab") ?? "";
        draft.write("etc/inittab", `${inittab.replace(/\n*$/, "\n")}::respawn:/${UDHCPC.path}
`);
      }
  }
}
function addInterfaces(draft, stanza) {
  const present = draft.text(INTERFACES) ?? "";
  const loopback = /^\s*iface\s+lo\s/m.test(present) ? "" : "auto lo\niface lo inet loopback\n\n";
  const kept = present.trim() === "" ? "" : `${present.replace(/\n*$/, "\n")}
`;
  draft.write(
    INTERFACES,
    `${kept}# Written by docker-to-disk: DHCP on the first wired interface.
${loopback}${stanza}`
  );
}
function start(draft, { init }, client) {
  if (init.system === "systemd") startUnit(draft, client);
  if (init.system === "openrc" && client !== "udhcpc") {
    const service = client === "dhcpcd" ? "dhcpcd" : "networking";
    if (!isInRunlevel(draft, service))
      draft.link(
        `etc/runlevels/${service === "networking" ? "boot" : "default"}/${service}`,
        `/etc/init.d/${service}`
      );
  }
  if (init.system === "runit" && client === "dhcpcd" && !isInRc(draft, "dhcpcd")) {
    if (draft.entry(`${RUNIT_SERVICES}/dhcpcd`) === null)
      draft.link(`${RUNIT_SERVICES}/dhcpcd`, "/etc/sv/dhcpcd");
  }
}
function startUnit(draft, client) {
  const enableUsable = (unit2, target, aliases = []) => {
    if (isUsable(draft, unit2)) enable(draft, unit2, target, aliases);
  };
  switch (client) {
    case "NetworkManager":
      enableUsable("NetworkManager.service", "multi-user.target");
      enableUsable("NetworkManager-wait-online.service", "network-online.target");
      break;
    case "networkd":
      enableUsable("systemd-networkd.service", "multi-user.target", ["dbus-org.freedesktop.network1.service"]);
      enableUsable("systemd-networkd.socket", "sockets.target");
      enableUsable("systemd-networkd-wait-online.service", "network-online.target");
      break;
    case "ifupdown":
      enableUsable("networking.service", "multi-user.target");
      break;
    case "dhcpcd":
      enableUsable("dhcpcd.service", "multi-user.target");
  }
}
function planResolver(draft, { init, network: network2 }, client) {
  const resolved = "systemd-resolved.service";
  const isNetworkd = client === "networkd" || client === "netplan";
  if (init.system === "systemd" && isUsable(draft, resolved)) {
    if (isNetworkd) enable(draft, resolved, "multi-user.target", ["dbus-org.freedesktop.resolve1.service"]);
    if (isNetworkd || isEnabled(draft, resolved) && tellsResolved(draft, client)) {
      draft.link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
      return;
    }
  } else if (isNetworkd && hasUnit(draft, "systemd-networkd.service")) planNameServers(draft);
  draft.write(
    "etc/resolv.conf",
    network2 === "none" ? "# Name servers are up to the configuration of the network.\n" : "# Filled in by the DHCP client.\n",
    { mode: 420 }
  );
}
function tellsResolved(draft, client) {
  if (client !== "ifupdown" && client !== "dhcpcd") return true;
  const isDhclient = client === "ifupdown" && findProgram(draft, "dhclient") !== null;
  return isDhclient ? draft.kind("etc/dhcp/dhclient-enter-hooks.d/resolved") === "f" : findProgram(draft, "resolvconf") !== null;
}
function planNameServers(draft) {
  draft.write(NAME_SERVERS.path, NAME_SERVERS.script, { mode: 493 });
  for (const [name, content] of Object.entries(NAME_SERVERS.units)) {
    draft.write(`etc/systemd/system/${name}`, content);
    draft.link(`etc/systemd/system/multi-user.target.wants/${name}`, `../${name}`);
  }
}

// src/machine/selinux.ts
var CONFIG = "etc/selinux/config";
var SELINUX_TEXTS = [CONFIG];
function planSelinux(draft) {
  const config = draft.text(CONFIG);
  if (config === null || !/^\s*SELINUX\s*=\s*enforcing\s*$/m.test(config)) return;
  const hasPolicy = draft.list("etc/selinux").some((name) => draft.list(`etc/selinux/${name}/policy`).length > 0);
  if (!hasPolicy) return;
  draft.write(CONFIG, config.replace(/^(\s*SELINUX\s*=\s*)enforcing\s*$/m, "$1permissive"));
  draft.warn(
    "SELinux is set to permissive: the files of a container image have no labels, and enforced, the policy would keep the machine from starting. To enforce it, run `touch /.autorelabel` (or `fixfiles onboot`) in the machine, restart it, and after it has relabelled its files set SELINUX=enforcing in /etc/selinux/config."
  );
}

// src/machine/ssh-server.ts
var SERVER_TEXTS = ["etc/inittab", "etc/init.d/rcS", "etc/ssh/sshd_config"];
var OPENSSH = { name: "OpenSSH", services: ["ssh", "sshd"] };
var DROPBEAR = { name: "Dropbear", services: ["dropbear"] };
function findServer(draft) {
  const has = (name) => ["usr/sbin", "usr/bin", "usr/local/sbin"].some((folder) => draft.kind(`${folder}/${name}`) === "f");
  if (has("sshd")) return OPENSSH;
  return has("dropbear") ? DROPBEAR : null;
}
function planServer(draft, { init, distribution, user }, server) {
  if (server === null) {
    const family = familyOf(distribution);
    draft.warn(
      "Input authorized-keys is given, but no SSH server is in the image: looked for sshd and dropbear in /usr/sbin and /usr/bin." + (family === null ? "" : ` Add to the Dockerfile: ${dockerfileLine(family, "ssh", distribution)}`)
    );
    return;
  }
  if (user === null && /^\s*PermitRootLogin\s+"?no\b/im.test(draft.text("etc/ssh/sshd_config") ?? ""))
    draft.warn(
      'The keys are for root, but /etc/ssh/sshd_config has "PermitRootLogin no". Name a user with the input user.'
    );
  if (!startsAtBoot(draft, init.system, server) && !enable2(draft, init.system, server))
    draft.warn(
      `${server.name} is in the image, but nothing was found that starts it under ${init.system}. Enable it in the Dockerfile.`
    );
}
var SYSTEMD_UNITS = ["usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system"];
function startsAtBoot(draft, system, { services }) {
  const listed = (folders, shape) => folders.some(
    (folder) => draft.list(folder).some((name) => services.some((service) => new RegExp(shape(service)).test(name)))
  );
  const rcFolders = ["2", "3", "4", "5"].map((level) => `etc/rc${level}.d`);
  switch (system) {
    case "systemd": {
      const wants = SYSTEMD_UNITS.flatMap(
        (folder) => draft.list(folder).filter((name) => /\.(wants|requires)$/.test(name)).map((name) => `${folder}/${name}`)
      );
      return listed(wants, (service) => `^${service}\\.(service|socket)$`);
    }
    case "openrc":
      return listed(
        draft.list("etc/runlevels").map((level) => `etc/runlevels/${level}`),
        (service) => `^${service}$`
      );
    case "sysvinit":
      return listed(rcFolders, (service) => `^S\\d\\d${service}$`);
    case "runit":
      return listed(rcFolders, (service) => `^S\\d\\d${service}$`) || listed(
        ["etc/service", "var/service", "etc/runit/runsvdir/default", "etc/runit/runsvdir/current"],
        (service) => `^${service}$`
      );
    case "busybox":
      return listed(["etc/init.d"], (service) => `^S\\d\\d${service}$`) || ["etc/inittab", "etc/init.d/rcS"].some(
        (path) => /^[^#]*\/(sshd|dropbear)(\s|$)/m.test(draft.text(path) ?? "")
      );
    default:
      return false;
  }
}
function enable2(draft, system, { services }) {
  if (system === "systemd") {
    for (const service of services) {
      const unit2 = `${service}.service`;
      const folder = SYSTEMD_UNITS.find((candidate) => draft.kind(`${candidate}/${unit2}`) === "f");
      const isMasked2 = draft.entry(`etc/systemd/system/${unit2}`)?.link === "/dev/null";
      if (folder === void 0 || isMasked2) continue;
      draft.link(`etc/systemd/system/multi-user.target.wants/${unit2}`, `/${folder}/${unit2}`);
      return true;
    }
  }
  if (system === "openrc") {
    const service = services.find((name) => draft.kind(`etc/init.d/${name}`) === "f");
    if (service === void 0) return false;
    draft.link(`etc/runlevels/default/${service}`, `/etc/init.d/${service}`);
    return true;
  }
  return false;
}

// src/machine/ssh.ts
var KEYGEN = "usr/bin/ssh-keygen";
var KEYGEN_UNIT = `[Unit]
Description=Generate this machine's SSH host keys
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service sshd.service
After=systemd-remount-fs.service

[Service]
Type=oneshot
ExecStart=/${KEYGEN} -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
`;
var keygenOpenrc = (interpreter) => `#!/${interpreter}
description="Generates this machine's SSH host keys"

depend() {
	after localmount
	before ssh sshd
}

start() {
	ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1 && return 0
	ebegin "Generating SSH host keys"
	/${KEYGEN} -A
	eend $?
}
`;
var KEYGEN_LSB = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          ssh-host-keys
# Required-Start:    $local_fs
# Required-Stop:
# X-Start-Before:    ssh
# Default-Start:     S
# Default-Stop:
# Short-Description: Generate this machine's SSH host keys
### END INIT INFO
case "$1" in
start) ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1 || /${KEYGEN} -A ;;
esac
`;
var START_SCRIPTS = {
  openrc: ["etc/init.d/ssh", "etc/init.d/sshd"],
  // Alpine, Gentoo
  sysvinit: ["etc/init.d/ssh", "etc/init.d/sshd", "etc/inittab"],
  runit: ["etc/sv/ssh/run", "etc/sv/sshd/run"],
  // Void
  busybox: ["etc/init.d/S50sshd", "etc/init.d/rcS", "etc/inittab"]
  // Buildroot
};
var SSH_TEXTS = [
  ...new Set(Object.values(START_SCRIPTS).flat()),
  "etc/init.d/dropbear",
  "etc/runit/1",
  ...SERVER_TEXTS
];
function planSsh(draft, facts) {
  const server = findServer(draft);
  planHostKeys(draft, facts, server);
  planDropbearKeys(draft);
  if (facts.authorizedKeys.length > 0) planServer(draft, facts, server);
}
function planHostKeys(draft, { init: { system } }, server) {
  const keys = draft.list("etc/ssh").filter((name) => /^ssh_host_\w+_key(\.pub)?$/.test(name));
  if (keys.length === 0 && server !== OPENSSH) return;
  const makesOwn = START_SCRIPTS[system]?.some((path) => draft.text(path)?.includes("ssh-keygen")) ?? false;
  if (makesOwn || draft.kind(KEYGEN) === "f" && planKeygen(draft, system))
    draft.remove(...keys.map((name) => `etc/ssh/${name}`));
  else
    draft.warn(
      keys.length > 0 ? "The SSH host keys in the image stay, and all of its machines share them: nothing in it makes new ones at first boot." : "The image has an SSH server and neither host keys nor what makes them at first boot: the server will not start."
    );
}
function planKeygen(draft, system) {
  switch (system) {
    case "systemd": {
      const units = SYSTEMD_UNITS.flatMap((folder) => draft.list(folder));
      if (units.some((unit3) => /^(sshd-keygen@|sshdgenkeys)\.service$/.test(unit3))) return true;
      const unit2 = "ssh-host-keys.service";
      draft.write(`etc/systemd/system/${unit2}`, KEYGEN_UNIT);
      draft.link(`etc/systemd/system/multi-user.target.wants/${unit2}`, `../${unit2}`);
      return true;
    }
    case "openrc": {
      const interpreter = ["sbin/openrc-run", "usr/bin/openrc-run"].find((path) => draft.kind(path) === "f");
      if (interpreter === void 0) return false;
      draft.write("etc/init.d/ssh-host-keys", keygenOpenrc(interpreter), { mode: 493 });
      draft.link("etc/runlevels/default/ssh-host-keys", "/etc/init.d/ssh-host-keys");
      return true;
    }
    case "sysvinit":
      return addToInittab(draft, `sshk::bootwait:/${KEYGEN} -A`);
    case "busybox":
      return addToInittab(draft, `::sysinit:/${KEYGEN} -A`);
    case "runit":
      if (!draft.text("etc/runit/1")?.includes("/etc/rcS.d/S") || draft.kind("etc/runit/native.boot.run") !== null)
        return false;
      draft.write("etc/init.d/ssh-host-keys", KEYGEN_LSB, { mode: 493 });
      draft.link("etc/rcS.d/S99ssh-host-keys", "../init.d/ssh-host-keys");
      return true;
    default:
      return false;
  }
}
function addToInittab(draft, line) {
  const present = draft.text("etc/inittab");
  if (present === null) return false;
  const lines = present.replace(/\n$/, "").split("\n");
  const last = lines.findLastIndex((text) => /^[^#:]*:[^:]*:(sysinit|bootwait):/.test(text));
  const at = last < 0 ? lines.length : last + 1;
  draft.write("etc/inittab", `${[...lines.slice(0, at), line, ...lines.slice(at)].join("\n")}
`);
  return true;
}
function planDropbearKeys(draft) {
  const keys = draft.list("etc/dropbear").filter((name) => /^dropbear_\w+_host_key$/.test(name));
  if (keys.length === 0) return;
  if (draft.text("etc/init.d/dropbear")?.includes("dropbearkey"))
    draft.remove(...keys.map((name) => `etc/dropbear/${name}`));
  else
    draft.warn(
      "Dropbear's host keys in the image stay, and all of its machines share them: its start script makes none. Remove them in the Dockerfile and start Dropbear with -R, which makes them."
    );
}

// src/machine/accounts.ts
function findEntry(text, name) {
  return entries(text).map(({ fields }) => fields).find(([first]) => first === name) ?? null;
}
function findAccount(passwd, name) {
  const fields = findEntry(passwd, name);
  if (fields === null) return null;
  const [, , uid = "", gid = "", , home = "", shell = ""] = fields;
  return { name, uid: readId(uid), gid: readId(gid), home, shell };
}
function addEntry(text, entry) {
  const lines = (text ?? "").split("\n");
  const last = lines.at(-1) === "" ? lines.length - 1 : lines.length;
  const nis = lines.findIndex((line) => /^[+-]/.test(line));
  const at = nis < 0 ? last : nis;
  const added = [...lines.slice(0, at), entry, ...lines.slice(at)];
  return added.at(-1) === "" ? added.join("\n") : `${added.join("\n")}
`;
}
function changeEntry(text, name, change) {
  const found = entries(text).find(({ fields: [first] }) => first === name);
  if (found === void 0) return text;
  const lines = text.split("\n");
  lines[found.line] = `${change(found.fields).join(":")}${found.end}`;
  return lines.join("\n");
}
function addMember(text, group, user) {
  return changeEntry(text, group, ([name = "", password = "", third = "", members = ""]) => {
    const list2 = members.split(",").filter(Boolean);
    return [name, password, third, [.../* @__PURE__ */ new Set([...list2, user])].join(",")];
  });
}
function freeId(passwd, group) {
  const ids = (text, until) => entries(text).flatMap(({ fields }) => fields.slice(2, until).map(readId));
  const taken = /* @__PURE__ */ new Set([...ids(passwd, 4), ...ids(group, 3)]);
  let id = 1e3;
  while (taken.has(id)) id++;
  return id;
}
var readId = (text) => /^\d+$/.test(text) ? Number(text) : Number.NaN;
function entries(text) {
  return (text ?? "").split("\n").map((content, line) => {
    const end = content.endsWith("\r") ? "\r" : "";
    return { line, fields: content.slice(0, content.length - end.length).split(":"), end };
  }).filter(({ fields }) => fields.length > 2);
}

// src/machine/users.ts
var USERS_TEXTS = [
  "etc/passwd",
  "etc/group",
  "etc/shadow",
  "etc/gshadow",
  "etc/sudoers",
  "etc/doas.conf"
];
function keyTexts(passwd, { user, authorizedKeys }) {
  if (authorizedKeys.length === 0) return [];
  const name = user ?? "root";
  const home = homeOf(findAccount(passwd, name) ?? { name, home: `/home/${name}` });
  return [`${home}/.ssh/authorized_keys`];
}
function planUsers(draft, facts) {
  const { passwordHash, user, authorizedKeys } = facts;
  if (passwordHash !== null) planRootPassword(draft, passwordHash);
  if (user !== null && findAccount(draft.text("etc/passwd"), user) === null) addUser(draft, user, facts);
  if (authorizedKeys.length > 0) planKeys(draft, user ?? "root", authorizedKeys);
}
function planRootPassword(draft, hash) {
  for (const path of ["etc/shadow", "etc/passwd"]) {
    const content = draft.text(path);
    if (content === null || !/^root:/m.test(content)) continue;
    draft.write(
      path,
      content.replace(/^root:[^:\n]*/m, () => `root:${hash}`)
    );
    return;
  }
  throw new ActionError(
    "Input root-password is given, but the image has no user root: neither /etc/shadow nor /etc/passwd names one.",
    "No user root"
  );
}
function addUser(draft, name, facts) {
  const [passwd, group] = [draft.text("etc/passwd"), draft.text("etc/group")];
  const [shadow, gshadow] = [draft.text("etc/shadow"), draft.text("etc/gshadow")];
  if (passwd === null) {
    throw new ActionError(
      `Input user is "${name}", but the image has no /etc/passwd to add a user to. Take a base image that has users, or leave user out.`,
      "No users"
    );
  }
  const uid = freeId(passwd, group);
  const ownGroup = /^\d+$/.exec(findEntry(group, name)?.[2] ?? "");
  const gid = ownGroup === null ? uid : Number(ownGroup[0]);
  const shell = draft.kind("bin/bash") === "f" ? "/bin/bash" : "/bin/sh";
  const password = shadow === null ? "*" : "x";
  draft.write("etc/passwd", addEntry(passwd, `${name}:${password}:${uid}:${gid}::/home/${name}:${shell}`));
  if (shadow !== null) draft.write("etc/shadow", addEntry(shadow, `${name}:*::0:99999:7:::`));
  const admins = ["wheel", "sudo"].filter((candidate) => findEntry(group, candidate) !== null);
  const extend = (text, entry) => admins.reduce(
    (extended, admin) => addMember(extended, admin, name),
    ownGroup === null ? addEntry(text, entry) : text ?? ""
  );
  draft.write("etc/group", extend(group, `${name}:x:${gid}:`));
  if (gshadow !== null) draft.write("etc/gshadow", extend(gshadow, `${name}:!::`));
  const home = `home/${name}`;
  if ((draft.entry(home)?.kind ?? "d") !== "d")
    throw new ActionError(
      `Input user is "${name}", but /${home} in the image is no folder. Remove it in the Dockerfile, or make the user there.`,
      "No place for the user"
    );
  draft.folder(home, { mode: 448, uid, gid });
  if (!grantRoot(draft, name)) {
    const family = familyOf(facts.distribution);
    draft.warn(
      `User ${name} is made without the right to become root: the image has neither sudo nor doas.` + (family === null ? "" : ` Add to the Dockerfile: ${dockerfileLine(family, "sudo", facts.distribution)}`)
    );
  }
  if (facts.authorizedKeys.length === 0)
    draft.warn(`User ${name} has neither password nor key: give authorized-keys for a way to log in.`);
}
function grantRoot(draft, name) {
  const hasSudo = draft.kind("usr/bin/sudo") === "f";
  const hasDoas = draft.kind("usr/bin/doas") === "f";
  if (hasSudo) {
    const rule = `${name} ALL=(ALL) NOPASSWD:ALL
`;
    const sudoers = draft.text("etc/sudoers");
    if (sudoers === null || /^[#@]includedir\s+\/etc\/sudoers\.d\s*$/m.test(sudoers))
      draft.write(`etc/sudoers.d/90-${name}`, rule, { mode: 288 });
    else draft.write("etc/sudoers", `${withNewline(sudoers)}${rule}`);
  }
  if (hasDoas) {
    const rule = `permit nopass ${name}
`;
    if (draft.kind("etc/doas.d") === "d") draft.write(`etc/doas.d/zz-${name}.conf`, rule, { mode: 384 });
    else {
      const present = draft.text("etc/doas.conf");
      draft.write(
        "etc/doas.conf",
        `${withNewline(present ?? "")}${rule}`,
        present === null ? { mode: 384 } : {}
      );
    }
  }
  return hasSudo || hasDoas;
}
function planKeys(draft, name, keys) {
  const account = findAccount(draft.text("etc/passwd"), name);
  if (account === null) {
    throw new ActionError(
      "Input authorized-keys is given, but the image has no user root: /etc/passwd does not name one. Name a user with the input user.",
      "No user root"
    );
  }
  const { uid, gid, shell } = account;
  if (Number.isNaN(uid) || Number.isNaN(gid))
    throw unusable(account, "its user or group id in /etc/passwd is no number");
  const home = homeOf(account);
  const present = draft.kind(home);
  if (present === null) {
    if (draft.entry(home) !== null) throw unusable(account, `its home /${home} is a link that leads nowhere`);
    draft.folder(home, { mode: 448, uid, gid });
  } else if (present !== "d") throw unusable(account, `its home /${home} is no folder`);
  const folder = `${home}/.ssh`;
  const entry = draft.entry(folder);
  if (entry !== null && entry.kind !== "d") throw unusable(account, `/${folder} is no folder`);
  const real = draft.index.resolve(home);
  const mode = real === null ? 0 : draft.index.entry(real)?.mode ?? 0;
  if (present === "d" && (mode & 18) !== 0)
    draft.warn(
      `/${inert(home)} can be written by others than ${name}: sshd takes no keys from it unless StrictModes is off. Add to the Dockerfile: RUN chmod go-w /${inert(home)}`
    );
  if (/\/(nologin|false)$/.test(shell.trim()))
    draft.warn(`User ${name} has the shell ${inert(shell)}, which ends every login at once.`);
  draft.folder(folder, { mode: 448, uid, gid });
  const file = `${folder}/authorized_keys`;
  draft.write(file, addKeys(draft.text(file), keys), { mode: 384, uid, gid });
  unlock(draft, name);
}
function unlock(draft, name) {
  for (const path of ["etc/shadow", "etc/passwd"]) {
    const content = draft.text(path);
    const password = findEntry(content, name)?.[1];
    if (content === null || !password?.startsWith("!")) continue;
    const unlocked = password.replace(/^!+\*?/, "*");
    draft.write(
      path,
      changeEntry(content, name, ([first = "", , ...rest]) => [first, unlocked, ...rest])
    );
  }
}
function addKeys(present, keys) {
  const known = new Set((present ?? "").split("\n").map((line) => line.trim()));
  const added = [...new Set(keys.map((key) => Buffer.from(key).toString("latin1")))].filter(
    (key) => !known.has(key)
  );
  return [withNewline(present ?? ""), ...added.map((key) => `${key}
`)].join("");
}
var withNewline = (text) => text === "" || text.endsWith("\n") ? text : `${text}
`;
var FLEETING = /^(dev|proc|run|sys|tmp)(\/|$)/;
function homeOf({ name, home }) {
  const names = home.split("/").filter(Boolean);
  const path = names.join("/");
  const fits = home.startsWith("/") && /^[\x20-\x7e]+$/.test(path) && !names.some((part) => /^\.{1,2}$/.test(part));
  if (!fits || FLEETING.test(path) || path === "nonexistent")
    throw unusable({ name }, `its home in /etc/passwd is ${JSON.stringify(inert(home))}`);
  return path;
}
var unusable = ({ name }, why) => new ActionError(
  `Input authorized-keys is given, but user ${name} cannot hold keys: ${inert(why)}. Give the user another home in the Dockerfile, such as RUN usermod --home ${name === "root" ? "/root" : `/home/${name}`} ${name}, or name another user with the input user.`,
  "No place for keys"
);

// src/machine/plan.ts
var MACHINE_TEXTS = [
  ...IDENTITY_TEXTS,
  ...CONSOLES_TEXTS,
  ...NETWORK_TEXTS,
  ...SELINUX_TEXTS,
  ...USERS_TEXTS,
  ...SSH_TEXTS,
  ...ENTRYPOINT_TEXTS
];
function planMachine(draft, facts) {
  planIdentity(draft, facts);
  planConsoles(draft, facts);
  planNetwork(draft, facts);
  planSelinux(draft);
  planUsers(draft, facts);
  planSsh(draft, facts);
  planEntrypoint(draft, facts);
}
async function draftMachine(container, facts) {
  const texts = await readTexts(container, MACHINE_TEXTS);
  const further = await readTexts(container, keyTexts(texts.get("etc/passwd") ?? null, facts));
  const draft = new Draft(container.index, new Map([...texts, ...further]));
  planMachine(draft, facts);
  return draft;
}

// src/password.ts
import { randomBytes as randomBytes3 } from "node:crypto";
var ROUNDS = 1e5;
async function hashPassword(host, password) {
  const salt = `rounds=${ROUNDS}$${randomBytes3(12).toString("base64").replaceAll("+", ".").replaceAll("=", "")}`;
  const hashed = await host.run(["openssl", "passwd", "-6", "-salt", salt, "-stdin"], {
    input: `${password}
`
  });
  return hashed.stdout.trim();
}

// src/preflight.ts
import { existsSync as existsSync2, statfsSync as statfsSync3 } from "node:fs";
var LEAST_FREE = 1024 * MIB;
async function preflight(host, outputDir) {
  if (process.platform !== "linux") {
    const system = { darwin: "macOS", win32: "Windows" }[process.platform] ?? process.platform;
    throw refuse(
      `This runner is ${system}, but making a disk image needs Linux: set runs-on to ubuntu-latest.`
    );
  }
  if (process.arch !== "x64") {
    throw refuse(
      `This runner is ${process.arch}, but only x86-64 is supported for now: set runs-on to ubuntu-latest.`
    );
  }
  const inContainer = existsSync2("/.dockerenv") || existsSync2("/run/.containerenv");
  if (!host.isRoot) {
    const argv = ["sudo", "-n", "true"];
    const sudo = host.which("sudo") === null ? null : await host.run(argv, { allowFailure: true, timeout: 2e4 });
    if (sudo?.exitCode !== 0) {
      throw refuse(
        `The user ${host.user.name} is not root and has no passwordless sudo, which mounting the image needs. ` + (inContainer ? "The job runs in a container: remove container: from the job." : "Allow it in /etc/sudoers.d on a self-hosted runner.")
      );
    }
  }
  if (!existsSync2("/dev/loop-control") && !existsSync2("/dev/loop0")) {
    throw refuse(
      "This machine offers no loop devices (/dev/loop-control is absent). " + (inContainer ? "The job runs in a container without privileges: remove container: from the job." : "Load the kernel module loop.")
    );
  }
  if (host.which("docker") === null)
    throw refuse("There is no docker on the PATH: install a Docker engine, or use a hosted Ubuntu runner.");
  const docker = await host.run(["docker", "version", "--format", "{{.Server.Version}}"], {
    allowFailure: true,
    timeout: 6e4
  });
  if (docker.exitCode !== 0) {
    const words = docker.stderr.trim().split("\n").pop() ?? "";
    throw refuse(
      `The Docker engine does not answer: ${words || "docker version failed"} Start it, or add the user ${host.user.name} to the group docker.`
    );
  }
  const { bavail, bsize } = statfsSync3(outputDir);
  if (bavail * bsize < LEAST_FREE) {
    throw refuse(
      `${outputDir} has ${formatBytes(bavail * bsize)} free, but at least ${formatBytes(LEAST_FREE)} are needed. Set output-dir to a folder on a larger disk.`
    );
  }
}
var refuse = (message) => new ActionError(message, "Unsuitable machine");

// src/report.ts
import { rmSync as rmSync6, writeFileSync as writeFileSync4 } from "node:fs";

// src/boot-check/timeline.ts
function timesMarkdown(boots) {
  const several = boots.length > 1;
  const rows = boots.flatMap(
    ({ machine, phases }) => phases.map(({ name, start: start2, seconds }) => [
      ...several ? [machine] : [],
      name,
      start2.toFixed(1),
      seconds.toFixed(1)
    ])
  );
  return [
    markdownTable([...several ? ["Machine"] : [], "Phase", "From second", "Seconds"], rows),
    ["```mermaid", ...timeline(boots), "```"].join("\n")
  ].join("\n\n");
}
function timeline(boots) {
  return [
    "timeline",
    "  title Boot",
    ...boots.flatMap(({ machine, phases, seconds, end }) => [
      ...boots.length > 1 ? [`  section ${machine}`] : [],
      ...phases.map((phase) => `  ${phase.start.toFixed(1)} s : ${phase.name} ${phase.seconds.toFixed(1)} s`),
      `  ${seconds.toFixed(1)} s : ${end}`
    ])
  ];
}

// src/report.ts
function writeReport(report, path) {
  rmSync6(path, { force: true });
  writeFileSync4(path, `${JSON.stringify(report, null, 2)}
`, { flag: "wx" });
}
function startCommand(path) {
  const format = { raw: "raw", qcow2: "qcow2", vmdk: "vmdk", vdi: "vdi", vhd: "vpc", vhdx: "vhdx" }[path.split(".").pop() ?? ""];
  if (format === void 0) return null;
  return quoteArgv([
    "qemu-system-x86_64",
    "-m",
    "1024",
    "-nographic",
    "-drive",
    `file=${path.replaceAll(",", ",,")},format=${format},if=virtio`
  ]);
}
function summaryMarkdown(report, artifacts) {
  const { disk, boot } = report;
  const cell = markdownCell;
  const links = new Map(artifacts.map((artifact) => [artifact.name, artifact.url]));
  const passed = ({ seconds, accelerator, evidence }) => `passed in ${formatSeconds(seconds)} under ${accelerator.toUpperCase()}: ${cell(evidence)}`;
  const { machines } = boot;
  const checks = machines.flatMap((machine) => {
    const on = machines.length > 1 ? `, disk on ${machine.devices.diskBus}` : "";
    return [
      [`Boot check${on}`, passed(machine)],
      ...machine.failedUnits.length > 0 ? [[`Failed units${on}`, machine.failedUnits.map(cell).join(", ")]] : [],
      ...machine.checks.map(({ name, seconds }) => [cell(name) + on, `holds after ${formatSeconds(seconds)}`])
    ];
  });
  const facts = markdownTable(
    ["", ""],
    [
      ["Source", cell(report.source)],
      ["Distribution", cell(report.distribution)],
      ["Kernel", report.kernels.map(cell).join(", ")],
      ["Init", cell(report.init)],
      ["Added to the image", report.added.length === 0 ? "nothing" : cell(report.added.join(" "))],
      ...serviceRows(report.service),
      ["Disk", `${formatBytes(disk.sizeBytes)}, MBR, disk id ${disk.diskId}`],
      ...checks.length > 0 ? checks : [["Boot check", "skipped (boot-test: false)"]]
    ]
  );
  const partitions = markdownTable(
    ["Partition", "Bootable", "First sector", "Sectors", "Size", "Type", "UUID"],
    [
      [
        "1",
        "yes",
        `${disk.partition.startSector}`,
        `${disk.partition.sectors}`,
        formatBytes(disk.partition.sectors * SECTOR),
        disk.filesystem,
        disk.uuid
      ]
    ]
  );
  const files = markdownTable(
    ["File", "Size", "SHA-256"],
    report.files.map((file) => {
      const url = links.get(file.name);
      return [
        url === void 0 ? cell(file.name) : `[${cell(file.name)}](${url})`,
        formatBytes(file.size),
        `\`${file.sha256}\``
      ];
    })
  );
  const stages = markdownTable(
    ["Stage", "Seconds"],
    [
      ...report.stages.map((stage) => [stage.name, stage.seconds.toFixed(1)]),
      ["**Total**", `**${report.totalSeconds.toFixed(1)}**`]
    ]
  );
  return `${[
    `## ${cell(report.name)}: disk image ${boot.result === "passed" ? "boots" : "made"}`,
    facts,
    "### Partition table",
    partitions,
    "### Files",
    files,
    "### How to start it",
    instructions(report),
    ...machines.length > 0 ? ["### Boot", timesMarkdown(machines.map(timesOf))] : [],
    "### Time",
    stages
  ].join("\n\n")}
`;
}
var timesOf = ({ devices, phases, seconds }) => ({
  machine: describeDevices(devices),
  phases,
  seconds,
  end: "success"
});
function serviceRows(service) {
  if (service === null) return [];
  const { command, exposedPorts, volumes } = service;
  const list2 = (values) => values.map(markdownCell).join(", ");
  return [
    ["Service", markdownCell(quoteArgv(command))],
    ...exposedPorts.length > 0 ? [["Exposed ports", list2(exposedPorts)]] : [],
    ...volumes.length > 0 ? [["Volumes", list2(volumes)]] : []
  ];
}
function instructions(report) {
  const commands = [];
  const named = (extension) => report.files.find((file) => file.name.endsWith(extension))?.name;
  const first = report.files.map((file) => startCommand(file.name)).find((command) => command !== null);
  if (first)
    commands.push("# A virtual machine with its serial console in this terminal (Ctrl-A X ends it)", first);
  const raw = named(".raw");
  if (raw)
    commands.push(
      "# A real disk or USB stick: everything on it is overwritten",
      quoteArgv(["sudo", "dd", `if=${raw}`, "of=/dev/sdX", "bs=4M", "conv=fsync", "status=progress"])
    );
  const vdi = named(".vdi");
  if (vdi) {
    commands.push(
      "# VirtualBox",
      quoteArgv(["VBoxManage", "createvm", "--name", report.name, "--ostype", "Linux_64", "--register"]),
      quoteArgv(["VBoxManage", "storagectl", report.name, "--name", "SATA", "--add", "sata"]),
      quoteArgv([
        "VBoxManage",
        "storageattach",
        report.name,
        "--storagectl",
        "SATA",
        "--port",
        "0",
        "--type",
        "hdd",
        "--medium",
        vdi
      ])
    );
  }
  const packed = report.files.find((file) => /\.(zst|gz|xz)$/.test(file.name))?.name;
  if (packed)
    commands.push(
      "# Compressed files are unpacked first",
      quoteArgv([
        { zst: "unzstd", gz: "gunzip", xz: "unxz" }[packed.split(".").pop() ?? ""] ?? "unzstd",
        packed
      ])
    );
  if (commands.length === 0) return "Attach the image as the disk of a new machine with BIOS firmware.";
  return ["```sh", ...commands, "```"].join("\n");
}
var failureMarkdown = (title, message, progress = null) => `${[
  `## ${markdownCell(title)}`,
  fenced(stripTerminal(message)),
  ...progress === null ? [] : ["### Boot", timesMarkdown([{ ...progress, machine: "", end: "failure" }])]
].join("\n\n")}
`;
function fenced(text) {
  const fence = "`".repeat(Math.max(3, ...(text.match(/`+/g) ?? []).map((run) => run.length + 1)));
  return `${fence}text
${text}
${fence}`;
}
async function addSummary(markdown) {
  if (!process.env.GITHUB_STEP_SUMMARY) return;
  await summary.addRaw(markdown).write();
}

// src/distro/init.ts
var INIT_PATHS = ["sbin/init", "etc/init", "bin/init"];
function findInit(index) {
  for (const path of INIT_PATHS) {
    const program = index.resolve(path);
    if (program !== null && index.entry(program)?.kind === "f") {
      return { path: `/${path}`, program, system: classify(index, program) };
    }
  }
  return null;
}
function classify(index, program) {
  const name = program.split("/").pop() ?? "";
  const has = (path) => index.kind(path) !== null;
  if (name === "systemd") return "systemd";
  if (name === "openrc-init") return "openrc";
  if (name.startsWith("runit")) return "runit";
  if (has("sbin/openrc") || has("usr/bin/openrc")) return "openrc";
  if (name === "busybox") return "busybox";
  if (has("sbin/telinit") || has("etc/inittab")) return "sysvinit";
  return "other";
}

// src/distro/kernels.ts
var KERNEL_NAMES = [
  ...FAMILIES.flatMap((family) => family.kernelNames),
  /^vmlinuz-(.+)$/,
  /^kernel-(.+)$/,
  // Gentoo
  /^vmlinuz()$/,
  /^bzImage()$/
];
var initrdNames = (version) => version === "" ? ["initrd.img", "initrd", "initramfs.img", "initramfs"] : [...new Set(FAMILIES.flatMap((family) => family.initrdNames(version)))];
var NOT_A_KERNEL = /rescue|\.(hmac|old|sig|config|bak)$|^0-/;
var KERNEL_PLACES = ["/boot/vmlinuz-*", "/boot/*/*/linux", "/vmlinuz", "/usr/lib/modules/*/vmlinuz"];
function findKernels(index) {
  const kernels = /* @__PURE__ */ new Map();
  const add = (path, version, initrds) => {
    const real = fileAt(index, path);
    if (real === null || kernels.has(real)) return;
    const initrd = initrds.map((candidate) => fileAt(index, candidate)).find((found) => found !== null) ?? null;
    kernels.set(real, { path: real, version: fullVersion(index, version), initrd });
  };
  const bootNames = index.list("boot");
  const isLink = (name) => index.entry(index.resolve(`boot/${name}`, "keep") ?? "")?.kind === "l";
  for (const name of [...bootNames].sort((a, b) => Number(isLink(a)) - Number(isLink(b)))) {
    const version = NOT_A_KERNEL.test(name) ? void 0 : KERNEL_NAMES.map((shape) => shape.exec(name)?.[1]).find((found) => found !== void 0);
    if (version === void 0) continue;
    const suffix = versionOfTarget(index, `boot/${name}`, version);
    add(
      `boot/${name}`,
      suffix,
      [...initrdNames(suffix), ...isLink(name) ? initrdNames("") : []].map((initrd) => `boot/${initrd}`)
    );
  }
  for (const machine of bootNames.filter((name) => /^[0-9a-f]{32}$/.test(name))) {
    for (const version of index.list(`boot/${machine}`)) {
      const folder = `boot/${machine}/${version}`;
      const elsewhere = initrdNames(version).map((name) => `boot/${name}`);
      add(`${folder}/linux`, version, [`${folder}/initrd`, `${folder}/initrd.img`, ...elsewhere]);
    }
  }
  add("vmlinuz", versionOfTarget(index, "vmlinuz", ""), ["initrd.img", "boot/initrd.img"]);
  const known = new Set([...kernels.values()].map((kernel) => kernel.version));
  for (const version of moduleVersions(index)) {
    if (known.has(version)) continue;
    const folder = `usr/lib/modules/${version}`;
    const place = index.kind(folder) === "d" ? folder : `lib/modules/${version}`;
    const initrds = [
      ...initrdNames(version).map((name) => `boot/${name}`),
      `${place}/initrd`,
      `${place}/initramfs.img`
    ];
    add(`${place}/vmlinuz`, version, initrds);
  }
  return [...kernels.values()].sort((a, b) => compareVersions(b.version, a.version));
}
var moduleVersions = (index) => [
  ...new Set(
    [...index.list("usr/lib/modules"), ...index.list("lib/modules")].filter((name) => /^\d/.test(name))
  )
];
function fileAt(index, path) {
  const real = index.resolve(path);
  return real !== null && index.entry(real)?.kind === "f" ? real : null;
}
function versionOfTarget(index, path, version) {
  if (version !== "") return version;
  const target = index.resolve(path)?.split("/").pop() ?? "";
  return /^vmlinuz-(.+)$/.exec(target)?.[1] ?? "";
}
function fullVersion(index, version) {
  if (/^\d/.test(version)) return version;
  const all = moduleVersions(index);
  const fitting2 = all.filter((candidate) => candidate.endsWith(`-${version}`));
  if (fitting2.length === 1) return fitting2[0] ?? version;
  return all.length === 1 ? all[0] ?? version : version;
}

// src/distro/os-release.ts
async function readDistribution(container) {
  for (const path of ["etc/os-release", "usr/lib/os-release"]) {
    const real = container.index.resolve(path);
    const content = real === null ? null : await container.read(real, 64 * 1024);
    if (content) return parseOsRelease(content.toString("utf8"));
  }
  return { id: "", like: [], version: "", name: "an unknown distribution" };
}
function parseOsRelease(text) {
  const values = /* @__PURE__ */ new Map();
  for (const line of text.split("\n")) {
    const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim());
    if (match?.[1] !== void 0 && match[2] !== void 0) values.set(match[1], unquote(match[2]));
  }
  const value = (name) => values.get(name) ?? "";
  return {
    id: value("ID").toLowerCase(),
    like: value("ID_LIKE").toLowerCase().split(/\s+/).filter(Boolean),
    version: value("VERSION_ID"),
    name: value("PRETTY_NAME") || [value("NAME"), value("VERSION")].filter(Boolean).join(" ") || "an unnamed distribution"
  };
}
function unquote(text) {
  const quoted = /^(["'])(.*)\1$/.exec(text);
  if (!quoted) return text;
  return quoted[1] === "'" ? quoted[2] ?? "" : (quoted[2] ?? "").replace(/\\(["\\$`])/g, "$1");
}

// src/rootfs.ts
var EM_X86_64 = 62;
var ELF_MACHINES = { 3: "x86", 40: "arm", 62: "x86-64", 183: "arm64", 243: "riscv" };
var ESSENTIAL = ["kernel", "initrd", "init"];
async function surveySystem(container, image, wishes) {
  const { index } = container;
  const distribution = await readDistribution(container);
  const family = familyOf(distribution);
  const init = findInit(index);
  await checkArchitecture(container, image, init);
  const kernels = findKernels(index);
  const initSystem = init?.system ?? family?.init ?? "other";
  const draft = new Draft(index, /* @__PURE__ */ new Map());
  const networkClient = chooseClient(draft, initSystem);
  const lacks = [];
  const [newest] = kernels;
  if (newest === void 0) {
    const found = index.list("boot");
    lacks.push({
      part: "kernel",
      why: `No kernel in the image: looked for ${KERNEL_PLACES.join(", ")}; ${found.length > 0 ? `/boot holds ${found.slice(0, 10).join(", ")}` : "/boot is empty or absent"}.`
    });
  } else if (newest.initrd === null) {
    const missing = missingForRoot(await readDrivers(container, newest), wishes.filesystem);
    if (missing !== null) {
      lacks.push({
        part: "initrd",
        why: `The kernel ${newest.version} (/${newest.path}) has no initrd, and no driver built in for ${missing}.`
      });
    }
  }
  const openrc = newest === void 0 && await missingOpenrc(container, init);
  if (init === null)
    lacks.push({
      part: "init",
      why: `No init in the image: looked for ${INIT_PATHS.map((path) => `/${path}`).join(", ")}.`
    });
  else if (openrc) lacks.push({ part: "init", why: "/etc/inittab starts /sbin/openrc, which is not there." });
  if (wishes.network === "dhcp" && networkClient === null)
    lacks.push({ part: "network", why: `No DHCP client that starts under ${initSystem}.` });
  const login2 = [["agetty", "getty"], ["login"]].filter((names) => findProgram(draft, ...names) === null);
  if (login2.length > 0)
    lacks.push({
      part: "login",
      why: `No login prompt: no ${login2.map((names) => names[0]).join(" and no ")}.`
    });
  if (wishes.user !== null && findProgram(draft, "doas", "sudo") === null)
    lacks.push({ part: "sudo", why: `Nothing gives ${wishes.user} the rights of root: no sudo, no doas.` });
  return {
    distribution,
    family,
    kernels,
    init,
    networkClient,
    lacks,
    hasManager: family !== null && index.kind(family.manager) === "f" && index.kind("bin/sh") === "f",
    names: index.list("").filter((name) => !DOCKERS.includes(name))
  };
}
var DOCKERS = [".dockerenv", "dev", "etc", "proc", "sys"];
async function missingOpenrc(container, init) {
  if (init?.system !== "busybox") return false;
  const path = container.index.resolve("etc/inittab");
  const inittab = path === null ? null : await container.read(path);
  return /^[^#\n]*:sysinit:\/sbin\/openrc\b/m.test(inittab?.toString("latin1") ?? "");
}
function planAddition(survey, wishes, onBuild) {
  const { family, lacks, distribution } = survey;
  const essential = lacks.filter(({ part }) => ESSENTIAL.includes(part));
  const problem = essential.map(({ why }) => why);
  const refuse2 = (...lines) => {
    throw new ActionError([...problem, ...lines].join("\n"), "Not a bootable system");
  };
  if (wishes.installSystem === "never") {
    if (essential.length === 0) return null;
    return refuse2(advice(survey, "set install-system to auto, or "));
  }
  const wanted = wishes.installSystem === "auto" ? lacks : [...ESSENTIAL, "network", "login"].map(
    (part) => lacks.find((lack) => lack.part === part) ?? { part, why: 'Input install-system is "always".' }
  );
  if (wanted.length === 0) return null;
  if (family === null || !survey.hasManager || onBuild) {
    if (essential.length === 0 && wishes.installSystem === "auto") return null;
    if (onBuild)
      return refuse2(
        "It cannot be added, for the image has ONBUILD instructions, which would run once more.",
        advice(survey, "")
      );
    return refuse2(...cannotComplete(survey));
  }
  const at = {
    id: distribution.id,
    version: distribution.version,
    kernel: wishes.kernel,
    init: survey.init?.system ?? family.init
  };
  const parts = wanted.map(({ part, why }) => ({ part, why, packages: packagesFor(family, part, at) }));
  const packages = [...new Set(parts.flatMap((part) => part.packages))];
  const brought = parts.map(({ part }) => part);
  return {
    parts,
    packages,
    commands: [
      ...installCommands(family, brought, packages),
      // Some distributions have the link in a package of its own, whose name changes.
      ...brought.includes("init") && family.init === "systemd" ? ["[ -e /sbin/init ] || ln -s /usr/lib/systemd/systemd /sbin/init"] : []
    ]
  };
}
function advice({ distribution, family, lacks }, instead) {
  if (family === null)
    return `The image is ${distribution.name}; install a kernel with its initrd and an init system in the Dockerfile.`;
  const lines = lacks.filter(({ part }) => ESSENTIAL.includes(part)).map(({ part }) => dockerfileLine(family, part, distribution));
  return `The image is ${distribution.name}; ${instead}add to the Dockerfile:
${lines.join("\n")}`;
}
function cannotComplete({ distribution, family, names, kernels, init }) {
  const what = family === null ? distribution.name : `${distribution.name} without /${family.manager} or /bin/sh`;
  const parts = [
    kernels.length === 0 ? "a kernel with its initrd" : "",
    init === null ? "an init system" : ""
  ];
  return [
    `They cannot be added: the image is ${what}, with ${names.length === 0 ? "nothing" : names.slice(0, 10).join(", ")} at its root.`,
    `Either build on a distribution that can be completed (${FAMILIES.map(({ name }) => name).join(", ")}), such as`,
    "FROM debian:bookworm",
    "COPY --from=yours /app /app",
    `with your ENTRYPOINT and entrypoint-service: true; or put ${parts.filter(Boolean).join(" and ") || "an initrd"} into the image in the Dockerfile.`
  ];
}
function requireSystem(survey) {
  const { distribution, kernels, init, lacks } = survey;
  const [newest, ...older] = kernels;
  if (newest === void 0 || init === null || lacks.some(({ part }) => part === "initrd")) {
    const problem = lacks.filter(({ part }) => ESSENTIAL.includes(part)).map(({ why }) => why);
    throw new ActionError([...problem, advice(survey, "")].join("\n"), "Not a bootable system");
  }
  return { distribution, kernels: [newest, ...older], init };
}
function logSurvey({ distribution, kernels, init, networkClient }) {
  const say2 = (what) => info(inert(what.replaceAll("\n", " ")));
  const [newest, ...older] = kernels;
  say2(`Distribution: ${distribution.name}`);
  say2(`Kernel: ${newest ? `${newest.version} (/${newest.path})` : "none"}`);
  if (newest) say2(`Initrd: ${newest.initrd === null ? "none" : `/${newest.initrd}`}`);
  for (const kernel of older) say2(`Older kernel, in the boot menu: ${kernel.version} (/${kernel.path})`);
  const link2 = init === null || init.path === `/${init.program}` ? "" : `, /${init.program}`;
  say2(`Init: ${init ? `${init.path} (${init.system}${link2})` : "none"}`);
  say2(`DHCP client: ${networkClient ?? "none"}`);
}
var COMMON_PROGRAMS = ["bin/sh", "bin/busybox", "usr/bin/env"];
async function checkArchitecture(container, image, init) {
  const refuse2 = (machine, source) => {
    throw new ActionError(
      `The image is built for ${machine} (${source}), but the disk is for an x86-64 machine. Build with --platform linux/amd64 or use an amd64 base image.`,
      "Wrong architecture"
    );
  };
  const programs = [init?.program, ...COMMON_PROGRAMS.map((path) => container.index.resolve(path))];
  for (const program of programs) {
    if (!program || container.index.entry(program)?.kind !== "f") continue;
    const header = await container.read(program, 20);
    if (program === init?.program && (header === null || header.length < 20))
      throw new ActionError(`/${program}, the init, is empty.`, "Not a bootable system");
    if (header === null || header.length < 20 || header.toString("latin1", 0, 4) !== "\x7FELF") continue;
    const machine = header.readUInt16LE(18);
    if (machine !== EM_X86_64) refuse2(ELF_MACHINES[machine] ?? `ELF machine ${machine}`, `/${inert(program)}`);
    return;
  }
  if (!["", "amd64"].includes(image.architecture)) refuse2(image.architecture, "by the image's configuration");
}

// src/stages.ts
var Stages = class {
  times = [];
  async run(name, work) {
    startGroup(name);
    const begin = performance.now();
    try {
      return await work();
    } finally {
      const seconds = (performance.now() - begin) / 1e3;
      this.times.push({ name, seconds });
      info(`${name}: ${formatSeconds(seconds)}`);
      endGroup();
    }
  }
};

// src/state.ts
var BEGUN = "begun";
var RUN = "run";
var PACKAGES = "packages";
var beginState = () => saveState(BEGUN, "true");
var saveRun = (runId) => saveState(RUN, runId);
var savePackagesLater = (cache) => saveState(PACKAGES, JSON.stringify(cache));
function savedState() {
  if (getState(BEGUN) === "") return null;
  const packages = getState(PACKAGES);
  return {
    runId: getState(RUN) || null,
    packages: packages === "" ? null : JSON.parse(packages)
  };
}

// src/system-layer.ts
import { readFileSync as readFileSync5 } from "node:fs";
import { join as join8 } from "node:path";
var LIMIT2 = 60 * 6e4;
var PROXIES = /^(?:https?|ftp|all|no)_proxy(?:=|$)/i;
function layerDockerfile(base, { commands }) {
  const script = [
    "set -eu",
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ...commands
  ];
  return [
    `FROM ${base}`,
    "USER 0:0",
    // The exec form: the image's own SHELL may be any program.
    `RUN ${JSON.stringify(["/bin/sh", "-c", script.join("\n")])}`,
    ""
  ].join("\n");
}
function layerBuild({ source }, builder) {
  const given = source.kind === "build" ? source.build : null;
  return {
    // The Dockerfile alone, from standard input.
    context: "-",
    file: null,
    target: null,
    buildArgs: given?.buildArgs.filter((argument) => PROXIES.test(argument)) ?? [],
    buildContexts: [],
    secrets: [],
    ssh: [],
    labels: [],
    addHosts: given?.addHosts ?? [],
    cacheFrom: [],
    cacheTo: [],
    noCache: given?.noCache ?? false,
    pull: false,
    network: given?.network ?? null,
    builder
  };
}
async function addSystem(host, undo, addition, { image, inputs, workDir }) {
  const base = `docker-to-disk:${undo.runId}`;
  const name = { kind: "image-name", name: base };
  undo.register(name);
  await host.run(["docker", "tag", image, base]);
  const kind = await detectBuilder(host);
  const builder = await ownBuilder(host, kind);
  const iidFile = join8(workDir, "system-image-id");
  info(`Installing with ${BUILDER_NAMES[kind]}: ${addition.packages.join(" ")}`);
  try {
    const options = { builder: kind, platform: inputs.platform, iidFile, secretPath: (id) => id };
    await host.run(buildArgv(layerBuild(inputs, builder), options), {
      env: kind === "buildx" ? {} : { DOCKER_BUILDKIT: kind === "buildkit" ? "1" : "0" },
      input: layerDockerfile(base, addition),
      onLine: (line) => info(inert(line)),
      timeout: LIMIT2
    });
  } catch (error2) {
    if (host.cancelled.aborted || !(error2 instanceof ActionError) || saysNoSpace(error2.message)) throw error2;
    throw new ActionError(
      `The packages that make the image a machine could not be installed: ${addition.packages.join(" ")}. ${error2.message}
If the build has to go through a proxy, set build-args: HTTP_PROXY=\u2026; or install them in the Dockerfile, and nothing is added.`,
      "System not installed"
    );
  }
  await undo.release(name);
  return readFileSync5(iidFile, "utf8").trim();
}
async function ownBuilder(host, kind) {
  if (kind !== "buildx") return null;
  const context = await host.run(["docker", "context", "show"], { allowFailure: true });
  return context.exitCode === 0 && context.stdout.trim() || "default";
}

// src/tools.ts
import { createHash as createHash2 } from "node:crypto";
import { existsSync as existsSync3, mkdirSync as mkdirSync3, readdirSync, readFileSync as readFileSync6 } from "node:fs";
import { tmpdir } from "node:os";
import { join as join9 } from "node:path";
function neededTools(inputs) {
  const program = (name, pkg) => ({ program: name, package: pkg });
  const compresses = (compression) => inputs.formats.some((format) => format.compression === compression);
  const converts = inputs.boot !== null || inputs.formats.some((format) => format.container !== "raw");
  return [
    program("extlinux", "extlinux"),
    { file: "mbr.bin", places: MBR_PLACES, package: "syslinux-common" },
    {
      file: "menu.c32",
      places: MODULE_FOLDERS.map((folder) => `${folder}/menu.c32`),
      package: "syslinux-common"
    },
    program("sfdisk", "fdisk"),
    program("mke2fs", "e2fsprogs"),
    program("losetup", "mount"),
    program("tar", "tar"),
    program("find", "findutils"),
    ...inputs.rootPassword === null ? [] : [program("openssl", "openssl")],
    ...converts ? [program("qemu-img", "qemu-utils")] : [],
    ...inputs.boot === null ? [] : [program("qemu-system-x86_64", "qemu-system-x86")],
    ...compresses("zst") ? [program("zstd", "zstd")] : [],
    ...compresses("gz") ? [program("pigz", "pigz")] : [],
    ...compresses("xz") ? [program("xz", "xz-utils")] : []
  ];
}
var namesOf = (tools) => tools.map((tool) => "program" in tool ? tool.program : tool.file).join(", ");
var packagesOf = (tools) => [...new Set(tools.map((tool) => tool.package))].sort();
var bootCodePath = () => MBR_PLACES.find((place) => existsSync3(place)) ?? MBR_PLACES[0];
var moduleFolder = () => MODULE_FOLDERS.find((folder) => existsSync3(join9(folder, "menu.c32"))) ?? null;
function isPresent(host, tool) {
  return "program" in tool ? host.which(tool.program) !== null : tool.places.some((place) => existsSync3(place));
}
var packageFolder = {
  path: () => join9(process.env.RUNNER_TEMP || tmpdir(), "docker-to-disk-apt"),
  /** As root, for apt keeps a folder in it that nobody else may read. */
  remove: async (host) => {
    const path = packageFolder.path();
    if (existsSync3(path))
      await host.runAsRoot(["rm", "--recursive", "--force", "--", path], { evenIfCancelled: true });
  }
};
var APT_OPTIONS = [
  ...["-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"],
  ...["-o", "DPkg::Lock::Timeout=120", "-o", "APT::Install-Recommends=false", "-o", "Dpkg::Use-Pty=false"]
];
var APT_ENV = { DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_SUSPEND: "1" };
var APT_LIMIT = 8 * 6e4;
function missingTools(host, inputs) {
  const missing = neededTools(inputs).filter((tool) => !isPresent(host, tool));
  if (missing.length === 0) return [];
  const words = `Missing on this machine: ${namesOf(missing)}`;
  if (!inputs.installTools) {
    const command = `sudo apt-get install ${packagesOf(missing).join(" ")}`;
    throw new ActionError(
      `${words}. Set install-tools to true, or install them before: ${command}`,
      "Missing programs"
    );
  }
  if (host.which("apt-get") === null) {
    throw new ActionError(
      `${words}; it has no apt-get to install them with. Install them by hand, or use a Debian or Ubuntu runner.`,
      "Missing programs"
    );
  }
  return missing;
}
async function installTools(host, missing, onLine, limitMs = APT_LIMIT) {
  if (missing.length === 0) return { installed: [], source: "present", save: null };
  const packages = packagesOf(missing);
  onLine(`Missing: ${namesOf(missing)}`);
  const folder = packageFolder.path();
  mkdirSync3(folder, { recursive: true });
  const cache = { folder, key: cacheKey(packages) };
  const deadline = performance.now() + limitMs;
  const restored = await restorePackages(cache, host.cancelled, onLine);
  if (restored && await installFiles(host, folder, onLine, deadline) && missing.every((tool) => isPresent(host, tool))) {
    return { installed: packages, source: "cache", save: null };
  }
  await installFromNetwork(host, packages, folder, onLine, deadline);
  const still = missing.filter((tool) => !isPresent(host, tool));
  if (still.length > 0) {
    throw new ActionError(
      `Installed ${packages.join(", ")}, but ${namesOf(still)} is still missing.`,
      "Missing programs"
    );
  }
  return { installed: packages, source: "network", save: restored ? null : cache };
}
function cacheKey(packages) {
  const { ImageOS, ImageVersion } = process.env;
  const machine = ImageOS ? `${ImageOS}-${ImageVersion ?? ""}` : osRelease();
  const hash = createHash2("sha256").update(packages.join(" ")).digest("hex").slice(0, 16);
  return `docker-to-disk-apt-${machine}-${process.arch}-${hash}`;
}
function osRelease() {
  try {
    const text = readFileSync6("/etc/os-release", "utf8");
    const value = (name) => new RegExp(`^${name}="?([^"\\n]*)`, "m").exec(text)?.[1] ?? "";
    return `${value("ID")}-${value("VERSION_ID")}`;
  } catch {
    return "unknown";
  }
}
async function restorePackages({ folder, key }, cancelled, onLine) {
  try {
    const hit = await withCache(folder, cancelled, (cache) => cache.restoreCache(packagePaths(folder), key));
    if (hit === null) return false;
    onLine(hit ? `Restored the packages from the cache (${key})` : `The cache has no packages (${key})`);
    return hit !== void 0;
  } catch (error2) {
    onLine(`The cache does not answer: ${inert(messageOf(error2))}`);
    return false;
  }
}
async function savePackages({ folder, key }) {
  try {
    if (debFiles(folder).length === 0) return;
    const saved = await withCache(
      folder,
      new AbortController().signal,
      (cache) => cache.saveCache(packagePaths(folder), key)
    );
    if (saved !== null && saved !== -1) info(`Saved the packages of the installed programs (${key}).`);
  } catch (error2) {
    info(`The packages were not saved: ${inert(messageOf(error2))}`);
  }
}
async function withCache(folder, cancelled, call) {
  const cache = await import("./cache-SRZD5Y3E.mjs");
  if (!cache.isFeatureAvailable()) return null;
  const { RUNNER_TEMP } = process.env;
  process.env.RUNNER_TEMP = folder;
  try {
    const limit = (Number(process.env.SEGMENT_DOWNLOAD_TIMEOUT_MINS) || 2) * 6e4;
    return await within(limit, cancelled, call(cache));
  } finally {
    if (RUNNER_TEMP === void 0) delete process.env.RUNNER_TEMP;
    else process.env.RUNNER_TEMP = RUNNER_TEMP;
  }
}
var packagePaths = (folder) => [join9(folder, "*.deb")];
var debFiles = (folder) => readdirSync(folder).filter((name) => name.endsWith(".deb")).map((name) => join9(folder, name));
async function installFiles(host, folder, onLine, deadline) {
  const files = debFiles(folder);
  if (files.length === 0) return false;
  const installed = await apt2(host, ["install", "--yes", "--", ...files], onLine, deadline);
  if (!installed) onLine("The packages from the cache do not fit this machine.");
  return installed;
}
async function installFromNetwork(host, packages, folder, onLine, deadline) {
  let full = false;
  const see = (line) => {
    full ||= saysNoSpace(line);
    onLine(line);
  };
  for (const attempt2 of [1, 2]) {
    const updated = await apt2(host, ["update"], see, deadline);
    const keep = ["-o", `Dir::Cache::archives=${folder}`, "-o", "APT::Keep-Downloaded-Packages=true"];
    if (await apt2(host, ["install", "--yes", ...keep, "--", ...packages], see, deadline)) return;
    if (full) {
      throw new ActionError(
        `The runner's disk is full: apt-get could not install ${packages.join(", ")}. Free space first, or install them before this step.`,
        "No space left"
      );
    }
    const late = performance.now() > deadline;
    if (attempt2 === 2 || late) {
      throw new ActionError(
        `apt-get could not install ${packages.join(", ")}${updated ? "" : ", and its package lists could not be updated"}${late ? ", and time is up" : ""}. Its output is in the log above; install them before this step if the machine has no network.`,
        "Missing programs"
      );
    }
    await host.runAsRoot(["dpkg", "--configure", "--pending"], {
      env: APT_ENV,
      timeout: Math.max(deadline - performance.now(), 1e3),
      allowFailure: true,
      onLine: (line) => onLine(inert(line))
    });
  }
}
async function apt2(host, args, onLine, deadline) {
  try {
    const mark = ["-o", `docker-to-disk::Run=${host.runId}`];
    const result = await host.runAsRoot(["apt-get", "-qq", ...APT_OPTIONS, ...mark, ...args], {
      env: APT_ENV,
      timeout: Math.max(deadline - performance.now(), 1e3),
      allowFailure: true,
      onLine: (line) => onLine(inert(line))
    });
    return result.exitCode === 0;
  } catch (error2) {
    if (host.cancelled.aborted) throw error2;
    onLine(messageOf(error2));
    return false;
  }
}

// src/undo.ts
import { randomBytes as randomBytes4 } from "node:crypto";
import { mkdirSync as mkdirSync4, readdirSync as readdirSync2, readFileSync as readFileSync7, renameSync as renameSync2, rmdirSync, rmSync as rmSync7, writeFileSync as writeFileSync5 } from "node:fs";
import { homedir } from "node:os";
import { join as join10 } from "node:path";
import { setTimeout as delay2 } from "node:timers/promises";
var RETRIES = 8;
var LATE_CONTAINER_CHECKS = 6;
var journalFolder = () => join10(process.env.XDG_STATE_HOME || join10(homedir(), ".local", "state"), "docker-to-disk");
var Undo = class _Undo {
  constructor(runId, host, resources) {
    this.runId = runId;
    this.host = host;
    this.#resources = [...resources];
  }
  runId;
  host;
  #resources;
  /** Begins the journal of a new run of this process. */
  static begin(host) {
    const undo = new _Undo(randomBytes4(6).toString("hex"), host, []);
    mkdirSync4(journalFolder(), { recursive: true, mode: 448 });
    undo.#write();
    host.mark(undo.runId);
    return undo;
  }
  /** The journal that the run left, or null if it gave everything back. */
  static resume(runId, host) {
    const journal = readJournal(runId);
    return journal && new _Undo(runId, host, journal.resources);
  }
  /** Journals of runs on this machine whose process is gone. */
  static abandoned(host) {
    let names;
    try {
      names = readdirSync2(journalFolder());
    } catch {
      return [];
    }
    return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length)).filter((runId) => {
      const owner = readJournal(runId)?.owner;
      return owner !== void 0 && identify(owner.pid)?.startTime !== owner.startTime;
    }).map((runId) => _Undo.resume(runId, host)).filter((undo) => undo !== null);
  }
  /** Notes a resource that is about to be taken. */
  register(resource) {
    this.#resources.push(resource);
    this.#write();
  }
  /** Gives one resource back and forgets it. Throws if that fails; it is then still registered. */
  async release(resource) {
    await release(this.host, resource);
    this.#resources = this.#resources.filter((other) => other !== resource);
    try {
      this.#write();
    } catch {
    }
  }
  /**
   * Gives everything back, newest first, whatever fails on the way.
   * @returns a sentence for each resource that could not be given back; these stay in the journal
   */
  async releaseAll() {
    const problems = [];
    await endProcesses(this.host, this.runId);
    for (const resource of this.#resources.toReversed()) {
      try {
        await this.release(resource);
      } catch (error2) {
        problems.push(`${describe(resource)} could not be released: ${messageOf(error2)}`);
      }
    }
    if (problems.length === 0) {
      for (const path of [`${journalPath(this.runId)}.new`, journalPath(this.runId)])
        rmSync7(path, { force: true });
    }
    return problems;
  }
  #write() {
    const owner = identify(process.pid);
    if (!owner) return;
    const path = journalPath(this.runId);
    writeFileSync5(`${path}.new`, JSON.stringify({ owner, resources: this.#resources }), {
      mode: 384
    });
    renameSync2(`${path}.new`, path);
  }
};
var journalPath = (runId) => join10(journalFolder(), `${runId}.json`);
function readJournal(runId) {
  if (!/^[0-9a-f]{12}$/.test(runId)) return null;
  try {
    return JSON.parse(readFileSync7(journalPath(runId), "utf8"));
  } catch {
    return null;
  }
}
function identify(pid) {
  try {
    const boot = readFileSync7("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const fields = readFileSync7(`/proc/${pid}/stat`, "utf8").split(") ").pop()?.split(" ");
    if (fields?.[0] === "Z") return null;
    return { pid, startTime: `${boot}/${fields?.[19]}`, boot };
  } catch {
    return null;
  }
}
function describe(resource) {
  switch (resource.kind) {
    case "container":
      return `container ${resource.name}`;
    case "image-name":
      return `image name ${resource.name}`;
    case "mount":
      return `mount ${resource.target}`;
    case "loop":
      return `loop device of ${resource.file}`;
    case "folder":
    case "empty-folder":
      return `folder ${resource.path}`;
    case "mode":
      return `mode of ${resource.path}`;
  }
}
async function release(host, resource) {
  const options = { evenIfCancelled: true, timeout: 6e4 };
  switch (resource.kind) {
    case "container":
      for (let attempt2 = 1; attempt2 <= LATE_CONTAINER_CHECKS; attempt2++) {
        if (await retry(() => removeContainer(host, resource.name))) return;
        await delay2(250);
      }
      return;
    case "image-name":
      await retry(async () => {
        const argv = ["docker", "rmi", "--no-prune", resource.name];
        const removed = await host.run(argv, { ...options, allowFailure: true });
        if (removed.exitCode !== 0 && !/No such image/i.test(removed.stderr))
          throw new Error(removed.stderr.trim());
      });
      return;
    case "mount":
      await retry(async () => {
        if (mountedBelow(resource.target).length === 0) return;
        await host.runAsRoot(["umount", resource.target], options);
      });
      return;
    case "loop":
      await retry(async () => {
        const listed = await host.runAsRoot(
          ["losetup", "--associated", resource.file, "--noheadings", "--output", "NAME"],
          options
        );
        for (const device of listed.stdout.split("\n").filter(Boolean)) {
          await host.runAsRoot(["losetup", "--detach", device.trim()], options);
        }
      });
      return;
    case "folder": {
      const mounts = mountedBelow(resource.path);
      if (mounts.length > 0) throw new Error(`${mounts.join(", ")} is still mounted`);
      rmSync7(resource.path, { recursive: true, force: true });
      return;
    }
    case "empty-folder":
      try {
        rmdirSync(resource.path);
      } catch (error2) {
        if (!["ENOTEMPTY", "ENOENT"].includes(error2.code ?? "")) throw error2;
      }
      return;
    case "mode":
      await host.runAsRoot(["chmod", resource.mode, resource.path], options);
  }
}
async function removeContainer(host, name) {
  const removed = await host.run(["docker", "rm", "--force", "--volumes", name], {
    evenIfCancelled: true,
    timeout: 6e4,
    allowFailure: true
  });
  if (/No such container/i.test(removed.stderr)) return false;
  if (removed.exitCode !== 0) throw new Error(removed.stderr.trim());
  return true;
}
function mountedBelow(path) {
  return readFileSync7("/proc/self/mountinfo", "utf8").split("\n").map(
    (line) => line.split(" ")[4]?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
  ).filter((target) => target !== void 0 && (target === path || target.startsWith(`${path}/`))).map((target) => target).reverse();
}
async function retry(action) {
  for (let attempt2 = 1; ; attempt2++) {
    try {
      return await action();
    } catch (error2) {
      if (attempt2 === RETRIES) throw error2;
      await delay2(100 * attempt2);
    }
  }
}
async function endProcesses(host, runId) {
  for (const signal of ["TERM", "KILL"]) {
    const pids = processesNaming(runId);
    if (pids.length === 0) return;
    await host.runAsRoot(["kill", `-${signal}`, "--", ...pids], { allowFailure: true, evenIfCancelled: true });
    const deadline = Date.now() + 3e3;
    while (processesNaming(runId).length > 0 && Date.now() < deadline) {
      await delay2(50);
    }
  }
}
function processesNaming(runId) {
  const variable = `${RUN_VARIABLE}=${runId}\0`;
  return readdirSync2("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).filter((pid) => {
    try {
      if (readFileSync7(`/proc/${pid}/cmdline`, "latin1").includes(runId)) return true;
      return readFileSync7(`/proc/${pid}/environ`, "latin1").includes(variable);
    } catch {
      return false;
    }
  });
}

// src/main.ts
async function main() {
  const cancellation = new AbortController();
  const cancel = (signal) => cancellation.abort(new ActionError(`Cancelled by ${signal}.`, "Cancelled"));
  process.on("SIGINT", cancel).on("SIGTERM", cancel).on("SIGHUP", cancel);
  process.on("uncaughtException", (error2) => cancellation.abort(error2));
  let undo = null;
  try {
    const inputs = readInputs();
    const host = new Host(cancellation.signal);
    undo = Undo.begin(host);
    saveRun(undo.runId);
    await makeImage(host, undo, inputs);
  } catch (error2) {
    const { aborted, reason } = cancellation.signal;
    await fail(explainNoSpace(aborted ? reason : error2));
  }
  for (const problem of await undo?.releaseAll() ?? [])
    warning(inert(problem), { title: "Not cleaned up" });
}
function explainNoSpace(error2) {
  if (error2 instanceof ActionError && !(error2 instanceof CommandError)) return error2;
  if (!saysNoSpace(messageOf(error2))) return error2;
  return new ActionError(
    `The runner's disk is full. Set output-dir to a folder on a larger disk, or free space first. ${messageOf(error2)}`,
    "No space left"
  );
}
async function fail(error2) {
  const title = error2 instanceof ActionError ? error2.title : "docker-to-disk failed";
  error(inertText(messageOf(error2)), { title });
  if (!(error2 instanceof ActionError) && error2 instanceof Error) info(inertText(error2.stack ?? ""));
  process.exitCode = ExitCode.Failure;
  const progress = error2 instanceof BootFailure ? error2.progress : null;
  await addSummary(failureMarkdown(title, messageOf(error2), progress)).catch(() => {
  });
}
async function makeImage(host, undo, inputs) {
  const stages = new Stages();
  const outputDir = makeOutputDir(undo, inputs);
  const workDir = join11(outputDir, `.docker-to-disk-${undo.runId}`);
  const disk = join11(workDir, "disk.raw");
  const serialLog = join11(workDir, `${inputs.name}.console.log`);
  const screenshot = join11(workDir, `${inputs.name}.screenshot.png`);
  const junit = join11(workDir, `${inputs.name}.junit.xml`);
  const run = { host, undo, inputs, stages, outputDir, workDir, disk, serialLog, screenshot, junit };
  const tools = new BackgroundTools(host, await stages.run("Preflight", () => prepare(run)));
  try {
    const image = await stages.run("Container image", () => obtainImage(host, inputs, workDir));
    const config = await readImageConfig(host, image);
    const bare = await stages.run("File tree", () => openTree(run, image));
    const { survey, addition } = await stages.run("Root filesystem", () => planSystem(run, bare, config));
    const { container, system } = addition === null ? { container: bare, system: requireSystem(survey) } : await stages.run("System", () => completeSystem(run, bare, addition, config));
    await stages.run("Tools", () => tools.finish());
    const service = inputs.entrypointService ? config : null;
    const { plan, mounted } = await stages.run("Disk", () => makeDisk(run, container, system, service));
    await stages.run("Boot loader", () => makeBootable(run, container, plan, mounted));
    const made = await stages.run(
      inputs.boot === null ? "Formats" : "Boot check and formats",
      () => checkAndConvert(run, { container, system, plan })
    );
    const added = addition?.packages ?? [];
    await publish(run, { image: container.image, system, added, service, plan, ...made });
  } finally {
    await tools.settled();
  }
}
function makeOutputDir(undo, { outputDir }) {
  try {
    if (outputDir !== null) {
      mkdirSync5(outputDir, { recursive: true });
      return outputDir;
    }
    const fresh = join11(process.env.RUNNER_TEMP || tmpdir2(), `docker-to-disk-${undo.runId}`);
    undo.register({ kind: "empty-folder", path: fresh });
    mkdirSync5(fresh, { mode: 448 });
    return fresh;
  } catch (error2) {
    throw new ActionError(
      `The output folder cannot be made: ${messageOf(error2)}. Set output-dir to a folder that can be written.`,
      "No output folder"
    );
  }
}
async function prepare({ host, undo, inputs, outputDir, workDir }) {
  for (const abandoned of Undo.abandoned(host)) {
    info(`Cleaning up after a run on this machine that was killed (${abandoned.runId}).`);
    for (const problem of await abandoned.releaseAll())
      warning(inert(problem), { title: "Not cleaned up" });
  }
  await preflight(host, outputDir);
  const missing = missingTools(host, inputs);
  undo.register({ kind: "folder", path: workDir });
  try {
    mkdirSync5(workDir, { mode: 448 });
  } catch (error2) {
    throw new ActionError(`The output folder cannot be written: ${messageOf(error2)}.`, "No output folder");
  }
  return missing;
}
var BackgroundTools = class {
  #work;
  #print = null;
  #held = [];
  constructor(host, missing) {
    this.#work = installTools(
      host,
      missing,
      (line) => this.#print ? this.#print(line) : this.#held.push(line)
    );
    this.#work.catch(() => {
    });
  }
  async finish() {
    for (const line of this.#held) info(line);
    this.#print = info;
    const { installed, source, save } = await this.#work;
    info(
      source === "present" ? "All programs are present." : `Installed from the ${source}: ${installed.join(", ")}`
    );
    if (save) savePackagesLater(save);
  }
  /** Package managers are not interrupted by a failure elsewhere, which would leave half-installed packages. */
  async settled() {
    await this.#work.catch(() => {
    });
  }
};
async function openTree({ host, undo, workDir }, image) {
  const container = await openContainer(host, undo, image, workDir);
  const { inodes, bytes } = container.index.measure;
  info(`${inodes} files and folders, ${formatBytes(bytes)}`);
  return container;
}
async function planSystem({ inputs }, container, config) {
  const survey = await surveySystem(container, config, inputs);
  logSurvey(survey);
  const addition = planAddition(survey, inputs, config.onBuild);
  if (addition === null) {
    info("Nothing is added to the image.");
    for (const { why } of survey.lacks) info(inert(why));
  }
  for (const { part, why, packages } of addition?.parts ?? [])
    info(inert(`To be added, ${part}: ${packages.join(" ")}. ${why}`));
  return { survey, addition };
}
async function completeSystem(run, bare, addition, config) {
  const { host, undo, inputs, workDir } = run;
  await bare.close();
  const image = await addSystem(host, undo, addition, { image: bare.image, inputs, workDir });
  const container = await openTree(run, image);
  const survey = await surveySystem(container, config, inputs);
  logSurvey(survey);
  return { container, system: requireSystem(survey) };
}
async function makeDisk(run, container, system, service) {
  const { host, undo, inputs, workDir, disk } = run;
  const { index } = container;
  const plan = planDisk(index.measure, inputs);
  checkSpace(workDir, plan, index.measure, inputs);
  info(
    `Disk of ${formatBytes(plan.sizeBytes)}: MBR, disk id ${plan.diskId}, one bootable ${plan.filesystem} partition, UUID ${plan.uuid}`
  );
  const draft = await draftMachine(container, {
    distribution: system.distribution,
    init: system.init,
    hostname: machineName(inputs),
    passwordHash: inputs.rootPassword === null ? null : await hashPassword(host, inputs.rootPassword),
    // The last number makes fsck look at it first; what it cannot repair keeps the filesystem read-only.
    rootMount: `UUID=${plan.uuid} / ${plan.filesystem} rw,relatime,errors=remount-ro 0 1`,
    serialConsole: inputs.serialConsole,
    network: inputs.network,
    user: inputs.user,
    authorizedKeys: inputs.authorizedKeys,
    service
  });
  for (const warning2 of draft.warnings) warning(inert(warning2), { title: "About the machine" });
  const { edits } = draft;
  const loader = planLoader(index, plan, system.kernels, { ...inputs, moduleFolder: moduleFolder() });
  await createDisk(host, plan, disk);
  const mounted = await mountDisk(host, undo, plan, disk, workDir);
  await fillDisk(host, mounted, container, [...edits, ...loader]);
  info(
    `Written anew or removed in the image: ${[...edits, ...loader].map((edit) => `/${edit.path}`).join(", ")}`
  );
  return { plan, mounted };
}
async function makeBootable({ host, undo, disk }, container, plan, mounted) {
  try {
    await installLoader(host, container.index, mounted.mountPoint);
    await finishDisk(host, undo, plan, mounted);
  } catch (error2) {
    throw explainFullDisk(error2, mounted);
  }
  writeBootCode(disk, bootCodePath());
}
async function checkAndConvert(run, { container, system, plan }) {
  const { host, undo, inputs, disk, serialLog, screenshot, outputDir, workDir } = run;
  const cases = [];
  const stop = new AbortController();
  const converting = makeFormats(
    new Host(AbortSignal.any([host.cancelled, stop.signal])),
    disk,
    inputs.formats,
    inputs.name,
    workDir
  );
  converting.catch(() => {
  });
  let boots = [];
  try {
    if (inputs.boot !== null) {
      const machines = await chooseMachines(container, system, inputs.boot);
      boots = await checkBoot(host, undo, {
        disk,
        boot: inputs.boot,
        hostname: machineName(inputs),
        machines,
        serialLog,
        screenshot,
        workDir,
        cases,
        init: initOf(inputs.kernelArgs, system.init.path),
        copyDisk: (edits) => copyDisk(run, { container, system, plan }, edits)
      });
    }
    const files = await converting;
    checkImageSizes(files, inputs.maxImageBytes, cases);
    writeCases(run, cases);
    return { boots, files };
  } catch (error2) {
    stop.abort(error2);
    await converting.catch(() => {
    });
    if (error2 instanceof BootFailure || error2 instanceof ImageTooLarge) {
      writeCases(run, cases);
      const evidence = settleEvidence(outputDir, run);
      if (error2 instanceof BootFailure) {
        setOutput("boot-result", "failed");
        setOutput("boot-cause", error2.reason.id);
      }
      await publishEvidence(inputs, evidence, host.cancelled);
    }
    throw error2;
  }
}
async function copyDisk({ host, undo, inputs, disk, workDir }, { container, system, plan }, edits) {
  const { index } = container;
  if (index.kind("bin/sh") !== "f") {
    throw new ActionError(
      "The image has no /bin/sh, which test-script, test-scripts, fail-on-failed-units and check-persistence need: install one, or leave them out.",
      "No shell in the image"
    );
  }
  const folder = join11(workDir, "copy");
  const copy = join11(folder, "disk.raw");
  mkdirSync5(folder);
  await host.run(["cp", "--sparse=always", "--reflink=auto", "--", disk, copy], { timeout: 30 * 6e4 });
  const kernelArgs = `${inputs.kernelArgs} init=${STARTER}`.trim();
  const loader = planLoader(index, plan, system.kernels, {
    ...inputs,
    kernelArgs,
    moduleFolder: moduleFolder()
  });
  const mounted = await mountDisk(host, undo, plan, copy, folder);
  await applyEdits(host, index, mounted.mountPoint, [
    ...edits,
    // The loader itself is installed already.
    ...loader.filter(({ path }) => path.endsWith(".cfg"))
  ]);
  for (const resource of mounted.resources.toReversed()) await undo.release(resource);
  return copy;
}
function writeCases({ inputs, junit }, cases) {
  if (cases.length > 0) writeFileSync6(junit, junitXml(inputs.name, cases));
}
async function chooseMachines(container, system, boot) {
  const drivers = await readDrivers(container, system.kernels[0]);
  const machines = planDevices(boot, drivers);
  for (const machine of machines) {
    const { diskBus } = machine;
    if (boot.diskBus === "auto" && boot.matrix.length === 0 && diskBus !== "virtio")
      info(`The kernel has no driver for a virtio disk: the boot check's disk is on ${diskBus}.`);
    const missing = lacksDiskDriver(machine, drivers);
    if (missing.length > 0)
      warning(
        `The kernel has no ${missing.join(", ")}, which a disk on ${diskBus} needs: it may not boot.`
      );
  }
  return machines;
}
function settleEvidence(outputDir, { serialLog, screenshot, junit }) {
  const evidence = {};
  for (const [output, path] of [
    ["serial-log", serialLog],
    ["screenshot", screenshot],
    ["junit", junit]
  ]) {
    if (!existsSync4(path)) continue;
    evidence[output] = join11(outputDir, basename4(path));
    settle(path, evidence[output]);
  }
  return evidence;
}
var artifactsOf = ({ junit: _, ...rest }) => Object.values(rest);
async function publishEvidence({ uploadArtifact, retentionDays }, evidence, cancelled) {
  for (const [output, path] of Object.entries(evidence)) setOutput(output, path);
  if (!uploadArtifact) return;
  try {
    const { uploadFiles } = await import("./publish-5T5S5QAG.mjs");
    await uploadFiles(artifactsOf(evidence), retentionDays, /* @__PURE__ */ new Map(), cancelled);
  } catch (error2) {
    warning(inert(messageOf(error2)), { title: "Console log not uploaded" });
  }
}
async function publish(run, made) {
  const { host, inputs, stages, outputDir, workDir } = run;
  const files = made.files.map(({ name, path, size, sha256 }) => ({
    from: path,
    name,
    path: join11(outputDir, name),
    size,
    sha256
  }));
  const checksums = join11(outputDir, "SHA256SUMS");
  const reportPath = join11(outputDir, `${inputs.name}.report.json`);
  const report = () => {
    const { system, service, plan, boots } = made;
    const [boot] = boots;
    return {
      name: inputs.name,
      source: inputs.source.kind === "image" ? inputs.source.reference : inputs.source.build.context,
      distribution: system.distribution.name,
      kernelVersion: system.kernels[0].version,
      kernels: system.kernels.map((kernel) => kernel.version),
      init: `${system.init.path} (${system.init.system})`,
      added: made.added,
      disk: plan,
      boot: {
        result: boot === void 0 ? "skipped" : "passed",
        seconds: boot?.seconds ?? null,
        accelerator: boot?.accelerator ?? null,
        evidence: boot?.evidence ?? null,
        checks: boot?.checks ?? [],
        phases: boot?.phases ?? [],
        failedUnits: boot?.failedUnits ?? [],
        machines: boots
      },
      service: service && {
        command: [...service.entrypoint, ...service.cmd],
        exposedPorts: service.exposedPorts,
        volumes: service.volumes
      },
      files: files.map(({ from: _, ...file }) => file),
      stages: stages.times,
      // The clock of performance.now() starts with the process.
      totalSeconds: performance.now() / 1e3,
      rootPrograms: host.rootPrograms
    };
  };
  let evidence = {};
  const artifacts = await stages.run("Publish", async () => {
    for (const { from, path } of files) settle(from, path);
    evidence = settleEvidence(outputDir, run);
    const sums = join11(workDir, `${inputs.name}.SHA256SUMS`);
    writeChecksums(files, sums);
    settleText((path) => writeChecksums(files, path), checksums);
    settleText((path) => writeReport(report(), path), reportPath);
    setOutputs(report(), [], { checksums, reportPath, evidence });
    return inputs.uploadArtifact ? upload([...files.map((file) => file.path), sums, ...artifactsOf(evidence), reportPath]) : [];
  });
  function settleText(write, path) {
    const draft = join11(workDir, basename4(path));
    write(draft);
    settle(draft, path);
  }
  async function upload(paths) {
    const { uploadFiles } = await import("./publish-5T5S5QAG.mjs");
    return uploadFiles(
      paths,
      inputs.retentionDays,
      new Map(files.map((file) => [file.path, file.sha256])),
      host.cancelled
    );
  }
  const complete = report();
  settleText((path) => writeReport(complete, path), reportPath);
  setOutputs(complete, artifacts, { checksums, reportPath, evidence });
  await addSummary(summaryMarkdown(complete, artifacts));
  const start2 = files.map((file) => startCommand(file.path)).find((command) => command !== null);
  info(
    inertText(`Made ${files.map((file) => file.path).join(", ")}${start2 ? `
Start it with: ${start2}` : ""}`)
  );
}
function setOutputs(report, artifacts, paths) {
  const [first] = report.files;
  const artifact = artifacts.find(({ name }) => name === first?.name);
  const outputs = {
    image: first?.path ?? "",
    files: [...report.files.map((file) => file.path), paths.checksums].join("\n"),
    checksums: paths.checksums,
    "size-bytes": first?.size ?? 0,
    distribution: report.distribution,
    "kernel-version": report.kernelVersion,
    "boot-result": report.boot.result,
    "boot-cause": "",
    "boot-seconds": report.boot.seconds?.toFixed(1) ?? "",
    accelerator: report.boot.accelerator ?? "",
    "serial-log": paths.evidence["serial-log"] ?? "",
    screenshot: paths.evidence.screenshot ?? "",
    junit: paths.evidence.junit ?? "",
    report: paths.reportPath,
    "artifact-id": artifact?.id ?? "",
    "artifact-url": artifact?.url ?? "",
    "artifact-digest": artifact?.digest ?? "",
    artifacts: JSON.stringify(artifacts)
  };
  for (const [name, value] of Object.entries(outputs)) setOutput(name, value);
}

// src/post.ts
async function post({ runId, packages }) {
  const host = new Host();
  try {
    const undo = runId === null ? null : Undo.resume(runId, host);
    const problems = await undo?.releaseAll() ?? [];
    for (const problem of problems) warning(inert(problem), { title: "Not cleaned up" });
    if (undo && problems.length === 0) {
      notice(
        "The step was killed before it could clean up; what it held of the machine is given back now.",
        {
          title: "Cleaned up"
        }
      );
    }
    if (packages !== null) await savePackages(packages);
    await packageFolder.remove(host);
  } catch (error2) {
    warning(inert(messageOf(error2)), { title: "Post step" });
  }
}

// src/index.ts
var state = savedState();
if (state === null) {
  beginState();
  await main();
} else await post(state);
process.exit();
