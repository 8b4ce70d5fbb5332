import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LostRight, leastRole } from '../access/index.ts';
import { UserError } from '../platform/index.ts';
import { audited, auditText } from './audit.ts';

const alice = { uid: 1000, user: 'alice', role: 'member' } as const;

const texts: [input: unknown, text: string][] = [
  [{ set: 'n1,n2', image: 'exp' }, 'alice node.boot set="n1,n2" image="exp" from="local" result="done"'],
  [
    {
      set: 'n1',
      settings: [
        { name: 'ram', value: '2G' },
        { name: 'disks', value: 'none' },
      ],
    },
    'alice node.boot set="n1" settings="ram=2G disks=none" from="local" result="done"',
  ],
  [{ port: 22, node: 'n1' }, 'alice node.boot node="n1" port="22" from="local" result="done"'],
  [
    { label: 'hub', user: 'x', password: 'secret', command: ['rm'], dockerfile: 'FROM x' },
    'alice node.boot label="hub" from="local" result="done"',
  ],
  [undefined, 'alice node.boot from="local" result="done"'],
  [{ name: 'n1', settings: [] }, 'alice node.boot name="n1" from="local" result="done"'],
  ['text', 'alice node.boot from="local" result="done"'],
  [{ set: { a: 1 }, image: null }, 'alice node.boot from="local" result="done"'],
  [
    { settings: [null, 1, { name: 3 }, { name: 'a' }] },
    'alice node.boot settings="a=undefined" from="local" result="done"',
  ],
  // What it takes to keep `String` from making a text of it.
  [
    { set: 'n1', settings: [{ name: 'a', value: { toString: null } }] },
    'alice node.boot set="n1" settings="a=undefined" from="local" result="done"',
  ],
  [{ set: '\u001b[2J\n"' }, 'alice node.boot set="\\u001b[2J\\n\\"" from="local" result="done"'],
];
for (const [input, text] of texts) {
  test(text, () => assert.equal(auditText('alice', 'node.boot', input, 'local', 'done'), text));
}

test('a name is cut', () => {
  assert.ok(auditText('alice', 'node.boot', { set: 'x'.repeat(1e6) }, 'local', 'done').length < 500);
});

describe('what is told', () => {
  const told: string[] = [];
  const origin = async () => '192.0.2.2';
  const act = async (path: string[], output: () => unknown) => {
    told.length = 0;
    return await audited(
      (line) => told.push(line),
      alice,
      { name: path.join('.'), least: leastRole(path), input: { set: 'n1' }, origin },
      async () => ({ output: output() }),
    );
  };
  const line = (deed: string, result: string) => `alice ${deed} set="n1" from="192.0.2.2" result="${result}"`;

  test('what was done', async () => {
    assert.deepEqual(await act(['node', 'boot'], () => 7), { output: 7 });
    assert.deepEqual(told, [line('node.boot', 'done')]);
  });

  test('what was refused', async () => {
    const refused = new UserError('FORBIDDEN', 'No.', 'Ask.');
    await assert.rejects(
      act(['node', 'changes', 'save'], () => {
        throw refused;
      }),
      refused,
    );
    assert.deepEqual(told, [line('node.changes.save', 'FORBIDDEN')]);
  });

  test('what was cut off, and nothing waits for that', async () => {
    told.length = 0;
    const { promise, resolve } = Promise.withResolvers<string>();
    const deed = { name: 'stream tcp', least: 'member', input: {}, origin: () => promise } as const;
    const lost = new LostRight('FORBIDDEN', 'Node n1 belongs to bob.', 'Ask bob.');
    const cut = audited(
      (line) => told.push(line),
      alice,
      deed,
      async () => {
        throw lost;
      },
    );
    await assert.rejects(cut, lost);
    assert.deepEqual(told, []);
    resolve('192.0.2.2');
    await promise;
    assert.deepEqual(told, ['alice stream tcp from="192.0.2.2" result="FORBIDDEN"']);
  });

  test('what failed', async () => {
    await assert.rejects(
      act(['node', 'boot'], () => {
        throw new TypeError('bug');
      }),
      TypeError,
    );
    assert.deepEqual(told, [line('node.boot', 'failed')]);
  });

  test('what his role is not enough for', async () => {
    told.length = 0;
    const deed = { name: 'node.boot', least: 'member', input: { set: 'n1' }, origin } as const;
    const viewer = { ...alice, role: 'viewer' } as const;
    await assert.rejects(
      audited(
        (text) => told.push(text),
        viewer,
        deed,
        () => assert.fail('it is not done'),
      ),
      { code: 'FORBIDDEN' },
    );
    assert.deepEqual(told, [line('node.boot', 'FORBIDDEN')]);
  });

  test('nothing, of who only looks', async () => {
    await act(['node', 'list'], () => []);
    assert.deepEqual(told, []);
  });

  test('how what took its time has ended', async () => {
    async function* events(error?: Error) {
      yield 1;
      if (error) throw error;
      yield 2;
    }
    const all = async (error?: Error) => {
      const { output } = await act(['image', 'clone'], () => events(error));
      assert.deepEqual(told, [], 'not before it has ended');
      return await Array.fromAsync(output as AsyncIterable<number>);
    };
    assert.deepEqual(await all(), [1, 2]);
    assert.deepEqual(told, [line('image.clone', 'done')]);
    await assert.rejects(all(new UserError('NOT_FOUND', 'None.', 'Look.')));
    assert.deepEqual(told, [line('image.clone', 'NOT_FOUND')]);
    const { output } = await act(['image', 'clone'], () => events());
    for await (const _ of output as AsyncIterable<number>) break;
    assert.deepEqual(told, [line('image.clone', 'left')]);
  });
});
