// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile
/** Builds by the real buildah, on a store of the test's own. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFile,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import type { NamedImage } from '@walt/contract';
import { pack } from 'tar-stream';
import { type LyingRegistry, startLyingRegistry, tarOf } from '../../../test/lying-registry.ts';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  temporaryFolder,
} from '../../../test/platform.ts';
import { configured, startRegistry, type TestRegistry } from '../../../test/registry.ts';
import { run, streamProgram } from '../../platform/index.ts';
import { readAttributes } from '../saves/index.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

let platform: Platform;
let registry: TestRegistry;
let tiny: ImageRecord;
let liar: LyingRegistry;

before(async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'registry'));
  registry = await startRegistry(join(folder, 'registry'));
  const { host, ca } = registry;
  liar = await startLyingRegistry(['one']);
  const registries = [configured('lab', host, { ca }), configured('liar', liar.host, { protocol: 'http' })];
  platform = await openPlatform(folder, { registries });
  tiny = await addTiny(platform);
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
  await liar?.[Symbol.asyncDispose]();
  await destroyPlatform(platform);
});

interface Options {
  user?: string;
  name?: string;
  architecture?: 'arm64';
  stage?: string;
  args?: Record<string, string>;
  cache?: boolean;
  files?: Record<string, string>;
  /** Instead of `files`. */
  sources?: () => Readable;
  /** Called once, when a command has printed `begun`: the build does not end before it has. */
  onBegun?: () => Promise<unknown>;
}

interface Built {
  output: string;
  image: ImageRecord;
  changed: boolean;
}

function folderTar(files: Record<string, string>): Readable {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mtime: new Date(1e12) }, content);
  tar.finalize();
  return Readable.from(tar);
}

async function build(lines: readonly string[], options: Options = {}): Promise<Built> {
  const { user = 'ann', name = 'made', architecture, stage, args = {}, cache = true, files = {} } = options;
  const { builds } = platform.images;
  const target = { owner: user, name };
  const dockerfile = { text: lines.join('\n'), file: 'Dockerfile' };
  const caller = { uid: 1000, user, role: 'member' } as const;
  const sees = (image: NamedImage) => platform.images.sharing.require(caller, image);
  const order = {
    user,
    sees,
    target,
    dockerfile,
    args,
    architecture,
    stage,
    cache,
    source: '/x',
  };
  const run = await builds.prepare(order);
  let printedAll = '';
  const made = await run({
    input: options.sources ?? (() => folderTar(files)),
    output: async (to, stream) => {
      const printed = await text(stream);
      if (to === 'stdout' && /^begun$/m.test(printed)) await options.onBegun?.();
      printedAll += printed;
    },
    tell: () => {},
    signal: new AbortController().signal,
  });
  return { output: printedAll, ...made };
}

test('a layer that somebody else has made before is made again', async () => {
  // With the times that it has in the tar, the layer of this file is the same for everybody.
  const lines = ['FROM scratch', 'COPY f /f'];
  const options = { files: { f: 'the same' }, name: 'same' };
  const [first, second] = [await build(lines, { ...options, user: 'bob' }), await build(lines, options)];
  assert.deepEqual(second.image?.layers, first.image?.layers);
  const above = await build([...lines, 'COPY f /g'], options);
  assert.equal(above.image?.layers.length, 2);
});

test('names of stages are of any case; a stage is built alone, and others not at all', async () => {
  const lines = [
    'FROM absent/nothing AS Unneeded',
    'RUN false',
    'FROM tiny AS Builder',
    'ARG A',
    'RUN echo "${A:-unset}" > /made',
    'FROM tiny',
    'COPY --from=Builder /made /made',
    'COPY --from=BUILDER /made /again',
    'RUN cat /again',
  ];
  assert.match((await build(lines)).output, /^unset$/m);
  const { output } = await build([...lines, 'RUN echo last'], { stage: 'builder', args: { A: 'given' } });
  assert.match(output, /^STEP 3\/3: RUN echo/m);
});

