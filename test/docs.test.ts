/** The manual says nothing that is not there: links, commands, topics; and it fits on a terminal. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { categories, plumbing, singles as publicSingles } from '../packages/cli/src/words/categories.ts';
import { NODE_SETTINGS, SETTING_NAMES } from '../packages/contract/src/values/index.ts';
import { settingNames } from '../packages/server/src/platform/index.ts';

const checkout = resolve(import.meta.dirname, '..');
/** Not a topic of `walt help`: written for those who work on WalT. */
const NO_TOPICS = ['architecture'];
const singles = { ...publicSingles, ...plumbing };
/** As wide as a line of a page that a terminal shows may be. */
const MAX_COLUMNS = 120;

const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: checkout }).sort();
/** Of the project. */
const sources = globSync(['{packages,test,bench,scripts}/**/*.{ts,sh}'], {
  cwd: checkout,
  exclude: ['**/node_modules'],
});
const topics = globSync('docs/*.md', { cwd: checkout })
  .map((page) => page.slice('docs/'.length, -'.md'.length))
  .filter((topic) => !NO_TOPICS.includes(topic))
  .sort();

interface Line {
  number: number;
  text: string;
  /** Inside a fenced block. */
  code: boolean;
}

function linesOf(page: string): Line[] {
  let code = false;
  return readFileSync(join(checkout, page), 'utf8')
    .split('\n')
    .map((text, index) => {
      const fence = text.startsWith('```');
      if (fence) code = !code;
      return { number: index + 1, text, code: code || fence };
    });
}

/** What is code: fenced lines, and `spans`. */
function codeOf(lines: readonly Line[]): { number: number; text: string }[] {
  return lines.flatMap(({ number, text, code }) =>
    code
      ? [{ number, text }]
      : [...text.matchAll(/`([^`]+)`/g)].map((span) => ({ number, text: span[1] ?? '' })),
  );
}

interface Mention {
  line: number;
  /** `node show`; a category alone when nothing more is said. */
  name: string;
  options: string[];
}

/** What follows `walt` up to the end of the command; in `ip netns exec walt`, that is a namespace. */
const TYPED = /(?<!exec)(?:^|[\s(/])walt ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?([^|;&<>)]*)/g;

function mentionsIn(lines: readonly Line[]): Mention[] {
  return codeOf(lines).flatMap(({ number, text }) =>
    [...text.matchAll(TYPED)].map(([, first = '', second, rest = '']) => ({
      line: number,
      name: second === undefined || Object.hasOwn(singles, first) ? first : `${first} ${second}`,
      options: rest.match(/(?<=\s)--?[a-z][a-z-]*/g) ?? [],
    })),
  );
}

/** What is wrong with a mention; undefined if nothing is. */
async function mistakeIn({ line, name, options }: Mention): Promise<string | undefined> {
  const [first = '', second] = name.split(' ');
  const category = Object.hasOwn(categories, first) ? categories[first] : undefined;
  if (category && second === undefined) return undefined;
  const entry = second === undefined ? singles[first] : category?.commands[second];
  if (!entry) return `${line}: walt ${name}`;
  // What stands behind the set of `walt node run` belongs to the remote command.
  if (name === 'node run') return undefined;
  const known = (await entry.load()).command().options.flatMap(({ short, long }) => [short, long]);
  const unknown = options.filter((option) => option !== '--help' && !known.includes(option));
  return unknown.length === 0 ? undefined : `${line}: walt ${name} ${unknown.join(' ')}`;
}

describe('the documents', () => {
  for (const page of pages) {
    const lines = linesOf(page);

    it(`${page}: relative links lead to files`, () => {
      const targets = lines
        .filter(({ code }) => !code)
        .flatMap(({ text }) => [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1] ?? ''))
        .filter((target) => !/^[a-z]+:/.test(target));
      const broken = targets.filter((target) => !existsSync(resolve(checkout, dirname(page), target)));
      assert.deepEqual(broken, []);
    });

    it(`${page}: pages named in the text are there`, () => {
      const named = codeOf(lines).flatMap(({ text }) => text.match(/^docs\/[\w./-]+\.md$/) ?? []);
      assert.deepEqual(
        named.filter((path) => !existsSync(join(checkout, path))),
        [],
      );
    });

    it(`${page}: source files named in the text are there`, () => {
      const named = codeOf(lines).flatMap(({ text }) => text.match(/^[\w.-]+\/[\w./-]+\.(?:ts|sh)$/) ?? []);
      // Words in capitals stand for a name; `server/` and `cli/` for the folder of their sources.
      const real = named.filter((path) => !/\b[A-Z]+\b/.test(path));
      const inFull = real.map((path) => path.replace(/^(server|cli)\/(?!src\/)/, '$1/src/'));
      assert.deepEqual(
        inFull.filter((path) => !sources.some((source) => `/${source}`.endsWith(`/${path}`))),
        [],
      );
    });

    if (!NO_TOPICS.includes(basename(page, '.md')))
      it(`${page}: no line is too long`, () => {
        const long = lines.filter(
          ({ text, code }) => !code && !text.startsWith('|') && text.length > MAX_COLUMNS,
        );
        assert.deepEqual(
          long.map(({ number }) => number),
          [],
        );
      });

    it(`${page}: topics of "walt help show" exist`, () => {
      const named = codeOf(lines).flatMap(({ text }) =>
        [...text.matchAll(/walt help show ([a-z][a-z-]*)/g)].map((match) => match[1] ?? ''),
      );
      assert.deepEqual(
        named.filter((topic) => !topics.includes(topic)),
        [],
      );
    });

    it(`${page}: commands and their options exist`, async () => {
      const mistakes = await Promise.all(mentionsIn(lines).map(mistakeIn));
      assert.deepEqual(
        mistakes.filter((mistake) => mistake !== undefined),
        [],
      );
    });
  }
});

it('the manual has a row for each setting of server.conf', () => {
  const page = readFileSync(join(checkout, 'docs/configuration.md'), 'utf8');
  const told = new Set([...page.matchAll(/^\| `([^`]+)` \|/gm)].map((row) => row[1]));
  assert.deepEqual(
    settingNames().filter((name) => !told.has(name)),
    [],
  );
});

it('the manual has a row for each setting of nodes, with its default', () => {
  const page = readFileSync(join(checkout, 'docs/node-config.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([^`]+)` \| (\w+) \|[^|]*\| `?([^|`]+)`? \|/gm)];
  assert.deepEqual(
    rows.map(([, name, nodes, fallback]) => [name, nodes, fallback]),
    SETTING_NAMES.map((name) => {
      const { of, fallback } = NODE_SETTINGS[name];
      return [name, of.split(' ')[0], fallback ?? 'what the node told of itself'];
    }),
  );
});

describe('the topics', () => {
  it('are there', () => {
    assert.ok(topics.length > 0);
  });

  for (const topic of topics) {
    it(`${topic}: begins with a title and one sentence that sums it up`, () => {
      const [title = '', summary = ''] = readFileSync(join(checkout, 'docs', `${topic}.md`), 'utf8').split(
        '\n\n',
      );
      assert.match(title, /^# \S.*$/);
      assert.match(
        summary,
        /^[^#|`\n][^\n]{9,110}[.]$/,
        'the second paragraph is one line that ends with a full stop',
      );
    });
  }
});
