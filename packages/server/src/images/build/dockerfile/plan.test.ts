// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from '../../../platform/index.ts';
import { assertLinear } from '../growth.fixture.ts';
import { shownText } from './dockerfile.ts';
import { type BuildPlan, finalOrigin, neededImages, planBuild } from './plan.ts';
import { checkTriggers } from './rules.ts';
import { writeDockerfile } from './write.ts';

function plan(text: string, args: Record<string, string> = {}, wanted?: 'arm64', target?: string): BuildPlan {
  return planBuild({ text, file: 'Dockerfile' }, args, { server: 'amd64', wanted }, target);
}

/** What buildah is given; images by their names in angle brackets. */
function written(text: string, args: Record<string, string> = {}, target?: string): string {
  return writeDockerfile(plan(text, args, undefined, target), {
    args,
    idOf: (needed) => `<${needed.text}>`,
    environmentOf: () => new Map([['BASE', 'of the image']]),
  });
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
      ['FROM <lab> AS one', 'FROM one', 'COPY --from=one /a /b', 'COPY --from=one /a /b'],
    ],
    [
      'images to copy from',
      'FROM scratch\nCOPY --chown=1:1 --from=bob/tools:v1 /a /b',
      ['FROM scratch', 'COPY --chown=1:1 --from=<bob/tools:v1> /a /b'],
    ],
    [
      'a stage that is not there yet is an image',
      'FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nFROM x',
      ['FROM <a> AS x', 'COPY --from=<y> / /', 'FROM x'],
    ],
    [
      'lines that go on behind one escape character, with nothing else in them, and at the end',
      'FROM lab\nENV E hello\\\n\\\nworld\nENV F x\\\n \\\ny\nRUN a \\',
      ['FROM <lab>', 'ENV E helloworld', 'ENV F x y', 'RUN a'],
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
    const both = `${text}\nCOPY --from=a / /`;
    assert.match(written(both), /^ARG V=1\nARG N="lab:\$V"\nARG X\nFROM <lab:1> AS a\nFROM <base-none>$/m);
    assert.match(written(both, { V: '2', X: 'x' }), /^FROM <lab:2> AS a\nFROM <base-x>$/m);
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

describe('variables in forms that buildah does not know are replaced', () => {
  const text = (lines: string, args: Record<string, string> = {}) =>
    written(`FROM lab\n${lines}`, args).split('\n').slice(2, -1);

  test('by what ARG, ENV and the image say, in that order', () => {
    assert.deepEqual(
      text('ARG A=1\nENV A=2 B=${A-x}\nWORKDIR /${A?}/${B?}/${BASE%image}\nUSER ${C-root}', {}),
      ['ARG A=1', 'ENV A="2" B="1"', 'WORKDIR /2/1/of the ', 'USER root'],
    );
    assert.deepEqual(text('ARG A=1\nLABEL a=${A?}', { A: 'given' }), ['ARG A=1', 'LABEL a="given"']);
  });

  test('what has a meaning in them is escaped', () => {
    const arg = { V: `a"b'c$d\\e f` };
    assert.deepEqual(text('ARG V\nENV E=${V?}\nCOPY ${V?} x$1 /y/', arg).slice(1), [
      'ENV E="a\\"b\'c\\$d\\\\e f"',
      `COPY ${JSON.stringify(['a\\"b\\\'c\\$d\\\\e f', 'x', '/y/'])}`,
    ]);
  });

  test('one that must be set, and is not, is told with its line', () => {
    assert.throws(() => text('\nRUN x\nENV B="${A:?give it by --build-arg}"'), {
      code: 'INVALID',
      message: /^Dockerfile:4: A: give it by --build-arg\.$/,
    });
  });

  test('a stage has those of the one that it starts from', () => {
    const all = written('FROM lab AS one\nENV A=1\nFROM one\nLABEL a=${A?}');
    assert.match(all, /LABEL a="1"/);
  });
});

describe('--target', () => {
  const text =
    'FROM a AS One\nFROM b AS two\nCOPY --from=one / /\nFROM c\nFROM d AS four\nCOPY --from=2 / /\nFROM two';

  test('builds a stage, and what it needs', () => {
    assert.equal(
      written(text, {}, 'TWO'),
      '# escape=\\\nFROM <a> AS one\nFROM <b> AS two\nCOPY --from=one / /\n',
    );
    assert.equal(written(text, {}, '0'), '# escape=\\\nFROM <a> AS one\n');
    assert.match(written(text, {}, 'four'), /^FROM <c>\nFROM <d> AS four\nCOPY --from=0 \/ \/\n$/m);
    assert.match(written(text), /^FROM <a> AS one\nFROM <b> AS two\nCOPY --from=one \/ \/\nFROM two\n$/m);
  });

  test('that is not there is told, with those that are', () => {
    for (const target of ['three', '5', '-1', '']) {
      assert.throws(() => plan(text, {}, undefined, target), {
        code: 'INVALID',
        message: /^Dockerfile has no stage/,
        hint: 'Its stages are: one, two, four',
      });
    }
    assert.throws(() => plan('FROM a', {}, undefined, 'x'), { hint: /Give it a name/ });
  });
});

test('of several variables in one ARG, each is written', () => {
  assert.equal(
    written('ARG A=1 B="2 3"\nFROM lab\nARG A B C=4'),
    '# escape=\\\nARG A=1\nARG B="2 3"\nFROM <lab>\nARG A\nARG B\nARG C=4\n',
  );
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
  ['FROM a\nENV A b\\\\\nENV C d', /^Dockerfile:2: .*escape character/],
  ['FROM a\nCOPY "a b" /x', /^Dockerfile:2: a double quote has no end/],
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
  ['FROM a\nADD --parents a b', /ADD does not take "--parents"/],
  ['FROM a\nCOPY --checksum=x a b', /COPY does not take "--checksum/],
  [`FROM a\nRUN ${'x'.repeat(60_001)}`, /longer than/],
  ['FROM a\nLABEL a', /^Dockerfile:2: LABEL "a" has no value/],
  ['FROM a\nLABEL a=1 b', /^Dockerfile:2: LABEL "b" has no value/],
  ['FROM a\nENV A', /^Dockerfile:2: ENV "A" has no value/],
  ['FROM a\nENV =x', /^Dockerfile:2: ENV "=x" has no name/],
  ['FROM a\n\nENV A=${B', /^Dockerfile:3: .*has no "}"/],
  ["FROM a\nENV A=it's", /^Dockerfile:2: a single quote has no end/],
  ['FROM a\nWORKDIR /${}', /^Dockerfile:2: .*names no variable/],
  ['FROM a\nARG A-B=1', /^Dockerfile:2: ARG "A-B=1" cannot be read/],
  ['ARG "\nFROM a', /^Dockerfile:1: ARG/],
  ['FROM a\nCOPY a', /^Dockerfile:2: COPY "a" says what or where to, not both/],
  ['FROM a\nADD ["a"]', /^Dockerfile:2: ADD .* not both/],
  ['FROM a\nCMD ["a", ["b"]]', /^Dockerfile:2: the list behind CMD has something else than texts/],
  ['FROM a\nSHELL sh -c', /^Dockerfile:2: SHELL is no list/],
  ['FROM a\nEXPOSE eighty', /^Dockerfile:2: "eighty" is no port/],
  ['FROM a\nUSER a b', /^Dockerfile:2: USER "a b" names more than one/],
  ['FROM a\nVOLUME [""]', /^Dockerfile:2: VOLUME names no folder/],
  ['FROM a\nSTOPSIGNAL SIGNONSENSE', /^Dockerfile:2: "SIGNONSENSE" is no signal/],
  ['FROM a\nSTOPSIGNAL 65', /^Dockerfile:2: "65" is no signal/],
  ['FROM a\nSTOPSIGNAL 0', /^Dockerfile:2: "0" is no signal/],
  ['FROM a\nHEALTHCHECK --interval=often CMD x', /^Dockerfile:2: "--interval=often" is no time/],
  ['FROM a\nHEALTHCHECK --retries=-1 CMD x', /^Dockerfile:2: "--retries=-1" is no number/],
  ['FROM a\nHEALTHCHECK --start-interval=1s CMD x', /^Dockerfile:2: HEALTHCHECK does not take/],
  ['FROM a\nHEALTHCHECK curl x', /^Dockerfile:2: HEALTHCHECK "curl x" is no check/],
  ['FROM a\nHEALTHCHECK --retries=1 NONE', /^Dockerfile:2: HEALTHCHECK NONE takes no options/],
  [`FROM a\n${'RUN x\n'.repeat(2001)}`, /^Dockerfile:2001: there are more than 2000 instructions/],
];

const accepted = [
  'STOPSIGNAL SIGTERM',
  'STOPSIGNAL kill',
  'STOPSIGNAL 9',
  'STOPSIGNAL SIGRTMIN+3',
  'STOPSIGNAL $S',
  'HEALTHCHECK --interval=1m30s --timeout=0.5s --start-period=0 --retries=3 CMD ["true"]',
  'HEALTHCHECK cmd true || exit 1',
  'HEALTHCHECK none',
  'EXPOSE 80 53/udp 1000-2000/TCP "443" $P',
  'ENV A b c',
  'ENV A= B=""',
  'LABEL "a b"="c d"',
  'LABEL a.b/c=d \\\n  e=f',
  'RUN [ -f x ] && [ "$a" = "it\'s" ]',
  'RUN echo ${A:?x} ${N-dash} "${',
  'CMD [ "a" ] && b',
  'VOLUME /a /b',
  'WORKDIR /a b',
  'MAINTAINER nobody',
];
for (const line of accepted) {
  test(`takes ${line}`, () => assert.equal(plan(`FROM a\n${line}`).stages.length, 1));
}

describe('the time grows with the length of the text, and no faster', () => {
  // What took a minute at 260 000 characters, and its like. Sizes are such that four times of it is still taken.
  const cases: [what: string, size: number, textOf: (size: number) => string][] = [
    ['blanks in RUN', 14_000, (size) => `RUN a${' '.repeat(size)}b`],
    ['blanks behind RUN', 14_000, (size) => `RUN a${' '.repeat(size)}`],
    ['blanks in many RUN', 1000, (size) => `RUN a${' '.repeat(size)}b\n`.repeat(50)],
    ['blanks that are too many', 65_000, (size) => `RUN a${' '.repeat(size)}b`],
    ['backslashes', 7000, (size) => `RUN ${'\\ '.repeat(size)}x`],
    ['flags', 3500, (size) => `RUN ${'--network=default '.repeat(size / 5)}x`],
    ['here-documents', 3500, (size) => `RUN ${'<<A '.repeat(size)}\n${'A\n'.repeat(size)}`],
    ['many here-documents', 400, (size) => `RUN <<A\nx\nA\n`.repeat(size)],
    ['open here-documents', 25_000, (size) => `RUN <<A\n${'B\n'.repeat(size)}`],
    ['lines that are none', 30_000, (size) => '#\n'.repeat(size)],
    ['lines that go on', 5000, (size) => 'RUN a \\\n'.repeat(size)],
    ['instructions', 450, (size) => 'RUN x\n'.repeat(size)],
    ['variables', 3000, (size) => `ENV A="${'${A:-b}'.repeat(size / 2)}"`],
    ['open variables', 3000, (size) => `ENV A=${'${A:-'.repeat(size)}`],
    ['quotes', 2000, (size) => `LABEL ${'a="\'" '.repeat(size)}`],
    ['arguments', 1700, (size) => `ARG ${'A=$A$A '.repeat(size)}`],
    [
      'stages',
      240,
      (size) =>
        Array.from({ length: size }, (_, at) => `FROM a AS b${at}\nCOPY --from=b${at} / /\n`).join(''),
    ],
    ['brackets', 14_000, (size) => `CMD ${'['.repeat(size)}`],
    ['durations', 6000, (size) => `HEALTHCHECK --interval=${'1h'.repeat(size)} x`],
    ['signals', 14_000, (size) => `STOPSIGNAL ${'"'.repeat(size)}`],
    ['ports', 2500, (size) => `EXPOSE ${'1-2 '.repeat(size)}`],
    ['mounts', 3000, (size) => `RUN --mount=type=tmpfs,target=/${'a/'.repeat(size)} x`],
    ['names of images', 14_000, (size) => `FROM ${'a-'.repeat(size / 2)}`],
  ];
  for (const [what, size, textOf] of cases) {
    test(what, () => {
      assertLinear(size, (of) => {
        try {
          plan(`FROM a\n${textOf(of)}`);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'INVALID', String(error));
        }
      });
    });
  }
});

for (const [text, message] of refused) {
  test(`refuses ${JSON.stringify(text.slice(0, 70))}`, () => {
    assert.throws(() => plan(text), { code: 'INVALID', message });
  });
}

test('an image that asks for mounts of whoever builds on it is refused', () => {
  checkTriggers(['RUN true', 'COPY . /src'], 'lab', 3, 'Dockerfile');
  for (const trigger of ['RUN --mount=type=bind,source=/,target=/x true', 'COPY --parents a b']) {
    assert.throws(() => checkTriggers([trigger], 'lab', 3, 'Dockerfile'), {
      code: 'INVALID',
      message: /^Dockerfile:3: lab has an instruction/,
    });
  }
});