test('variables in forms that buildah does not know', async () => {
  const lines = ['FROM tiny', 'ARG V=1.2.3', 'ENV MAJOR=${V%%.*} WHERE=${NONE-here}', 'WORKDIR /w/${MAJOR?}'];
  const { output } = await build(
    [...lines, 'COPY f $WHERE/${V?}', 'RUN cd /w/1; pwd; ls here; echo $MAJOR'],
    {
      files: { f: 'f' },
    },
  );
  assert.match(output, /^\/w\/1\n1\.2\.3\n1$/m);
  await assert.rejects(build([...lines, '', 'LABEL a="${NEEDED:?give it}"']), {
    code: 'INVALID',
    message: /^Dockerfile:6: NEEDED: give it\.$/,
  });
});

test('a here-document runs in its shell; it is shown, and its failure is told, by its own line', async () => {
  const lines = ['FROM ann/tiny', 'COPY --link f /f', 'RUN <<EOF', 'n=1', 'echo "said $n $(cat /f)"', 'EOF'];
  const { output } = await build(lines, { files: { f: 'f' } });
  assert.match(output, /STEP 3\/\d: RUN <<EOF\nsaid 1 f\n/);
  await assert.rejects(build([...lines, 'RUN <<EOF', 'exit 3', 'EOF'], { files: { f: 'f' } }), {
    message: /^Dockerfile:7: RUN <<EOF: exit status 3/,
  });
});

describe('the cache', () => {
  const lines = ['FROM ann/tiny', 'RUN echo made > /made', 'COPY f /f'];

  test("has the user's own steps, and nobody else's", async () => {
    const cached = (built: Built) => built.output.match(/^--> Using cache/gm)?.length ?? 0;
    const files = { f: '1' };
    assert.equal(cached(await build(lines, { user: 'bob', files })), 0);
    // Bob's image is in the store now, with the very history that these steps have.
    assert.equal(cached(await build(lines, { files })), 0);
    assert.equal(cached(await build(lines, { files: { f: '2' } })), 1);
    assert.match((await build(lines, { files })).output, /Nothing has changed/);
    const again = await build(lines, { files, cache: false });
    assert.equal(cached(again), 0);
    assert.doesNotMatch(again.output, /Nothing has changed/);
  });

  test('a mounted one is kept, for its user only', async () => {
    const mount = '--mount=type=cache,id=kept,target=/c';
    const count = ['FROM ann/tiny', `RUN ${mount} echo x >> /c/f; echo "lines $(cat /c/f)" | cat`];
    const lines = (built: Built) => built.output.match(/^(?:lines )?x$/gm)?.length;
    assert.equal(lines(await build(count, { cache: false })), 1);
    assert.equal(lines(await build(count, { cache: false })), 2);
    assert.equal(lines(await build(count, { user: 'bob', cache: false })), 1);
  });
});

test('commands see a network of their own, and neither the server nor its processes', async () => {
  const state = platform.paths.state;
  const { output } = await build([
    'FROM tiny',
    `RUN ls /sys/class/net; cat /etc/resolv.conf; ls ${state}; cat /proc/1/cmdline; true`,
  ]);
  assert.match(output, /^tap0$/m);
  assert.match(output, /^nameserver 10\.0\.2\.3$/m);
  assert.match(output, new RegExp(`${state}: No such file`));
  assert.match(output, /\/bin\/sh/);
});

