import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { powerConfig } from './power-config.ts';

const load = (text: string) => powerConfig.safeParse(parse(text));

test('sources of power have what they leave out', () => {
  assert.deepEqual(powerConfig.parse(undefined), {});
  const { data } = load(`
    bmc-1: { kind: ipmi, host: 192.168.7.12, user: walt, password-file: /etc/walt/a, cipher-suite: 17 }
    chassis: { kind: redfish, host: "fe80::1", user: walt, password-file: /etc/walt/b, network: walt-net }
    plugs: { kind: command, on: [/usr/bin/plug, on, "{port}"], off: [/usr/bin/plug, off, "{port}"] }`);
  assert.deepEqual(data, {
    'bmc-1': {
      ...{ kind: 'ipmi', host: '192.168.7.12', port: 623, user: 'walt', passwordFile: '/etc/walt/a' },
      ...{ network: 'host', privilege: 'operator', cipherSuite: 17 },
    },
    chassis: {
      ...{ kind: 'redfish', host: 'fe80::1', port: 443, user: 'walt', passwordFile: '/etc/walt/b' },
      network: 'walt-net',
    },
    plugs: {
      ...{ kind: 'command', user: 'nobody', network: 'host' },
      on: ['/usr/bin/plug', 'on', '{port}'],
      off: ['/usr/bin/plug', 'off', '{port}'],
    },
  });
});

const bmc = 'kind: ipmi, host: a, user: u, password-file: /p';
const red = 'kind: redfish, host: a, user: u, password-file: /p';
const print = `${'AB:'.repeat(31)}AB`;
const refused: [text: string, path: string, message: RegExp][] = [
  ['a: { kind: poe }', 'a.kind', /./],
  [`A: { ${bmc} }`, 'A', /must be 1 to 32 lower-case letters/],
  [`wake-on-lan: { ${bmc} }`, 'wake-on-lan', /a meaning of its own/],
  [`none: { ${bmc} }`, 'none', /a meaning of its own/],
  ['a: { kind: ipmi, host: a, user: u, password: secret }', 'a.password-file', /./],
  [`a: { ${bmc}, host2: b }`, 'a', /host2/],
  ['a: { kind: ipmi, host: "-x", user: u, password-file: /p }', 'a.host', /host name or an address/],
  ['a: { kind: ipmi, host: "a b", user: u, password-file: /p }', 'a.host', /host name or an address/],
  ['a: { kind: ipmi, host: a, user: "u\\u0007", password-file: /p }', 'a.user', /control characters/],
  ['a: { kind: ipmi, host: a, user: u, password-file: p }', 'a.password-file', /absolute path/],
  [`a: { ${bmc}, port: 65536 }`, 'a.port', /./],
  [`a: { ${bmc}, cipher-suite: 300 }`, 'a.cipher-suite', /./],
  [`a: { ${red}, fingerprint: "AB:CD" }`, 'a.fingerprint', /32 bytes in hexadecimal/],
  [`a: { ${red}, fingerprint: "${print}", ca: /c }`, 'a', /one of them tells who it is/],
  [`a: { ${red}, verify: false }`, 'a', /verify/],
  ['a: { kind: command }', 'a', /neither "on" nor "off" nor "reset"/],
  ['a: { kind: command, state: [/bin/true] }', 'a', /neither "on" nor "off" nor "reset"/],
  ['a: { kind: command, on: [plug] }', 'a.on', /absolute path of a program/],
  ['a: { kind: command, on: [/a=b/plug] }', 'a.on', /absolute path of a program/],
  ['a: { kind: command, on: /bin/plug on }', 'a.on', /./],
  ['a: { kind: command, on: [] }', 'a.on', /./],
  ['a: { kind: command, on: [/bin/plug, "--port={port}"] }', 'a.on.1', /a word of its own/],
  ['a: { kind: command, on: [/bin/plug, "a\\nb"] }', 'a.on.1', /control characters/],
  ['a: { kind: command, on: [/bin/plug], user: "a b" }', 'a.user', /name of a user/],
];
for (const [text, path, message] of refused) {
  test(`refuses ${text}`, () => {
    const [issue] = load(text).error?.issues ?? [];
    const reason = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message;
    assert.equal(issue?.path.join('.'), path, reason ?? 'it is taken');
    assert.match(reason ?? '', message);
  });
}
