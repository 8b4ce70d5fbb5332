import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from '../../platform/index.ts';
import { shownText } from './dockerfile.ts';
import { type BuildPlan, finalOrigin, neededImages, planBuild, writeDockerfile } from './plan.ts';
import { checkTriggers } from './rules.ts';

function plan(text: string, args: Record<string, string> = {}, wanted?: 'arm64'): BuildPlan {
  return planBuild({ text, file: 'Dockerfile' }, args, { server: 'amd64', wanted });
}

/** What buildah is given; images by their names in angle brackets. */
function written(text: string, args: Record<string, string> = {}): string {
  return writeDockerfile(plan(text, args), (needed) => `<${needed.text}>`);
}

describe('a Dockerfile is written anew', () => {
  const cases: [what: string, text: string, written: string[]][] = [
    ['words in any case', 'from lab\nrun true', ['FROM <lab>', 'RUN true']],
    [
      'comments, empty lines, lines that go on',
      '# a\nFROM lab\nRUN one && \\\n# between\n\n  two \\  \n three\n',
      ['FROM <lab>', 'RUN one &&   two  three'],
    ],
    [
      'stages by name and number',
      'FROM lab AS One\nFROM one\nCOPY --from=0 /a /b\nCOPY --from=ONE /a /b',
      ['FROM <lab> AS one', 'FROM one', 'COPY --from=0 /a /b', 'COPY --from=ONE /a /b'],
    ],
    [
      'images to copy from',
      'FROM scratch\nCOPY --chown=1:1 --from=bob/tools:v1 /a /b',
      ['FROM scratch', 'COPY --chown=1:1 --from=<bob/tools:v1> /a /b'],
    ],
    [
      'a stage that is not there yet is an image',
      'FROM a AS x\nCOPY --from=y / /\nFROM b AS y',
      ['FROM <a> AS x', 'COPY --from=<y> / /', 'FROM <b> AS y'],
    ],
    ['a platform', 'FROM --platform=linux/arm64 lab', ['FROM <lab>']],
    ['Windows line ends, a byte order mark', '\uFEFFFROM lab\r\nRUN true\r\n', ['FROM <lab>', 'RUN true']],
    [
      'mounts that reach nothing of the server',
      'FROM lab\nRUN --mount=type=cache,id=apt.1,target=/var/cache/apt --mount=type=tmpfs,dst=/t x',
      ['FROM <lab>', 'RUN --mount=type=cache,id=apt.1,target=/var/cache/apt --mount=type=tmpfs,dst=/t x'],
    ],
  ];
  for (const [what, text, lines] of cases) {
    test(what, () => assert.equal(written(text), `# escape=\\\n${lines.join('\n')}\n`));
  }

  test('flags that make no difference are left out', () => {
    const text = 'FROM lab\nCOPY --link --chown=1:1 a b\nADD --link a b\nRUN --network=default x';
    assert.match(written(text), /\nCOPY --chown=1:1 a b\nADD a b\nRUN x\n$/);
  });

  test('with its own escape character', () => {
    assert.equal(written('# escape=`\nFROM lab\nRUN a `\n b \\'), '# escape=`\nFROM <lab>\nRUN a  b \\\n');
  });

  test('arguments before FROM', () => {
    const text = `ARG V=1\nARG N="lab:$V"\nARG X\nFROM \${N} AS a\nFROM base-\${X:-none}`;
    assert.match(written(text), /^ARG V=1\nARG N="lab:\$V"\nARG X\nFROM <lab:1> AS a\nFROM <base-none>$/m);
    assert.match(written(text, { V: '2', X: 'x' }), /^FROM <lab:2> AS a\nFROM <base-x>$/m);
  });
});

describe('here-documents of RUN are run as they are written', () => {
  const cases: [what: string, text: string, output: string][] = [
    [
      'a script',
      'RUN <<EOF\nset -e\n# no comment\n\nprintf "%s|" "a  $((1+1))" \'b\\n\' %s ü\nEOF',
      'a  2|b\\n|%s|ü|',
    ],
    ['with tabs in front', 'RUN <<-END\n\techo a\n\tEND\nRUN echo next', 'a\n'],
    [
      'as input of a command',
      'RUN cat - <<A <<"B" && echo end\nnot read\nA\n$HOME `x` \\\nB',
      '$HOME `x` \\\nend\n',
    ],
    ['of a program', 'RUN <<EOF\n#!/usr/bin/env -S awk -f\nBEGIN { print "awk" }\nEOF', 'awk\n'],
    ['with a status', 'RUN <<EOF\necho a; exit 0\necho b\nEOF', 'a\n'],
    ['not in arithmetic, not of a word', 'RUN echo $((1<<2)) "a<<B"', '4 a<<B\n'],
  ];
  for (const [what, text, output] of cases) {
    test(what, async () => {
      const [, , command = ''] = written(`FROM lab\n${text}`).split('\n');
      assert.equal(await run(['sh', '-c', command.replace(/^RUN /, '')]), output);
    });
  }

  test('and shown as they are written, by their line', () => {
    const [stage] = plan('FROM lab\nRUN --mount=type=tmpfs,dst=/t sh -s <<EOF\nx\nEOF\n\nRUN y').stages;
    const steps = stage?.steps.map(({ instruction }) => [instruction.line, shownText(instruction)]);
    assert.deepEqual(steps, [
      [2, 'RUN --mount=type=tmpfs,dst=/t sh -s <<EOF'],
      [6, 'RUN y'],
    ]);
  });
});