describe('steps that choose their files', () => {
  const files = { 'a/b/f.txt': '1', 'a/b/g.md': '2', 'a/c/f.txt': '3', 'x[1].txt': '4', 'y.md': '5' };
  const list = 'RUN cd /out && find . | sort | tr "\\n" " "; echo';

  test('from the folder that is built', async () => {
    const lines = [
      'FROM tiny',
      'ARG SKIP=*.md',
      'WORKDIR /out',
      'COPY --exclude=**/$SKIP --exclude=a/c . all/',
    ];
    const more = ['COPY --parents a/./b/f.txt y.md p', 'COPY --exclude=q --chmod=600 x\\[1\\].txt one', list];
    const first = await build([...lines, ...more], { files });
    assert.match(
      first.output,
      /^\. \.\/all \.\/all\/a \.\/all\/a\/b \.\/all\/a\/b\/f\.txt \.\/all\/x\[1\]\.txt \.\/one \.\/p \.\/p\/b \.\/p\/b\/f\.txt \.\/p\/y\.md $/m,
    );
    assert.match((await build([...lines, ...more], { files })).output, /Nothing has changed/);
    // What is not copied plays no part: every step is in the cache.
    const other = await build([...lines, ...more], { files: { ...files, 'a/b/g.md': 'other' } });
    assert.doesNotMatch(other.output, /Nothing has changed/);
    assert.equal(other.image?.digest, first.image?.digest);
    const changed = await build(['FROM tiny', 'ARG SKIP=*.txt', ...lines.slice(2), ...more], { files });
    assert.match(changed.output, /all\/y\.md/);
  });

  test('from an image and from a stage, with owners, links and capabilities', async () => {
    const { output } = await build([
      'FROM tiny AS Made',
      'RUN mkdir -p /s/d/e /s/skip; echo 1 > /s/d/e/f; ln /s/d/e/f /s/d/hard; ln -s e /s/d/link; echo 2 > /s/skip/g; chown -R 7:8 /s/d',
      'FROM tiny',
      'COPY --from=made --parents --exclude=**/skip /s/./* /out/',
      'COPY --from=tiny --exclude=[a-z]* /etc /none/',
      'COPY --from=tiny --parents /etc/greet* /out/',
      'RUN cd /out; ls -lnR . | tr "\\n" " "; echo; find /none',
    ]);
    assert.match(output, /\.\/d: .* 7 +8 .* e .* hard .* link -> e /);
    assert.match(output, /-rw-r--r-- +2 7 +8 +2 .* f/);
    assert.match(output, /greeting/);
    assert.match(output, /COPY --from=made --parents --exclude=\*\*\/skip \/s\/\.\/\* \/out\/$/m);
    assert.doesNotMatch(output, /skip:|skip$/m);
    assert.match(output, /^\/none$/m);
  });

  test('what is not there is told with its line', async () => {
    for (const [line, message] of [
      ['COPY --parents absent /x', /^Dockerfile:2: "absent" is not there\.$/],
      ['COPY --exclude=[ . /x', /^Dockerfile:2: "\[" is no pattern/],
      ['COPY --from=tiny --exclude=x /absent /x', /^Dockerfile:2: "\/absent" is not there/],
      ['ADD --checksum=sha256:12 http://x.invalid/a /x', /^Dockerfile:2: "sha256:12" is no checksum/],
      ['ADD --checksum=sha256:12 a /x', /^Dockerfile:2: --checksum is for one file/],
      [
        `ADD --checksum=sha256:${'0'.repeat(64)} http://x.invalid/a /x`,
        /^Dockerfile:2: .*"http:\/\/x\.invalid\/a" cannot be fetched: no such host/,
      ],
    ] as const) {
      await assert.rejects(build(['FROM tiny', line], { files }), { code: 'INVALID', message });
    }
  });

  test('a file that is fetched has its checksum, or the build fails', async (t) => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
    if (address === undefined) return t.skip('this machine has no network');
    const server = createServer((_, response) => void response.end('fetched'));
    await once(server.listen(0, address), 'listening');
    const url = `http://${address}:${(server.address() as AddressInfo).port}/dir/file.bin?x=1`;
    const sum = createHash('sha256').update('fetched').digest('hex');
    try {
      const lines = [
        'FROM tiny',
        'ARG S',
        `ADD --checksum=sha256:$S --chown=3:4 ${url} /d/`,
        'RUN ls -ln /d; cat /d/file.bin; echo',
      ];
      const { output } = await build(lines, { args: { S: sum } });
      assert.match(output, /-rw------- +1 3 +4 +7 .* file\.bin$/m);
      assert.match(output, /^fetched$/m);
      await assert.rejects(build(lines, { args: { S: '0'.repeat(64) } }), {
        code: 'INVALID',
        message: new RegExp(`^Dockerfile:3: .*has another checksum: sha256:${sum}`),
      });
    } finally {
      server.close();
    }
  });
});

