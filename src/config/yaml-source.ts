/**
 * A YAML 1.2 file as plain data that remembers where each key and value stands.
 *
 * The only import of the `yaml` package. A file is one document of at most 1 MiB and some 100 levels; its
 * aliases unfold into at most `ALIASES_MAX` values; keys are plain text, each once. What the keys mean is
 * not known here.
 */
import { readFileSync, statSync } from 'node:fs';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type ConfigCode, ConfigError, type Problem } from './codes.ts';

/** A rig of a thousand devices written out is 150 KiB. */
export const FILE_BYTES_MAX = 1_048_576;
const ALIASES_MAX = 100;
/** Of the parser's stack, two to a level; a rig has four levels. */
const OPEN_MAX = 200;
const SHOWN_CHARACTERS_MAX = 60;

/** Values that no message repeats; of a secret's file too, where the secret itself may stand by mistake. */
const SECRET_KEYS = /networkKey|installCode|keyFile|token|password|passphrase|secret|^key$/i;
/** A line that a key or a token may be in, or a part of one. */
const SECRET_LINE =
  /(?:networkKey|installCode|key|token|password|passphrase|secret)\w*\s*:|[A-Za-z0-9+/=_-]{32}/i;

export type KeyPath = readonly (string | number)[];

export interface Place {
  line: number;
  column: number;
}

export interface Found {
  kind: 'nothing' | 'empty' | 'text' | 'number' | 'boolean' | 'list' | 'mapping' | 'other';
  /** In words, after "found". */
  words: string;
  /** A scalar as the file writes it. */
  source: string;
}

/** @throws ConfigError where the file cannot be read or is not one well-formed YAML document. */
export function readYaml(path: string, shownAs: string): YamlSource {
  const text = readText(path, shownAs);
  if (nestsTooDeep(text)) {
    const expected = `at most ${OPEN_MAX / 2} levels`;
    throw wholeFile('yaml-depth-limit', shownAs, expected, 'more of them, one inside another');
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    // The package's own check compares every key with every other; keyProblems() does not.
    uniqueKeys: false,
  });
  const source = new YamlSource(shownAs, text, document, lines);
  throwAny(source.syntaxProblems());
  const { version, explicit } = document.directives.yaml;
  if (explicit && version !== '1.2')
    throw wholeFile('yaml-version', shownAs, 'YAML 1.2', `%YAML ${version}`, 'remove that line');
  if (
    document.contents === null ||
    (isScalar(document.contents) && document.contents.value === null)
  )
    throw wholeFile('file-empty', shownAs, 'a mapping of keys and values', 'an empty file');
  throwAny(source.keyProblems());
  return source;
}

export class YamlSource {
  readonly file: string;
  private readonly text: string;
  private readonly document: Document.Parsed;
  private readonly lines: LineCounter;
  private readonly pairsOf = new WeakMap<YAMLMap, Map<string, Pair>>();

  constructor(file: string, text: string, document: Document.Parsed, lines: LineCounter) {
    this.file = file;
    this.text = text;
    this.document = document;
    this.lines = lines;
  }

  value(): unknown {
    try {
      return this.document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (cause) {
      // Unknown anchors are found before; what is left is the count.
      if (!(cause instanceof ReferenceError)) throw cause;
      const expected = `aliases that unfold into at most ${ALIASES_MAX} values`;
      throw wholeFile('yaml-alias-limit', this.file, expected, 'more');
    }
  }

  /** Where the value stands; where it is missing, the mapping that lacks it. */
  placeOfValue(path: KeyPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const node = this.node(path.slice(0, length));
      if (node?.range) return this.placeAt(node.range[0]);
    }
    return { line: 1, column: 1 };
  }

  /** Where the key at the end of the path stands. */
  placeOfKey(path: KeyPath): Place {
    const parent = this.node(path.slice(0, -1));
    const name = String(path.at(-1));
    const key = isMap(parent) ? this.pairs(parent).get(name)?.key : undefined;
    return isScalar(key) && key.range ? this.placeAt(key.range[0]) : this.placeOfValue(path);
  }

  has(path: KeyPath): boolean {
    return this.node(path) !== undefined;
  }

  found(path: KeyPath): Found {
    const node = this.node(path);
    if (node === undefined) return { kind: 'nothing', words: 'nothing', source: '' };
    if (isMap(node)) return { kind: 'mapping', words: 'a mapping', source: '' };
    if (isSeq(node)) return { kind: 'list', words: `a list of ${node.items.length}`, source: '' };
    const { value } = node as { value?: unknown };
    const source = node.range ? this.text.slice(node.range[0], node.range[1]).trim() : '';
    if (SECRET_KEYS.test(String(path.at(-1)))) {
      const words = `a secret of ${source.length} characters`;
      return { kind: kindOf(value), words, source: '' };
    }
    if (value === null) return { kind: 'empty', words: 'no value', source };
    if (typeof value === 'string') return { kind: 'text', words: shown(value), source };
    if (typeof value === 'number') return { kind: 'number', words: `the number ${source}`, source };
    return { kind: kindOf(value), words: cut(source), source };
  }

  syntaxProblems(): Problem[] {
    const warnings = this.document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
    return [...this.document.errors, ...warnings].map((error) => this.syntaxProblem(error));
  }