test('tells which images are needed, for which CPU, and which is at the bottom', () => {
  const text =
    'FROM --platform=$BUILDPLATFORM tools AS t\nFROM base AS b\nFROM b\nCOPY --from=more / /\nCOPY --from=t / /';
  const made = plan(text, {}, 'arm64');
  assert.deepEqual(
    neededImages(made).map(({ text: name, line, platform }) => [name, line, platform]),
    [
      ['tools', 1, 'amd64'],
      ['base', 2, 'arm64'],
      ['more', 4, undefined],
    ],
  );
  assert.equal(finalOrigin(made)?.text, 'base');
  assert.equal(finalOrigin(plan('FROM x\nFROM scratch')), undefined);
});

const refused: [text: string, message: RegExp][] = [
  ['', /^Dockerfile:1: there is no FROM/],
  ['\n\nRUN true\nFROM x', /^Dockerfile:3: RUN stands before the first FROM/],
  ['FROM', /^Dockerfile:1: FROM says nothing/],
  ['FROM a b', /^Dockerfile:1: FROM "a b" cannot be read/],
  [`FROM \${A:?x}`, /^Dockerfile:1: /],
  ['FROM $NONE', /^Dockerfile:1: /],
  ['FROM a AS $x', /^Dockerfile:1: "\$x" cannot be the name of a stage/],
  ['FROM a AS x\nFROM b AS X', /^Dockerfile:2: there are two stages/],
  ['FROM --platform=windows/amd64 a', /^Dockerfile:1: .*platform/],
  ['FROM a\nFORM b', /^Dockerfile:2: there is no instruction "FORM"/],
  ['FROM a\nRUN x \\\\', /^Dockerfile:2: .*escape character/],
  ['FROM a\nRUN cat <<EOF\nx\nEOF x', /^Dockerfile:2: this here-document has no end/],
  ['FROM a\nCOPY <<EOF /x\nx\nEOF', /^Dockerfile:2: COPY takes no here-documents/],
  ['FROM a\nRUN --network=host x', /^Dockerfile:2: RUN does not take "--network=host"/],
  ['FROM a\nRUN --security=insecure x', /^Dockerfile:2: RUN does not take/],
  ['FROM a\nRUN --mount=type=bind,target=/x x', /^Dockerfile:2: the mount .*type "bind"/],
  ['FROM a\nRUN --mount=target=/x,source=/ x', /type "bind"/],
  ['FROM a\nRUN --mount=type=secret,id=x x', /type "secret"/],
  ['FROM a\nRUN --mount=type=ssh x', /type "ssh"/],
  ['FROM a\nRUN --mount=type=cache,id=../../etc,target=/x x', /option "id"/],
  ['FROM a\nRUN --mount=type=cache,id=.,target=/x x', /option "id"/],
  ['FROM a\nRUN --mount=type=cache,from=b,target=/x x', /option "from"/],
  ['FROM a\nRUN --mount=type=cache,source=/etc,target=/x x', /option "source"/],
  ['FROM a\nRUN --mount=type=cache,target=/../x x', /option "target"/],
  ['FROM a\nRUN --mount=type=cache,id=x x', /does not say where/],
  ['FROM a\nRUN --mount=type=cache,target="/x x', /option "target"/],
  ['FROM a\nRUN --mount=type=cache,target=/$x x', /option "target"/],
  ['FROM a\nRUN --mount=type=tmpfs,target=/x,type=bind x', /an option twice/],
  ['FROM a\nRUN \u0085--mount=type=bind,target=/x x', /type "bind"/],
  ['FROM a\nONBUILD RUN --mount=type=bind,target=/x x', /type "bind"/],
  ['FROM a\nONBUILD ONBUILD RUN x', /cannot stand behind ONBUILD/],
  ['FROM a\nCOPY --from=$x / /', /variable or a quote/],
  ['FROM a\nCOPY --parents a b', /COPY does not take "--parents"/],
  [`FROM a\nRUN ${'x'.repeat(60_001)}`, /longer than/],
];

for (const [text, message] of refused) {
  test(`refuses ${JSON.stringify(text.slice(0, 70))}`, () => {
    assert.throws(() => plan(text), { code: 'INVALID', message });
  });
}

test('an image that asks for mounts of whoever builds on it is refused', () => {
  checkTriggers(['RUN true', 'COPY . /src'], 'lab', 3, 'Dockerfile');
  assert.throws(
    () => checkTriggers(['RUN --mount=type=bind,source=/,target=/x true'], 'lab', 3, 'Dockerfile'),
    {
      code: 'INVALID',
      message: /^Dockerfile:3: lab has an instruction/,
    },
  );
});