test('attributes and capabilities of the folder get into the image, whatever copies them', async () => {
  const folder = await mkdtemp(join(platform.folder, 'attributed-'));
  await copyFile('/bin/busybox', join(folder, 'capped'));
  await writeFile(join(folder, 'noted'), 'x');
  await run(['setcap', 'cap_net_raw+ep', 'capped'], { cwd: folder });
  await run(['setfattr', '-n', 'user.note', '-v', 'kept', 'noted'], { cwd: folder });
  const tar = [
    'tar',
    '--create',
    '--format=pax',
    '--xattrs',
    '--xattrs-include=*',
    '--directory',
    folder,
    '.',
  ];
  const lines = [
    'FROM tiny AS made',
    'COPY . /a/',
    'COPY --chown=5:6 --chmod=755 . /b/',
    'COPY --parents . /c/',
    'RUN echo x > /z',
    'FROM tiny',
    'COPY --from=made /a /a',
    'COPY --from=made --chown=7 /b /b',
    'COPY --from=made --exclude=none /c /c',
    'COPY --from=made --parents /./a /d',
    'RUN chmod 755 /a/capped; echo x > /z',
  ];
  const { image } = await build(lines, { sources: () => streamProgram(tar).stdout });
  const found = await inTree(image, async (root) => {
    const paths = ['a', 'b', 'c', 'd/a'].flatMap((name) => [
      join(root, name, 'capped'),
      join(root, name, 'noted'),
    ]);
    const attributes = await readAttributes(paths);
    return paths.map((path) =>
      [...(attributes.get(path)?.keys() ?? [])].filter((name) => !name.startsWith('trusted.')),
    );
  });
  assert.deepEqual(found, Array.from({ length: 4 }, () => [['security.capability'], ['user.note']]).flat());
});

describe('a name that means a deletion in images', () => {
  for (const [what, lines, message] of [
    ['a command', ['RUN mkdir /d && echo mine > /d/.wh.x', 'RUN true'], /:2: RUN .*it made "\/d\/\.wh\.x"/],
    [
      'a command that changes nothing else',
      ['RUN echo > /etc/.wh..wh..opq'],
      /it made "\/etc\/\.wh\.\.wh\.\.opq"/,
    ],
    ['a copy', ['ENV N=.wh.f', 'COPY f /d/${N}'], /:3: "\/d\/\.wh\.f" cannot be in an image/],
    ['a working folder', ['WORKDIR /a/.wh.b'], /:2: "\/a\/\.wh\.b" cannot be in an image/],
  ] as const) {
    test(`is refused where ${what} makes it, and each time`, async () => {
      for (let round = 0; round < 2; round += 1) {
        await assert.rejects(build(['FROM tiny', ...lines], { files: { f: 'x' } }), { message });
      }
    });
  }

  test('is no matter while a command has it for itself', async () => {
    const { image } = await build(['FROM tiny', 'RUN echo > /.wh.x && rm /.wh.x && echo kept > /kept']);
    assert.equal(await inTree(image, (root) => readFile(join(root, 'kept'), 'utf8')), 'kept\n');
  });
});

describe('what a command may take', () => {
  /** The limits of the platform are changed for one build. */
  async function limited(limits: { processes?: number; memory?: number }, command: string): Promise<Built> {
    const { container } = platform.deps.config.limits;
    const before = { ...container };
    Object.assign(container, limits);
    try {
      return await build(['FROM tiny', `RUN ${command}`], { cache: false });
    } finally {
      Object.assign(container, before);
    }
  }

  test('has a limit on processes, and is told of it', async () => {
    await assert.rejects(
      limited({ processes: 40 }, 'for i in $(seq 60); do sleep 100 & done; kill %1 && exit 3'),
      {
        code: 'EXTERNAL',
        message: /^Dockerfile:2: RUN for .*it had 40 processes, which is the limit\.$/,
        hint: /limits\.container-processes/,
      },
    );
    await limited({ processes: 40 }, 'for i in $(seq 10); do sleep 0 & done; wait');
  });

  test('has a limit on memory, and is told of it', async () => {
    const command = 'dd if=/dev/zero of=/dev/null bs=200M count=1';
    await assert.rejects(limited({ memory: 128 * 1024 ** 2 }, command), {
      code: 'EXTERNAL',
      message: /^Dockerfile:2: RUN dd .*it had 128 MiB of memory, which is the limit\.$/,
    });
    await limited({ memory: 512 * 1024 ** 2 }, command);
  });

  test('has control groups that it cannot change', async () => {
    const { output } = await build([
      'FROM tiny',
      'RUN for d in /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo "made $d"; done; echo tried',
    ]);
    assert.match(output, /^tried$/m);
    assert.doesNotMatch(output, /^made/m);
  });
});