  /** What the parser lets pass: keys twice or of no text, aliases of nothing or too many of them. */
  keyProblems(): Problem[] {
    const problems: Problem[] = [];
    const aliases: Alias[] = [];
    const add = (
      code: ConfigCode,
      node: Node | null,
      expected: string,
      found: string,
      next?: string,
    ) => {
      const place = this.placeAt(node?.range?.[0] ?? 0);
      const problem = { code, file: this.file, ...place, key: '', expected, found };
      problems.push(next === undefined ? problem : { ...problem, next });
    };
    visit(this.document, {
      Alias: (_, alias) => {
        aliases.push(alias);
      },
      Map: (_, map) => {
        const names = new Set<string>();
        for (const { key } of map.items) {
          if (!isScalar(key)) {
            const found = 'an alias, list or mapping';
            add('yaml-key-not-text', key as Node | null, 'a key of plain text', found);
            continue;
          }
          const name = String(key.value);
          const found = `${shown(name)} a second time`;
          const next = 'remove one of the two';
          if (names.has(name)) {
            add('yaml-duplicate-key', key, 'each key once in a mapping', found, next);
          }
          names.add(name);
        }
      },
    });
    // Resolving walks the document: an alias for every byte would take for ever.
    const excess = aliases[ALIASES_MAX];
    if (excess) {
      add('yaml-alias-limit', excess, `at most ${ALIASES_MAX} aliases`, 'more from here on');
      return problems;
    }
    for (const alias of aliases) {
      if (alias.resolve(this.document) !== undefined) continue;
      add('yaml-alias-unknown', alias, 'the name of an anchor set before', `*${alias.source}`);
    }
    return problems;
  }

  private node(path: KeyPath): Node | undefined {
    let node = this.resolved(this.document.contents);
    for (const step of path) {
      if (isMap(node)) node = this.resolved(this.pairs(node).get(String(step))?.value);
      else if (isSeq(node)) node = this.resolved(node.items[Number(step)]);
      else return undefined;
    }
    return node;
  }

  /** By name: a mapping looks its keys up one by one. */
  private pairs(map: YAMLMap): Map<string, Pair> {
    const known = this.pairsOf.get(map);
    if (known) return known;
    const pairs = new Map<string, Pair>();
    for (const pair of map.items) if (isScalar(pair.key)) pairs.set(String(pair.key.value), pair);
    this.pairsOf.set(map, pairs);
    return pairs;
  }

  private resolved(node: unknown): Node | undefined {
    return isAlias(node) ? node.resolve(this.document) : ((node ?? undefined) as Node | undefined);
  }

  private placeAt(offset: number): Place {
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  private syntaxProblem(error: YAMLError): Problem {
    const place = this.placeAt(error.pos[0]);
    const problem = { file: this.file, ...place, key: '' };
    const line = this.shownLine(place.line);
    switch (error.code) {
      case 'TAB_AS_INDENT':
        return { ...problem, code: 'yaml-tab', expected: 'blanks', found: `a tab before ${line}` };
      case 'MULTIPLE_DOCS':
        return {
          ...problem,
          code: 'yaml-several-documents',
          expected: 'one document',
          found: `a second one from here: ${line}`,
          next: 'keep each rig or model in a file of its own',
        };
      case 'TAG_RESOLVE_FAILED':
        return { ...problem, code: 'yaml-tag-unknown', expected: 'no such tag', found: line };
      case 'RESOURCE_EXHAUSTION':
        return { ...problem, code: 'yaml-depth-limit', expected: 'less nesting', found: line };
      default:
        return {
          ...problem,
          code: 'yaml-syntax',
          expected: 'well-formed YAML',
          found: line,
          next: lowerFirst(error.message),
        };
    }
  }

  private shownLine(line: number): string {
    const { lineStarts } = this.lines;
    const written = this.text.slice(lineStarts[line - 1], lineStarts[line]).trim();
    if (written === '') return line >= lineStarts.length ? 'the end' : 'an empty line';
    return SECRET_LINE.test(written) ? 'a line that may hold a secret' : shown(written);
  }
}

/** @throws ConfigError where there is any problem. */
export function throwAny(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (first) throw new ConfigError([first, ...others]);
}

/** A problem of a file as a whole. */
export function wholeFile(
  code: ConfigCode,
  file: string,
  expected: string,
  found: string,
  next?: string,
): ConfigError {
  return new ConfigError([{ code, file, key: '', expected, found, ...(next ? { next } : {}) }]);
}

/** Found before there is a document: making one calls itself for each level, and ends the stack. */
function nestsTooDeep(text: string): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > OPEN_MAX) return true;
  }
  return false;
}

function readText(path: string, shownAs: string): string {
  let bytes: Uint8Array;
  try {
    const status = statSync(path);
    if (!status.isFile()) {
      throw wholeFile('file-unreadable', shownAs, 'a YAML file', 'something that is no file');
    }
    if (status.size > FILE_BYTES_MAX) {
      const found = `${status.size} bytes`;
      throw wholeFile('file-too-large', shownAs, `at most ${FILE_BYTES_MAX} bytes`, found);
    }
    bytes = readFileSync(path);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw wholeFile('file-unreadable', shownAs, 'a file that can be read', code ?? message);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const found = 'bytes that are none';
    throw wholeFile('file-not-text', shownAs, 'UTF-8 text', found, 'save the file as UTF-8');
  }
}

function kindOf(value: unknown): Found['kind'] {
  if (value === null) return 'empty';
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' || typeof value === 'boolean'
    ? (typeof value as 'number')
    : 'other';
}

function shown(text: string): string {
  return JSON.stringify(cut(text));
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}...` : text;
}

function lowerFirst(sentence: string): string {
  return sentence.slice(0, 1).toLowerCase() + sentence.slice(1);
}
