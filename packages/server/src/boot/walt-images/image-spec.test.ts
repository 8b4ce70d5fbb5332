import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseImageSpec, renderTemplate } from './image-spec.ts';

describe('an image.spec', () => {
  const rows: [what: string, text: string, templates: string[]][] = [
    ['that is empty', '{}', []],
    [
      'with comments and a comma too many',
      '# one\n{ "templates": [ # two\n "/etc/a", "/etc/b", ] } # three',
      ['/etc/a', '/etc/b'],
    ],
    ['with # and commas in names', '{"templates": ["/etc/#a", "/etc/b,]"]}', ['/etc/#a', '/etc/b,]']],
    ['with other keys', '{"features": {"ptp": "/bin/x"}, "templates": ["/a"]}', ['/a']],
  ];
  for (const [what, text, templates] of rows) {
    test(what, () => assert.deepEqual(parseImageSpec(text).templates, templates));
  }
  for (const text of ['', '{', '{"templates": "x"}', '{"templates": ["relative"]}', '[]']) {
    test(`${JSON.stringify(text)} is refused, and the file is named`, () => {
      assert.throws(() => parseImageSpec(text), { code: 'INVALID', message: /\/etc\/walt\/image\.spec/ });
    });
  }
});

test('a template is filled in as Python does, and keeps what is not known', () => {
  const values = { server_ip: '10.0.0.1' };
  const render = (text: string) => renderTemplate(text, values);
  assert.equal(render('ip=%(server_ip)s 50%% %(unknown)s %d $&'), 'ip=10.0.0.1 50% %(unknown)s %d $&');
  assert.equal(render('%%(server_ip)s %(toString)s'), '%(server_ip)s %(toString)s');
});
