/** HTTP: requests that are nearly right. SERVER is an address of walt-net, with a port or without, or the path of the API's socket. */
import { mutate } from './mutate.ts';
import { packets, sendStreams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'BREW'];
const PATHS = [
  ...[
    '/',
    '//',
    '*',
    '/boot/ipxe',
    '/node/poll',
    '/node/initramfs',
    '/node/archive',
    '/node/trouble',
    '/node/disproved',
    '/node/reads',
    '/node/rpc',
    '/node/log?spool=a.1&from=0',
    '/node/volumes',
    '/node/kexec',
  ],
  ...[
    '/rpc/node/list',
    '/rpc/auth/challenge',
    '/rpc/auth/prove',
    '/rpc',
    '/rpc/__proto__',
    '/rpc/image/constructor',
  ],
  ...[
    '/stream/tcp?node=a',
    '/stream/console',
    '/stream/job?job=[]',
    '/image-files?image=a&path=/',
    '/log/lines?set=a',
    '/log/import',
  ],
  ...[
    '/metrics',
    '/api/v1/nodes?booted=true&name=%ff',
    '/api/v1/images?in_use=false',
    '/api/v1/logs?from=1727090181&to=1727101440&stream=(',
  ],
  ...['/boot/%2e%2e/%00', '/boot/files/x/vmlinuz', `/${'a'.repeat(9000)}`, 'http://other/', '/%', '/?%ff'],
];
const HEADERS = [
  ...[
    'host: x',
    'connection: close',
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
  ],
  ...['sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'transfer-encoding: chunked', 'content-length: 5'],
  ...['content-length: 99999999999', 'content-length: -1', 'expect: 100-continue', 'expect: nothing'],
  ...[
    'content-type: application/json',
    'content-type: multipart/form-data; boundary=x',
    'authorization: Bearer x',
  ],
  ...['x-walt-token: x', 'x-walt-clock: 1790000000.5', 'content-encoding: gzip', `x: ${'y'.repeat(20_000)}`],
];
const BODIES = [
  '',
  '{}',
  '{"json":{}}',
  '{"json":{"__proto__":{"x":1}},"meta":[[1]],"maps":[[]]}',
  '5\r\nhello\r\n0\r\n\r\n',
];

function request(): Buffer {
  const headers = Array.from({ length: random.below(7) }, () => random.pick(HEADERS));
  const head = [`${random.pick(METHODS)} ${random.pick(PATHS)} HTTP/1.${random.below(2)}`, ...headers];
  const text = `${head.join('\r\n')}\r\n\r\n${random.pick(BODIES)}`;
  const bytes = Buffer.from(text);
  const one = random.chance(40) ? mutate(bytes, random) : bytes;
  return random.chance(10) ? Buffer.concat([one, one, one]) : one;
}

const [host = '', port = '80'] = server.split(':');
const where = server.startsWith('/') ? { path: server } : { host, port: Number(port) };
const answers = await sendStreams(where, packets(count, request), 24);
process.stdout.write(`${answers} of ${count} answered\n`);
