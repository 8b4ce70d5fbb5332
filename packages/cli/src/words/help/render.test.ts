import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayWidth, painter } from '../../terminal/style.ts';
import { fitColumns } from './grid.ts';
import { renderMarkdown } from './render.ts';

const ESCAPE = '\x1b';
const plain = painter(false);
const render = (markdown: string, width = 40) => renderMarkdown(markdown, width, plain);

const cases: [name: string, markdown: string, text: string][] = [
  ['headings', '# Top\n## Next ##\n', 'Top\n═══\n\nNext\n'],
  [
    'paragraphs are joined and wrapped',
    'one\ntwo three four five six seven eight nine\n',
    'one two three four five six seven eight\nnine\n',
  ],
  ['marks', 'a **b** *c* `d *e*` \\*f\\* 2*3*4', 'a b c d *e* *f* 2*3*4\n'],
  [
    'a page of the manual, a place outside',
    '[shells](shells.md) [x](https://e.org)',
    'shells (walt help show shells) x\n(https://e.org)\n',
  ],
  ['fenced code is kept', '```sh\nwalt  node\n\n# no heading\n```\n', '    walt  node\n\n    # no heading\n'],
  ['indented code is kept', 'a\n\n    b  c\n      d\n', 'a\n\n    b  c\n      d\n'],
  ['lists', '* a\n* b\n  more\n* c\n', '  • a\n  • b more\n  • c\n'],
  ['numbers, nested', '1. a\n   * x\n   * y\n2. b\n', '  1. a\n       • x\n       • y\n  2. b\n'],
  ['a list item with code', '* a\n\n  ```\n  code\n  ```\n* b\n', '  • a\n\n        code\n\n  • b\n'],
  ['quotes', '> a\n> b\n', '│ a b\n'],
  ['rule', '---\n', `${'─'.repeat(40)}\n`],
  [
    'table',
    '| | `walt node shell` | x |\n|---|:---:|--|\n| a | b `c|d` | e \\| f |\n',
    `┌───┬─────────────────┬───────┐
│   │ walt node shell │ x     │
├───┼─────────────────┼───────┤
│ a │ b c|d           │ e | f │
└───┴─────────────────┴───────┘
`,
  ],
  ['a comment is not shown', 'a\n\n<!-- hidden\n\nmore -->\n\nb\n', 'a\n\nb\n'],
];
for (const [name, markdown, text] of cases) {
  test(name, () => assert.equal(render(markdown), text));
}

test('a wide table is wrapped to the width, colours and all', () => {
  const markdown = `| a | b |\n|--|--|\n| ${'word '.repeat(30)} | **${'bold '.repeat(10).trim()}** |\n`;
  for (const paint of [plain, painter(true)]) {
    for (const line of renderMarkdown(markdown, 60, paint).trimEnd().split('\n')) {
      assert.ok(displayWidth(line) <= 60, line);
      // A colour never goes over a border.
      const marked = line
        .replaceAll(`${ESCAPE}[0m`, '}')
        .replaceAll(new RegExp(`${ESCAPE}\\[[\\d;]+m`, 'g'), '{');
      assert.doesNotMatch(marked, /\{[^}]*│ /);
    }
  }
});

test('columns give way from the widest on', () => {
  assert.deepEqual(fitColumns([10, 50, 20], 60), [10, 30, 20]);
  assert.deepEqual(fitColumns([10, 20], 60), [10, 20]);
  assert.deepEqual(fitColumns([30, 30], 4), [8, 8]);
});