test('a layer holds what its command changed, and nothing that was mounted for it', async () => {
  const { image } = await build(
    ['FROM scratch', 'COPY --from=tiny /bin /bin', 'RUN echo x > /f; chmod 600 /f'],
    {
      name: 'clean',
    },
  );
  assert.deepEqual(await inTree(image, async (root) => (await readdir(root)).sort()), [
    'bin',
    'dev',
    'f',
    'proc',
    'run',
    'sys',
  ]);
  const { image: own } = await build(
    ['FROM tiny', 'RUN mkdir -p /etc/x', 'RUN rm -rf /etc; ln -s /etc /etc; true'],
    {
      name: 'clean',
    },
  );
  assert.ok(own);
});

async function inTree<T>(image: ImageRecord | undefined, use: (root: string) => Promise<T>): Promise<T> {
  assert.ok(image);
  const store = await Store.open(platform.paths, (argv) => [...argv]);
  return store.withMounted(image.digest, use);
}

test('what buildahs of this age are known to get wrong', async () => {
  // buildah#4811: a cache's mode and owner.
  const cache = 'RUN --mount=type=cache,id=owned,target=/c,mode=0700,uid=5,gid=6';
  // buildah#5861: a link that changes, and its time does not.
  const link = (to: string) => `RUN ln -sfn ${to} /l; touch -h -d "2020-01-01 00:00:00" /l`;
  const lines = [
    'FROM tiny',
    `${cache} ls -ldn /c`,
    link('a'),
    link('b'),
    'RUN ls -l /l',
    'COPY . /x',
    'RUN ls -l /x/',
  ];
  for (const to of ['one', 'two']) {
    const folder = await mkdtemp(join(platform.folder, 'links-'));
    await symlink(to, join(folder, 'k'));
    await lutimes(join(folder, 'k'), 1e9, 1e9);
    const { output } = await build(lines, {
      sources: () => streamProgram(['tar', '--create', '--directory', folder, '.']).stdout,
      cache: to === 'two',
    });
    if (to === 'one') assert.match(output, /^drwx------ +2 5 +6 /m);
    if (to === 'one') assert.match(output, / \/l -> b$/m);
    assert.match(output, new RegExp(` k -> ${to}$`, 'm'));
  }
});

test('a name that moves meanwhile is not overwritten: the result gets another one', async () => {
  const { images } = platform;
  const target = { owner: 'ann', name: 'contested' };
  await images.duplicate('ann', tiny, target, false);
  const other = await addTiny(platform, 'other', 'other');
  const building = build(['FROM tiny', 'RUN echo contested > /f; echo begun'], {
    name: 'contested',
    onBegun: () => images.duplicate('ann', other, target, true),
  });
  await assert.rejects(building, { code: 'CONFLICT', message: /kept as ann\/contested-[0-9a-f]{8}\./ });
  assert.equal((await images.get('ann', 'contested')).digest, other.digest);
  const kept = (await images.list('ann')).filter(({ name }) => name.startsWith('contested-'));
  assert.equal(kept.length, 1);
});

describe('FROM', () => {
  test('an image that its owner hides is none for others; what its owner builds with it is hidden, too', async () => {
    const { sharing } = platform.images;
    await sharing.set(tiny, []);
    try {
      for (const lines of [['FROM ann/tiny'], ['FROM scratch', 'COPY --from=ann/tiny@{0} /etc/greeting /']])
        await assert.rejects(build(lines, { user: 'bob' }), {
          code: 'NOT_FOUND',
          message: new RegExp(`^Dockerfile:${lines.length}: `),
        });
      const { image } = await build(['FROM tiny', 'LABEL of=ann'], { name: 'from-hidden' });
      assert.deepEqual(await sharing.of(image), []);
    } finally {
      await sharing.set(tiny, undefined);
    }
  });

  test('an image of a registry, with the login of who builds', async () => {
    const { images } = platform;
    const { host, username, password } = registry;
    await images.registries.login('ann', 'lab', username, password);
    const to = { label: 'lab', repository: 'base', tag: 'v1', replace: false };
    await result(images.registries.publish('ann', tiny, to, new AbortController().signal));
    const { output, image } = await build([`FROM ${host}/base:v1`, 'RUN cat /etc/greeting'], { name: 'far' });
    assert.match(output, /^STEP 1\/2: FROM localhost:\d+\/base:v1$/m);
    assert.equal(image?.layers[0], tiny.layers[0]);
    await build(['FROM lab:base:v1'], { name: 'far' });
    for (const [user, base, code] of [
      ['bob', 'lab:base:v1', 'FORBIDDEN'],
      ['ann', 'lab:base:v2', 'NOT_FOUND'],
      ['ann', 'elsewhere.example/base', 'NOT_FOUND'],
      ['ann', 'nobody/nothing', 'NOT_FOUND'],
    ] as const) {
      const failing = build(['ARG A', '', `FROM ${base}`], { user });
      await assert.rejects(failing, { code, message: /^Dockerfile:3: / });
    }
  });

  test('an older version, and an image that nothing is added to', async () => {
    await build(['FROM tiny', 'RUN echo 1 > /v'], { name: 'versions' });
    await build(['FROM tiny', 'RUN echo 2 > /v'], { name: 'versions' });
    const { output } = await build(['FROM versions@{1}', 'RUN cat /v'], { name: 'older' });
    assert.match(output, /^1$/m);
    const same = await build(['FROM tiny'], { name: 'same' });
    assert.equal(same.image?.digest, tiny.digest);
  });

  test('an image that says as little as an image may', async () => {
    const tars = [await tarOf([{ name: 'f', text: 'sparse' }])];
    const sparse = { created: undefined, config: undefined, history: [{ created_by: 'x' }] };
    liar.add('sparse', { tars, configuration: sparse });
    const lines = [
      'FROM liar:exp:sparse',
      'ENV A=${B-set}',
      'COPY f /g',
      'COPY --from=liar:exp:sparse /f /h',
    ];
    const { image } = await build(lines, { files: { f: 'own' }, name: 'sparse' });
    assert.equal(image?.layers.length, 3);
    const same = await build(['FROM liar:exp:sparse'], { name: 'sparse' });
    assert.equal(same.image?.layers.length, 1);
    assert.deepEqual(await inTree(same.image, (root) => readdir(root)), ['f']);
    liar.add('silent', { tars, configuration: { created: undefined } });
    await assert.rejects(
      build(['FROM liar:exp:silent', 'ENV A=1', 'COPY f /g'], { files: { f: '' }, name: 'sparse' }),
      {
        message:
          /^Dockerfile:3: COPY f \/g: the image that it starts from does not tell how its layers were made/,
      },
    );
  });

  test('an image that is damaged on the server is told by its name', async () => {
    const base = await addTiny(platform, 'damaged', 'damaged');
    const top = join(platform.paths.containers, 'overlay-images', base.digest.slice('sha256:'.length));
    await rename(top, `${top}-away`);
    try {
      await assert.rejects(build(['FROM damaged', 'RUN true']), {
        code: 'EXTERNAL',
        message: /^Dockerfile:1: "damaged": The image is damaged on the server/,
      });
    } finally {
      await rename(`${top}-away`, top);
    }
  });

  test('another image than the build before, which added no layer', async () => {
    await addTiny(platform, 'elsewhere', 'elsewhere');
    const { image } = await build(['FROM ann/elsewhere', 'ENV A=1'], { user: 'cat', name: 'noted' });
    assert.equal(image?.layers.length, 1);
    await build(['FROM scratch', 'COPY f /f'], { user: 'cat', name: 'own', files: { f: '' } });
  });

  test('nothing, for another CPU', async () => {
    const lines = ['FROM scratch', 'COPY f /f'];
    const files = { f: '1' };
    const foreign = await build(lines, { architecture: 'arm64', files, name: 'foreign' });
    const own = await build(lines, { files, name: 'native' });
    assert.deepEqual([foreign.image?.architecture, own.image?.architecture], ['arm64', 'amd64']);
    await assert.rejects(build(['FROM --platform=linux/amd64 foreign', 'COPY f /g']), {
      code: 'INVALID',
      message: /^Dockerfile:1: .* is for arm64, not for amd64/,
    });
  });

  test('an image that has instructions for those who build on it', async () => {
    await build(['FROM tiny', 'ONBUILD RUN echo triggered'], { name: 'asking' });
    assert.match((await build(['FROM asking', 'RUN true'])).output, /^triggered$/m);
    // Nobody looked at what they take from elsewhere: buildah decides whether they have to run.
    assert.doesNotMatch((await build(['FROM asking', 'RUN true'])).output, /Nothing has changed/);
  });
});
